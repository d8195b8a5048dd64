from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Iterator

import pytest

from swarmage.bus.bus import Bus
from swarmage.client.status import bus_figures
from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import ReplyTimeout

from ..bus.small_server import Peer, SmallServer
from ..fakes import SECONDS


@pytest.fixture
def pool() -> Iterator[concurrent.futures.ThreadPoolExecutor]:
    with concurrent.futures.ThreadPoolExecutor(1) as here:
        yield here


def question(peer: Peer) -> str:
    """Return the id of the subscription for the answer; that of a question before may be renewed and dropped again."""
    subscribed = ""
    while True:
        frame = peer.frame("SUBSCRIBE", "UNSUBSCRIBE", "SEND")
        if frame.command == "SEND":
            return subscribed
        subscribed = str(frame.headers["id"])


def test_figures_are_asked_for_again_when_the_connection_is_lost_with_the_question(
    pool: concurrent.futures.ThreadPoolExecutor,
) -> None:
    server = SmallServer()
    bus = Bus(server.address)
    try:
        starting = pool.submit(bus.start, SECONDS)
        peer = server.accept()
        peer.log_in()
        starting.result(SECONDS)
        asking = pool.submit(bus_figures, bus, SECONDS, SYSTEM_CLOCK)
        question(peer)
        peer.close()
        again = server.accept()
        again.log_in()
        name = question(again)
        body = json.dumps({"bus": {"uptime": 1}})
        again.send(f"MESSAGE\nsubscription:{name}\nmessage-id:1\ndestination:/queue/x\n\n{body}\0".encode())
        assert asking.result(SECONDS) == {"bus": {"uptime": 1}}
    finally:
        server.close()
        bus.stop()


def test_a_bus_that_says_nothing_is_waited_for_until_the_deadline(
    pool: concurrent.futures.ThreadPoolExecutor,
) -> None:
    server = SmallServer()
    bus = Bus(server.address)
    try:
        starting = pool.submit(bus.start, SECONDS)
        peer = server.accept()
        peer.log_in()
        starting.result(SECONDS)
        with pytest.raises(ReplyTimeout):
            bus_figures(bus, 0.2, SYSTEM_CLOCK)
    finally:
        server.close()
        bus.stop()
