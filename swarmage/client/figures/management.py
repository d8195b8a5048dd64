"""RabbitMQ's management API: the one place that speaks HTTP.

From: client.  To: the network, for what RabbitMQ does not tell over STOMP.

http.client follows no redirect and asks no proxy, so that the passcode goes where the URL says and nowhere else. A bus
under TLS is asked under TLS, unless its URL says otherwise.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from swarmage.bus.tls import client_context
from swarmage.clock import Clock
from swarmage.errors import BusError, BusRefused, BusUnreachable, LoginRefused
from swarmage.home import find_ca
from swarmage.settings import Address

PORT, TLS_PORT = 15672, 15671
"""Where it listens unless somebody says otherwise."""
MOST_BYTES = 32 * 1024 * 1024
PAGE = 500
"""Queues asked for at once: the most that it gives."""
ENABLE = "rabbitmq-plugins enable rabbitmq_management"


class Skew(NamedTuple):
    """How far the clock there is ahead of ours, in seconds, and by how much that may be wrong."""

    ahead: float
    doubt: float


class Management:
    """The API of one bus, asked with the login that the bus has from us; one answer takes ``timeout`` seconds at most.

    Attributes:
        base: URL of the one that answers, without passcode; empty before the first answer.
        skew: what the last answer's date tells, None before the first one.
    """

    def __init__(self, address: Address, timeout: float, clock: Clock) -> None:
        self.base = ""
        self.skew: Skew | None = None
        self._address = address
        self._timeout = timeout
        self._clock = clock

    @property
    def candidates(self) -> list[str]:
        """The URLs where it may be, in the order in which they are tried."""
        address = self._address
        if address.management:
            return [address.management.rstrip("/")]
        scheme, port = ("https", TLS_PORT) if address.tls else ("http", PORT)
        return [f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}" for host, _ in address.machines]

    def queues(self, names: str, columns: str) -> list[dict[str, Any]]:
        """Return the queues of our vhost whose names fit a regular expression.

        Raises:
            BusError: as `get`.
        """
        found: list[dict[str, Any]] = []
        page = pages = 1
        while page <= pages:
            answer = self.get(
                f"queues/{quote(self._address.vhost, safe='')}",
                page=str(page),
                page_size=str(PAGE),
                name=names,
                use_regex="true",
                columns=columns,
            )
            try:
                found += answer["items"]
                pages = int(answer["page_count"])
            except (KeyError, TypeError, ValueError) as error:
                raise BusRefused(_NONE.format(self.base)) from error
            page += 1
        return found

    def get(self, path: str, **query: str) -> Any:
        """Return what the API answers.

        Raises:
            BusUnreachable: it does not answer.
            LoginRefused: our login may not ask it.
            BusRefused: it answers something else, or is none.
        """
        failure: BusError | None = None
        bases = [self.base] if self.base else self.candidates
        for base in bases:
            try:
                answer = self._ask(base, f"/api/{path}?{urlencode(query)}", self._timeout / len(bases))
            except BusUnreachable as error:
                failure = error
            else:
                self.base = base
                return answer
        assert failure is not None
        raise failure

    def _ask(self, base: str, target: str, timeout: float) -> Any:
        parts = urlsplit(base)
        assert parts.hostname is not None
        began = self._clock.monotonic()
        if parts.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port or TLS_PORT, timeout=timeout, context=client_context(find_ca())
            )
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port or PORT, timeout=timeout)
        try:
            connection.connect()
            with _deadline(connection.sock, timeout):
                connection.request("GET", parts.path + target, headers=self._headers())
                answer = connection.getresponse()
                body = answer.read(MOST_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise BusUnreachable(
                f"RabbitMQ's management API does not answer at {base} ({type(error).__name__}: {error}): run `{ENABLE}`"
                " there, or say where it is with ?management=http://HOST:15672 at the end of the bus's URL"
            ) from None
        finally:
            connection.close()
        self._read_date(answer.getheader("Date"), self._clock.monotonic() - began)
        return self._read(base, answer.status, body)

    def _headers(self) -> dict[str, str]:
        token = base64.b64encode(f"{self._address.login}:{self._address.passcode}".encode()).decode()
        return {"Authorization": f"Basic {token}", "Accept": "application/json"}

    def _read(self, base: str, status: int, body: bytes) -> Any:
        if status in {401, 403}:
            raise LoginRefused(
                f"RabbitMQ's management API at {base} refuses the login {self._address.login!r}: run"
                f" `rabbitmqctl set_user_tags {self._address.login} monitoring`"
            )
        if status == 404:
            raise BusRefused(f"RabbitMQ's management API at {base} knows no vhost {self._address.vhost!r}")
        if status != 200 or len(body) > MOST_BYTES:
            raise BusRefused(f"RabbitMQ's management API at {base} answers {status} with {len(body)} bytes")
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise BusRefused(_NONE.format(base)) from None

    def _read_date(self, date: str | None, took: float) -> None:
        try:
            said = parsedate_to_datetime(date or "").timestamp()
        except (TypeError, ValueError):
            return
        # The date is in whole seconds, cut off, up to a second old, and was written between question and answer.
        self.skew = Skew(said + 1.0 - (self._clock.wall() - took / 2), 1.0 + took / 2)


_NONE = "what listens at {} is no management API of RabbitMQ: write ?management= into the bus's URL"


@contextmanager
def _deadline(sock: socket.socket, seconds: float) -> Iterator[None]:
    """End the connection when the block takes too long: the timeout of a socket is that of a single byte."""

    def end() -> None:
        with suppress(OSError):  # it has just ended by itself
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
