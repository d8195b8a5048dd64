"""Bytes that no honest client sends, and what they may cost the others: nothing."""

from __future__ import annotations

import time

import pytest

from swarmage.broker.limits import Limits
from swarmage.broker.sessions.frames import FrameParser
from tests.unit.broker.driver import Bus, HeldStore

from .live import Live, Peer
from .talk import greet, take_all


@pytest.mark.parametrize(
    "length", ["-1", "+1", " 1", "1 ", "1e1", "0x1", "1.0", "", "٣", "1_0", "9" * 16, "9" * 5_000, "1\\n", "NaN"]
)
def test_a_malformed_content_length_is_refused(bus: Bus, length: str) -> None:
    """STOMP 1.2, "Header content-length"; checklist 10."""
    client = bus.client()
    client.feed(f"SEND\ndestination:/queue/a\ncontent-length:{length}\n\nx\0".encode())
    assert "content-length is no number" in client.error()


@pytest.mark.parametrize(
    "data",
    [
        b"SEND\0",
        b"SEND\n\0\n\n\0",
        b"SEND\ndest\0ination:/queue/a\n\n\0",
        b"SEND\ndestination:/queue/a\0\n\n\0",
        b"SEND\ndestination:/queue/a\n\0",
        b"\x00\x01\x00",
        b"SEND\ndestination:/queue/a\ncontent-length:3\n\n\0\0\0\n\0",
        b"SEND\ndestination:/queue/a\ncontent-length:0\n\nx\0",
    ],
)
def test_a_nul_in_the_wrong_place_is_refused(bus: Bus, data: bytes) -> None:
    """STOMP 1.2, "STOMP Frames"; checklist 1."""
    client = bus.client()
    client.feed(data)
    assert client.error()
    assert take_all(bus, "/queue/a") == []


@pytest.mark.parametrize("number", ["-1", "1.5", "abc", "", " 1", "9" * 16, "٣", "1_0"])
@pytest.mark.parametrize("header", ["delay", "expires", "priority", "AMQ_SCHEDULED_DELAY"])
def test_a_malformed_number_on_send_is_refused(bus: Bus, header: str, number: str) -> None:
    """STOMP 1.2, "SEND"; checklist 29."""
    client = bus.client()
    client.send("SEND", {"destination": "/queue/a", header: number})
    assert client.error().startswith(f"{header} is not a whole number")


@pytest.mark.parametrize("number", ["9" * 4_500, "-1", "1.0", "0x1", "²"])
def test_an_ack_that_names_nonsense_is_refused(bus: Bus, number: str) -> None:
    """STOMP 1.2, "ACK"; checklist 37."""
    client = bus.client()
    client.send("ACK", {"id": number})
    assert "does not hold" in client.error()


def test_an_error_cannot_be_made_to_carry_frames_of_the_clients_choice(bus: Bus) -> None:
    """STOMP 1.2, "ERROR"; checklist 49."""
    evil = "x\\n\\nMESSAGE\\nsubscription\\c1\\n\\nevil"
    for headers in ({"destination": f"/{evil}", "receipt": evil}, {"destination": "/queue/a", "transaction": evil}):
        client = bus.client()
        client.send("SEND", {**headers, "receipt": evil})
        error = client.take("ERROR")
        assert error.headers["receipt-id"] == "x\n\nMESSAGE\nsubscription:1\n\nevil"
        assert client.frames == []
    first = greet(bus, {"receipt": evil}, evil)
    first.error()
    assert first.frames == []


def timed(data: bytes, size: int) -> float:
    """CPU seconds to parse data that comes in pieces."""
    parser = FrameParser(Limits(body_bytes=1 << 30, head_bytes=1 << 30))
    parser.log_in("1.2")
    began = time.process_time()
    for start in range(0, len(data), size):
        for _ in parser.feed(data[start : start + size]):
            pass
    return time.process_time() - began


