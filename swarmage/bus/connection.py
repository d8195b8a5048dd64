"""One life of a TCP connection to the bus. The only file that knows stomp.py.

stomp.py 9 brings the socket and the reading thread; its frame reading, heart-beats, waiting and TLS are replaced here,
because they lose messages, miss heart-beats and hang (docs/decisions). The overrides lean on names that stomp.py does
not promise: setup.cfg pins the version and a test asserts that the names are there.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

os.environ.setdefault("STOMP_SKIP_HOSTNAME_SCAN", "1")  # else importing it asks the name service for every local name

import stomp.exception
from stomp.transport import Transport

from swarmage.bus.frames import Frame, FrameReader, encode_connect, text_of
from swarmage.bus.receipt import Receipts
from swarmage.bus.tls import READ_BYTES, encrypt, speaks_tls
from swarmage.clock import Clock
from swarmage.errors import BusRefused, BusUnreachable, ConnectionLost, LoginRefused, TlsFailed, Unreadable
from swarmage.settings import Address

logger = logging.getLogger(__name__)
logging.getLogger("stomp.py").setLevel(logging.CRITICAL)  # what matters of it is said here, in our own words

SILENCE = 2.5
"""Heart-beats without a byte until the other side counts as dead: 10 s, unless the URL says otherwise."""
WRITE_SECONDS = 5
"""Seconds that one write may make no headway."""
PROBE_SECONDS = 1.0
"""How long to look for TLS at a bus that ended a plain connection without a word."""


class _Transport(Transport):  # type: ignore[misc]  # stomp.py carries no types
    """stomp.py's transport with its reading and its TLS mended."""

    socket: Any

    def __init__(self, address: Address, timeout: float, on_frames: Callable[[list[Frame]], None], beat: Any) -> None:
        super().__init__(
            [(address.host, address.port)],
            prefer_localhost=False,
            try_loopback_connect=False,
            reconnect_sleep_initial=0.0,
            reconnect_attempts_max=1,
            timeout=timeout,
            vhost=address.vhost,
            auto_decode=False,
            recv_bytes=READ_BYTES,
        )
        self._address = address
        self._timeout = timeout
        self._reader = FrameReader()
        self._on_frames = on_frames
        self._beat = beat

    def attempt_connection(self) -> None:
        super().attempt_connection()
        # without it an ACK followed by a SEND waits 40 ms for the other side's delayed TCP acknowledgement
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # a write to a bus that reads no more must end some time
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", WRITE_SECONDS, 0))
        if self._address.tls:  # stomp.py goes on with it as with any other socket that blocks
            self.socket = encrypt(self.socket, self._address, self._timeout)

    def _BaseTransport__read_frames(self) -> None:  # noqa: N802 - the name stomp.py's loop calls
        try:
            data = self.receive()
        except OSError:
            data = b""
        if not data:
            raise stomp.exception.ConnectionClosedException
        self._beat()
        try:
            frames = self._reader.feed(data)
            if frames:
                self._on_frames(frames)
        except Unreadable as error:
            logger.warning("the connection to the bus is closed: %s", error)
            raise stomp.exception.ConnectionClosedException from error
        except Exception:  # an error here would end the reading thread: the frame is lost, the connection is not
            logger.exception("frames from the bus could not be taken in")


