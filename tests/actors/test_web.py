from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from actors import web

if TYPE_CHECKING:
    from tests.actors.conftest import Site

PAGE = """
<html><head><base href="/docs/"><link rel=stylesheet href=style.css><script src="//cdn.example/a.js"></script></head>
<body><A HREF=" one.html#top ">1</A> <a href='one.html?a=1&amp;b=2'>2</a> <a href="one.html">again</a>
<a name=x>no link</a> <a href>empty</a> <a href="#here">here</a> <a href="mailto:a@b.c">mail</a>
<a href="javascript:void(0)">no</a> <a href="HTTP://Example.COM:80/Ä b?ö">odd</a> <a href="http://[bad/">bad</a>
<img src=/logo.png><a href="http://user:secret@example.com/">in</a> <!-- <a href=hidden>no</a> --> <![x[ <a href=after
"""


def test_the_links_of_a_page_are_absolute_http_addresses_each_once() -> None:
    assert web.links_of(PAGE, "http://localhost/start/index.html") == [
        "http://localhost/docs/style.css",
        "http://cdn.example/a.js",
        "http://localhost/docs/one.html",
        "http://localhost/docs/one.html?a=1&b=2",
        "http://localhost/docs/",
        "http://example.com/%C3%84%20b?%C3%B6",
        "http://[bad/",
        "http://localhost/logo.png",
        "http://example.com/",
    ]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Example.com", "http://example.com/"),
        ("http://example.com:80/a#b", "http://example.com/a"),
        ("https://example.com:80/", "https://example.com:80/"),
        ("https://bücher.example/ü%20x", "https://xn--bcher-kva.example/%C3%BC%20x"),
        ("http://[::1]:8000/?q=a b", "http://[::1]:8000/?q=a%20b"),
        (" http://example.com/a;b=c?d ", "http://example.com/a;b=c?d"),
    ],
)
def test_an_address_is_written_in_one_way(url: str, expected: str) -> None:
    assert web.normal(url) == expected
    assert web.normal(expected) == expected


NO_WEB_ADDRESS = """
    example.com  file:///etc/passwd  ftp://x/  http://  http:///x  http://[x/  http://x:99999/  http://a..b/
    javascript:alert(1)
"""


@pytest.mark.parametrize("url", ["", "http://" + "x" * 70, *NO_WEB_ADDRESS.split()])
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        web.normal(url)


def test_a_page_that_is_there_has_no_reason_to_be_broken(site: Site) -> None:
    site.page("/a")
    assert web.probe(site.url + "/a") == {"url": site.url + "/a", "reason": None, "links": None, "whole": True}
    assert site.asked == [("HEAD", "/a", web.USER_AGENT)]


def test_where_head_is_refused_get_decides(site: Site) -> None:
    site.refuse_head = True
    site.page("/a")
    assert web.probe(site.url + "/a")["reason"] is None
    assert web.probe(site.url + "/b")["reason"] == "404 Not Found"
    assert [method for method, _, _ in site.asked] == ["HEAD", "GET", "HEAD", "GET"]


@pytest.mark.parametrize("status", [400, 403, 404, 410, 429, 500, 503])
def test_an_error_status_is_the_reason(site: Site, status: int) -> None:
    site.page("/a", status=status)
    for visit in (web.probe(site.url + "/a"), web.read_page(site.url + "/a")):
        assert visit["reason"] is not None
        assert visit["reason"].startswith(f"{status} ")


def test_a_redirect_is_followed_with_the_same_method(site: Site) -> None:
    site.page("/old", status=301, Location="/new")
    site.page("/new")
    assert web.probe(site.url + "/old")["reason"] is None
    assert site.asked_for("/new") == ["HEAD"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/html,x"])
def test_a_redirect_to_something_else_than_the_web_is_broken(site: Site, target: str) -> None:
    site.page("/a", status=302, Location=target)
    assert web.probe(site.url + "/a")["reason"]
    assert web.read_page(site.url + "/a")["links"] is None


def test_a_redirect_that_goes_round_is_broken(site: Site) -> None:
    site.page("/a", status=302, Location="/a")
    assert web.probe(site.url + "/a")["reason"]


def test_who_does_not_listen_is_broken(nobody: Callable[[], str]) -> None:
    assert web.probe(nobody())["reason"] == "connection refused"
    assert web.read_page(nobody())["reason"] == "connection refused"


def test_who_does_not_answer_in_time_is_broken(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "TIMEOUT_SECONDS", 0.1)
    site.hold["/slow"] = threading.Event()
    assert web.probe(site.url + "/slow")["reason"] == "no answer in time"
    assert web.read_page(site.url + "/slow")["reason"] == "no answer in time"


def test_a_server_that_drips_is_cut_off(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "PAGE_SECONDS", -1.0)
    site.page("/a", "/b")
    assert web.read_page(site.url + "/a")["reason"] == "no answer in time"


def test_a_page_is_read_with_its_links(site: Site) -> None:
    site.page("/old", status=302, Location="/deep/a")
    site.page("/deep/a", "b", "/c")
    assert web.read_page(site.url + "/old") == {
        "url": site.url + "/deep/a",
        "reason": None,
        "links": [site.url + "/deep/b", site.url + "/c"],
        "whole": True,
    }


def test_a_file_that_is_no_page_has_no_links(site: Site) -> None:
    site.pages["/a"] = (200, {"Content-Type": "text/plain"}, b'<a href="/b">')
    assert web.read_page(site.url + "/a")["links"] is None


@pytest.mark.parametrize("charset", ["latin-1", "utf-8", "no-such-charset"])
def test_a_page_is_decoded_as_its_server_says(site: Site, charset: str) -> None:
    encoded = '<a href="/é">'.encode("latin-1" if charset == "latin-1" else "utf-8")
    site.pages["/a"] = (200, {"Content-Type": f"text/html; charset={charset}"}, encoded)
    assert web.read_page(site.url + "/a")["links"] == [site.url + "/%C3%A9"]


def test_of_a_huge_page_only_the_beginning_is_looked_at(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST_BYTES", 100_000)
    site.pages["/a"] = (200, {"Content-Type": "text/html"}, b'<a href="/b">' + b" " * 1_000_000 + b'<a href="/c">')
    visit = web.read_page(site.url + "/a")
    assert (visit["links"], visit["whole"]) == ([site.url + "/b"], False)


def test_of_a_page_with_too_many_links_the_first_are_taken(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST_LINKS", 3)
    site.page("/a", *"bcdef")
    visit = web.read_page(site.url + "/a")
    assert visit["links"] == [f"{site.url}/{name}" for name in "bcd"]
    assert not visit["whole"]
