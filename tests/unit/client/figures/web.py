"""A web server that says only what a test tells it to say."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DATE = "Sun, 22 Nov 2026 10:39:32 GMT"


class Web:
    """Answers each path with a status and a body, or a redirect; what it was asked is kept.

    Attributes:
        asked: paths with their query, in order.
        logins: the Authorization headers.
    """

    def __init__(self, answers: Mapping[str, tuple[int, str]], date: str = DATE) -> None:
        self.asked: list[str] = []
        self.logins: list[str | None] = []
        self.release = threading.Event()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(self.path)
                web.logins.append(self.headers.get("Authorization"))
                found = [answer for path, answer in answers.items() if self.path.startswith(path)]
                status, body = found[0] if found else (404, "{}")
                self.send_response_only(status)
                self.send_header("Date", date)
                if status == 302:
                    self.send_header("Location", body)
                    body = ""
                if body == "never":
                    self.end_headers()
                    while not web.release.wait(0.05):  # a byte at a time, for ever
                        self.wfile.write(b" ")
                    return
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Web:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._thread.join(30)
        self._server.server_close()
