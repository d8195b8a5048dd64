from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from swarmage.broker.sessions import ack_runs
from swarmage.broker.sessions.session import Session
from swarmage.broker.storage.store import MemoryStore
from tests.unit.seeds import SEED

from ..driver import Bus, Client

MESSAGES = 12
NUMBERS = range(2, MESSAGES + 2)  # the first one the bus took for its own notes


def holder(mode: str = "client-individual", version: str = "1.2") -> Client:
    """Return a client that holds messages of two queues: of the first as asked for, of the second one by one."""
    bus = Bus()
    client = bus.client(version)
    client.subscribe("/queue/a", "a", ack=mode)
    client.subscribe("/queue/b", "b", ack="client-individual")
    for n in range(MESSAGES):
        client.put("/queue/a" if n % 3 else "/queue/b", b"%d" % n)
    client.raw = b""
    client.frames.clear()
    return client


def settle(client: Client, pieces: Iterable[bytes]) -> tuple[object, ...]:
    """Feed the pieces without a turn in between; return all that a client or the disk can see of it."""
    for piece in pieces:
        client.session.receive(piece)
    client.bus.settle()
    store = client.bus.store
    assert isinstance(store, MemoryStore)
    credit = [subscription.credit for subscription in client.session.subscriptions.values()]
    held = list(client.session.unacked)
    return client.raw, client.finished, client.session.state, credit, held, sorted(store.messages)


def ack(number: object) -> bytes:
    return b"ACK\nid:%b\n\n\0" % str(number).encode()


def in_bytes(data: bytes) -> list[bytes]:
    """Cut so that no run is ever seen in one piece, and every frame takes the long way."""
    return [data[n : n + 1] for n in range(len(data))]


def random_frame(chance: random.Random) -> bytes:
    """Return something that is no plain ACK for a message held, or an ACK for one a second time."""
    number = chance.choice(NUMBERS)
    frames = [
        b"\n", b"\r\n", b"ACK\r\nid:%d\r\n\r\n\0" % number, b"ACK\nid:%d\nreceipt:r%d\n\n\0" % (number, number),
        b"NACK\nid:%d\n\n\0" % number, b"ACK\n\n\0", ack("x"), ack(10**17), ack(10**30), ack(f"00{number}"), ack(-1),
        ack(number), b"ACK\nid:%d\n\nbody\0" % number, b"ACK\nid:%d\nid:1\n\n\0" % number, ack(" 1"), b"\0",
        b"SEND\ndestination:/queue/a\nreceipt:s\n\nnew\0", b"BEGIN\ntransaction:t\n\n\0",
        b"ACK\nid:%d\ntransaction:t\n\n\0" % number, b"COMMIT\ntransaction:t\n\n\0", b"DISCONNECT\nreceipt:bye\n\n\0",
    ]  # fmt: skip
    return chance.choice(frames)


def script(chance: random.Random) -> bytes:
    """Return ACKs in any order, most of them known, with other things among them."""
    numbers = chance.sample(NUMBERS, MESSAGES)
    frames = [ack(number) for number in numbers]
    for _ in range(chance.choice([0, 0, 1, 3])):
        frames.insert(chance.randint(0, len(frames)), random_frame(chance))
    return b"".join(frames)


def cut_runs(times: int) -> None:
    """Compare what runs of ACKs settle with what their frames do one by one."""
    chance = random.Random(SEED)
    for _ in range(times):
        data, mode = script(chance), chance.choice(["client", "client-individual"])
        cuts = sorted(chance.choices(range(len(data) + 1), k=chance.choice([0, 1, 2, 6])))
        pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        assert settle(holder(mode), pieces) == settle(holder(mode), in_bytes(data)), data


def test_a_run_settles_what_single_frames_do_however_it_is_cut() -> None:
    cut_runs(30)  # tests/simulation/test_long_runs.py does it more often


def test_an_unknown_id_is_refused_after_what_came_before_it_was_settled() -> None:
    client = holder()
    _, _, _, _, held, stored = settle(client, [ack(2) + ack(3) + ack(999) + ack(4)])
    assert "ACK names '999', which this connection does not hold" in client.error()
    assert held == []
    assert stored == list(NUMBERS[2:])


def test_the_acks_of_a_run_have_an_author_as_a_full_disk_asks_for_one() -> None:
    client = holder()
    client.session.receive(ack(NUMBERS[0]))
    assert client.bus.hub.journal.speaker is client.session


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_older_versions_name_messages_otherwise(version: str) -> None:
    client = holder(version=version)
    client.feed(ack(1))
    assert "ACK names no message" in client.error()


def test_a_run_takes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    client, handled = holder(), []
    monkeypatch.setattr(Session, "_handle", lambda _, frame: handled.append(frame))
    assert ack_runs.settle_run(client.session, ack(2) + ack(3) + b"ACK\nid:4") == b"ACK\nid:4"
    client.session.receive(b"".join(ack(number) for number in NUMBERS[2:]))
    assert (handled, client.session.unacked) == ([], {})
