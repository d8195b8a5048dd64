from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import stomp

from swarmage.broker.entrance import door
from swarmage.broker.limits import Limits
from swarmage.broker.server import BusServer
from swarmage.broker.sessions.frames import Frame, FrameParser
from swarmage.errors import BusFailed, ConfigError

SECONDS = 5


class Running:
    """A server in a thread of its own."""

    def __init__(self, data: Path | None = None, users: dict[str, str] | None = None, **more: Any) -> None:
        self.server = BusServer(host="127.0.0.1", port=0, data=data, users=users or {}, **more)
        self.ended: SimpleQueue[BaseException | None] = SimpleQueue()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._ready.wait(SECONDS)

    async def _run(self) -> None:
        await self.server.start()
        self._ready.set()
        try:
            await self.server.serve()
            self.ended.put(None)
        except BusFailed as failure:
            self.ended.put(failure)

    def stop(self) -> None:
        if self._thread.is_alive():
            self.server.stop()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()


class Raw:
    """A socket that speaks STOMP 1.2."""

    def __init__(self, running: Running, login: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", running.server.port), SECONDS)
        self._parser = FrameParser(Limits())
        self._parser.log_in("1.2")
        self._frames: list[Frame] = []
        self.socket.sendall(f"CONNECT\naccept-version:1.2\nhost:x\n{login}\n\0".encode())

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def frame(self) -> Frame:
        while not self._frames:
            data = self.socket.recv(65536)
            assert data, "the bus closed"
            self._frames += self._parser.feed(data)
        return self._frames.pop(0)

    def closed(self) -> bool:
        return self.socket.recv(1) == b""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    server = Running(tmp_path / "bus")
    yield server
    server.stop()


def test_messages_outlive_the_bus(tmp_path: Path) -> None:
    first = Running(tmp_path)
    with (client := Raw(first)).socket:
        client.frame()
        client.send(b"SEND\ndestination:/queue/a\nreceipt:1\n\nhello\0" * 2)
        assert client.frame().command == "RECEIPT"
        assert client.frame().command == "RECEIPT"
        first.stop()
    second = Running(tmp_path)
    with (client := Raw(second)).socket:
        client.frame()
        client.send(b"SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0")
        assert [client.frame().body, client.frame().body] == [b"hello", b"hello"]
        second.stop()


def test_an_error_can_be_read_although_more_was_sent_behind_it(running: Running) -> None:
    with (client := Raw(running)).socket:
        client.frame()
        client.send(b"HELLO\n\n\0" + b"SEND\ndestination:/queue/a\n\nx\0" * 10_000)
        assert client.frame().command == "ERROR"
        assert client.closed()


def test_a_client_that_half_closes_after_disconnect_still_gets_its_receipts(running: Running) -> None:
    with (client := Raw(running)).socket:
        client.frame()
        client.send(b"SEND\ndestination:/queue/a\nreceipt:1\n\nx\0DISCONNECT\nreceipt:2\n\n\0")
        client.socket.shutdown(socket.SHUT_WR)
        assert [client.frame().headers["receipt-id"], client.frame().headers["receipt-id"]] == ["1", "2"]
        assert client.closed()


def test_a_lost_connection_gives_its_messages_to_the_next(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "swarmage.bus")
    with (other := Raw(running)).socket:
        with (client := Raw(running)).socket:
            client.frame()
            client.send(b"SEND\ndestination:/queue/a\n\nx\0SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\n\n\0")
            assert client.frame().command == "MESSAGE"
        other.frame()
        other.send(b"SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0")
        assert other.frame().headers["delivery-count"] == "1"
    assert "1 messages given back" in caplog.text


def test_a_delayed_message_comes_without_anything_else_happening(running: Running) -> None:
    with (client := Raw(running)).socket:
        client.frame()
        client.send(b"SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0SEND\ndestination:/queue/a\ndelay:50\n\nx\0")
        assert client.frame().body == b"x"


def test_a_client_that_does_not_read_gets_everything_when_it_does(running: Running) -> None:
    with (client := Raw(running)).socket:
        client.frame()
        client.send(b"SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0")
        with (sender := Raw(running)).socket:
            sender.frame()
            sender.send((b"SEND\ndestination:/queue/a\n\n" + b"x" * 10_000 + b"\0") * 1_500)
            sender.send(b"DISCONNECT\nreceipt:1\n\n\0")
            assert sender.frame().command == "RECEIPT"
        assert sum(len(client.frame().body) for _ in range(1_500)) == 15_000_000


def test_senders_wait_while_the_disk_is_behind(tmp_path: Path) -> None:
    server = Running(tmp_path, limits=Limits(unsaved_bytes=20_000))
    with (client := Raw(server)).socket:
        client.frame()
        client.send(b"SEND\ndestination:/queue/a\nreceipt:1\n\n" + b"x" * 10_000 + b"\0")
        client.send((b"SEND\ndestination:/queue/a\n\n" + b"x" * 10_000 + b"\0") * 200)
        client.send(b"DISCONNECT\nreceipt:1\n\n\0")
        assert [client.frame().command, client.frame().command] == ["RECEIPT", "RECEIPT"]
    server.stop()


@pytest.mark.parametrize("version", ["Connection10", "Connection11", "Connection12"])
def test_stomp_py_sends_receives_and_acknowledges(tmp_path: Path, version: str) -> None:
    server = Running(tmp_path, {"worker": "secret"})
    frames: SimpleQueue[Any] = SimpleQueue()
    listener = stomp.ConnectionListener()
    listener.on_message = frames.put
    connection = getattr(stomp, version)([("127.0.0.1", server.server.port)])
    connection.set_listener("test", listener)
    connection.connect("worker", "secret", wait=True)
    connection.subscribe("/queue/a", id="1", ack="client")
    connection.send("/queue/a", "grüße", headers={"colour": "green"})
    frame = frames.get(timeout=SECONDS)
    assert (frame.body, frame.headers["colour"]) == ("grüße", "green")
    if version == "Connection11":
        connection.ack(frame.headers["message-id"], "1")
    else:
        connection.ack(frame.headers["ack" if version == "Connection12" else "message-id"])
    connection.send("/bus/statistics", "", headers={"reply-to": "/temp-queue/s"})
    assert json.loads(frames.get(timeout=SECONDS).body)["queues"][0]["in_flight"] == 0
    connection.disconnect()
    server.stop()


def test_a_wrong_passcode_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "FIRST_DELAY", 0.05)
    server = Running(None, {"worker": "secret"})
    with (client := Raw(server, "login:worker\npasscode:wrong\n")).socket:
        assert client.frame().command == "ERROR"
        assert client.closed()
    server.stop()


