"""Asking a publisher that answers as the test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from swarmage.bus.bus import Bus
from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
from swarmage.errors import ActorDead
from swarmage.settings import Address
from swarmage.testing.swarm import Swarm
from swarmage.wire.names import actor_destination
from swarmage.wire.requests import Answer, Request, read_request, write_answer

from ..fakes import SECONDS

QUEUE = actor_destination("scripted")


class Script:
    """Takes what is asked of the actor ``scripted``; the test answers."""

    def __init__(self, swarm: Swarm) -> None:
        self._wire = swarm.client.wire
        self._bus = Bus(Address.parse(swarm.url))
        self._asked: SimpleQueue[Request] = SimpleQueue()
        self._bus.start(SECONDS)
        self._bus.subscribe(Subscription(id="1", destination=QUEUE, receive=self._receive, ack="auto", exclusive=True))

    def _receive(self, deliveries: list[Delivery]) -> None:
        for each in deliveries:
            self._asked.put(read_request(self._wire, QUEUE, each.body, each.headers.get("signature")))

    def stop(self) -> None:
        self._bus.stop()

    def next(self) -> Request:
        return self._asked.get(timeout=SECONDS)

    def answer(self, request: Request, answer: Answer) -> None:
        message = write_answer(self._wire, request.reply_to, answer)
        self._bus.connection(SECONDS).write(self._bus.send_frame(message))

    def greet(self, ping: Request, session: str) -> None:
        assert ping.say == "ping"
        self.answer(ping, Answer(say="here", number=ping.number, session=session))


@pytest.fixture
def script(swarm: Swarm) -> Iterator[Script]:
    here = Script(swarm)
    yield here
    here.stop()


def test_only_what_was_sent_before_the_ping_is_in_doubt_when_another_publisher_answers(
    swarm: Swarm, script: Script
) -> None:
    ref = swarm.client.ref("scripted")
    before = ref.ask("before", block=False)
    script.greet(script.next(), "first")
    assert script.next().value == "before"
    ping = script.next()
    after = ref.ask("after", block=False)
    request = script.next()
    assert ping.number < request.number
    script.greet(ping, "second")
    with pytest.raises(ActorDead):
        before.get(timeout=SECONDS)
    script.answer(request, Answer(say="stale", number=request.number))
    ping = script.next()
    script.greet(ping, "second")
    again = script.next()
    assert (again.value, again.session, again.number > request.number) == ("after", "second", True)
    script.answer(again, Answer(say="value", number=again.number, value="done"))
    assert after.get(timeout=SECONDS) == "done"


def test_nothing_overtakes_what_another_publisher_has_refused(swarm: Swarm, script: Script) -> None:
    ref = swarm.client.ref("scripted")
    asked = [ref.ask(0, block=False)]
    script.greet(script.next(), "first")
    requests = [script.next()]
    ping = script.next()  # that of the pulse, in the midst of what is asked
    asked.append(ref.ask(1, block=False))
    requests.append(script.next())
    script.answer(requests[0], Answer(say="stale", number=requests[0].number))
    behind = script.next()
    asked.append(ref.ask(2, block=False))
    script.greet(ping, "second")
    script.answer(requests[1], Answer(say="stale", number=requests[1].number))
    script.greet(behind, "second")
    again: list[Request] = []
    while len(again) < len(asked):
        request = script.next()
        if request.say != "ping":
            again.append(request)
    assert [request.value for request in again] == [0, 1, 2]


def test_what_was_told_to_be_in_doubt_stays_so_whatever_comes_later(swarm: Swarm, script: Script) -> None:
    ref = swarm.client.ref("scripted")
    future = ref.ask("once", block=False)
    script.greet(script.next(), "first")
    request = script.next()
    script.greet(script.next(), "second")
    with pytest.raises(ActorDead):
        future.get(timeout=SECONDS)
    script.answer(request, Answer(say="stale", number=request.number))
    script.answer(request, Answer(say="value", number=request.number, value="late"))
    with pytest.raises(ActorDead):
        future.get(timeout=SECONDS)
    other = ref.ask("other", block=False)
    request = script.next()
    assert (request.say, request.value) == ("message", "other")  # and nothing was sent again before it
    script.answer(request, Answer(say="value", number=request.number))
    assert other.get(timeout=SECONDS) is None


def test_nobody_is_pinged_when_nobody_waits(swarm: Swarm, script: Script) -> None:
    ref = swarm.client.ref("scripted")
    future = ref.ask("once", block=False)
    script.greet(script.next(), "first")
    request = script.next()
    script.answer(request, Answer(say="value", number=request.number))
    assert future.get(timeout=SECONDS) is None
    thread = swarm.client.remote.asking._pulse._thread
    if thread is not None:
        thread.join(SECONDS)
        assert not thread.is_alive()
    assert script._asked.empty()


def test_a_dropped_future_is_forgotten(swarm: Swarm, script: Script) -> None:
    ref = swarm.client.ref("scripted")
    future = ref.ask("once", block=False)
    script.greet(script.next(), "first")
    assert script.next().value == "once"
    peer = swarm.client.remote.asking._peers["scripted"]
    assert peer.busy
    del future
    eventually(lambda: not peer.busy)  # the thread that sent it may hold it for a moment


def eventually(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not check():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)
