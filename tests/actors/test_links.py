from __future__ import annotations

from typing import TYPE_CHECKING

from actors.links import Crawl, Report
from actors.web import probe, read_page

if TYPE_CHECKING:
    from tests.actors.conftest import Site


def follow(site: Site, path: str = "/", depth: int = 9, limit: int = 100) -> Report:
    crawl = Crawl(start=site.url + path, depth=depth, limit=limit)
    while addresses := list(crawl.take(3)):
        for address in addresses:
            crawl.enter(address, read_page(address) if crawl.is_page(address) else probe(address))
    return crawl.report()


def test_one_page_is_checked_with_its_links(site: Site) -> None:
    site.page("/", "/good", "/bad", "/good#again", "mailto:a@b.c")
    site.page("/good", "/further")
    assert follow(site, depth=0) == {
        "pages": 1,
        "checked": 3,
        "ok": 2,
        "broken": [{"url": site.url + "/bad", "reason": "404 Not Found", "page": site.url + "/"}],
        "complete": True,
    }
    assert site.asked_for("/further") == []


def test_every_address_is_asked_for_once_however_often_it_is_linked(site: Site) -> None:
    for path in ("/", "/a", "/b"):
        site.page(path, "/", "/a", "/b", "/#x", "/picture")
    site.pages["/picture"] = (200, {"Content-Type": "image/png"}, b"")
    report = follow(site)
    assert (report["pages"], report["checked"], report["ok"]) == (3, 4, 4)
    assert sorted(path for _, path, _ in site.asked) == ["/", "/a", "/b", "/picture"]


def test_a_site_is_followed_to_its_depth(site: Site) -> None:
    for number in range(5):
        site.page(f"/{number}", f"/{number + 1}")
    report = follow(site, "/0", depth=2)
    assert (report["pages"], report["checked"], report["complete"]) == (3, 4, True)
    assert site.asked_for("/3") == ["HEAD"]
    assert site.asked_for("/4") == []


def test_a_limit_ends_a_crawl_and_says_so(site: Site) -> None:
    site.page("/", *[f"/{number}" for number in range(50)])
    report = follow(site, limit=10)
    assert (report["checked"], report["complete"]) == (10, False)


def test_another_host_is_asked_but_not_read(site: Site) -> None:
    elsewhere = site.url.replace("127.0.0.1", "localhost")
    site.page("/", elsewhere + "/away")
    site.page("/away", "/further")
    report = follow(site)
    assert (report["pages"], report["checked"], report["ok"]) == (1, 2, 2)
    assert site.asked_for("/away") == ["HEAD"]


def test_a_start_that_moved_is_followed_to_where_it_went(site: Site) -> None:
    elsewhere = site.url.replace("127.0.0.1", "localhost")
    site.page("/", status=301, Location=elsewhere + "/home")
    site.page("/home", "/a", "/gone")
    site.page("/a")
    report = follow(site)
    assert (report["pages"], report["checked"], len(report["broken"])) == (2, 3, 1)


def test_a_start_that_is_not_there_is_the_one_broken_link(site: Site) -> None:
    report = follow(site)
    assert (report["pages"], report["checked"], report["ok"]) == (0, 1, 0)
    assert [link["reason"] for link in report["broken"]] == ["404 Not Found"]


def test_broken_links_come_by_page(site: Site) -> None:
    site.page("/", "/z", "/b", "/a")
    site.page("/b", "/y")
    found = [(link["page"], link["url"]) for link in follow(site)["broken"]]
    assert found == [(site.url + page, site.url + url) for page, url in (("/", "/a"), ("/", "/z"), ("/b", "/y"))]
