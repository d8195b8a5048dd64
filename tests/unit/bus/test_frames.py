from __future__ import annotations

import time

import pytest
from hypothesis import strategies as st

from swarmage.bus import frames
from swarmage.bus.frames import Frame, FrameReader, encode
from swarmage.errors import Unreadable

from ..seeds import random_inputs

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
HEADERS = st.dictionaries(TEXT.filter(lambda name: name != "content-length"), TEXT, max_size=5)
TYPICAL = (
    b"\n\r\n"
    + encode("MESSAGE", {"destination": "/queue/a:b", "ack": "1", "odd": "a\\b\r\nc"}, b"x\0\n\ny\0")
    + b"\n\n"
    + encode("RECEIPT", {"receipt-id": "r1"})
    + b"\r\n\r\n"
    + encode("MESSAGE", {"grüße": "🐝"}, "🐝".encode())
)
TYPICAL_FRAMES = [
    Frame(
        "MESSAGE",
        {"destination": "/queue/a:b", "ack": "1", "odd": "a\\b\r\nc", "content-length": "6"},
        b"x\0\n\ny\0",
    ),
    Frame("RECEIPT", {"receipt-id": "r1"}, b""),
    Frame("MESSAGE", {"grüße": "🐝", "content-length": "4"}, "🐝".encode()),
]


def read(*parts: bytes) -> list[Frame]:
    reader = FrameReader()
    return [frame for part in parts for frame in reader.feed(part)]


@random_inputs(st.sampled_from(["SEND", "MESSAGE"]), HEADERS, st.binary(max_size=50))
def test_a_frame_comes_back_as_it_was_written(command: str, headers: dict[str, str], body: bytes) -> None:
    expected = headers | ({"content-length": str(len(body))} if body else {})
    assert read(encode(command, headers, body)) == [Frame(command, expected, body)]


def test_frames_may_be_split_at_every_byte() -> None:
    for cut in range(len(TYPICAL) + 1):
        assert read(TYPICAL[:cut], TYPICAL[cut:]) == TYPICAL_FRAMES, cut


def test_frames_may_come_byte_by_byte() -> None:
    assert read(*(TYPICAL[at : at + 1] for at in range(len(TYPICAL)))) == TYPICAL_FRAMES


@random_inputs(st.lists(st.integers(0, len(TYPICAL)), max_size=10).map(sorted), examples=50)
def test_frames_may_be_split_anywhere_many_times(cuts: list[int]) -> None:
    ends = [*cuts, len(TYPICAL)]
    assert read(*(TYPICAL[start:end] for start, end in zip([0, *cuts], ends, strict=True))) == TYPICAL_FRAMES


def test_a_frame_is_returned_as_soon_as_its_last_byte_is_there() -> None:
    reader = FrameReader()
    data = encode("MESSAGE", {"a": "b"}, b"body")
    assert reader.feed(data[:-1]) == []
    assert len(reader.feed(data[-1:])) == 1


def test_a_message_after_two_line_ends_in_the_same_read_is_not_lost() -> None:
    assert [frame.command for frame in read(b"\n\nMESSAGE\na:b\n\nx\0")] == ["MESSAGE"]
    assert [frame.command for frame in read(b"RECEIPT\n\n\0\n\nMESSAGE\na:b\n\nx\0\n")] == ["RECEIPT", "MESSAGE"]


def test_heart_beats_alone_are_no_frames_and_take_no_memory() -> None:
    reader = FrameReader()
    assert reader.feed(b"\n" * 1000) == []
    assert reader._size == 0


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_may_end_with_either_line_end(end: bytes) -> None:
    data = end.join([b"MESSAGE", b"a:b", b"content-length:4", b"", b"\n\n\r\n\0"])
    for cut in range(len(data)):
        assert read(data[:cut], data[cut:]) == [Frame("MESSAGE", {"a": "b", "content-length": "4"}, b"\n\n\r\n")]


def test_a_body_without_length_ends_at_the_first_nul() -> None:
    assert [frame.body for frame in read(b"MESSAGE\n\none\0MESSAGE\n\ntwo\r\n\r\n\0")] == [b"one", b"two\r\n\r\n"]


def test_a_body_with_length_may_hold_nul() -> None:
    body = b"\0a\0\0MESSAGE\n\n\0"
    assert [frame.body for frame in read(encode("MESSAGE", {}, body))] == [body]


