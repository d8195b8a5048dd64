from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import pytest

from swarmage.broker.entrance.tls import server_context
from swarmage.bus.bus import Bus
from swarmage.bus.connection import Connection
from swarmage.bus.frames import Frame
from swarmage.bus.tls import TlsSocket, client_context, encrypt, speaks_tls
from swarmage.cli.certificates import make_certificate
from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import BusUnreachable, TlsFailed
from swarmage.home import CA, CERTIFICATE, CERTIFICATE_KEY
from swarmage.settings import Address

from ..conftest import EmbeddedBus
from ..fakes import SECONDS


@pytest.fixture
def trusted(home: Path, monkeypatch: pytest.MonkeyPatch, certified: Path) -> None:
    monkeypatch.setenv("SWARMAGE_CA_FILE", str(certified / CA))


class Pair:
    """Our socket under TLS, and Python's own at the other end."""

    def __init__(self, tls: ssl.SSLContext, certified: Path) -> None:
        self.raw, theirs = socket.socketpair()
        theirs.settimeout(SECONDS)
        self.ours = TlsSocket(self.raw, client_context(certified / CA), "bus.example")
        with ThreadPoolExecutor(1) as pool:
            accepted = pool.submit(tls.wrap_socket, theirs, server_side=True)
            self.ours.handshake(lambda: SECONDS)
            self.theirs = accepted.result(SECONDS)

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def pair(tls: ssl.SSLContext, certified: Path, request: pytest.FixtureRequest) -> Iterator[Pair]:
    tls.minimum_version = tls.maximum_version = ssl.TLSVersion[request.param]
    here = Pair(tls, certified)
    yield here
    here.close()


def read(sock: TlsSocket | ssl.SSLSocket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(1 << 18)
        assert more
        data += more
    return data


def test_what_is_written_arrives_in_both_directions(pair: Pair) -> None:
    pair.ours.sendall(b"hello")
    assert read(pair.theirs, 5) == b"hello"
    pair.theirs.sendall(b"there")
    assert pair.ours.recv(100) == b"there"


def test_more_than_is_asked_for_stays_for_the_next_read(pair: Pair) -> None:
    pair.theirs.sendall(b"x" * 40_000)
    assert len(pair.ours.recv(10)) == 10
    assert read(pair.ours, 39_990) == b"x" * 39_990


def test_reading_and_writing_at_the_same_time_by_many_threads_loses_nothing(pair: Pair) -> None:
    chunk, rounds, writers = b"x" * 50_000, 40, 3
    total = len(chunk) * rounds * writers

    def write(sock: TlsSocket) -> None:
        for _ in range(rounds):
            sock.sendall(chunk)

    def echo() -> None:
        left = total
        while left:
            data = pair.theirs.recv(1 << 16)
            left -= len(data)
            pair.theirs.sendall(data)

    with ThreadPoolExecutor(writers + 2) as pool:
        ends = [pool.submit(write, pair.ours) for _ in range(writers)]
        ends.append(pool.submit(echo))
        assert pool.submit(read, pair.ours, total).result(60) == b"x" * total
        for end in ends:
            end.result(60)


def test_a_goodbye_is_the_end(pair: Pair) -> None:
    pair.theirs.sendall(b"last")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pair.theirs.unwrap)
        assert pair.ours.recv(100) == b"last"
        assert pair.ours.recv(100) == b""
        pair.ours.shutdown(socket.SHUT_RDWR)


def test_an_end_without_goodbye_is_the_end_too(pair: Pair) -> None:
    pair.theirs.close()
    assert pair.ours.recv(100) == b""


def test_bytes_that_are_no_tls_are_the_end(pair: Pair) -> None:
    with socket.socket(fileno=pair.theirs.detach()) as plain:
        plain.sendall(b"\0" * 100)
    assert pair.ours.recv(100) == b""


def test_our_shutdown_says_goodbye_and_wakes_who_reads(pair: Pair) -> None:
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(pair.ours.recv, 100)
        pair.ours.shutdown(socket.SHUT_RDWR)
        assert reading.result(SECONDS) == b""
    assert pair.theirs.recv(100) == b""  # an SSLEOFError without the goodbye


def test_a_shutdown_does_not_wait_for_who_writes(pair: Pair) -> None:
    pair.raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    pair.raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(SECONDS), 0))
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(pair.ours.sendall, b"x" * 10_000_000)
        while not pair.ours._write_lock.locked():
            threading.Event().wait(0.01)
        pair.ours.shutdown(socket.SHUT_RDWR)
        with pytest.raises(OSError, match=r"Broken pipe|shutdown"):
            writing.result(SECONDS)


def test_tls_older_than_1_2_is_not_spoken(tls: ssl.SSLContext, certified: Path) -> None:
    assert tls.minimum_version == client_context(certified / CA).minimum_version == ssl.TLSVersion.TLSv1_2


