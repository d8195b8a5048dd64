"""The state of a key, as a message."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest

from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import BadSignature, NotEncodable, Unreadable
from swarmage.wire.envelope import Wire
from swarmage.wire.keyed import encode_state, forget_state, read_state, write_state
from swarmage.wire.names import group_of, kind_in, kind_of, saved_destination

WIRE = Wire(bytes(32), SYSTEM_CLOCK)


@pytest.mark.parametrize(
    ("state", "as_json"),
    [
        ({"balance": 10, "names": ["a", None, True, 1.5]}, True),
        ("text", True),
        ({"pair": (1, 2)}, False),
        ({1: "one"}, False),
        ({"none": None, "nan": math.inf}, False),
        ({2**70}, False),
        (2**70, True),
        (b"bytes", False),
    ],
)
def test_a_state_comes_back_as_it_was(state: Any, as_json: bool) -> None:
    message = write_state(WIRE, "account", "alice", 7, encode_state(state, "account['alice']"))
    assert (b'"pickled"' not in message.body) == as_json
    assert read_state(WIRE, "account", "alice", message.body, message.signature) == (7, state)


def test_what_cannot_be_carried_is_said() -> None:
    with pytest.raises(NotEncodable, match=r"the state of account\['a'\] can be carried neither"):
        encode_state(threading.Lock(), "account['a']")
    with pytest.raises(NotEncodable, match=r"the state of account\['a'\] has .* bytes, the bus takes"):
        write_state(WIRE, "account", "a", 1, encode_state("x" * 5_000_000, "a"))


def test_a_state_counts_for_its_key_only() -> None:
    message = write_state(WIRE, "account", "alice", 1, encode_state({}, "a"))
    with pytest.raises(BadSignature):
        read_state(WIRE, "account", "bob", message.body, message.signature)
    with pytest.raises(BadSignature):
        read_state(WIRE, "other", "alice", message.body, message.signature)
    moved = WIRE.sign(message._replace(destination=saved_destination("account", "bob")))
    with pytest.raises(Unreadable, match="the state of another key, 'alice'"):
        read_state(WIRE, "account", "bob", moved.body, moved.signature)
    other = WIRE.note(saved_destination("account", "bob"), {"version": "one"})
    with pytest.raises(Unreadable):
        read_state(WIRE, "account", "bob", other.body, other.signature)


def test_nothing_is_left_of_a_forgotten_key() -> None:
    message = forget_state(WIRE, "account", "alice")
    assert (message.destination, message.body) == (saved_destination("account", "alice"), b"")


def test_the_names() -> None:
    assert (kind_of("a.b.c"), kind_of("a")) == ("a.b", "")
    assert kind_in("/queue/swarmage.keyed.account") == "account"
    assert kind_in("/queue/swarmage.task.account") is None
    assert group_of("a") != group_of("b")
    assert saved_destination("account", "a") == f"/value/swarmage.saved.account.{group_of('a')}"
