"""Clients by other authors, unchanged, against the bus on a port with its messages on disk.

One that is not installed skips its tests, but fails them where CI is set: there everything is to be proved.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import stomp

from .live import SECONDS, Live

PERL_CLIENT = Path(__file__).with_name("net_stomp.pl")
VERSIONS = ["1.0", "1.1", "1.2"]


def missing(what: str) -> None:
    """Skip the test, or fail it where nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"{what} is not installed")


class StompPy:
    """A connection of stomp.py whose frames wait in queues."""

    def __init__(self, live: Live, version: str, **options: Any) -> None:
        self.version = version
        self.messages: SimpleQueue[Any] = SimpleQueue()
        self.receipts: SimpleQueue[str] = SimpleQueue()
        self.beats: SimpleQueue[None] = SimpleQueue()
        self.gone: SimpleQueue[None] = SimpleQueue()
        kind = getattr(stomp, "StompConnection" + version.replace(".", ""))
        self.connection = kind([("127.0.0.1", live.port)], **options)
        listener = stomp.ConnectionListener()
        listener.on_message = self.messages.put
        listener.on_receipt = lambda frame: self.receipts.put(frame.headers["receipt-id"])
        listener.on_heartbeat = lambda: self.beats.put(None)
        listener.on_disconnected = lambda: self.gone.put(None)
        self.connection.set_listener("test", listener)
        self.connection.connect("ann", "s3cret", wait=True)

    def message(self) -> Any:
        return self.messages.get(timeout=SECONDS)

    def receipt(self) -> str:
        return self.receipts.get(timeout=SECONDS)

    def answer(self, command: str, frame: Any, **more: Any) -> None:
        """ACK or NACK as this version does."""
        method = getattr(self.connection, command)
        if self.version == "1.0":
            method(frame.headers["message-id"], **more)
        elif self.version == "1.1":
            method(frame.headers["message-id"], frame.headers["subscription"], **more)
        else:
            method(frame.headers["ack"], **more)

    def close(self) -> None:
        if self.connection.is_connected():
            self.connection.disconnect("bye")
            while self.receipt() != "bye":
                pass
            self.gone.get(timeout=SECONDS)


@pytest.fixture(params=VERSIONS)
def client(request: pytest.FixtureRequest, durable: Live) -> Iterator[StompPy]:
    made = StompPy(durable, request.param)
    yield made
    made.close()


def test_stomp_py_sends_and_receives(client: StompPy) -> None:
    client.connection.subscribe("/queue/a", id="1", ack="auto")
    client.connection.send("/queue/a", "grüße\n", headers={"colour": "green", "receipt": "r"})
    assert client.receipt() == "r"
    frame = client.message()
    assert (frame.body, frame.headers["colour"], frame.headers["subscription"]) == ("grüße\n", "green", "1")


def test_stomp_py_sends_binary_bodies_of_a_megabyte(durable: Live) -> None:
    client = StompPy(durable, "1.2", auto_decode=False)
    body = bytes(range(256)) * 4096
    client.connection.subscribe("/queue/a", id="1", ack="auto")
    client.connection.send("/queue/a", body)
    assert client.message().body == body
    client.close()


def test_stomp_py_acknowledges(client: StompPy) -> None:
    client.connection.subscribe("/queue/a", id="1", ack="client", headers={"prefetch-count": "1"})
    for body in ("1", "2", "3"):
        client.connection.send("/queue/a", body)
    for body in ("1", "2", "3"):  # the next one comes only when this one is acknowledged
        frame = client.message()
        assert frame.body == body
        client.answer("ack", frame)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_stomp_py_rejects(durable: Live, version: str) -> None:
    client = StompPy(durable, version)
    client.connection.subscribe("/queue/a", id="1", ack="client")
    client.connection.send("/queue/a", "x")
    client.answer("nack", client.message())
    again = client.message()
    assert (again.body, again.headers["redelivered"], again.headers["delivery-count"]) == ("x", "true", "1")
    client.answer("ack", again)
    client.close()


