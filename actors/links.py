"""Look for broken links in a web page or a site, many at once.

Start it with ``swarmage up actors`` (or ``swarmage up actors.links``) and send to it with

    swarmage send links.check http://localhost:8000/ --wait
    swarmage send links.site http://localhost:8000/ depth=2 limit=500 --wait

The first reads one page and asks for each address it links to; the second also follows the links that stay on the
host, up to DEPTH pages away from the first, and asks for at most LIMIT addresses in all. Each address is asked for
once, by a local task of its own: with HEAD, and with GET where HEAD is refused. Only http and https are spoken. The
reply is ``{"pages", "checked", "ok", "broken", "complete"}``: ``broken`` lists ``{"url", "reason", "page"}``, and
``complete`` is false when a limit was reached. robots.txt is not read: send it to sites of your own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypedDict

from actors.web import MOST_LINKS, Visit, normal, probe, read_page, same_host
from swarmage import Reject, Worker, ability

WINDOW = 64  # addresses asked for at once; how many really are depends on the workers of the cell


class Broken(TypedDict):
    """A link that leads nowhere, why, and the first page it was found on."""

    url: str
    reason: str
    page: str


class Report(TypedDict):
    """What became of the links of a page or site."""

    pages: int
    checked: int
    ok: int
    broken: list[Broken]
    complete: bool


class Links(Worker):
    """Checks links; the workers of a cell share the addresses of a page among them."""

    concurrency = 8

    @ability("links.check", timeout=1800, retries=0)
    def check(self, url: str) -> Report:
        """Check the links of one page."""
        return self._follow(Crawl(start=normal(url), depth=0, limit=1 + MOST_LINKS))

    @ability("links.site", timeout=6 * 3600, retries=1)
    def site(self, url: str, depth: int = 2, limit: int = 500) -> Report:
        """Check the links of a page and of the pages it leads to on the same host."""
        if depth < 0 or limit < 1:
            raise Reject(f"depth must be 0 or more and limit 1 or more, not {depth} and {limit}")
        return self._follow(Crawl(start=normal(url), depth=depth, limit=limit))

    @ability("links.visit", timeout=120, retries=0)
    def visit(self, url: str, read: bool) -> Visit:
        """Ask for one address, and read it as a page when told to."""
        return read_page(url) if read else probe(url)

    def _follow(self, crawl: Crawl) -> Report:
        under_way: deque[tuple[str, Any]] = deque()
        while True:
            for address in crawl.take(WINDOW - len(under_way)):
                under_way.append((address, self.local(Links.visit, address, crawl.is_page(address))))
            if not under_way:
                return crawl.report()
            address, handle = under_way.popleft()
            crawl.enter(address, handle.result())
            self.progress(crawl.visited, len(crawl.found), "links")


@dataclass
class Crawl:
    """Which addresses were found, and what is known of them.

    Attributes:
        start: the first page; once it was read, where its redirects ended.
        depth: how many links away from it a page is still read.
        limit: how many addresses are asked for.
        found: each address with its distance from the start and the page that first had it.
    """

    start: str
    depth: int
    limit: int
    found: dict[str, tuple[int, str]] = field(default_factory=dict)
    waiting: deque[str] = field(default_factory=deque)
    broken: list[Broken] = field(default_factory=list)
    pages: int = 0
    visited: int = 0
    complete: bool = True

    def __post_init__(self) -> None:
        self._find(self.start, 0, self.start)

    def take(self, number: int) -> Iterator[str]:
        """Yield up to so many addresses that nobody has asked for yet, nearest to the start first."""
        for _ in range(min(number, len(self.waiting))):
            yield self.waiting.popleft()

    def is_page(self, address: str) -> bool:
        """Return whether the address is to be read, and not only asked for."""
        return self.found[address][0] <= self.depth and same_host(address, self.start)

    def enter(self, address: str, visit: Visit) -> None:
        """Note what an address answered, and what it links to."""
        self.visited += 1
        distance, page = self.found[address]
        if distance == 0:
            self.start = visit["url"]
        if visit["reason"] is not None:
            self.broken.append({"url": address, "reason": visit["reason"], "page": page})
        if visit["links"] is None or not same_host(visit["url"], self.start):
            return
        self.pages += 1
        self.complete = self.complete and visit["whole"]
        for link in visit["links"]:
            self._find(link, distance + 1, address)

    def _find(self, address: str, distance: int, page: str) -> None:
        if address in self.found:
            return
        if len(self.found) >= self.limit:
            self.complete = False
            return
        self.found[address] = (distance, page)
        self.waiting.append(address)

    def report(self) -> Report:
        """Return the counts, and the broken links by page."""
        return {
            "pages": self.pages,
            "checked": self.visited,
            "ok": self.visited - len(self.broken),
            "broken": sorted(self.broken, key=lambda link: (link["page"], link["url"])),
            "complete": self.complete,
        }