@pytest.mark.parametrize(
    ("head", "fill", "size"),
    [
        (b"SEND\nk:", b"x", 1),
        (b"SEND\nk:v\n\n", b"x", 1),
        (b"SEND\nk:v\n\n", b"\n\n", 1),
        (b"SEND\ncontent-length:999999999\n\n", b"\0", 1),
        (b"SEND\nk:", b"\r", 1),
        (b"", b"\n", 1),
        (b"", b"SEND\nk:v\n\n\0", 1),
        (b"", b"SEND\nk:v\n\n\0", 7),
        (b"", b"SEND\r\nk:v\r\n\r\n\0", 5),
        (b"SEND\nk:v\n\n", b"x", 4096),
    ],
)
def test_the_parser_takes_linear_time(head: bytes, fill: bytes, size: int) -> None:
    """Four times the bytes may take four times as long, and not sixteen."""
    few = 4_000 * min(size, 64) // len(fill)
    small = min(timed(head + fill * few, size) for _ in range(3))
    large = min(timed(head + fill * few * 4, size) for _ in range(3))
    assert large < 10 * small + 0.02


HOSTILE = [
    b"CONNECT\naccept-version:9\n\n\0",
    b"CONNECT\naccept-vers",
    b"\xff" * 5_000,
    b"\0" * 5_000,
    b"GET / HTTP/1.1\r\nHost: bus\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    b"CONNECT\naccept-version:1.2\n\n\0HELLO\n\n\0" + b"x" * 100_000,
    b"CONNECT\naccept-version:1.2\n\n\0SEND\ndestination:/queue/a\ncontent-length:4000000\n\n" + b"x" * 100_000,
    b"CONNECT\naccept-version:1.2\nheart-beat:-1,5\n\n\0",
    b"CONNECT\naccept-version:1.2\n\n\0"
    + b"".join(b"SUBSCRIBE\nid:%d\ndestination:/topic/>\n\n\0" % n for n in range(50)),
    b"CONNECT\naccept-version:1.2\n\n\0" + b"SEND\ndestination:/queue/spam\n\nx\0" * 200 + b"SEND\n\n\0",
    b"CONNECT\naccept-version:1.2\n\n\0BEGIN\ntransaction:t\n\n\0"
    + b"SEND\ntransaction:t\ndestination:/queue/spam\n\nx\0" * 200,
    b"CONNECT\naccept-version:1.2\n\n\0SUBSCRIBE\nid:1\ndestination:/queue/spam\n\n\0"
    + b"SEND\ndestination:/queue/spam\nreceipt:1\n\nx\0" * 500,
]


def test_what_fifty_hostile_clients_do_costs_others_nothing(live: Live) -> None:
    """They log in badly, half, or not; they flood; they do not read; they vanish, some with a reset."""
    began = time.monotonic()
    with Peer(live).log_in() as worker, Peer(live).log_in() as producer:
        worker.send(b"SUBSCRIBE\nid:1\ndestination:/queue/honest\nack:client-individual\n\n\0")
        open_ones: list[Peer] = []
        for number in range(50):
            enemy = Peer(live)
            enemy.send_carelessly(HOSTILE[number % len(HOSTILE)])
            if number % 3 == 0:
                enemy.reset()
            elif number % 3 == 1:
                enemy.socket.close()
            else:
                open_ones.append(enemy)
            producer.send(b"SEND\ndestination:/queue/honest\nreceipt:%d\n\n%d\0" % (number, number))
            assert producer.frame().headers["receipt-id"] == str(number)
            message = worker.frame()
            assert message.body == b"%d" % number
            worker.send(b"ACK\nid:%b\nreceipt:a\n\n\0" % message.headers["ack"].encode())
            assert worker.frame().command == "RECEIPT"
        for enemy in open_ones:
            enemy.socket.close()
    assert time.monotonic() - began < 5


def test_a_client_that_vanishes_amid_others_takes_no_answer_from_them(live: Live) -> None:
    """Its reset may be noticed only when its last words are written, in the same turn as everybody's."""
    with Peer(live).log_in() as honest:
        for number in range(100):
            with Peer(live) as rude:
                rude.send(
                    b"CONNECT\naccept-version:1.2\n\n\0SEND\ndestination:/queue/a\nreceipt:1\n\nx\0DISCONNECT\n\n\0"
                )
                rude.reset()
            honest.send(b"SEND\ndestination:/queue/b\nreceipt:%d\n\nx\0" % number)
            assert honest.frame().headers["receipt-id"] == str(number)


def test_a_disk_that_is_slow_for_one_delays_no_beat_of_another() -> None:
    bus = Bus(store=HeldStore())
    sender, listener = bus.client(), greet(bus, {"accept-version": "1.2", "heart-beat": "0,500"})
    sender.put("/queue/a", b"x", receipt="1")
    written = len(listener.raw)
    bus.advance(5)
    assert sender.frames == []
    assert len(listener.raw) - written >= 10
