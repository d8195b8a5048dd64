"""Peers that do not read, do not log in, or are not there any more, over real sockets."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from swarmage.broker.entrance.tls import server_context
from swarmage.broker.limits import Limits
from swarmage.cli.certificates import make_certificate
from swarmage.home import CERTIFICATE, CERTIFICATE_KEY

from .live import SECONDS, Live, Peer

Serve = Callable[..., Live]


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[Live] = []

    def start(**more: object) -> Live:
        started.append(Live(**more))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for live in started:
        live.stop()


def eventually(check: Callable[[], object]) -> None:
    """Wait until the check says yes, where nothing tells of it."""
    deadline = time.monotonic() + SECONDS
    while not check():
        assert time.monotonic() < deadline, "it did not come to be"
        threading.Event().wait(0.02)


@pytest.mark.parametrize("unread_bytes", [300_000, 16 * 1024 * 1024])
def test_a_client_that_never_reads_its_receipts_is_given_up(
    serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture, unread_bytes: int
) -> None:
    live = serve(data=tmp_path, limits=Limits(unread_bytes=unread_bytes))
    with Peer(live).log_in() as greedy, Peer(live).log_in() as honest:
        greedy.send(b"SEND\ndestination:/queue/a\n\nheld\0")
        greedy.send(b"SUBSCRIBE\ndestination:/queue/a\nid:1\nack:client\n\n\0")
        assert greedy.frame().body == b"held"
        name = b"r" * 60_000
        most = 0
        with pytest.raises(ConnectionError):  # noqa: PT012 - one of the sends is the last
            for _ in range(2_000):
                greedy.send(b"SEND\ndestination:/queue/b\nreceipt:" + name + b"\n\nx\0")
                most = max([most, *(each._transport.get_write_buffer_size() for each in list(connections(live)))])
        eventually(lambda: f"given up: more than {unread_bytes} bytes wait for it to read them" in caplog.text)
        assert most < unread_bytes + 1_000_000
        honest.send(b"SUBSCRIBE\ndestination:/queue/a\nid:1\n\n\0")
        assert honest.frame().body == b"held"


def connections(live: Live) -> set[object]:
    found: set[object] = live._server._reception.connections  # type: ignore[assignment]
    return found


def test_a_consumer_that_never_reads_is_waited_for_and_not_given_up(serve: Serve, tmp_path: Path) -> None:
    live = serve(data=tmp_path, limits=Limits(unread_bytes=1_000_000))
    with Peer(live).log_in() as slow, Peer(live).log_in() as sender:
        slow.send(b"SUBSCRIBE\ndestination:/queue/a\nid:1\n\n\0")
        for number in range(400):
            sender.send(b"SEND\ndestination:/queue/a\nreceipt:%d\n\n" % number + b"x" * 50_000 + b"\0")
            assert sender.frame().command == "RECEIPT"
        sender.send(b"SEND\ndestination:/queue/b\n\nb\0SUBSCRIBE\ndestination:/queue/b\nid:1\n\n\0")
        assert sender.frame().body == b"b"
        assert all(len(slow.frame().body) == 50_000 for _ in range(400))


def test_a_client_that_logs_in_comes_through_a_flood_that_does_not(serve: Serve) -> None:
    live = serve(limits=Limits(connections=20))
    silent = [socket.create_connection(("127.0.0.1", live.port), SECONDS) for _ in range(100)]
    with Peer(live).log_in() as honest:
        silent += [socket.create_connection(("127.0.0.1", live.port), SECONDS) for _ in range(100)]
        with Peer(live).log_in() as other:
            other.send(b"SEND\ndestination:/queue/a\nreceipt:1\n\nx\0")
            assert other.frame().command == "RECEIPT"
            honest.send(b"SUBSCRIBE\ndestination:/queue/a\nid:1\n\n\0")
            assert honest.frame().body == b"x"
            assert b"all connections are taken" in silent[0].recv(10_000)
            assert len(connections(live)) <= 25
    for each in silent:
        each.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    make_certificate(folder, [])
    return folder


@pytest.fixture
def tls(home: Path) -> ssl.SSLContext:
    return server_context(home / CERTIFICATE, home / CERTIFICATE_KEY)


def log_in_with_tls(live: Live, home: Path) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=home / "ca.pem")
    plain = socket.create_connection(("127.0.0.1", live.port), SECONDS)
    secret = context.wrap_socket(plain, server_hostname="127.0.0.1")
    secret.sendall(b"CONNECT\naccept-version:1.2\n\n\0SEND\ndestination:/queue/a\nreceipt:1\n\nx\0")
    read = b""
    while b"RECEIPT" not in read:
        data = secret.recv(65536)
        assert data
        read += data
    assert read.startswith(b"CONNECTED")
    return secret


def test_handshakes_that_never_end_take_no_place_from_who_has_one(
    serve: Serve, home: Path, tls: ssl.SSLContext
) -> None:
    live = serve(tls=tls, limits=Limits(connections=20))
    silent = [socket.create_connection(("127.0.0.1", live.port), SECONDS) for _ in range(60)]
    with log_in_with_tls(live, home):
        silent += [socket.create_connection(("127.0.0.1", live.port), SECONDS) for _ in range(60)]
        log_in_with_tls(live, home).close()
        assert silent[0].recv(1) == b""
    for each in silent:
        each.close()


def test_a_handshake_has_the_deadline_of_the_login(serve: Serve, tls: ssl.SSLContext) -> None:
    live = serve(tls=tls, limits=Limits(login_seconds=0.3))
    with socket.create_connection(("127.0.0.1", live.port), SECONDS) as silent:
        assert silent.recv(1) == b""
    eventually(lambda: not live._server._hub.crowd._here)


def test_who_does_not_speak_tls_is_hung_up_on_and_leaves_nothing(serve: Serve, tls: ssl.SSLContext, home: Path) -> None:
    live = serve(tls=tls)
    with socket.create_connection(("127.0.0.1", live.port), SECONDS) as plain:
        plain.sendall(b"CONNECT\naccept-version:1.2\n\n\0")
        while plain.recv(100):
            pass
    log_in_with_tls(live, home).close()


linux = pytest.mark.skipif(sys.platform != "linux", reason="only there a socket can be made to hear nothing")


def vanish(peer: Peer) -> None:
    """Have the machine of this socket answer nothing any more, not even on the level of TCP."""

    class Instruction(ctypes.Structure):
        _fields_ = [("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32)]

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]

    drop_everything = Instruction(6, 0, 0, 0)
    program = Program(1, ctypes.addressof(drop_everything))
    peer.socket.setsockopt(socket.SOL_SOCKET, 26, bytes(program))  # SO_ATTACH_FILTER


@linux
@pytest.mark.parametrize("busy", [False, True])
def test_a_machine_that_vanished_is_noticed_without_heart_beats(
    serve: Serve, busy: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "swarmage.bus")
    live = serve(limits=Limits(vanished_seconds=2))
    with Peer(live).log_in() as lost, Peer(live).log_in() as other:
        lost.send(b"SUBSCRIBE\ndestination:/queue/a\nid:1\nack:client\nreceipt:1\n\n\0")
        assert lost.frame().command == "RECEIPT"
        other.send(b"SEND\ndestination:/queue/a\nreceipt:1\n\nfirst\0")
        assert other.frame().command == "RECEIPT"
        assert lost.frame().body == b"first"
        began = time.monotonic()
        vanish(lost)
        if busy:  # there is something on its way to it, and keep-alive does not count then
            other.send(b"SEND\ndestination:/queue/a\nreceipt:1\n\nsecond\0")
            assert other.frame().command == "RECEIPT"
        other.send(b"SUBSCRIBE\ndestination:/queue/a\nid:1\n\n\0")
        assert other.frame().body == b"first"
        assert 1 < time.monotonic() - began < 8
        eventually(lambda: "connection lost" in caplog.text)


@linux
def test_a_client_whose_machine_answers_is_not_taken_for_vanished_although_it_does_not_read(serve: Serve) -> None:
    """TCP_USER_TIMEOUT would end this connection."""
    live = serve(limits=Limits(vanished_seconds=1))
    with Peer(live).log_in() as slow, Peer(live).log_in() as sender:
        slow.send(b"SUBSCRIBE\ndestination:/queue/a\nid:1\n\n\0")
        for number in range(200):
            head = b"SEND\ndestination:/queue/a\npersistent:false\nreceipt:%d\n\n" % number
            sender.send(head + b"x" * 50_000 + b"\0")
            assert sender.frame().command == "RECEIPT"
        sender.socket.settimeout(4)
        with pytest.raises(TimeoutError):
            sender.socket.recv(1)
        assert all(len(slow.frame().body) == 50_000 for _ in range(200))


def test_a_bus_that_may_open_few_files_raises_its_limit() -> None:
    program = (
        "import resource, asyncio; resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard}));"
        "from swarmage.broker.server import BusServer;"
        "asyncio.run(BusServer(host='127.0.0.1', port=0, data=None, users={{}}).start());"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )

    async def limit_with(hard: int) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program.format(hard=hard), env=os.environ, stdout=-1, stderr=-1
        )
        out, err = await asyncio.wait_for(process.communicate(), SECONDS)
        return (out + err).decode()

    assert asyncio.run(limit_with(2_000)).startswith("1200")
    told = asyncio.run(limit_with(500))
    assert told.startswith("500")