def test_the_escapes_are_those_of_stomp_1_2() -> None:
    assert encode("SEND", {"a:b": "\\ \r \n :"}) == b"SEND\na\\cb:\\\\ \\r \\n \\c\n\n\0"
    assert read(b"MESSAGE\na\\cb:\\\\n \\\\\\n\n\n\0")[0].headers == {"a:b": "\\n \\\n"}


@pytest.mark.parametrize("escape", [rb"\t", rb"\0", rb"\N", rb"\ ", rb"a\:"])
def test_an_undefined_escape_is_a_fatal_error(escape: bytes) -> None:
    with pytest.raises(Unreadable, match="undefined escape"):
        read(b"MESSAGE\na:" + escape + b"\n\n\0")


def test_a_backslash_at_the_end_of_a_header_is_a_fatal_error() -> None:
    with pytest.raises(Unreadable, match="undefined escape"):
        read(b"MESSAGE\na:b\\\n\n\0")


def test_connect_and_connected_are_not_escaped() -> None:
    assert frames.encode_connect({"passcode": "a:\\b"}) == b"CONNECT\npasscode:a:\\b\n\n\0"
    assert read(b"CONNECTED\nserver:a\\tb:c\n\n\0")[0].headers == {"server": "a\\tb:c"}


@pytest.mark.parametrize("bad", ["a\nb", "a\0b"])
def test_a_login_cannot_smuggle_in_headers(bad: str) -> None:
    with pytest.raises(Unreadable, match="passcode") as caught:
        frames.encode_connect({"passcode": bad})
    assert bad not in str(caught.value)


def test_of_repeated_headers_the_first_counts() -> None:
    assert read(b"MESSAGE\na:1\na:2\n\n\0")[0].headers == {"a": "1"}


def test_spaces_around_a_header_belong_to_it() -> None:
    assert read(b"MESSAGE\n a : b \n\n\0")[0].headers == {" a ": " b "}


@pytest.mark.parametrize("length", ["-1", "x", "1.5", "", "9" * 5000])
def test_a_length_that_is_none_is_a_fatal_error(length: str) -> None:
    with pytest.raises(Unreadable):
        read(b"MESSAGE\ncontent-length:" + length.encode() + b"\n\nabc\0")


def test_a_body_longer_than_it_says_is_a_fatal_error() -> None:
    with pytest.raises(Unreadable, match="no NUL"):
        read(b"MESSAGE\ncontent-length:2\n\nabc\0")


def test_a_header_that_is_not_utf_8_is_a_fatal_error() -> None:
    with pytest.raises(Unreadable, match="UTF-8"):
        read(b"MESSAGE\na:\xff\n\n\0")


@pytest.mark.parametrize("start", [b"MESSAGE\n\n", b"MESSAGE\ncontent-length:5000\n\n", b"MESSAGE\na:"])
def test_a_frame_without_end_is_not_collected_for_ever(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_FRAME", 1000)
    with pytest.raises(Unreadable, match="1000"):
        read(start, *[b"x" * 100] * 20)


@random_inputs(st.lists(st.binary(max_size=60) | st.sampled_from([b"MESSAGE\n", b"a:b\n", b"\n", b"\0", b"\r\n"])))
def test_random_bytes_are_frames_or_unreadable(parts: list[bytes]) -> None:
    try:
        found = read(*parts)
    except Unreadable:
        return
    assert read(b"".join(parts)) == found


def seconds_to_dribble(size: int) -> float:
    data = encode("MESSAGE", {"a": "b"}, b"x" * size)
    reader = FrameReader()
    started = time.process_time()
    count = sum(len(reader.feed(data[at : at + 256])) for at in range(0, len(data), 256))
    assert count == 1
    return time.process_time() - started


def test_a_large_body_in_small_pieces_takes_time_in_proportion_to_its_size() -> None:
    small = min(seconds_to_dribble(1 << 19) for _ in range(3))
    large = min(seconds_to_dribble(1 << 22) for _ in range(2))
    assert large < 8 * 4 * small + 0.05  # eight times the size; in proportion to the square it would be 64 times


def test_acks_name_the_message_and_the_transaction() -> None:
    assert read(frames.ack("7"), frames.ack("7", "t1")) == [
        Frame("ACK", {"id": "7"}, b""),
        Frame("ACK", {"id": "7", "transaction": "t1"}, b""),
    ]
