from __future__ import annotations

import concurrent.futures
import dataclasses
import inspect
import logging
import socket
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest
from stomp.transport import BaseTransport, Transport

from swarmage.bus import connection
from swarmage.bus.connection import SILENCE, Connection
from swarmage.bus.frames import Frame
from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import BusRefused, BusUnreachable, ConnectionLost, LoginRefused
from swarmage.settings import HEART_BEAT, Address

from ..fakes import SECONDS, FakeClock
from .small_server import Peer, SmallServer


class Side:
    """Our end of a connection, and what it heard."""

    def __init__(self, address: Address, clock: FakeClock) -> None:
        self.heard: SimpleQueue[Frame] = SimpleQueue()
        self.lost: SimpleQueue[Connection] = SimpleQueue()
        self.connection = Connection(address, clock, self.take, self.lost.put)
        self._pool = concurrent.futures.ThreadPoolExecutor(1)

    def take(self, connection: Connection, frames: list[Frame]) -> None:
        for frame in frames:
            if frame.command == "MESSAGE" and frame.body == b"raise":
                raise ValueError("a listener that raises")
            self.heard.put(frame)

    def open(self, timeout: float = SECONDS) -> concurrent.futures.Future[None]:
        return self._pool.submit(self.connection.open, timeout)

    def next(self) -> Frame:
        return self.heard.get(timeout=SECONDS)

    def close(self) -> None:
        self.connection.close()
        self._pool.shutdown()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PROBE_SECONDS", 0.1)


@pytest.fixture
def side(server: SmallServer, clock: FakeClock) -> Iterator[Side]:
    here = Side(server.address, clock)
    yield here
    here.close()


@pytest.fixture
def logged_in(server: SmallServer, side: Side) -> Callable[..., Peer]:
    def log_in(heart_beat: bytes = b"0,0", then: bytes = b"") -> Peer:
        opening = side.open()
        peer = server.accept()
        peer.log_in(heart_beat, then)
        opening.result(SECONDS)
        return peer

    return log_in


def test_the_names_of_stomp_py_that_are_replaced_are_there() -> None:
    for name in ("attempt_connection", "disconnect_socket", "receive", "start", "set_listener"):
        assert callable(getattr(Transport, name))
    assert callable(BaseTransport._BaseTransport__read_frames)  # type: ignore[attr-defined]
    assert "self.__read_frames()" in inspect.getsource(BaseTransport)
    assert {"vhost", "auto_decode", "recv_bytes", "prefer_localhost", "try_loopback_connect"} <= set(
        inspect.signature(Transport.__init__).parameters
    )


def test_logging_in_says_who_and_offers_heart_beats(server: SmallServer, side: Side) -> None:
    opening = side.open()
    headers = server.accept().log_in().headers
    opening.result(SECONDS)
    assert (headers["login"], headers["passcode"], headers["host"]) == ("ann", "s3cret", "/")
    assert (headers["accept-version"], headers["heart-beat"]) == ("1.2", "4000,4000")
    assert side.connection.server == "swarmage/test"
    assert not side.connection.lost


def test_small_writes_are_not_held_back_by_the_network(logged_in: Callable[..., Peer], side: Side) -> None:
    logged_in()
    assert side.connection._transport is not None
    assert side.connection._transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("text", ["Bad login", "access refused", "Bad CREDENTIALS"])
def test_a_refused_login_is_named_without_the_passcode(server: SmallServer, side: Side, text: str) -> None:
    opening = side.open()
    peer = server.accept()
    peer.frame("CONNECT")
    peer.send(f"ERROR\nmessage:{text}\n\nno\0".encode())
    with pytest.raises(LoginRefused, match="refuses the login") as caught:
        opening.result(SECONDS)
    assert "s3cret" not in str(caught.value)
    assert side.connection.lost


