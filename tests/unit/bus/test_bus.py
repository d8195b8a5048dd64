from __future__ import annotations

import concurrent.futures
import dataclasses
import logging
import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from swarmage.bus import frames
from swarmage.bus.backoff import OPEN_SECONDS
from swarmage.bus.bus import Bus
from swarmage.bus.connection import Connection
from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
from swarmage.errors import BusError, BusRefused, BusUnreachable, ConnectionLost, LoginRefused
from swarmage.settings import Address
from swarmage.wire.message import Message

from ..fakes import SECONDS, wait_until
from .small_server import CONNECTED, Peer, SmallServer


@pytest.fixture
def bus(server: SmallServer) -> Iterator[Bus]:
    here = Bus(server.address)
    yield here
    server.close()
    here.stop()


def start(bus: Bus, server: SmallServer) -> Peer:
    starting = threading.Thread(target=bus.start, args=(SECONDS,))
    starting.start()
    peer = server.accept()
    peer.log_in()
    starting.join(SECONDS)
    assert not starting.is_alive()
    return peer


def message(number: int, ack: str) -> bytes:
    return f"MESSAGE\nsubscription:s\nmessage-id:{number}\nack:{ack}\ndestination:/queue/a\n\n{number}\0".encode()


def subscription(heard: SimpleQueue[Delivery], id_: str = "s") -> Subscription:
    def receive(deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            heard.put(delivery)

    return Subscription(id=id_, destination="/queue/a", receive=receive, prefetch=3)


def test_starting_twice_makes_one_connection(bus: Bus, server: SmallServer) -> None:
    start(bus, server)
    connection = bus.connection(0)
    bus.start(0)
    assert bus.connection(0) is connection
    assert bus.connection(5).server == "swarmage/test"


def test_no_bus_is_told_at_the_deadline_and_the_keeper_has_gone(server: SmallServer) -> None:
    server.close()
    bus = Bus(server.address)
    with pytest.raises(BusUnreachable, match="swarmage up"):
        bus.start(0.05)
    assert bus._keeper is None


def test_a_bus_that_never_answers_is_unreachable(server: SmallServer) -> None:
    bus = Bus(server.address)
    failed: SimpleQueue[BaseException] = SimpleQueue()

    def begin() -> None:
        try:
            bus.start(0.05)
        except BusError as error:
            failed.put(error)

    starting = threading.Thread(target=begin)
    starting.start()
    peer = server.accept()
    try:
        assert isinstance(failed.get(timeout=1.0), BusUnreachable)
    finally:
        peer.close()
        server.close()
        starting.join(SECONDS)


def test_a_refused_login_is_told_without_waiting_for_the_deadline(server: SmallServer) -> None:
    bus = Bus(server.address)
    failed: SimpleQueue[BaseException] = SimpleQueue()

    def begin() -> None:
        try:
            bus.start(600)
        except BusError as error:
            failed.put(error)

    starting = threading.Thread(target=begin)
    starting.start()
    peer = server.accept()
    peer.frame("CONNECT")
    server.stop_listening()
    peer.send(b"ERROR\nmessage:Bad login\n\n\0")
    assert isinstance(failed.get(timeout=SECONDS), LoginRefused)
    starting.join(SECONDS)


def test_the_next_machine_is_tried_where_one_does_not_answer_and_each_in_its_turn(server: SmallServer) -> None:
    closed = SmallServer()
    closed.close()
    here, gone = server.address, closed.address
    address = dataclasses.replace(gone, others=((here.host, here.port),))
    bus = Bus(address)
    bus._machine = 0
    peer = start(bus, server)
    peer.close()
    server.accept().log_in()
    assert not bus.connection(SECONDS).lost
    bus.stop(goodbye=False)


def test_a_machine_that_takes_connections_and_says_nothing_is_soon_left_for_the_next(server: SmallServer) -> None:
    silent = SmallServer()
    first, second = silent.address, server.address
    bus = Bus(dataclasses.replace(first, others=((second.host, second.port),)))
    bus._machine = 0
    began = time.monotonic()
    start(bus, server)
    assert time.monotonic() - began < OPEN_SECONDS
    bus.stop(goodbye=False)
    silent.close()


def test_who_was_let_in_before_waits_while_a_bus_that_starts_refuses_everybody(server: SmallServer) -> None:
    bus = Bus(server.address)
    start(bus, server).close()
    refusing = server.accept()
    refusing.frame("CONNECT")
    refusing.send(b"ERROR\nmessage:Bad CONNECT\n\nAccess refused\0")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        wait_until(lambda: isinstance(bus._last_error, LoginRefused), bus._changed)
        waiting = pool.submit(bus.connection, SECONDS)
        server.accept().log_in()
        assert not waiting.result(SECONDS).lost
    bus.stop(goodbye=False)


def test_another_kind_of_bus_is_refused(server: SmallServer) -> None:
    bus = Bus(server.address)
    failed: SimpleQueue[BaseException] = SimpleQueue()

    def begin() -> None:
        try:
            bus.start(SECONDS)
        except BusError as error:
            failed.put(error)

    starting = threading.Thread(target=begin)
    starting.start()
    peer = server.accept()
    peer.frame("CONNECT")
    peer.send(b"CONNECTED\nversion:1.2\nserver:Mosquitto/2\n\n\0")
    wait_until(lambda: isinstance(bus._last_error, BusRefused), bus._changed)
    bus.stop()
    error = failed.get(timeout=SECONDS)
    assert isinstance(error, BusRefused)
    assert "RabbitMQ" in str(error)
    starting.join(SECONDS)


def test_a_lost_connection_is_made_again_with_all_its_subscriptions(bus: Bus, server: SmallServer) -> None:
    heard: SimpleQueue[Delivery] = SimpleQueue()
    lost: SimpleQueue[Connection] = SimpleQueue()
    bus.on_lost = lost.put
    peer = start(bus, server)
    bus.subscribe(subscription(heard))
    bus.subscribe(subscription(heard, "dropped"))
    bus.unsubscribe("dropped")
    headers = peer.frame("SUBSCRIBE").headers
    assert headers == {"id": "s", "destination": "/queue/a", "ack": "client-individual", "prefetch-count": "3"}
    peer.frame("SUBSCRIBE")
    assert peer.frame("UNSUBSCRIBE").headers == {"id": "dropped"}
    first = bus.connection(0)
    peer.close()
    assert lost.get(timeout=SECONDS) is first
    again = server.accept()
    again.log_in()
    assert again.frame("SUBSCRIBE").headers == headers
    again.send(message(1, "a1"))
    assert heard.get(timeout=SECONDS).connection is bus.connection(SECONDS) is not first
    assert lost.empty()


def test_what_is_subscribed_while_there_is_no_connection_comes_with_the_next(bus: Bus, server: SmallServer) -> None:
    heard: SimpleQueue[Delivery] = SimpleQueue()
    bus.subscribe(subscription(heard))
    peer = start(bus, server)
    assert peer.frame("SUBSCRIBE").headers["id"] == "s"


def test_an_ack_of_an_old_connection_is_not_written_on_the_new_one(bus: Bus, server: SmallServer) -> None:
    heard: SimpleQueue[Delivery] = SimpleQueue()
    bus.subscribe(subscription(heard))
    peer = start(bus, server)
    peer.send(message(1, "a1"))
    old = heard.get(timeout=SECONDS)
    peer.close()
    again = server.accept()
    again.log_in()
    bus.connection(SECONDS).write(frames.encode("SEND", {"a": "1"}))
    with pytest.raises(ConnectionLost):
        old.connection.write(frames.ack(old.ack_id))
    bus.connection(0).write(frames.encode("SEND", {"a": "2"}))
    again.frame("SUBSCRIBE")
    assert [again.frame("SEND").headers["a"], again.frame("SEND").headers["a"]] == ["1", "2"]


def test_all_deliveries_of_one_read_come_in_one_call_for_each_subscription(bus: Bus, server: SmallServer) -> None:
    calls: SimpleQueue[list[bytes]] = SimpleQueue()
    bus.subscribe(
        Subscription(id="s", destination="/queue/a", receive=lambda got: calls.put([one.body for one in got]))
    )
    peer = start(bus, server)
    peer.send(message(1, "a1") + b"\n\n" + message(2, "a2"))
    assert calls.get(timeout=SECONDS) == [b"1", b"2"]


def test_a_message_for_a_dropped_subscription_is_handed_back(bus: Bus, server: SmallServer) -> None:
    peer = start(bus, server)
    peer.send(message(1, "a1"))
    assert peer.frame("NACK").headers == {"id": "a1", "count": "false"}


def test_a_delivery_knows_its_ack_and_how_often_it_came_before(bus: Bus, server: SmallServer) -> None:
    heard: SimpleQueue[Delivery] = SimpleQueue()
    bus.subscribe(subscription(heard))
    peer = start(bus, server)
    peer.send(message(1, "a1") + b"MESSAGE\nsubscription:s\nack:a2\ndelivery-count:4\n\n\0")
    first, second = heard.get(timeout=SECONDS), heard.get(timeout=SECONDS)
    assert (first.ack_id, first.earlier) == ("a1", 0)
    assert (second.ack_id, second.earlier) == ("a2", 4)


def test_an_error_with_a_receipt_is_raised_where_it_is_waited_for(bus: Bus, server: SmallServer) -> None:
    peer = start(bus, server)
    number, receipt = bus.connection(SECONDS).receipts.expect()
    _, other = bus.connection(SECONDS).receipts.expect()
    peer.send(f"ERROR\nreceipt-id:{number}\nmessage:queue is full\n\n\0".encode())
    with pytest.raises(BusRefused, match="queue is full"):
        receipt.wait(SECONDS)
    assert not other.wait(0)


def test_a_lost_connection_confirms_nothing_more(bus: Bus, server: SmallServer) -> None:
    peer = start(bus, server)
    _, receipt = bus.connection(SECONDS).receipts.expect()
    peer.close()
    with pytest.raises(ConnectionLost):
        receipt.wait(SECONDS)


def test_the_end_of_an_old_connection_that_is_told_late_still_settles_its_receipts(
    bus: Bus, server: SmallServer
) -> None:
    told, release = threading.Event(), threading.Event()
    real = bus._lost

    def late(connection: Connection) -> None:
        told.set()
        release.wait(SECONDS)
        real(connection)

    bus._lost = late  # type: ignore[method-assign]
    peer = start(bus, server)
    _, receipt = bus.connection(SECONDS).receipts.expect()
    peer.close()
    assert told.wait(SECONDS)
    with bus._changed:
        bus._changed.notify_all()  # the keeper may look at any time
    server.accept().log_in()
    bus.connection(SECONDS)
    release.set()
    with pytest.raises(ConnectionLost):
        receipt.wait(SECONDS / 5)


def test_stopping_says_goodbye_and_waits_for_the_receipt(bus: Bus, server: SmallServer) -> None:
    peer = start(bus, server)
    keeper = bus._keeper
    stopping = threading.Thread(target=bus.stop)
    stopping.start()
    goodbye = peer.frame("DISCONNECT")
    peer.receipt(goodbye.headers["receipt"])
    assert peer.rest() == b""
    stopping.join(SECONDS)
    bus.stop()
    with pytest.raises(BusError):
        bus.connection(0)
    assert keeper is not None
    assert not keeper.is_alive()


def test_a_stopped_bus_can_be_started_again(bus: Bus, server: SmallServer) -> None:
    first = start(bus, server)
    stopping = threading.Thread(target=bus.stop)
    stopping.start()
    first.receipt(first.frame("DISCONNECT").headers["receipt"])
    stopping.join(SECONDS)
    start(bus, server)
    assert not bus.connection(0).lost


def test_a_message_is_written_as_one_send_frame() -> None:
    bus = Bus(Address())
    data = bus.send_frame(Message("/queue/a", b"\0x\n", "sig", delay=1.0, priority=3), "t1")
    [frame] = frames.FrameReader().feed(data)
    assert frame.command == "SEND"
    assert frame.body == b"\0x\n"
    assert frame.headers == {
        "destination": "/queue/a",
        "signature": "sig",
        "delay": "1000",
        "priority": "3",
        "content-length": "3",
        "transaction": "t1",
    }


def test_what_cannot_be_handed_back_any_more_is_passed_over(bus: Bus, server: SmallServer) -> None:
    heard: SimpleQueue[Delivery] = SimpleQueue()
    bus.subscribe(subscription(heard))
    peer = start(bus, server)
    peer.send(message(1, "a1"))
    delivery = heard.get(timeout=SECONDS)
    delivery.connection.close()
    bus.give_back([delivery, Delivery(delivery.connection, {}, b"")])


def test_the_keeper_beats_again_and_again_while_there_is_a_connection(server: SmallServer) -> None:
    bus = Bus(dataclasses.replace(server.address, heartbeat=0.1))
    beats: SimpleQueue[None] = SimpleQueue()
    bus.on_beat = lambda: beats.put(None)
    start(bus, server)
    for _ in range(3):
        beats.get(timeout=SECONDS)
    bus.stop(goodbye=False)


def test_the_passcode_is_in_no_log_while_the_bus_comes_and_goes(
    bus: Bus, server: SmallServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    peer = start(bus, server)
    peer.close()
    second = server.accept()
    second.frame("CONNECT")
    second.send(CONNECTED % b"0,0" + b"ERROR\nmessage:boo\n\n\0")
    bus.connection(SECONDS)
    second.close()
    server.accept()
    assert "lost the connection" in caplog.text
    assert "s3cret" not in caplog.text


def test_who_leaves_a_bus_that_gives_nothing_back_ends_its_subscriptions_first(server: SmallServer) -> None:
    bus = Bus(dataclasses.replace(server.address, dialect="rabbitmq"))
    bus.subscribe(Subscription(id="1", destination="/queue/q", receive=lambda deliveries: None))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        starting = pool.submit(bus.start, SECONDS)
        peer = server.accept()
        peer.log_in()
        peer.frame("SUBSCRIBE")
        starting.result(SECONDS)
        stopping = pool.submit(bus.stop)
        assert peer.frame("UNSUBSCRIBE").headers["id"] == "1"
        peer.receipt(peer.frame("DISCONNECT").headers["receipt"])
        stopping.result(SECONDS)
