"""Pages and addresses: what ``actors.links`` needs of HTTP and HTML, with the standard library alone."""

from __future__ import annotations

import contextlib
import functools
import http.client
import socket
import time
import urllib.error
import urllib.request
from html.parser import HTMLParser
from typing import Any, TypedDict
from urllib.parse import quote, urldefrag, urljoin, urlsplit, urlunsplit

USER_AGENT = "swarmage-links/0.1 (an example Worker that looks for broken links)"
TIMEOUT_SECONDS = 10.0  # for the connection and for each read
PAGE_SECONDS = 30.0  # for the whole page, so that a server which drips cannot hold a worker
MOST_BYTES = 2 * 1024 * 1024  # of a page; what comes after is not looked at
MOST_LINKS = 5000  # of one page
HOLDS_A_LINK = {
    "a": "href",
    "area": "href",
    "link": "href",
    "img": "src",
    "script": "src",
    "iframe": "src",
    "source": "src",
    "audio": "src",
    "video": "src",
    "embed": "src",
}
REASONS: dict[type[Exception], str] = {
    TimeoutError: "no answer in time",
    socket.gaierror: "no such host",
    ConnectionRefusedError: "connection refused",
    ConnectionError: "connection lost",
}


class Visit(TypedDict):
    """What an address answered.

    Attributes:
        url: where its redirects ended.
        reason: why it is broken, or None.
        links: what it links to, or None when it was not read as a page.
        whole: whether all of the page was looked at.
    """

    url: str
    reason: str | None
    links: list[str] | None
    whole: bool


def probe(url: str) -> Visit:
    """Ask whether an address is there, without reading it."""
    try:
        try:
            _ask("HEAD", url).close()
        except (urllib.error.HTTPError, http.client.HTTPException) as refused:
            reason_of(refused)
            _ask("GET", url).close()  # some servers refuse HEAD, or answer it wrongly, for pages they have
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _visit(url, reason=reason_of(error))
    return _visit(url)


def read_page(url: str) -> Visit:
    """Read a page and return its links; what is no page has none."""
    try:
        with _ask("GET", url) as response:
            if response.headers.get_content_type() not in {"text/html", "application/xhtml+xml"}:
                return _visit(response.url)
            body, whole = _read(response)
            links = links_of(_decode(body, response.headers.get_content_charset()), response.url)
            return _visit(response.url, links=links[:MOST_LINKS], whole=whole and len(links) <= MOST_LINKS)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _visit(url, reason=reason_of(error))


def _visit(url: str, *, reason: str | None = None, links: list[str] | None = None, whole: bool = True) -> Visit:
    return {"url": url, "reason": reason, "links": links, "whole": whole}


def _ask(method: str, url: str) -> Any:
    request = urllib.request.Request(url, method=method, headers={"User-Agent": USER_AGENT, "Accept": "*/*"})  # noqa: S310 - _opener speaks http and https only
    return _opener().open(request, timeout=TIMEOUT_SECONDS)


@functools.cache
def _opener() -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()  # not build_opener: that one also opens file: and ftp:
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.HTTPSHandler())
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    opener.add_handler(urllib.request.HTTPErrorProcessor())
    opener.add_handler(urllib.request.UnknownHandler())
    opener.add_handler(_Redirects())
    return opener


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects as urllib does, and asks with HEAD again where HEAD was redirected."""

    def redirect_request(self, req: urllib.request.Request, *rest: Any) -> urllib.request.Request | None:
        """Return the request for the new address."""
        request = super().redirect_request(req, *rest)
        if request is not None:
            request.method = req.get_method()
        return request


def _read(response: http.client.HTTPResponse) -> tuple[bytes, bool]:
    deadline = time.monotonic() + PAGE_SECONDS
    body = bytearray()
    while len(body) <= MOST_BYTES and (piece := response.read1(65536)):
        body += piece
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(body[:MOST_BYTES]), len(body) <= MOST_BYTES


def _decode(body: bytes, charset: str | None) -> str:
    try:
        return body.decode(charset or "utf-8", "replace")
    except LookupError:  # a charset that nobody knows
        return body.decode("utf-8", "replace")


def reason_of(error: Exception) -> str:
    """Return in a few words why an address is broken, and let go of its connection."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"{error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        return reason_of(error.reason)
    for kind, reason in REASONS.items():
        if isinstance(error, kind):
            return reason
    return str(error) or type(error).__name__


class LinkParser(HTMLParser):
    """Collects what a page links to, as it stands in the page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.base = ""
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the link of a tag that has one."""
        attribute = "href" if tag == "base" else HOLDS_A_LINK.get(tag)
        value = next((value for name, value in attrs if name == attribute and value), None)
        if value and tag != "base":
            self.links.append(value)
        elif value:
            self.base = self.base or value


def links_of(page: str, address: str) -> list[str]:
    """Return the http and https addresses a page links to, each once, in the order of the page."""
    parser = LinkParser()
    with contextlib.suppress(AssertionError):  # html.parser's way to give up; what it found until there counts
        parser.feed(page)
        parser.close()
    base = _join(address, parser.base)
    found: dict[str, None] = {}
    for link in parser.links:
        absolute = _join(base, link)
        if absolute.partition(":")[0].lower() in {"http", "https"}:
            try:
                found.setdefault(normal(absolute))
            except ValueError:
                found.setdefault(absolute)  # a link that cannot be asked for is a broken one, not none
    return list(found)


def _join(base: str, link: str) -> str:
    try:
        return urljoin(base, link.strip())
    except ValueError:
        return link.strip()


def normal(url: str) -> str:
    """Return the one way an address is written: ASCII, without login, default port or fragment.

    Raises:
        ValueError: it is not an http or https URL.
    """
    try:
        parts = urlsplit(urldefrag(url.strip()).url)
        host, port = parts.hostname or "", parts.port
        name = f"[{host}]" if ":" in host else host.encode("idna").decode("ascii")
    except ValueError as error:
        raise ValueError(f"{url}: not a URL: {error}") from None
    if parts.scheme not in {"http", "https"} or not name:
        raise ValueError(f"{url}: not an http or https URL")
    if port is not None and port != {"http": 80, "https": 443}[parts.scheme]:
        name += f":{port}"
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~") or "/"
    return urlunsplit((parts.scheme, name, path, quote(parts.query, safe="/%:@!$&'()*+,;=~?"), ""))


def same_host(one: str, other: str) -> bool:
    """Return whether two addresses are on the same host and port."""
    return urlsplit(one).netloc.lower() == urlsplit(other).netloc.lower()
