from __future__ import annotations

import contextlib
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st

from swarmage.errors import BadSignature, NotEncodable, Unreadable
from swarmage.outcome import Failure
from swarmage.task import Task
from swarmage.wire import codec, names
from swarmage.wire.envelope import MAX_BODY, DeadBody, ReplyBody, Wire
from swarmage.wire.message import Message
from swarmage.wire.signing import Signer

from ..fakes import KEY, OTHER_KEY, FakeClock
from ..seeds import random_inputs

CLOCK = FakeClock()
WIRE = Wire(KEY, CLOCK)
SIGNER = Signer(KEY)
REPLIES = names.reply_destination("me")
FAILURE = Failure("ValueError", "boo", "Traceback ...")

exploded: list[str] = []


def explode() -> None:
    exploded.append("boom")


class Bomb:
    def __reduce__(self) -> Any:
        return explode, ()


@pytest.fixture(autouse=True)
def _defused() -> None:
    exploded.clear()


def reading(what: str) -> Callable[[str, bytes, str | None], Any]:
    return {
        "task": WIRE.read_task,
        "reply": WIRE.read_reply,
        "dead": lambda _, body, signature: WIRE.read_dead(body, signature),
        "note": WIRE.read_note,
    }[what]


WHERE = {"task": names.task_destination("a"), "reply": REPLIES, "dead": names.DEAD, "note": names.CONTROL}


def read_task(message: Message) -> Task:
    return WIRE.read_task(message.destination, message.body, message.signature)


def test_a_task_comes_back_with_all_it_carries() -> None:
    task = Task(
        task_class="text.census",
        args=["/usr/share", 3],
        kwargs={"deep": True},
        delay=2.5,
        priority=7,
        expires=60.0,
        attempt=2,
        issued=1.5,
        originator=REPLIES,
        parent="p",
        traceparent="00-ab-cd-01",
    )
    message = WIRE.task(task)
    assert message.destination == "/queue/swarmage.task.text.census"
    assert (message.delay, message.priority, message.expires, message.persistent) == (2.5, 7, None, True)
    assert read_task(message) == task


def test_the_body_is_one_json_object_anybody_can_read() -> None:
    body = msgspec.json.decode(WIRE.task(Task(task_class="a", args=[1], id="7", issued=3.0)).body)
    assert body == {"class": "a", "args": [1], "id": "7", "issued": 3.0}


def test_a_task_is_stamped_at_its_first_insert_only() -> None:
    assert read_task(WIRE.task(Task(task_class="a"))).issued == CLOCK.wall()
    assert read_task(WIRE.task(Task(task_class="a", issued=5.0))).issued == 5.0


def test_arguments_that_json_cannot_say_travel_pickled_and_stay_closed_until_asked_for() -> None:
    task = read_task(WIRE.task(Task(task_class="a", args=[math.nan, {1, 2}], kwargs={"f": Bomb()})))
    assert (list(task.args), task.kwargs) == ([], {})
    assert exploded == []
    assert task.pickled is not None
    args, _ = codec.unpickle(task.pickled)
    assert exploded == ["boom"]
    assert isinstance(args, tuple)
    assert math.isnan(args[0])
    assert args[1] == {1, 2}


def test_paths_and_sets_travel_as_json() -> None:
    task = read_task(WIRE.task(Task(task_class="a", args=[Path("/usr"), {1}])))
    assert (task.args, task.pickled) == (["/usr", [1]], None)