def test_any_other_error_at_the_login_is_told_as_it_is(server: SmallServer, side: Side) -> None:
    opening = side.open()
    peer = server.accept()
    peer.frame("CONNECT")
    peer.send(b"ERROR\n\nversion 1.2 is unknown here\0")
    with pytest.raises(BusRefused, match=r"version 1.2 is unknown here"):
        opening.result(SECONDS)


def test_a_port_nobody_listens_on_is_unreachable_at_once(server: SmallServer, clock: FakeClock) -> None:
    server.close()
    side = Side(server.address, clock)
    with pytest.raises(BusUnreachable, match="swarmage up") as caught:
        side.open().result(SECONDS)
    assert "s3cret" not in str(caught.value)
    side.close()


@pytest.mark.parametrize("host", ["x" * 64 + ".invalid", "a..b"])
def test_a_host_that_is_no_name_is_unreachable(host: str, clock: FakeClock) -> None:
    side = Side(Address(host=host), clock)
    with pytest.raises(BusUnreachable):
        side.open().result(SECONDS)
    side.close()


def test_who_accepts_and_never_answers_is_given_up_at_the_deadline(server: SmallServer) -> None:
    side = Side(server.address, SYSTEM_CLOCK)  # type: ignore[arg-type]
    opening = side.open(0.1)
    peer = server.accept()
    with pytest.raises(BusUnreachable, match="does not answer"):
        opening.result(SECONDS)
    assert peer.rest().startswith(b"CONNECT\n")
    side.close()


def test_who_hangs_up_during_the_login_is_unreachable(server: SmallServer, side: Side) -> None:
    opening = side.open()
    peer = server.accept()
    peer.frame("CONNECT")
    peer.close()
    with pytest.raises(BusUnreachable, match="closed the connection"):
        opening.result(SECONDS)


def test_who_answers_no_stomp_is_unreachable(server: SmallServer, side: Side) -> None:
    opening = side.open()
    peer = server.accept()
    peer.frame("CONNECT")
    peer.send(b"HTTP/1.1 400 Bad Request\ncontent-length:x\n\n\0")
    with pytest.raises(BusUnreachable):
        opening.result(SECONDS)


def test_the_passcode_is_in_no_log(
    logged_in: Callable[..., Peer], side: Side, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("stomp.py").setLevel(logging.DEBUG)
    try:
        peer = logged_in()
        peer.close()
        side.lost.get(timeout=SECONDS)
    finally:
        logging.getLogger("stomp.py").setLevel(logging.CRITICAL)
    assert caplog.records
    assert "s3cret" not in caplog.text


def test_messages_in_the_same_read_as_the_login_and_behind_heart_beats_are_not_lost(
    logged_in: Callable[..., Peer], side: Side
) -> None:
    messages = b"\n\nMESSAGE\nsubscription:1\n\n1\0\n\n\nMESSAGE\nsubscription:1\n\n2\0\n"
    logged_in(then=messages)
    assert [side.next().body, side.next().body] == [b"1", b"2"]


def test_a_listener_that_raises_does_not_end_the_connection(
    logged_in: Callable[..., Peer], side: Side, caplog: pytest.LogCaptureFixture
) -> None:
    peer = logged_in()
    peer.send(b"MESSAGE\n\nbefore\0MESSAGE\n\nraise\0")
    assert side.next().body == b"before"
    peer.send(b"MESSAGE\n\nhello\0")
    assert side.next().body == b"hello"
    assert not side.connection.lost
    assert "a listener that raises" in caplog.text


def test_bytes_that_are_no_stomp_end_the_connection(logged_in: Callable[..., Peer], side: Side) -> None:
    peer = logged_in()
    peer.send(b"MESSAGE\na:\\t\n\n\0")
    assert side.lost.get(timeout=SECONDS) is side.connection
    assert side.connection.lost
    assert peer.rest() == b""


def test_the_end_is_told_once_whoever_sees_it(logged_in: Callable[..., Peer], side: Side) -> None:
    peer = logged_in()
    peer.close()
    side.lost.get(timeout=SECONDS)
    side.connection.close()
    side.connection.close()
    side.connection.on_disconnected()
    assert side.lost.empty()


def test_nothing_is_written_on_an_ended_connection(logged_in: Callable[..., Peer], side: Side) -> None:
    peer = logged_in()
    side.connection.write(b"SEND\na:1\n\n\0", b"SEND\na:2\n\n\0")
    assert [peer.frame("SEND").headers["a"], peer.frame("SEND").headers["a"]] == ["1", "2"]
    side.connection.close()
    with pytest.raises(ConnectionLost) as caught:
        side.connection.write(b"SEND\na:3\n\n\0")
    assert "s3cret" not in str(caught.value)
    assert peer.rest() == b""


def test_a_write_that_breaks_ends_the_connection(logged_in: Callable[..., Peer], side: Side) -> None:
    logged_in()
    assert side.connection._transport is not None
    side.connection._transport.socket.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionLost):
        side.connection.write(b"SEND\n\n\0")
    assert side.lost.get(timeout=SECONDS) is side.connection