def test_a_store_that_fails_stops_the_bus(running: Running) -> None:
    with (client := Raw(running)).socket:
        client.frame()
        running.server._hub._numbers = iter([7, 7])  # type: ignore[assignment]
        client.send(b"SEND\ndestination:/queue/a\nreceipt:1\n\nx\0SEND\ndestination:/queue/a\nreceipt:2\n\nx\0")
        assert isinstance(running.ended.get(timeout=SECONDS), BusFailed)
        assert client.closed()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org"])
def test_only_this_machine_may_connect(host: str) -> None:
    with pytest.raises(ConfigError, match="only with TLS"):
        asyncio.run(BusServer(host=host, port=0, data=None, users={}).start())


def test_an_address_in_use_is_named(running: Running) -> None:
    port = running.server.port
    with pytest.raises(ConfigError, match=f"127.0.0.1:{port}"):
        asyncio.run(BusServer(host="127.0.0.1", port=port, data=None, users={}).start())


def test_a_second_bus_on_the_same_folder_does_not_start(running: Running, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="in use by another bus"):
        asyncio.run(BusServer(host="127.0.0.1", port=0, data=tmp_path / "bus", users={}).start())


def test_stopping_twice_is_harmless(running: Running) -> None:
    running.server.stop()
    running.server.stop()
    assert running.ended.get(timeout=SECONDS) is None
