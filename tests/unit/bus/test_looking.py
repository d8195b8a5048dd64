from __future__ import annotations

import concurrent.futures
from dataclasses import replace
from queue import SimpleQueue

from swarmage.bus import frames
from swarmage.bus.bus import Bus
from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
from swarmage.wire.names import STATE

from ..fakes import SECONDS
from .small_server import Peer, SmallServer


def log_in(peer: Peer) -> None:
    peer.frame("CONNECT")
    peer.send(b"CONNECTED\nversion:1.2\nserver:RabbitMQ/3.10.8\nheart-beat:0,0\n\n\0")


def shows(peer: Peer, *bodies: bytes) -> bool:
    """Answer a look on its own connection; return False when it leaves before it has asked."""
    log_in(peer)
    assert peer.frame("SUBSCRIBE").headers["x-stream-offset"] == "first"
    try:
        peer.frame("BEGIN")
    except AssertionError:
        return False
    peer.receipt(peer.frame("ABORT").headers["receipt"])
    for body in bodies:
        peer.send(frames.encode("MESSAGE", {"subscription": "look", "ack": "1", "destination": STATE}, body))
    peer.frame("UNSUBSCRIBE")
    peer.receipt(peer.frame("DISCONNECT").headers["receipt"])
    return True


def test_a_look_takes_all_on_a_connection_of_its_own_and_ends_as_on_our_bus(server: SmallServer) -> None:
    heard: SimpleQueue[list[Delivery]] = SimpleQueue()
    bus = Bus(server.address)
    bus.subscribe(Subscription(id="state", destination=STATE, receive=heard.put, browser=True))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        starting = pool.submit(bus.start, SECONDS)
        main = server.accept()
        log_in(main)
        starting.result(SECONDS)
        assert shows(server.accept(), b"one", b"two")
        [*found, end] = heard.get(timeout=SECONDS)
        assert [delivery.body for delivery in found] == [b"one", b"two"]
        assert end.headers["browser"] == "end"
        bus.unsubscribe("state")
        bus.connection(0).write(frames.encode("SEND", {}))
        main.frame("SEND")  # so nothing was unsubscribed that was never subscribed there
        server.close()
        bus.stop(goodbye=False)


def test_a_look_whose_connection_ends_is_begun_again(server: SmallServer) -> None:
    heard: SimpleQueue[list[Delivery]] = SimpleQueue()
    bus = Bus(server.address)
    bus.subscribe(Subscription(id="state", destination=STATE, receive=heard.put, browser=True))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        starting = pool.submit(bus.start, SECONDS)
        log_in(server.accept())
        starting.result(SECONDS)
        broken = server.accept()
        log_in(broken)
        broken.frame("SUBSCRIBE")
        broken.close()
        side = server.accept()
        while not shows(side, b"one"):  # the side's own bus may have come back before it was left
            side = server.accept()
        assert heard.get(timeout=SECONDS)[-1].headers["browser"] == "end"
        server.close()
        bus.stop(goodbye=False)


def test_a_machine_that_refuses_a_look_is_followed_by_the_next_one(server: SmallServer) -> None:
    other = SmallServer()
    heard: SimpleQueue[list[Delivery]] = SimpleQueue()
    bus = Bus(replace(server.address, others=((other.address.host, other.address.port),)))
    bus._machine = 0
    bus.subscribe(Subscription(id="state", destination=STATE, receive=heard.put, browser=True))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        starting = pool.submit(bus.start, SECONDS)
        log_in(server.accept())
        starting.result(SECONDS)
        refusing = server.accept()
        log_in(refusing)
        refusing.frame("SUBSCRIBE")
        refusing.send(frames.encode("ERROR", {"message": "precondition_failed"}, b"no replica on the local node"))
        side = other.accept()
        while not shows(side, b"one"):  # the side's own bus may have tried it before it was left
            side = other.accept()
        assert heard.get(timeout=SECONDS)[-1].headers["browser"] == "end"
        server.close()
        other.close()
        bus.stop(goodbye=False)