def test_a_silent_bus_is_given_up(logged_in: Callable[..., Peer], side: Side, clock: FakeClock) -> None:
    peer = logged_in(b"4000,0")
    clock.advance(HEART_BEAT * SILENCE)
    side.connection.tick()
    assert not side.connection.lost
    clock.advance(0.1)
    side.connection.tick()
    assert side.connection.lost
    assert side.lost.get(timeout=SECONDS) is side.connection
    assert peer.rest() == b""


def test_every_byte_counts_as_a_sign_of_life_also_several_heart_beats_at_once(
    logged_in: Callable[..., Peer], side: Side, clock: FakeClock
) -> None:
    peer = logged_in(b"4000,0")
    clock.advance(HEART_BEAT * SILENCE)
    peer.send(b"\n\n\nMESSAGE\n\nx\0")
    side.next()
    clock.advance(HEART_BEAT * SILENCE)
    side.connection.tick()
    assert not side.connection.lost


def test_a_bus_that_sends_slower_heart_beats_is_given_longer(
    logged_in: Callable[..., Peer], side: Side, clock: FakeClock
) -> None:
    logged_in(b"20000,0")
    clock.advance(20 * SILENCE)
    side.connection.tick()
    assert not side.connection.lost
    clock.advance(0.1)
    side.connection.tick()
    assert side.connection.lost


def test_the_url_says_how_often_both_sides_are_heard_of(server: SmallServer, clock: FakeClock) -> None:
    side = Side(dataclasses.replace(server.address, heartbeat=0.5), clock)
    opening = side.open()
    peer = server.accept()
    assert peer.log_in(b"500,500").headers["heart-beat"] == "500,500"
    opening.result(SECONDS)
    clock.advance(0.5 * SILENCE)
    side.connection.tick()
    assert not side.connection.lost
    clock.advance(0.1)
    side.connection.tick()
    assert side.lost.get(timeout=SECONDS) is side.connection
    assert peer.rest() == b"\n"
    side.close()


@pytest.mark.parametrize("offer", [b"0,0", b"", b"x,y", b"0"])
def test_a_bus_without_heart_beats_is_never_given_up(
    logged_in: Callable[..., Peer], side: Side, clock: FakeClock, offer: bytes
) -> None:
    peer = logged_in(offer)
    clock.advance(1e6)
    side.connection.tick()
    assert not side.connection.lost
    side.connection.close()
    assert peer.rest() == b""


def test_heart_beats_are_sent_when_nothing_else_was(
    logged_in: Callable[..., Peer], side: Side, clock: FakeClock
) -> None:
    peer = logged_in(b"0,4000")
    side.connection.tick()
    clock.advance(HEART_BEAT / 2 - 0.1)
    side.connection.write(b"SEND\n\n\0")
    clock.advance(HEART_BEAT / 2)
    side.connection.tick()  # a SEND was a sign of life
    clock.advance(0.1)
    side.connection.tick()
    side.connection.tick()
    side.connection.close()
    assert peer.rest() == b"SEND\n\n\0\n"
