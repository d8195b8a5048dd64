from __future__ import annotations

import pytest

from swarmage import heads
from swarmage.bus.frames import FrameReader, encode
from swarmage.heads import Shapes

PLAIN = {"subscription": "s1", "ack": "7", "destination": "/queue/a"}


def read(reader: FrameReader, *frames: bytes) -> list[tuple[dict[str, str], bytes]]:
    return [(frame.headers, frame.body) for frame in reader.feed(b"".join(frames))]


@pytest.mark.parametrize(
    "headers",
    [
        PLAIN,
        PLAIN | {"ack": "a:b\\c\nd"},
        PLAIN | {"destination": "/queue/grüße"},
        PLAIN | {"destination": ""},
        PLAIN | {"delivery-count": "1"},
        {"ack": "7", "subscription": "s1", "destination": "/queue/a"},
        {"subscription": "s1"},
    ],
    ids=repr,
)
@pytest.mark.parametrize("body", [b"body", b"", b"a\0b", "ü".encode(), b"MESSAGE\nack:1\n\n\0"], ids=repr)
def test_what_follows_a_head_is_read_alike_whatever_its_shape(headers: dict[str, str], body: bytes) -> None:
    reader = FrameReader()
    frame = encode("MESSAGE", headers, body)
    [expected] = read(FrameReader(), frame)
    [first, then, last] = read(reader, encode("MESSAGE", PLAIN, b"first"), frame, encode("MESSAGE", PLAIN, b"last"))
    assert (first[1], then, last[1]) == (b"first", expected, b"last")
    assert [first[0], last[0]] == [PLAIN | {"content-length": "5"}, PLAIN | {"content-length": "4"}]


def test_a_head_like_one_before_is_not_read_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = FrameReader()
    read(reader, encode("MESSAGE", PLAIN, b"first"))
    monkeypatch.setattr("swarmage.bus.frames._read_head", None)
    assert read(reader, encode("MESSAGE", PLAIN | {"ack": "8"}, b"xy")) == [
        (PLAIN | {"ack": "8", "content-length": "2"}, b"xy")
    ]


def test_a_carriage_return_or_a_second_header_of_a_name_is_no_such_shape() -> None:
    reader = FrameReader()
    read(reader, encode("MESSAGE", PLAIN, b"first"))
    odd = b"MESSAGE\r\nsubscription:s1\r\nack:7\r\nack:8\r\ncontent-length:1\r\n\r\nx\0"
    assert read(reader, odd) == [({"subscription": "s1", "ack": "7", "content-length": "1"}, b"x")]


def test_who_sends_ever_new_headers_costs_no_memory() -> None:
    shapes = Shapes("MESSAGE")
    for number in range(100):
        shapes.see({f"name{number}": "", "content-length": "1"})
    assert len(shapes._known) == heads._MOST_SHAPES
    shapes.see({"name0": "", "content-length": "1"})
    assert shapes.last is not None
    assert shapes.last.names == ("name0", "content-length")


@pytest.mark.parametrize("name", ["a:b", "a\\b", "a\nb", "grüße", ""], ids=repr)
def test_a_name_that_comes_escaped_makes_no_shape(name: str) -> None:
    shapes = Shapes("MESSAGE")
    shapes.see({name: "1", "content-length": "1"})
    assert shapes.last is None


def test_a_name_that_came_escaped_does_not_change_what_a_colon_means_afterwards() -> None:
    reader = FrameReader()
    read(reader, b"MESSAGE\nx\\cy:1\ncontent-length:1\n\na\0")
    assert read(reader, b"MESSAGE\nx:y:1\ncontent-length:1\n\na\0") == [({"x": "y:1", "content-length": "1"}, b"a")]