class Side:
    """A connection to a bus, and what it heard."""

    def __init__(self, address: Address) -> None:
        self.heard: SimpleQueue[Frame] = SimpleQueue()
        self.lost: SimpleQueue[Connection] = SimpleQueue()
        self.connection = Connection(address, SYSTEM_CLOCK, self._take, self.lost.put)

    def _take(self, _: Connection, frames: list[Frame]) -> None:
        for frame in frames:
            self.heard.put(frame)

    def __enter__(self) -> Side:
        self.connection.open(SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


@pytest.mark.usefixtures("trusted")
def test_frames_go_to_the_bus_and_back(encrypted_bus: EmbeddedBus) -> None:
    body = bytes(range(256)) * 4000
    with Side(encrypted_bus.address) as side:
        side.connection.write(b"SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0")
        side.connection.write(b"SEND\ndestination:/queue/a\ncontent-length:%d\n\n%b\0" % (len(body), body))
        assert side.heard.get(timeout=SECONDS).body == body


@pytest.mark.usefixtures("trusted")
def test_a_bus_that_stops_is_noticed_at_once(home: Path, tls: ssl.SSLContext) -> None:
    bus = EmbeddedBus(tls)
    with Side(bus.address) as side:
        bus.stop()
        assert side.lost.get(timeout=SECONDS) is side.connection


@pytest.mark.usefixtures("trusted")
def test_a_refusal_can_be_read_although_more_was_sent_behind_it(encrypted_bus: EmbeddedBus) -> None:
    with Side(encrypted_bus.address) as side:
        side.connection.write(b"HELLO\n\n\0" + b"SEND\ndestination:/queue/a\n\nx\0" * 10_000)
        assert side.heard.get(timeout=SECONDS).command == "ERROR"
        assert side.lost.get(timeout=SECONDS) is side.connection


@pytest.mark.usefixtures("trusted")
def test_an_idle_connection_costs_no_time(encrypted_bus: EmbeddedBus) -> None:
    with Side(encrypted_bus.address):
        began = time.process_time()
        threading.Event().wait(0.3)
        assert time.process_time() - began < 0.1  # of both sides; a loop that spins takes all of it


def failure(address: Address, timeout: float = SECONDS) -> str:
    """Have a bus connect, which must give up at once, and return why."""
    bus = Bus(address)
    began = time.monotonic()
    with pytest.raises(TlsFailed) as caught:
        bus.start(timeout)
    assert time.monotonic() - began < 2
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_bus_whom_the_system_does_not_trust_is_refused(encrypted_bus: EmbeddedBus) -> None:
    message = failure(encrypted_bus.address)
    assert "is refused" in message
    assert "SWARMAGE_CA_FILE" in message


def test_a_bus_of_another_ca_is_refused(encrypted_bus: EmbeddedBus, home: Path) -> None:
    make_certificate(home, [])
    message = failure(encrypted_bus.address)
    assert "is refused" in message
    assert str(home / CA) in message


def test_a_bus_under_another_name_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swarmage.cli.certificates.HERE", ())
    make_certificate(home, ["bus.example"])
    bus = EmbeddedBus(server_context(home / CERTIFICATE, home / CERTIFICATE_KEY))
    try:
        assert "not valid for '127.0.0.1'" in failure(bus.address)
    finally:
        bus.stop()


def test_a_ca_that_is_not_there_is_named(encrypted_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMAGE_CA_FILE", "/nowhere/ca.pem")
    assert "/nowhere/ca.pem" in failure(encrypted_bus.address)


def test_a_ca_file_that_holds_none_is_named(
    encrypted_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    monkeypatch.setenv("SWARMAGE_CA_FILE", str(tmp_path / "ca.pem"))
    assert str(tmp_path / "ca.pem") in failure(encrypted_bus.address)


@pytest.mark.usefixtures("trusted")
def test_tls_with_a_plain_bus_says_what_to_write(embedded_bus: EmbeddedBus) -> None:
    assert "write stomp://" in failure(replace(embedded_bus.address, tls=True))


def test_a_plain_connection_to_a_bus_with_tls_says_what_to_write(encrypted_bus: EmbeddedBus) -> None:
    assert "write stomps://" in failure(replace(encrypted_bus.address, tls=False))


def test_tls_is_found_where_it_is_spoken(encrypted_bus: EmbeddedBus, embedded_bus: EmbeddedBus) -> None:
    assert speaks_tls(encrypted_bus.address, SECONDS)
    assert not speaks_tls(embedded_bus.address, SECONDS)


@pytest.mark.usefixtures("trusted", "home")
@pytest.mark.parametrize("hangs_up", [True, False])
def test_a_bus_that_does_not_agree_on_tls_is_out_of_reach_for_now(*, hangs_up: bool) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        if hangs_up:
            theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(BusUnreachable):
            encrypt(ours, Address(tls=True), 0.1)
        assert ours.fileno() == -1


@pytest.mark.usefixtures("trusted", "home")
@pytest.mark.parametrize("host", [".example", "x" * 300])
def test_a_host_that_no_certificate_can_name_is_refused(host: str) -> None:
    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(TlsFailed):
        encrypt(ours, Address(host=host, tls=True), 0.1)


def test_the_server_side_asks_no_terminal_for_a_passphrase(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from swarmage.errors import ConfigError

    make_certificate(tmp_path, [])
    secret = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
    (tmp_path / "locked.key").write_bytes(secret)
    for key in ("locked.key", "ca.key", "nowhere.key"):
        with pytest.raises(ConfigError, match=key):
            server_context(tmp_path / "tls.pem", tmp_path / key)