class Connection:
    """A logged-in connection, from `open` until it is lost or closed; never opened twice.

    Attributes:
        server: what the bus calls itself.
        lost, established: whether it has ended, and whether it ever got as far as its subscriptions.
        receipts, refused: those that the bus owes on it, and the last ERROR that came, if one has.

    The reading thread calls `on_frames` with all frames of one read, and `on_lost` once at the end.
    """

    def __init__(
        self,
        address: Address,
        clock: Clock,
        on_frames: Callable[[Connection, list[Frame]], None],
        on_lost: Callable[[Connection], None],
    ) -> None:
        self.server = ""
        self.lost = self.established = False
        self.receipts = Receipts()
        self.refused: BusRefused | None = None
        self._address = address
        self._clock = clock
        self._on_frames = on_frames
        self._on_lost = on_lost
        self._answered = threading.Event()
        self._closed_here = False
        self._answer: Frame | None = None
        self._write_lock = threading.Lock()
        self._heard = self._spoke = clock.monotonic()
        self._send_interval = self._silence_limit = 0.0
        self._transport: Any = None

    def open(self, timeout: float) -> None:
        """Connect and log in.

        Raises:
            BusUnreachable: nobody answers there within `timeout` seconds.
            LoginRefused: the bus does not take the login and passcode.
            TlsFailed: it is not who it should be, or one of us speaks no TLS.
            BusRefused: it answers something else.
        """
        deadline = self._clock.monotonic() + timeout
        try:
            socket.getaddrinfo(self._address.host, self._address.port)
        except (OSError, UnicodeError):
            raise BusUnreachable(f"there is no host {self._address.host!r}, as {self._where} says") from None
        self._transport = _Transport(self._address, timeout, self._take, self._beat)
        self._transport.set_listener("connection", self)
        try:
            self._transport.start()
        except (stomp.exception.ConnectFailedException, OSError):
            self._transport.running = False
            raise BusUnreachable(
                f"no bus answers at {self._where}: start one with `swarmage up` or `swarmage bus`, or set SWARMAGE_URL"
            ) from None
        try:
            self.write(encode_connect(self._login()))
            self._answered.wait(max(0.0, deadline - self._clock.monotonic()))
            self._read_answer()
        except BaseException:  # raised again: a connection without a login is of no use to anybody
            self.close()
            raise

    @property
    def _where(self) -> str:
        source = self._address.source
        return f"{self._address} (from {source})" if source else str(self._address)

    def _login(self) -> dict[str, str]:
        beat = round(self._address.heartbeat * 1000)
        headers = {"accept-version": "1.2", "host": self._address.vhost, "heart-beat": f"{beat},{beat}"}
        if self._address.login:
            headers |= {"login": self._address.login, "passcode": self._address.passcode}
        return headers

    def _read_answer(self) -> None:
        answer = self._answer
        if not self._answered.is_set():
            raise BusUnreachable(f"what listens at {self._where} does not answer as a STOMP bus")
        if answer is None:
            if not (self._closed_here or self._address.tls) and speaks_tls(self._address, PROBE_SECONDS):
                raise TlsFailed(f"what listens at {self._address} speaks TLS: write stomps:// in its URL")
            raise BusUnreachable(f"the bus at {self._address} closed the connection before the login was done")
        if answer.command != "CONNECTED":
            text = text_of(answer.headers, answer.body)
            if any(word in text.lower() for word in ("log", "access", "credentials", "password")):
                raise LoginRefused(
                    f"the bus at {self._where} refuses the login: {text!r}; is it another one than that you mean?"
                )
            raise BusRefused(f"the bus at {self._address} refuses the connection: {text!r}")
        self.server = answer.headers.get("server", "")
        theirs = (answer.headers.get("heart-beat", "0,0") + ",0").split(",")
        sends, wants = (float(text) / 1000 if text.strip().isdecimal() else 0.0 for text in theirs[:2])
        ours = self._address.heartbeat
        self._send_interval = max(ours, wants) if wants else 0.0
        self._silence_limit = max(ours, sends) * SILENCE if sends else 0.0

    def _beat(self) -> None:
        self._heard = self._clock.monotonic()

    def _take(self, frames: list[Frame]) -> None:
        if not self._answered.is_set():
            self._answer, *frames = frames
            self._answered.set()
        if frames:
            self._on_frames(self, frames)

    def on_disconnected(self) -> None:
        """Take note of the end; stomp.py calls it from whichever thread saw it first."""
        with self._write_lock:
            first, self.lost = not self.lost, True
        self._answered.set()
        if first:
            error = ConnectionLost(f"the connection to the bus at {self._address} ended before it confirmed")
            self.receipts.fail_all(error)
            self._on_lost(self)

    def write(self, *frames: bytes) -> None:
        """Write whole frames, in one system call where the socket takes them.

        Raises:
            ConnectionLost: the connection has ended.
        """
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        with self._write_lock:
            sock = None if self._transport is None or self.lost else self._transport.socket
            if sock is None:
                raise ConnectionLost(f"the connection to the bus at {self._address} has ended")
            try:
                sock.sendall(data)
            except OSError as error:
                failure = error
            else:
                self._spoke = self._clock.monotonic()
                return
        self.close()  # part of a frame may be out: nothing sensible can follow it
        raise ConnectionLost(f"the connection to the bus at {self._address} broke: {failure}") from failure

    def tick(self) -> None:
        """Send a heart-beat if one is due, and close the connection when the bus has been silent too long."""
        now = self._clock.monotonic()
        if self._silence_limit and now - self._heard > self._silence_limit:
            logger.warning("the bus has been silent for %.1f s: the connection counts as dead", now - self._heard)
            self.close()
        elif self._send_interval and now - self._spoke > self._send_interval / 2 and not self._write_lock.locked():
            with contextlib.suppress(ConnectionLost):  # on_lost has been told
                self.write(b"\n")

    def close(self) -> None:
        """End the connection; safe twice and from any thread."""
        self._closed_here = True
        transport = self._transport
        if transport is not None:
            with contextlib.suppress(OSError, AttributeError):  # the reading thread may clear the same socket away
                transport.disconnect_socket()
        self.on_disconnected()
