from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmage.broker.limits import Limits
from swarmage.broker.refused import Refused
from swarmage.broker.sessions.encoding import encode
from swarmage.broker.sessions.frames import Frame, FrameParser


def parser(version: str = "1.2", limits: Limits | None = None) -> FrameParser:
    made = FrameParser(limits or Limits())
    made.log_in(version)
    return made


def parse(data: bytes, version: str = "1.2") -> list[tuple[str, dict[str, str], bytes]]:
    return [seen(frame) for frame in parser(version).feed(data)]


def dribble(slow: FrameParser, data: bytes) -> list[Frame]:
    return [frame for byte in data for frame in slow.feed(bytes([byte]))]


def seen(frame: Frame) -> tuple[str, dict[str, str], bytes]:
    headers = {name: value for name, value in frame.headers.items() if name != "content-length"}
    return frame.command, headers, frame.body


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
HEADERS = st.dictionaries(TEXT.filter(lambda name: name not in {"", "content-length"}), TEXT, max_size=5)
STREAM = (
    b"\n\r\n\0SEND\r\ndestination:/queue/a\r\nk:v:w\r\n\r\nbody\0\n\n"
    b"ACK\nid:7\n\n\0SEND\ndestination:b\ncontent-length:5\n\na\0b\n\n\0\nSEND\nx:\n\n\n\n\0"
)
PARSED = [
    ("SEND", {"destination": "/queue/a", "k": "v:w"}, b"body"),
    ("ACK", {"id": "7"}, b""),
    ("SEND", {"destination": "b"}, b"a\0b\n\n"),
    ("SEND", {"x": ""}, b"\n\n"),
]


@given(headers=HEADERS, body=st.binary(max_size=40))
def test_what_is_encoded_is_parsed_back(headers: dict[str, str], body: bytes) -> None:
    assert parse(encode("SEND", headers, body)) == [("SEND", headers, body)]


@given(st.binary(max_size=200))
def test_any_bytes_are_either_frames_or_refused(data: bytes) -> None:
    with contextlib.suppress(Refused):
        parse(data)


def test_a_stream_of_frames_with_noise_between_them_is_parsed() -> None:
    assert parse(STREAM) == PARSED


def test_a_stream_may_be_split_at_every_byte() -> None:
    for cut in range(len(STREAM)):
        split = parser()
        frames = [*split.feed(STREAM[:cut]), *split.feed(STREAM[cut:])]
        assert [seen(frame) for frame in frames] == PARSED, cut


def test_a_stream_may_come_byte_by_byte() -> None:
    assert [seen(frame) for frame in dribble(parser(), STREAM)] == PARSED


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_a_stream_may_come_in_pieces_of_any_size(sizes: list[int]) -> None:
    pieces, rest = parser(), STREAM
    frames = []
    for size in sizes:
        frames += pieces.feed(rest[:size])
        rest = rest[size:]
    frames += pieces.feed(rest)
    assert [seen(frame) for frame in frames] == PARSED


def test_the_first_of_a_repeated_header_counts() -> None:
    assert parse(b"ACK\nid:1\nid:2\n\n\0") == [("ACK", {"id": "1"}, b"")]


def test_escapes_are_read_in_names_and_values() -> None:
    assert parse(b"SEND\na\\cb:c\\nd\\\\e\\rf\n\n\0") == [("SEND", {"a:b": "c\nd\\e\rf"}, b"")]


def test_1_0_has_no_escapes_and_trims_what_stands_before_a_value() -> None:
    assert parse(b"SEND\na:  b\\n \n\n\0", "1.0") == [("SEND", {"a": "b\\n "}, b"")]


def test_connect_is_never_unescaped() -> None:
    assert parse(b"CONNECT\npasscode:a\\tb\n\n\0") == [("CONNECT", {"passcode": "a\\tb"}, b"")]


@pytest.mark.parametrize(
    ("data", "version"),
    [
        (b"SEND\na:\\t\n\n\0", "1.2"),
        (b"SEND\na:b\\\n\n\0", "1.2"),
        (b"SEND\na:\\r\n\n\0", "1.1"),
        (b"SEND\nno colon\n\n\0", "1.2"),
        (b"SEND\na:b\0", "1.2"),
        (b"SEND\na:\xff\n\n\0", "1.2"),
        (b"SEND\ncontent-length:2\n\nabc\0", "1.2"),
        (b"SEND\ncontent-length:-1\n\n\0", "1.2"),
        (b"SEND\ncontent-length:1_0\n\n\0", "1.2"),
    ],
)
def test_what_is_no_stomp_is_refused(data: bytes, version: str) -> None:
    with pytest.raises(Refused):
        parse(data, version)


def test_a_too_long_body_is_refused_before_it_has_come() -> None:
    with pytest.raises(Refused, match="longer than 100"):
        list(parser(limits=Limits(body_bytes=100)).feed(b"SEND\ncontent-length:101\n\n"))


def test_an_endless_body_without_a_length_is_refused() -> None:
    small = parser(limits=Limits(body_bytes=100, head_bytes=100))
    list(small.feed(b"SEND\n\n"))
    with pytest.raises(Refused):
        dribble(small, b"x" * 300)


def test_an_endless_head_is_refused() -> None:
    small = parser(limits=Limits(head_bytes=100))
    with pytest.raises(Refused):
        dribble(small, b"x" * 200)


def test_too_many_headers_are_refused() -> None:
    with pytest.raises(Refused, match="more than 64"):
        parse(b"SEND\n" + b"".join(b"h%d:x\n" % n for n in range(65)) + b"\n\0")


def test_before_the_login_only_small_frames_are_read() -> None:
    with pytest.raises(Refused):
        list(FrameParser(Limits()).feed(b"CONNECT\nx:" + b"y" * 20_000))


def test_a_large_frame_in_tiny_pieces_takes_linear_time() -> None:
    big, looks = parser(), 0
    cut = big._cut

    def counted(data: bytes, start: int) -> Frame | None:
        nonlocal looks
        looks += 1
        return cut(data, start)

    big._cut = counted  # type: ignore[method-assign]
    data = b"SEND\ncontent-length:20000\n\n" + b"\0" * 20_000 + b"\0"
    frames = [frame for at in range(0, len(data), 7) for frame in big.feed(data[at : at + 7])]
    assert len(frames) == 1
    assert looks < 10
