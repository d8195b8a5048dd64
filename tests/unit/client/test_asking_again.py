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


class Asked:
    """A client's bus, with a thread in which it is asked, so that the test can be the bus."""

    def __init__(self) -> None:
        self.server = SmallServer()
        self.bus = Bus(self.server.address)
        self.pool = concurrent.futures.ThreadPoolExecutor(1)
        starting = self.pool.submit(self.bus.start, SECONDS)
        self.peer = self.server.accept()
        self.peer.log_in()
        starting.result(SECONDS)

    def close(self) -> None:
        self.server.close()
        self.bus.stop()
        self.pool.shutdown()


@pytest.fixture
def asked() -> Iterator[Asked]:
    here = Asked()
    yield here
    here.close()


def question(peer: Peer) -> str:
    """Return the id of the subscription for the answer; that of a question before may be renewed and dropped again."""
    subscribed = ""
    while True:
        frame = peer.frame("SUBSCRIBE", "UNSUBSCRIBE", "SEND")
        if frame.command == "SEND":
            return subscribed
        subscribed = str(frame.headers["id"])


def test_figures_are_asked_for_again_when_the_connection_is_lost_with_the_question(asked: Asked) -> None:
    asking = asked.pool.submit(bus_figures, asked.bus, SECONDS, SYSTEM_CLOCK)
    question(asked.peer)
    asked.peer.close()
    again = asked.server.accept()
    again.log_in()
    name = question(again)
    body = json.dumps({"bus": {"uptime": 1}})
    again.send(f"MESSAGE\nsubscription:{name}\nmessage-id:1\ndestination:/queue/x\n\n{body}\0".encode())
    assert asking.result(SECONDS) == {"bus": {"uptime": 1}}


def test_a_bus_that_says_nothing_is_waited_for_until_the_deadline(asked: Asked) -> None:
    with pytest.raises(ReplyTimeout):
        bus_figures(asked.bus, 0.2, SYSTEM_CLOCK)
