from __future__ import annotations

import json
import math
from datetime import date
from typing import Any, NamedTuple

import pytest

from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import BadSignature, ConfigError, NotEncodable, Unreadable
from swarmage.outcome import Failure
from swarmage.wire.envelope import Wire
from swarmage.wire.message import Message
from swarmage.wire.requests import (
    Answer,
    Content,
    Request,
    enclose,
    read_answer,
    read_request,
    write_answer,
    write_request,
)

from ..fakes import KEY, OTHER_KEY

WIRE = Wire(KEY, SYSTEM_CLOCK)
REPLY_TO = "/queue/swarmage.reply.me"


class Pair(NamedTuple):
    left: int
    right: int


def read(message: Message) -> Request:
    return read_request(WIRE, message.destination, message.body, message.signature)


def test_a_request_comes_back_as_it_was_written() -> None:
    request = Request(say="call", reply_to=REPLY_TO, number=7, session="s", path=("add",), value=[[1], {"a": None}])
    message = write_request(WIRE, "accounts", request)
    assert (message.destination, message.persistent, message.expires) == ("/queue/swarmage.actor.accounts", False, 60.0)
    assert read(message) == request


def test_a_request_says_no_more_than_it_must() -> None:
    message = write_request(WIRE, "accounts", Request(say="ping", reply_to=REPLY_TO, number=1))
    assert json.loads(message.body) == {"say": "ping", "reply_to": REPLY_TO, "number": 1}


def test_an_answer_comes_back_as_it_was_written() -> None:
    answer = Answer(say="error", number=3, failure=Failure("ValueError", "boo", "line 1"))
    message = write_answer(WIRE, REPLY_TO, answer)
    assert read_answer(WIRE, REPLY_TO, message.body, message.signature) == answer


def test_what_is_too_long_of_a_failure_is_cut() -> None:
    message = write_answer(WIRE, REPLY_TO, Answer(say="error", number=3, failure=Failure("E", "\udc80" + "x" * 5000)))
    failure = read_answer(WIRE, REPLY_TO, message.body, message.signature).failure
    assert failure is not None
    assert len(failure.message) < 1100


@pytest.mark.parametrize("value", [None, True, 5, -1.5, "é", [1, [2]], {"a": {"b": []}}, 2**63, -(2**70)])
def test_what_json_brings_back_the_same_is_json(value: Any) -> None:
    content = enclose(value, "a test")
    assert content.pickled is None
    assert json.loads(bytes(content.value)) == value


@pytest.mark.parametrize(
    "value",
    [(1,), [(1,)], {"a": {1}}, {1: 2}, b"x", Pair(1, 2), math.inf, {"a": -math.inf}, date(2026, 1, 1), "\udc80"],
)
def test_what_json_would_change_is_pickled(value: Any) -> None:
    content = enclose(value, "a test")
    assert content.value is None
    again = content.open()
    assert (type(again), again) == (type(value), value)


def test_what_holds_itself_is_carried_too() -> None:
    value: list[Any] = []
    value.append(value)
    again = enclose(value, "a test").open()
    assert again[0] is again


def test_what_was_enclosed_does_not_change_any_more() -> None:
    value = [1]
    content = enclose(value, "a test")
    value.append(2)
    assert json.loads(bytes(content.value)) == [1]


def test_what_cannot_be_opened_is_told() -> None:
    with pytest.raises(Unreadable, match="a pickled value cannot be read here"):
        Content(pickled=b"no pickle").open()


def test_what_is_too_large_is_told() -> None:
    value = enclose("x" * 5_000_000, "a test").value
    with pytest.raises(NotEncodable, match="asked of the actor accounts has 5000"):
        write_request(WIRE, "accounts", Request(say="message", reply_to=REPLY_TO, value=value))
    with pytest.raises(NotEncodable, match="what an actor answers has 5000"):
        write_answer(WIRE, REPLY_TO, Answer(say="value", number=1, value=value))


def test_half_a_character_in_a_name_is_told() -> None:
    with pytest.raises(NotEncodable, match="is not text"):
        write_request(WIRE, "accounts", Request(say="get", reply_to=REPLY_TO, path=("\udc80",)))


def test_a_request_to_one_actor_is_none_to_another() -> None:
    message = write_request(WIRE, "accounts", Request(say="ping", reply_to=REPLY_TO))
    with pytest.raises(BadSignature):
        read(message._replace(destination="/queue/swarmage.actor.others"))
    with pytest.raises(BadSignature):
        read_request(Wire(OTHER_KEY, SYSTEM_CLOCK), message.destination, message.body, message.signature)
    with pytest.raises(BadSignature):
        read_request(WIRE, message.destination, message.body, None)


@pytest.mark.parametrize("reply_to", ["/queue/swarmage.task.a", "/queue/swarmage.reply.", "/topic/a", ""])
def test_nobody_is_answered_outside_of_reply_queues(reply_to: str) -> None:
    with pytest.raises(Unreadable, match="is not a reply queue"):
        read(write_request(WIRE, "accounts", Request(say="ping", reply_to=reply_to)))


def test_what_is_no_name_has_no_queue() -> None:
    with pytest.raises(ConfigError, match="'a/b' is not the name of an actor"):
        write_request(WIRE, "a/b", Request(say="ping", reply_to=REPLY_TO))
