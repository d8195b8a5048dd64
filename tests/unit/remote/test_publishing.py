"""What a publisher does with requests, also with those that nobody honest sends."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import Any

import msgspec
import pytest

from swarmage.bus.bus import Bus
from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
from swarmage.clock import SYSTEM_CLOCK
from swarmage.remote import publishing
from swarmage.remote.ref import RemoteRef
from swarmage.settings import Address
from swarmage.task import Task
from swarmage.testing.swarm import Swarm
from swarmage.wire import codec
from swarmage.wire.envelope import Wire
from swarmage.wire.message import Message
from swarmage.wire.names import actor_destination, reply_destination
from swarmage.wire.requests import Answer, Request, read_answer, write_request

from ..fakes import OTHER_KEY, SECONDS
from .conftest import Publish, Shown, lose


class ByHand:
    """Who asks with nothing but a connection: it may say what it likes."""

    def __init__(self, swarm: Swarm) -> None:
        self.wire = swarm.client.wire
        self.answers = reply_destination(f"hand.{secrets.token_hex(4)}")
        self._bus = Bus(Address.parse(swarm.url))
        self._heard: SimpleQueue[Answer] = SimpleQueue()
        self._bus.start(SECONDS)
        self._bus.subscribe(Subscription(id="1", destination=self.answers, receive=self._receive, ack="auto"))

    def _receive(self, deliveries: list[Delivery]) -> None:
        for each in deliveries:
            self._heard.put(read_answer(self.wire, self.answers, each.body, each.headers.get("signature")))

    def stop(self) -> None:
        self._bus.stop()

    def write(self, **said: Any) -> Message:
        return write_request(self.wire, "accounts", Request(reply_to=self.answers, **said))

    def send(self, message: Message) -> None:
        self._bus.connection(SECONDS).write(self._bus.send_frame(message))

    def hear(self) -> Answer:
        return self._heard.get(timeout=SECONDS)

    def heard_nothing(self) -> bool:
        """Say whether nothing came before the answer to one more ping, which would come later than anything else."""
        self.send(self.write(say="ping", number=10**9))
        return self.hear().number == 10**9

    def greet(self) -> str:
        self.send(self.write(say="ping", number=1))
        answer = self.hear()
        assert (answer.say, answer.number) == ("here", 1)
        return answer.session


@pytest.fixture
def hand(swarm: Swarm, accounts: Shown) -> Iterator[ByHand]:
    here = ByHand(swarm)
    yield here
    here.stop()


def heard(shown: Shown) -> list[Any]:
    found = []
    while True:
        try:
            found.append(shown.actor.heard.get_nowait())
        except Empty:
            return found


def test_a_request_is_done_with_the_session_that_a_ping_gave(hand: ByHand, accounts: Shown) -> None:
    hand.send(hand.write(say="message", number=2, session=hand.greet(), value="hello"))
    assert hand.hear() == Answer(say="value", number=2, value="hello")


def test_a_copy_of_a_request_is_not_done_again(hand: ByHand, accounts: Shown, caplog: pytest.LogCaptureFixture) -> None:
    session = hand.greet()
    copy = hand.write(say="message", number=2, session=session, value="once")
    told = hand.write(say="message", number=3, session=session, value="told once", told=True)
    for message in (copy, told, copy, told, copy):
        hand.send(message)
    assert hand.hear().value == "once"
    assert hand.heard_nothing()
    assert heard(accounts) == ["once", "told once"]
    assert caplog.text.count("is refused: it is a copy") == 3


def test_a_copy_of_a_request_to_an_earlier_publisher_is_not_done_by_a_later_one(
    hand: ByHand, accounts: Shown, publish: Publish
) -> None:
    copy = hand.write(say="message", number=2, session=hand.greet(), value="once")
    hand.send(copy)
    assert hand.hear().value == "once"
    lose(accounts)
    other = publish(label="two")
    hand.send(copy)
    assert hand.hear() == Answer(say="stale", number=2)
    assert heard(other) == []


def forged(hand: ByHand, session: str) -> dict[str, Message]:
    good = hand.write(say="message", number=2, session=session, value="forged")
    to_another = write_request(
        hand.wire, "others", Request(say="message", reply_to=hand.answers, number=2, session=session, value="moved")
    )
    task = hand.wire.task(Task(task_class="accounts", args=["task"]))
    return {
        "the message is not signed": good._replace(signature=""),
        "signed by": Wire(OTHER_KEY, SYSTEM_CLOCK).sign(good),
        "it was altered": good._replace(body=good.body.replace(b"forged", b"FORGED")),
        "or moved from another queue": to_another._replace(destination=good.destination),
        "moved": task._replace(destination=good.destination),
    }


@pytest.mark.parametrize("why", ["the message is not signed", "signed by", "it was altered", "or moved", "moved"])
def test_what_is_forged_is_ignored(hand: ByHand, accounts: Shown, why: str, caplog: pytest.LogCaptureFixture) -> None:
    found = next(message for name, message in forged(hand, hand.greet()).items() if name.startswith(why))
    if not found.signature:
        frame = hand._bus.send_frame(found).replace(b"signature:\n", b"")
        hand._bus.connection(SECONDS).write(frame)
    else:
        hand.send(found)
    assert hand.heard_nothing()
    assert heard(accounts) == []
    assert "a request to the actor accounts is ignored" in caplog.text
    assert why in caplog.text


class Opened:
    """Notes where it is unpickled."""

    opened: SimpleQueue[str] = SimpleQueue()

    def __reduce__(self) -> Any:
        return Opened.open, ()

    @staticmethod
    def open() -> str:
        import threading

        Opened.opened.put(threading.current_thread().name)
        return "opened"


def test_nothing_is_unpickled_before_signature_and_session_are_checked(hand: ByHand, accounts: Shown) -> None:
    session = hand.greet()
    pickled = codec.pickle(Opened(), "a test")
    unsigned = hand.write(say="message", number=2, session=session, pickled=pickled)
    hand.send(Wire(OTHER_KEY, SYSTEM_CLOCK).sign(unsigned))
    hand.send(hand.write(say="message", number=2, session="another", pickled=pickled))
    assert hand.hear().say == "stale"
    assert Opened.opened.empty()
    hand.send(hand.write(say="message", number=2, session=session, pickled=pickled))
    assert hand.hear().value == "opened"
    assert Opened.opened.get_nowait().startswith("Accounts-")  # the actor's own thread
    assert Opened.opened.empty()


@pytest.mark.parametrize("told", [False, True])
def test_what_cannot_be_opened_harms_nobody(
    hand: ByHand, accounts: Shown, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    session = hand.greet()
    hand.send(hand.write(say="message", number=2, session=session, pickled=b"no pickle", told=told))
    hand.send(hand.write(say="call", number=3, session=session, path=("add",), value=5, told=told))
    hand.send(hand.write(say="message", number=4, session=session, value="after"))
    if not told:
        for _ in range(2):
            failure = hand.hear().failure
            assert failure is not None
            assert (failure.kind, failure.message[:45]) == (
                "Unreadable",
                "what the actor was asked cannot be read here:",
            )
    assert hand.hear().value == "after"
    assert caplog.text.count("an actor was told what it cannot read") == (2 if told else 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"say":"dance","reply_to":"/queue/swarmage.reply.a"}',
        b'{"say":"ping","reply_to":"/queue/b"}',
    ],
)
def test_what_is_no_request_is_ignored(
    hand: ByHand, accounts: Shown, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    hand.send(hand.wire.sign(Message(actor_destination("accounts"), body, "", persistent=False)))
    assert hand.heard_nothing()
    assert "a request to the actor accounts is ignored" in caplog.text


def test_an_answer_that_somebody_else_sends_is_ignored(
    swarm: Swarm, hand: ByHand, ref: RemoteRef, accounts: Shown, caplog: pytest.LogCaptureFixture
) -> None:
    future = ref.proxy().hold()
    assert accounts.actor.begun.wait(SECONDS)
    asking = swarm.client.remote.asking
    number = next(iter(asking._pending))
    body = msgspec.json.encode(Answer(say="value", number=number, value="forged"))
    hand.send(Wire(OTHER_KEY, SYSTEM_CLOCK).sign(Message(asking.answers, body, "", persistent=False)))
    copy = hand.wire.sign(Message(asking.answers, msgspec.json.encode(Answer(say="here", number=1, session="x")), ""))
    hand.send(copy)  # an answer to a ping that has been answered
    assert ref.is_alive()
    accounts.actor.gate.set()
    assert future.get(timeout=SECONDS) == "held"
    assert "an answer is ignored" in caplog.text


def test_who_was_silent_longest_is_forgotten_and_asks_for_a_session_again(
    swarm: Swarm, hand: ByHand, accounts: Shown, ref: RemoteRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "MOST_SESSIONS", 1)
    for number in range(3):
        assert ref.ask(number, timeout=SECONDS) == number
        hand.greet()  # pushes the other out
    assert heard(accounts) == [0, 1, 2]


def test_an_actor_is_not_given_more_than_it_could_ever_answer(
    hand: ByHand, accounts: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "MOST_OPEN", 2)
    session = hand.greet()
    for number in range(2, 5):
        hand.send(hand.write(say="call", number=number, session=session, path=("hold",), value=[[], {}]))
    refused = hand.hear()
    assert refused.failure is not None
    assert (refused.number, refused.failure.kind) == (4, "Overloaded")
    accounts.actor.gate.set()
    assert {hand.hear().number, hand.hear().number} == {2, 3}


def test_an_actor_that_dies_of_a_message_leaves_nobody_waiting(hand: ByHand, accounts: Shown) -> None:
    session = hand.greet()
    hand.send(hand.write(say="call", number=2, session=session, path=("hold",), value=[[], {}]))
    assert accounts.actor.begun.wait(SECONDS)
    hand.send(hand.write(say="message", number=3, session=session, value="fail", told=True))  # pykka ends it for that
    hand.send(hand.write(say="message", number=4, session=session, value="after"))
    hand.send(hand.write(say="ping", number=5))
    assert hand.hear().number == 5
    accounts.actor.gate.set()
    assert hand.hear() == Answer(say="value", number=2, value="held")
    assert hand.hear() == Answer(say="dead", number=4)


def test_what_an_actor_never_opened_before_its_end_is_answered_all_the_same(hand: ByHand, accounts: Shown) -> None:
    session = hand.greet()
    hand.send(hand.write(say="call", number=2, session=session, path=("hold",), value=[[], {}]))
    assert accounts.actor.begun.wait(SECONDS)
    accounts.ref.stop(block=False)
    hand.send(hand.write(say="message", number=3, session=session, pickled=b"no pickle"))
    hand.send(hand.write(say="message", number=4, session=session, value="after"))
    hand.send(hand.write(say="ping", number=5))
    assert hand.hear().number == 5
    accounts.actor.gate.set()
    assert [hand.hear() for _ in range(3)] == [
        Answer(say="value", number=2, value="held"),
        Answer(say="dead", number=3),
        Answer(say="dead", number=4),
    ]
