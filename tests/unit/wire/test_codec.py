from __future__ import annotations

import contextlib
import datetime
import decimal
import enum
import json
import math
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple, TypedDict, TypeVar

import msgspec
import pytest
from hypothesis import strategies as st

from swarmage.errors import NotEncodable, Unreadable
from swarmage.wire import codec

from ..seeds import random_inputs

ANYTHING: msgspec.json.Decoder[Any] = msgspec.json.Decoder()

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Point:
    x: float
    y: float = 0.0
    names: list[str] = field(default_factory=list)


class Pair(NamedTuple):
    left: int
    right: str


class Settings(TypedDict):
    size: int


class Struct(msgspec.Struct):
    size: float


def through_json(value: Any, kind: Any) -> Any:
    text = codec.to_json(value)
    assert text is not None
    return codec.convert(codec.read_struct(ANYTHING, text, "JSON"), kind)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, None),
        (True, bool),
        (0, int),
        (-(2**63), int),
        (2**64 - 1, int),
        (2**70, int),
        (1.5, float),
        (3, float),
        ("grüße 🐝\n\0", str),
        ("", str),
        (b"\0\xff bytes", bytes),
        (bytearray(b"\0\xff"), bytearray),
        ([1, 2], list[int]),
        ((1, "a"), tuple[int, str]),
        ((1, 2, 3), tuple[int, ...]),
        ({1, 2}, set[int]),
        (frozenset({"a"}), frozenset[str]),
        ({"a": [1]}, dict[str, list[int]]),
        ({1: "a"}, dict[int, str]),
        ({"a": 1}, Mapping[str, int]),
        ([1], Sequence[int]),
        (None, int | None),
        (7, int | None),
        (Path("/usr/share"), Path),
        (PurePosixPath("a/b"), PurePosixPath),
        ([Path("a"), Path("b")], list[Path]),
        (Path("a"), Path | None),
        (uuid.UUID(int=7), uuid.UUID),
        (decimal.Decimal("1.10"), decimal.Decimal),
        (datetime.datetime(2024, 2, 29, 12, 30, 1, 250, datetime.UTC), datetime.datetime),
        (datetime.datetime(2024, 2, 29, 12, 30), datetime.datetime),
        (datetime.date(2024, 2, 29), datetime.date),
        (datetime.time(12, 30), datetime.time),
        (datetime.timedelta(days=1, seconds=3), datetime.timedelta),
        (Colour.RED, Colour),
        (Level.HIGH, Level),
        ("a", Literal["a", "b"]),
        (Point(1.0, names=["a"]), Point),
        ({"here": Point(1.0)}, dict[str, Point]),
        (Pair(1, "a"), Pair),
        ({"size": 3}, Settings),
        (Struct(1.5), Struct),
    ],
    ids=repr,
)
def test_a_value_comes_back_through_json_and_its_annotation(value: Any, kind: Any) -> None:
    again = through_json(value, kind)
    assert again == value
    if kind is not float:
        assert type(again) is type(value)


SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.floats(allow_nan=False)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=10
)


@random_inputs(JSON)
def test_json_itself_comes_back_or_is_left_to_cloudpickle(value: Any) -> None:
    text = codec.to_json(value)
    if text is None:
        assert not json_can_say(value)
    else:
        assert codec.read_struct(ANYTHING, text, "JSON") == value


def json_can_say(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda x: x,
        lambda x: [1, None, [x]],
        lambda x: {"a": {"b": x}},
        lambda x: (x,),
        lambda x: {x},
        Struct,
        lambda x: [Struct(x)],
        Point,
        lambda x: {"a": [Point(0.0, x)]},
    ],
    ids=["bare", "list", "dict", "tuple", "set", "struct", "structs", "dataclass", "dataclasses"],
)
def test_what_json_would_turn_into_null_is_left_to_cloudpickle(wrap: Callable[[float], Any], bad: float) -> None:
    assert codec.to_json(wrap(bad)) is None
    again = codec.unpickle(codec.pickle(wrap(bad), "it"))
    assert repr(again) == repr(wrap(bad))