@pytest.mark.parametrize("what", WHERE)
@pytest.mark.parametrize("fault", ["unsigned", "altered", "moved", "foreign", "garbage"])
def test_a_bad_signature_is_noticed_before_anything_is_decoded(
    what: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b'{"id":"1","kind":"result","pickled":"%b"}' % codec.base64_text(pickle.dumps(Bomb())).encode()
    signature: str | None = SIGNER.sign(WHERE[what], body)
    match fault:
        case "unsigned":
            signature = None
        case "altered":
            body = body.replace(b'"1"', b'"2"')
        case "moved":
            signature = SIGNER.sign(names.task_destination("elsewhere"), body)
        case "foreign":
            signature = Signer(OTHER_KEY).sign(WHERE[what], body)
        case _:
            signature = "v1.garbage"
    decoded: list[bytes] = []
    monkeypatch.setattr(codec, "read_struct", lambda _, body, __: decoded.append(body))
    monkeypatch.setattr(codec, "unpickle", decoded.append)
    with pytest.raises(BadSignature):
        reading(what)(WHERE[what], body, signature)
    assert decoded == exploded == []


def test_a_signed_pickle_is_opened() -> None:
    """So that the test above is one that can fail."""
    message = WIRE.reply(REPLIES, ReplyBody(id="1", kind="result", value=Bomb()))
    WIRE.read_reply(REPLIES, message.body, message.signature)
    assert exploded == ["boom"]


@pytest.mark.parametrize("what", ["task", "reply", "dead"])
@random_inputs(body=st.binary(max_size=100) | st.text(max_size=50).map(str.encode), examples=30)
def test_signed_random_bytes_are_unreadable(what: str, body: bytes) -> None:
    with pytest.raises(Unreadable):
        reading(what)(WHERE[what], body, SIGNER.sign(WHERE[what], body))


FIELDS = sorted({*Task.__struct_encode_fields__, *ReplyBody.__struct_fields__, *DeadBody.__struct_fields__, "task"})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("a") | st.just("result"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("what", ["task", "reply", "dead"])
@random_inputs(given=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=10), examples=25)
def test_signed_json_of_another_shape_is_unreadable_and_nothing_worse(what: str, given: dict[str, Any]) -> None:
    body = msgspec.json.encode({"class": "a", "id": "1", "kind": "result"} | given)
    with contextlib.suppress(Unreadable):  # most are; the others are what they claim to be
        reading(what)(WHERE[what], body, SIGNER.sign(WHERE[what], body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b'{"id":"1"}',
        b'{"class":"a b"}',
        b'{"class":"a","priority":10}',
        b'{"class":"a","delay":-1}',
        b'{"class":"a","args":"abc"}',
        b'{"class":"a","kwargs":[]}',
        b'{"class":"a","id":""}',
        b'{"class":"a","attempt":"1"}',
        b'{"class":"a","pickled":"?"}',
        b'{"class":"a"}{"class":"a"}',
        b'{"class":"\xff"}',
        b'{"class":"a","args":["\\ud800"]}',
        b'{"class":"a","args":' + b"[" * 5000,
    ],
)
def test_what_is_no_task_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        WIRE.read_task(WHERE["task"], body, SIGNER.sign(WHERE["task"], body))


def test_a_task_in_the_queue_of_another_class_is_unreadable_although_signed_for_it() -> None:
    body = WIRE.task(Task(task_class="b")).body
    with pytest.raises(Unreadable, match="class b in /queue/"):
        WIRE.read_task(WHERE["task"], body, SIGNER.sign(WHERE["task"], body))


def test_fields_of_a_later_version_are_passed_over() -> None:
    body = b'{"class":"a","id":"1","invented":{"later":1}}'
    assert WIRE.read_task(WHERE["task"], body, SIGNER.sign(WHERE["task"], body)).id == "1"


@pytest.mark.parametrize("argument", ["x" * MAX_BODY, [math.nan, "x" * MAX_BODY]], ids=["json", "pickled"])
def test_a_task_too_large_for_the_bus_is_refused_with_advice(argument: Any) -> None:
    with pytest.raises(NotEncodable, match="pass its name"):
        WIRE.task(Task(task_class="a", args=[argument]))


def test_a_result_too_large_for_the_bus_is_refused() -> None:
    with pytest.raises(NotEncodable, match="the result of task 1"):
        WIRE.reply(REPLIES, ReplyBody(id="1", kind="result", value="x" * MAX_BODY))


def test_a_task_that_just_fits_is_accepted() -> None:
    empty = len(WIRE.task(Task(task_class="a", id="1", issued=1.0, args=[""])).body)
    message = WIRE.task(Task(task_class="a", id="1", issued=1.0, args=["x" * (MAX_BODY - empty)]))
    assert len(message.body) == MAX_BODY


@pytest.mark.parametrize(
    "reply",
    [
        ReplyBody(id="1", kind="result", value={"a": [1, None]}),
        ReplyBody(id="1", kind="result"),
        ReplyBody(id="1", kind="result", attempt=3, value=[1.5]),
        ReplyBody(id="1", kind="part", value={}),
        ReplyBody(id="1", kind="progress", value=[1, 10, "half"]),
        ReplyBody(id="1", kind="error", failure=FAILURE),
        ReplyBody(id="1", kind="result", value={1, (2, 3)}),
        ReplyBody(id="1", kind="result", value=1j),
        ReplyBody(id="1", kind="result", value="\udcff"),
    ],
    ids=repr,
)
def test_a_reply_comes_back(reply: ReplyBody) -> None:
    message = WIRE.reply(REPLIES, reply)
    again = WIRE.read_reply(REPLIES, message.body, message.signature)
    if isinstance(reply.value, set):
        assert {tuple(item) if isinstance(item, list) else item for item in again.value} == reply.value
    else:
        assert again == reply


def test_replies_expire_and_only_progress_may_be_lost() -> None:
    kinds = {
        kind: WIRE.reply(REPLIES, ReplyBody(id="1", kind=kind, value=[1, 2, ""])).persistent  # type: ignore[arg-type]
        for kind in ("result", "error", "part", "progress")
    }
    assert kinds == {"result": True, "error": True, "part": True, "progress": False}
    assert WIRE.reply(REPLIES, ReplyBody(id="1", kind="result")).expires == 24 * 3600


def test_a_nan_result_comes_back_as_one() -> None:
    message = WIRE.reply(REPLIES, ReplyBody(id="1", kind="result", value={"a": math.nan}))
    assert math.isnan(WIRE.read_reply(REPLIES, message.body, message.signature).value["a"])


def test_a_reply_whose_pickle_cannot_be_read_here_is_unreadable() -> None:
    body = msgspec.json.encode(ReplyBody(id="1", kind="result", pickled=b"cnowhere\nMissing\n."))
    with pytest.raises(Unreadable, match="nowhere"):
        WIRE.read_reply(REPLIES, body, SIGNER.sign(REPLIES, body))


def letter(**changes: Any) -> DeadBody:
    given: dict[str, Any] = {
        "reason": "failed",
        "destination": names.task_destination("a"),
        "died": 5.0,
        "host": "here",
        "failure": FAILURE,
    }
    return DeadBody(**given | changes)


@pytest.mark.parametrize(
    "dead",
    [
        letter(task=Task(task_class="a", args=[1], kwargs={"b": 2})),
        letter(reason="unreadable", raw=b"\0\xff", signature="v1.x.y"),
        letter(reason="signature", raw=b""),
    ],
    ids=["task", "raw", "empty"],
)
def test_a_dead_letter_comes_back(dead: DeadBody) -> None:
    message = WIRE.dead(dead)
    assert (message.destination, message.persistent, message.expires) == (names.DEAD, True, None)
    again = WIRE.read_dead(message.body, message.signature)
    assert again == dead


def test_a_dead_letter_with_an_impossible_task_inside_is_unreadable() -> None:
    body = WIRE.dead(letter(task=Task(task_class="a"))).body.replace(b'"class":"a"', b'"class":"a b"')
    with pytest.raises(Unreadable):
        WIRE.read_dead(body, SIGNER.sign(names.DEAD, body))


def test_a_huge_failure_is_shortened_so_that_the_letter_can_be_sent() -> None:
    failure = Failure("ValueError", "m" * MAX_BODY, "t" * MAX_BODY + "the end")
    message = WIRE.dead(letter(failure=failure, task=Task(task_class="a")))
    assert len(message.body) < MAX_BODY
    again = WIRE.read_dead(message.body, message.signature)
    assert again.failure.traceback.endswith("the end")
    assert again.failure.message.startswith("mmm")


@pytest.mark.parametrize("text", ["no such file: \udcff", "\ud800"])
def test_a_failure_whose_text_is_not_unicode_can_still_be_told(text: str) -> None:
    message = WIRE.dead(letter(failure=Failure("FileNotFoundError", text, f"Traceback {text}")))
    assert WIRE.read_dead(message.body, message.signature).failure.kind == "FileNotFoundError"
    message = WIRE.reply(REPLIES, ReplyBody(id="1", kind="error", failure=Failure("OSError", text)))
    failure = WIRE.read_reply(REPLIES, message.body, message.signature).failure
    assert failure is not None
    assert failure.kind == "OSError"


def test_the_largest_message_nobody_can_read_still_fits_into_a_dead_letter() -> None:
    raw = b"\xff" * (4 * 1024 * 1024)
    message = WIRE.dead(letter(reason="unreadable", raw=raw))
    assert len(message.body) <= 4 * 1024 * 1024
    assert WIRE.read_dead(message.body, message.signature).reason == "unreadable"


def test_an_error_reply_with_a_huge_text_is_not_refused() -> None:
    message = WIRE.reply(REPLIES, ReplyBody(id="1", kind="error", failure=Failure("E", "m" * MAX_BODY)))
    assert len(message.body) <= MAX_BODY


def test_a_note_comes_back_and_need_not_outlive_the_bus() -> None:
    message = WIRE.note(names.CONTROL, {"say": "roll call"})
    assert not message.persistent
    assert WIRE.read_note(names.CONTROL, message.body, message.signature) == {"say": "roll call"}


def test_what_the_bus_says_of_itself_is_json_or_unreadable() -> None:
    assert Wire.read_figures(b'{"queues":[]}') == {"queues": []}
    with pytest.raises(Unreadable):
        Wire.read_figures(b"\0")
