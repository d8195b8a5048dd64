"""One bus through a network that splits and cuts its connections at each byte of a whole session."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from swarmage.bus import backoff, connection
from swarmage.bus.bus import Bus
from swarmage.bus.delivery import Delivery
from swarmage.bus.publish import publish
from swarmage.bus.subscription import Subscription
from swarmage.settings import Address
from swarmage.testing.fault_proxy import FaultProxy
from swarmage.testing.faults import Fault
from swarmage.wire.message import Message

from ..conftest import EmbeddedBus
from ..fakes import wait_until

SECONDS = 120.0
"""How long a test waits for what should come soon, behind some hundred cut connections and on a busy machine."""


class Work:
    """A program that inserts, performs what it gets, acknowledges it together with what came of it, and takes that."""

    def __init__(self, url: str) -> None:
        self.bus = Bus(Address.parse(url))
        self.changed = threading.Condition()
        self.inserted = 0
        self.performed: Counter[bytes] = Counter()
        self.came_back: Counter[bytes] = Counter()
        self.bus.subscribe(Subscription(id="todo", destination="/queue/todo", receive=self._perform, prefetch=10))
        self.bus.subscribe(Subscription(id="done", destination="/queue/done", receive=self._take, prefetch=10))

    def _perform(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self.performed[delivery.body] += 1
            self.bus.steps.take([(delivery, [Message("/queue/done", delivery.body, "s")])])

    def _take(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self.bus.steps.take([(delivery, [])])
            with self.changed:
                self.came_back[delivery.body] += 1
                self.changed.notify_all()

    def insert(self) -> None:
        """Insert one more, and return when the bus has it."""
        publish(self.bus, [Message("/queue/todo", b"%d" % self.inserted, "s")], SECONDS)
        self.inserted += 1

    def ends(self) -> None:
        """Return when all that was inserted has come back."""
        wanted = {b"%d" % number for number in range(self.inserted)}
        wait_until(lambda: self.came_back.keys() >= wanted, self.changed, SECONDS)
        assert self.came_back.keys() == wanted


@pytest.fixture
def proxy(embedded_bus: EmbeddedBus) -> Iterator[FaultProxy]:
    with FaultProxy(embedded_bus.url) as here:
        yield here


@pytest.fixture
def work(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    monkeypatch.setattr(backoff, "FIRST_RETRY", 0.001)
    monkeypatch.setattr(backoff, "LONGEST_RETRY", 0.001)
    monkeypatch.setattr(connection, "speaks_tls", lambda *_: False)  # which it would look for at each cut in the login
    logging.disable(logging.WARNING)  # two lines for each of them
    here = Work(proxy.url)
    here.bus.start(SECONDS)
    yield here
    here.bus.stop()
    logging.disable(logging.NOTSET)


def length_of_a_session(proxy: FaultProxy, work: Work) -> tuple[int, int]:
    """Return the bytes up and down from the login to the end of a first task."""
    work.insert()
    work.ends()
    number, receipt = work.bus.connection(0).receipts.expect()
    work.bus.connection(0).write(f"BEGIN\ntransaction:x\nreceipt:{number}\n\n\0".encode())  # after the last ack
    assert receipt.wait(SECONDS)
    [passage] = proxy.passages
    return passage.up.passed, passage.down.passed


@pytest.mark.parametrize("direction", ["up", "down"])
def test_what_is_cut_at_each_byte_is_sent_again_and_nothing_is_lost(
    proxy: FaultProxy, work: Work, direction: str
) -> None:
    up, down = length_of_a_session(proxy, work)
    places = up if direction == "up" else down
    assert places > 300
    for place in range(places):
        proxy.next(**{direction: Fault(cut_after=place)})
    proxy.reset()
    while proxy.accepted <= places:
        work.insert()
    proxy.reset()  # the last of them, which is whole
    work.insert()
    work.ends()
    again = sum(work.performed.values()) - work.inserted
    assert work.inserted > 1
    assert 0 < again <= 10 * places  # what a subscription may hold, each time


def test_what_comes_byte_by_byte_is_understood(proxy: FaultProxy, work: Work) -> None:
    proxy.set(up=Fault(piece=1, pause=0.0), down=Fault(piece=1, pause=0.0))
    for _ in range(5):
        work.insert()
    work.ends()
    assert set(work.performed.values()) == {1}
    assert proxy.accepted == 1


def test_what_is_split_at_each_byte_is_understood(proxy: FaultProxy, work: Work) -> None:
    up, down = length_of_a_session(proxy, work)
    for place in range(1, max(up, down)):
        proxy.next(up=Fault(split_at=(place,), pause=0.0005), down=Fault(split_at=(place,), pause=0.0005))
        proxy.reset()
        assert proxy.wait(lambda proxy, place=place: proxy.accepted > place, SECONDS)  # type: ignore[misc]
        work.insert()
        work.ends()
    assert proxy.accepted == max(up, down)  # no connection ended by itself