def test_a_plain_null_is_json() -> None:
    assert codec.to_json([None, 1.5, "null"]) == b'[null,1.5,"null"]'


class Plain:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain)

    def __repr__(self) -> str:  # without an address, so that each run finds tests of the same names
        return "Plain()"

    __hash__ = None  # type: ignore[assignment]


def cyclic() -> list[Any]:
    value: list[Any] = [1]
    value.append(value)
    return value


@pytest.mark.parametrize("value", [Plain(), {(1, 2): 3}, 1j, range(3), "\ud800", {"\udcff": 1}, [object]], ids=repr)
def test_what_json_cannot_say_goes_by_cloudpickle(value: Any) -> None:
    assert codec.to_json(value) is None
    assert codec.unpickle(codec.pickle(value, "it")) == value


def test_a_value_that_holds_itself_goes_by_cloudpickle() -> None:
    assert codec.to_json(cyclic()) is None
    again = codec.unpickle(codec.pickle(cyclic(), "it"))
    assert again[1] is again


def test_a_function_goes_by_cloudpickle() -> None:
    step = 2
    assert codec.unpickle(codec.pickle(lambda x: x + step, "it"))(1) == 3


def test_what_nothing_can_carry_is_named() -> None:
    with pytest.raises(NotEncodable, match="the arguments of task a"):
        codec.pickle(threading.Lock(), "the arguments of task a")


class Angry:
    def __reduce__(self) -> Any:
        raise KeyError("not me")


def test_an_object_that_refuses_to_be_pickled_is_not_encodable() -> None:
    with pytest.raises(NotEncodable, match="not me"):
        codec.pickle(Angry(), "it")


class Raising:
    """Raises on the other side."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        return _raise, (self.error,)


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", [KeyError("x"), ImportError("y"), SystemExit(3), GeneratorExit()], ids=repr)
def test_whatever_unpickling_raises_means_unreadable(error: BaseException) -> None:
    with pytest.raises(Unreadable, match=type(error).__name__):
        codec.unpickle(codec.pickle(Raising(error), "it"))


@random_inputs(st.binary(max_size=100).filter(lambda data: not data.startswith(b"c")))
def test_damaged_pickles_are_unreadable(data: bytes) -> None:
    good = codec.pickle([1, 2, 3], "it")
    with pytest.raises(Unreadable):
        codec.unpickle(good[:-1])
    with pytest.raises(Unreadable):
        codec.unpickle(b"\x80\x05\x95" + data[:3])


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        ("three", int, "int"),
        (1.5, int, "int"),
        ("1", int, "int"),
        (1, str, "str"),
        (None, int, "int"),
        ([1, "a"], list[int], r"\$\[1\]"),
        ({"x": "a"}, Point, r"\$\.x"),
        ({}, Point, "x"),
        ("blue", Colour, "blue"),
        ("not a date", datetime.date, "date"),
        (3, Path, "Path"),
        ("x", Callable[[int], int], "Callable|isinstance"),
        ("x", Plain, "Plain"),
    ],
)
def test_what_does_not_fit_its_annotation_is_unreadable_and_says_where(value: Any, kind: Any, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        codec.convert(value, kind)


@pytest.mark.parametrize("kind", [T, object, "forward"])
def test_an_annotation_without_meaning_leaves_the_value_as_it_came(kind: Any) -> None:
    assert codec.convert([1, "a"], kind) == [1, "a"]


@dataclass
class Picky:
    size: int

    def __post_init__(self) -> None:
        raise LookupError("no such size")


def test_a_class_that_refuses_the_value_makes_it_unreadable() -> None:
    with pytest.raises(Unreadable, match="no such size"):
        codec.convert({"size": 3}, Picky)


@random_inputs(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_random_bytes_are_unreadable_or_json(body: bytes) -> None:
    with contextlib.suppress(Unreadable):
        value = codec.read_struct(ANYTHING, body, "JSON")
        assert json.loads(body) == value


def test_json_nested_too_deep_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        codec.read_struct(ANYTHING, b"[" * 100_000, "JSON")


def test_bytes_are_shown_as_base64() -> None:
    assert codec.base64_text(b"\0\xff") == "AP8="