def test_stomp_py_commits_and_aborts(client: StompPy) -> None:
    connection = client.connection
    connection.subscribe("/queue/a", id="1", ack="client")
    for end, body in ((connection.abort, "aborted"), (connection.commit, "committed")):
        transaction = connection.begin()
        connection.send("/queue/a", body, headers={"transaction": transaction})
        end(transaction)
    connection.send("/queue/a", "last")
    first, last = client.message(), client.message()
    assert (first.body, last.body) == ("committed", "last")
    transaction = connection.begin()
    client.answer("ack", last, transaction=transaction)
    connection.commit(transaction)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_stomp_py_exchanges_heart_beats(durable: Live, version: str) -> None:
    client = StompPy(durable, version, heartbeats=(500, 500))
    for _ in range(3):
        client.beats.get(timeout=SECONDS)
    assert client.connection.is_connected()
    client.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_stomp_py_gives_back_what_it_held_when_it_vanishes(durable: Live, version: str) -> None:
    client, other = StompPy(durable, version), StompPy(durable, version)
    client.connection.subscribe("/queue/a", id="1", ack="client")
    client.connection.send("/queue/a", "x")
    client.message()
    client.connection.transport.disconnect_socket()
    other.connection.subscribe("/queue/a", id="1", ack="auto")
    assert other.message().headers["delivery-count"] == "1"
    client.gone.get(timeout=SECONDS)
    other.close()


def test_stomp_py_is_refused_with_a_wrong_passcode(durable: Live) -> None:
    connection = stomp.StompConnection12([("127.0.0.1", durable.port)])
    with pytest.raises(stomp.exception.ConnectFailedException):
        connection.connect("ann", "wrong", wait=True)


@pytest.fixture
def stompman() -> Any:
    """The module, which has no stubs that all its releases share."""
    try:
        return importlib.import_module("stompman")
    except ImportError:
        missing("stompman")


async def _stompman_works(stompman: Any, port: int) -> None:
    got: asyncio.Queue[Any] = asyncio.Queue()
    servers = [stompman.ConnectionParameters(host="127.0.0.1", port=port, login="ann", passcode="s3cret")]
    beats = stompman.Heartbeat(will_send_interval_ms=500, want_to_receive_interval_ms=500)
    async with asyncio.timeout(SECONDS), stompman.Client(servers, heartbeat=beats) as client:
        subscription = await client.subscribe_with_manual_ack("/queue/a", got.put, receipt_timeout=SECONDS)
        await client.send(b"1", "/queue/a", headers={"colour": "green"}, receipt_timeout=SECONDS)
        first = await got.get()
        assert (first.body, first.headers["colour"]) == (b"1", "green")
        await first.nack()
        again = await got.get()
        assert (again.body, again.headers["redelivered"]) == (b"1", "true")
        await again.ack()
        async with client.begin() as transaction:
            await transaction.send(b"2", "/queue/a")
            await transaction.send(b"3", "/queue/a")
        assert [(await got.get()).body, (await got.get()).body] == [b"2", b"3"]
        assert client.is_alive()
        await subscription.unsubscribe()


def test_stompman_sends_receives_acknowledges_rejects_and_commits(stompman: Any, durable: Live) -> None:
    asyncio.run(_stompman_works(stompman, durable.port))


async def _stompman_returns(stompman: Any, port: int) -> list[bytes]:
    """Leave with one message unacknowledged, then take what is there."""
    servers = [stompman.ConnectionParameters(host="127.0.0.1", port=port, login="ann", passcode="s3cret")]
    bodies = []
    for _ in range(2):
        got: asyncio.Queue[Any] = asyncio.Queue()
        async with asyncio.timeout(SECONDS), stompman.Client(servers) as client:
            subscription = await client.subscribe_with_manual_ack("/queue/b", got.put)
            if not bodies:
                await client.send(b"x", "/queue/b")
            bodies.append((await got.get()).body)
            await subscription.unsubscribe()
    return bodies


def test_stompman_gets_again_what_it_did_not_acknowledge(stompman: Any, durable: Live) -> None:
    assert asyncio.run(_stompman_returns(stompman, durable.port)) == [b"x", b"x"]


def perl() -> str:
    """Where perl is that has Net::Stomp."""
    found = shutil.which("perl")
    if found is None or subprocess.run([found, "-MNet::Stomp", "-e1"], capture_output=True, check=False).returncode:
        missing("Net::Stomp (Debian: libnet-stomp-perl)")
    assert found is not None
    return found


@pytest.mark.parametrize("version", ["", "1.0", "1.1"])
def test_net_stomp_sends_with_receipt_subscribes_acknowledges_and_commits(durable: Live, version: str) -> None:
    """Net::Stomp acknowledges by message-id, so it cannot speak 1.2."""
    command = [perl(), str(PERL_CLIENT), str(durable.port), version]
    result = subprocess.run(command, capture_output=True, text=True, timeout=4 * SECONDS, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines() == [
        "connected " + (version or "1.0"),
        "receipt 1",
        "receipt 1",
        "got gr\u00fc\u00dfe again 0",
        "got gr\u00fc\u00dfe again 1",
        "got second again 0",
        "transaction 1",
        "got third again 0",
        "left",
    ]
