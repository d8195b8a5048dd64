from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from actors import web

ROOT = Path(__file__).resolve().parent.parent.parent
DEADLINE = 30.0


@dataclass
class Site:
    """A web site on this machine; what it answers is set per path."""

    url: str = ""
    pages: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    refuse_head: bool = False
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    hold: dict[str, threading.Event] = field(default_factory=dict)
    together: set[str] = field(default_factory=set)

    def page(self, path: str, *links: str, status: int = 200, **headers: str) -> None:
        body = "".join(f'<a href="{link}">x</a>' for link in links).encode()
        self.pages[path] = (status, {"Content-Type": "text/html", **headers}, body)

    def wait_for_all(self, paths: list[str]) -> threading.Event:
        """Hold back the answers for these paths until all of them were asked for."""
        self.together = set(paths)
        self.hold = dict.fromkeys(paths, threading.Event())
        return self.hold[paths[0]]

    def asked_for(self, path: str) -> list[str]:
        return [method for method, asked, _ in self.asked if asked == path]


def answer(site: Site) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append((self.command, self.path, self.headers.get("User-Agent", "")))
            if self.path in site.together:
                site.together.remove(self.path)
                if not site.together:
                    site.hold[self.path].set()
            if self.path in site.hold:
                site.hold[self.path].wait(30)
            status, headers, body = site.pages.get(self.path, (404, {}, b"not here"))
            if self.command == "HEAD" and site.refuse_head:
                status = 405
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the name http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    return Answer


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    web._opener.cache_clear()
    here = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), answer(here))
    here.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield here
    for event in here.hold.values():
        event.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def nobody() -> Callable[[], str]:
    """Return the address of a port that nobody listens on."""

    def closed() -> str:
        with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
            return f"http://127.0.0.1:{server.server_port}/"

    return closed


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run `swarmage up actors` and return the environment of who uses it; it ends in good order, or the tests fail."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SWARMAGE_")}
    environment["SWARMAGE_HOME"] = str(tmp_path_factory.mktemp("up") / "home")
    process = subprocess.Popen(
        [sys.executable, "-m", "swarmage", "up", "actors"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    ready = threading.Event()

    def listen() -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                if line.startswith("ready"):
                    ready.set()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        assert ready.wait(DEADLINE), "swarmage up actors does not become ready"
        yield environment
        process.terminate()
        assert process.wait(DEADLINE) == 0
    finally:
        process.kill()
        process.wait(DEADLINE)
        thread.join(DEADLINE)
