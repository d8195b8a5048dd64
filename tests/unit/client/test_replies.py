from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from typing import Any

import pytest

from swarmage.bus.bus import Subscription
from swarmage.bus.delivery import Delivery
from swarmage.client.replies import Replies
from swarmage.client.reply import Reply
from swarmage.wire.envelope import ReplyBody, Wire
from swarmage.wire.message import Message

from ..fakes import KEY, OTHER_KEY, FakeBus, FakeClock


class Given:
    """Replies on a bus that only records."""

    def __init__(self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = clock
        self.bus = FakeBus(clock)
        self.subscribed: list[Subscription] = []
        monkeypatch.setattr(self.bus, "subscribe", self.subscribed.append)
        self.wire = Wire(KEY, clock)
        self.replies = Replies([self.bus], self.wire)
        self.receive: Callable[[list[Delivery]], None] = self.replies._receive

    def expect(self, id_: str) -> Reply[Any]:
        reply: Reply[Any] = Reply(id_, "a")
        self.replies.expect(reply)
        return reply

    def delivery(self, ack: str, message: Message) -> Delivery:
        headers = {"ack": ack, "signature": message.signature, "destination": message.destination}
        return Delivery(self.bus.fake, headers, message.body)  # type: ignore[arg-type]

    def result(self, id_: str, value: Any, ack: str = "1") -> Delivery:
        body = ReplyBody(id=id_, kind="result", value=value)
        return self.delivery(ack, self.wire.reply(self.replies.destination, body))


@pytest.fixture
def given(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Given:
    return Given(clock, monkeypatch)


def test_all_replies_of_a_client_come_by_one_subscription_to_a_queue_of_its_own(given: Given) -> None:
    given.expect("1")
    given.expect("2")
    [subscription] = given.subscribed
    assert subscription.destination == given.replies.destination
    assert subscription.ack == "client"
    assert given.replies.destination.startswith("/queue/swarmage.reply.")
    assert Replies([given.bus], given.wire).destination != given.replies.destination


def test_each_reply_reaches_who_waits_for_it_and_one_ack_settles_all(given: Given) -> None:
    one, two = given.expect("1"), given.expect("2")
    given.receive([given.result("2", "b", "a1"), given.result("1", "a", "a2")])
    assert (one.result(0), two.result(0)) == ("a", "b")
    assert [(frame.command, frame.headers) for frame in given.bus.fake.frames()] == [("ACK", {"id": "a2"})]


def test_replies_that_nobody_holds_any_more_are_taken_and_forgotten(given: Given) -> None:
    reply = given.expect("1")
    kept = given.expect("2")
    del reply
    gc.collect()
    assert list(given.replies._waiting) == ["2"]
    given.receive([given.result("1", "a", "a1"), given.result("2", "b", "a2"), given.result("unknown", "c", "a3")])
    assert kept.result(0) == "b"
    assert given.bus.fake.commands() == ["ACK"]


def test_replies_of_others_are_ignored_and_taken(given: Given, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    reply = given.expect("1")
    foreign = Wire(OTHER_KEY, given.clock).reply(
        given.replies.destination, ReplyBody(id="1", kind="result", value="forged")
    )
    moved = given.wire.reply("/queue/swarmage.reply.other", ReplyBody(id="1", kind="result", value="moved"))
    unsigned = Delivery(given.bus.fake, {"ack": "a3"}, b'{"id":"1","kind":"result"}')  # type: ignore[arg-type]
    given.receive([given.delivery("a1", foreign), given.delivery("a2", moved), unsigned])
    assert not reply.done
    assert [frame.headers["id"] for frame in given.bus.fake.frames()] == ["a3"]
    assert caplog.text.count("a reply is ignored") == 3


@pytest.mark.parametrize("value", [None, [1], "abc", [1, 2, 3, 4], {}])
def test_a_malformed_sign_of_progress_does_not_hold_up_the_replies_behind_it(given: Given, value: Any) -> None:
    given.expect("1")
    waiting, other = given.expect("1"), given.expect("2")
    odd = given.wire.reply(given.replies.destination, ReplyBody(id="1", kind="progress", value=value))
    given.receive([given.delivery("a1", odd), given.result("2", "b", "a2")])
    assert other.result(0) == "b"
    assert not waiting.done
    assert [frame.headers["id"] for frame in given.bus.fake.frames()] == ["a2"]


def test_replies_of_a_lost_connection_are_delivered_all_the_same(given: Given) -> None:
    reply = given.expect("1")
    given.bus.fake.lost = True
    given.receive([given.result("1", "a")])
    assert reply.result(0) == "a"
