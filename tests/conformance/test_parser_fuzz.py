"""The frame parser under random frames, random cuts and random bytes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import strategies as st

from swarmage.broker.limits import Limits
from swarmage.broker.refused import Refused
from swarmage.broker.sessions.encoding import encode, raw
from swarmage.broker.sessions.frames import Frame, FrameParser
from tests.unit.broker.driver import Bus, Client

from .fuzzing import fuzz

LIMITS = Limits(body_bytes=2_000, headers=10, head_bytes=1_000, login_bytes=500)

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
NAMES = TEXT.filter(lambda name: name not in {"", "content-length"})
BODIES = st.binary(max_size=60) | st.lists(st.sampled_from([b"\n", b"\r\n", b"\0", b":", b"x"]), max_size=12).map(
    b"".join
)
COMMANDS = ["SEND", "SUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "DISCONNECT", "MESSAGE", "RECEIPT", "ERROR"]
FRAMES = st.lists(st.tuples(st.sampled_from(COMMANDS), st.dictionaries(NAMES, TEXT, max_size=4), BODIES), max_size=6)
CUTS = st.lists(st.integers(1, 40), max_size=40)
NOISE = st.text("\n\r\0", max_size=4).map(str.encode)

# Pieces that mean something to the parser, so that random input gets beyond the first line.
SHRAPNEL = st.lists(
    st.sampled_from(
        [
            b"SEND\n", b"CONNECT\n", b"ACK\r\n", b"\n", b"\r\n", b"\r", b"\0", b":", b"\\", b"\\n", b"\\t", b"a:b\n",
            b"a:b\r\n",
            b"destination:/queue/a\n", b"content-length:", b"content-length:3\n", b"0", b"3", b"-", b"xyz", b"\xff",
            b"\xc3\xa9", b"accept-version:1.2\n", b"receipt:1\n", b"transaction:t\n", b"BEGIN\n", b"id:1\n", b" ",
        ]
    )
    | st.binary(max_size=5),
    max_size=40,
).map(b"".join)  # fmt: skip


def parser(version: str = "1.2") -> FrameParser:
    made = FrameParser(LIMITS)
    made.log_in(version)
    return made


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut the data; what the cuts leave over is the last piece."""
    result, start = [], 0
    for size in cuts:
        result.append(data[start : start + size])
        start += size
    return [*result, data[start:]]


def outcome(data: bytes, cuts: list[int], version: str = "1.2") -> tuple[list[str], bool]:
    """Return the frames as text, and whether the rest was refused; anything else that is raised fails the test."""
    made, frames = parser(version), []
    try:
        for piece in pieces(data, cuts):
            for frame in made.feed(piece):
                assert isinstance(frame, Frame)
                frames.append(repr(frame))
    except Refused:
        return frames, True
    return frames, False


@fuzz(FRAMES, CUTS, NOISE, examples=40)
def test_what_is_encoded_is_parsed_back_however_it_is_cut(
    sent: list[tuple[str, dict[str, str], bytes]], cuts: list[int], noise: bytes
) -> None:
    made, seen = parser(), []
    for piece in pieces(noise.join([encode(*frame) for frame in sent]), cuts):
        for frame in made.feed(piece):
            headers = {name: value for name, value in frame.headers.items() if name != "content-length"}
            seen.append((frame.command, headers, frame.body))
    assert seen == sent


class LongWay(FrameParser):
    """Takes no frame for a plain one."""

    def _cut_plain(self, _data: bytes, _start: int) -> Frame | None:
        return None


def by(parser_class: type[FrameParser], version: str, data: list[bytes]) -> tuple[list[str], str]:
    """Return the frames of a parser as text, and why it refused the rest."""
    made, frames = parser_class(LIMITS), list[str]()
    made.log_in(version)
    try:
        for piece in data:
            frames += map(repr, made.feed(piece))
    except Refused as refusal:
        return frames, str(refusal)
    return frames, ""


ODD = [
    "a:b", "c: d", "a:c", "content-length:0", "content-length:03", "content-length:4", "content-length:x",
    "content-length:0000000000000003", "content-length:\N{SUPERSCRIPT TWO}", "content-length:9999",
    "content-length:2001", "", "no colon", ":no name", "two:colons:", "cr:1\r", "back\\slash:1", "back\\nslash:1",
    "nul:\0", "wrong:\udcff", "long:" + "x" * 1200, "long:" + "x" * 1000,
    "\n".join(f"{number}:" for number in range(10)),
]  # fmt: skip
BODIES_OF_ODD = ["", "abc", "a\nb", "ab\0", "x" * 2001]


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
@pytest.mark.parametrize("command", ["SEND", "CONNECT", "", "S:D"])
def test_the_short_way_of_a_plain_frame_leads_where_the_long_one_does(command: str, version: str) -> None:
    for usual, odd, body in itertools.product([[], ["a:b"], ["a:b", "content-length:3"]], ODD, BODIES_OF_ODD):
        for lines in ([*usual, odd], [odd, *usual]):
            text = "\n".join([command, *lines, "", body]) + "\0ACK\nid:1\n\n\0"
            data = [text.encode(errors="surrogateescape")]
            assert by(FrameParser, version, data) == by(LongWay, version, data), text


@fuzz(SHRAPNEL, CUTS, st.sampled_from(["1.0", "1.1", "1.2"]), examples=120)
def test_the_short_way_takes_any_bytes_as_the_long_one_does(data: bytes, cuts: list[int], version: str) -> None:
    assert by(FrameParser, version, pieces(data, cuts)) == by(LongWay, version, pieces(data, cuts))


@fuzz(FRAMES, examples=50)
def test_line_ends_with_cr_mean_the_same(sent: list[tuple[str, dict[str, str], bytes]]) -> None:
    plain, with_cr = b"", b""
    for command, headers, body in sent:
        frame = encode(command, headers, body)
        head, _, rest = frame.partition(b"\n\n")
        plain += frame
        with_cr += head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + rest
    assert outcome(plain, []) == outcome(with_cr, [])


@fuzz(FRAMES, examples=60)
def test_1_0_frames_hold_what_1_0_can_say(sent: list[tuple[str, dict[str, str], bytes]]) -> None:
    made = parser("1.0")
    for command, headers, body in sent:
        expected = {}
        for name, value in headers.items():
            line, _, rest = f"{raw(name)}:{raw(value)}".partition(":")
            expected.setdefault(line, rest.lstrip(" "))
        if "" in expected or "content-length" in expected:
            continue
        (frame,) = made.feed(encode(command, headers, body, version="1.0"))
        assert frame.body == body
        assert {name: value for name, value in frame.headers.items() if name != "content-length"} == expected


@fuzz(SHRAPNEL, CUTS, st.sampled_from(["1.0", "1.1", "1.2"]), examples=120)
def test_any_bytes_are_frames_or_refused_and_cuts_change_nothing(data: bytes, cuts: list[int], version: str) -> None:
    whole = outcome(data, [], version)
    assert outcome(data, cuts, version) == whole
    assert outcome(data, [1] * len(data), version) == whole


@fuzz(SHRAPNEL, CUTS, st.booleans(), examples=120)
def test_any_bytes_leave_the_bus_working(data: bytes, cuts: list[int], logged_in: bool) -> None:
    bus = Bus(limits=LIMITS)
    client = bus.client() if logged_in else Client(bus)
    for piece in pieces(data, cuts):
        client.feed(piece)
    client.lose()
    honest = bus.client()
    honest.subscribe("/queue/honest")
    honest.put("/queue/honest", b"x")
    assert honest.bodies() == [b"x"]
    assert list(bus.hub.sessions) == [honest.session.id]
