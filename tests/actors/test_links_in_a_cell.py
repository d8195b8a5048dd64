from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.links import Links
from swarmage import TaskFailed
from swarmage.testing.swarm import Swarm

if TYPE_CHECKING:
    from tests.actors.conftest import Site

LONG = 60.0


@pytest.fixture(autouse=True)
def cell(swarm: Swarm) -> None:
    swarm.start(Links)


def test_a_site_is_followed_and_its_broken_links_are_found(swarm: Swarm, site: Site) -> None:
    site.page("/", *[f"/page/{number}" for number in range(40)])
    for number in range(40):
        site.page(f"/page/{number}", "/", f"/page/{number + 1}", f"/gone/{number % 3}")
    report = swarm.insert(Links.site, site.url + "/", depth=2, limit=100).result(timeout=LONG)
    assert (report["pages"], report["checked"], report["ok"], report["complete"]) == (41, 45, 41, True)
    assert [link["url"].removeprefix(site.url) for link in report["broken"]] == [
        "/gone/0",
        "/gone/1",
        "/gone/2",
        "/page/40",
    ]
    assert all(len(site.asked_for(f"/page/{number}")) == 1 for number in range(40))


def test_one_page_is_checked(swarm: Swarm, site: Site) -> None:
    site.page("/", "/a", "/gone")
    site.page("/a")
    report = swarm.insert("links.check", site.url).result(timeout=LONG)
    assert report["broken"] == [{"url": site.url + "/gone", "reason": "404 Not Found", "page": site.url + "/"}]


def test_links_are_asked_for_at_the_same_time(swarm: Swarm, site: Site) -> None:
    """Four links that answer only when all four are asked for: one after the other, they would never end."""
    site.page("/", *[f"/{number}" for number in range(4)])
    asked = site.wait_for_all([f"/{number}" for number in range(4)])
    for number in range(4):
        site.page(f"/{number}")
    report = swarm.insert(Links.check, site.url).result(timeout=LONG)
    assert report["ok"] == 5
    assert asked.is_set()


def test_something_else_than_the_web_is_refused(swarm: Swarm) -> None:
    with pytest.raises(TaskFailed, match="not an http or https URL"):
        swarm.insert(Links.check, "file:///etc/passwd").result(timeout=LONG)
