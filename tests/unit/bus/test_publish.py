from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from swarmage.bus import publish as module
from swarmage.bus.bus import Bus
from swarmage.bus.publish import Pipeline, publish
from swarmage.errors import BusRefused, BusUnreachable, InsertTimeout
from swarmage.wire.message import Message

from ..fakes import SECONDS
from .small_server import Peer, SmallServer

MESSAGES = [Message("/queue/a", b"body %d" % number, f"s{number}") for number in range(5)]


class Publishing:
    """Publishes in a thread, so that the test can be the bus."""

    def __init__(self, server: SmallServer) -> None:
        self.bus = Bus(server.address)
        self._pool = concurrent.futures.ThreadPoolExecutor(1)
        starting = self._pool.submit(self.bus.start, SECONDS)
        self.peer = server.accept()
        self.peer.log_in()
        starting.result(SECONDS)

    def publish(self, timeout: float = SECONDS) -> concurrent.futures.Future[None]:
        return self._pool.submit(publish, self.bus, MESSAGES, timeout)


@pytest.fixture
def publishing(server: SmallServer) -> Iterator[Publishing]:
    here = Publishing(server)
    yield here
    server.close()
    here.bus.stop()


def bodies(peer: Peer) -> tuple[list[bytes], str]:
    """Return what was sent, and the receipt asked for with the last of it."""
    sent = [peer.frame("SEND") for _ in MESSAGES]
    assert ["receipt" in frame.headers for frame in sent] == [False] * (len(sent) - 1) + [True]
    return [frame.body for frame in sent], sent[-1].headers["receipt"]


ALL = [message.body for message in MESSAGES]


def test_it_returns_when_the_bus_has_confirmed_and_not_before(publishing: Publishing) -> None:
    done = publishing.publish()
    sent, receipt = bodies(publishing.peer)
    assert sent == ALL
    assert not done.done()
    publishing.peer.receipt(receipt)
    done.result(SECONDS)


def test_what_is_in_doubt_is_sent_again_with_the_same_bodies(publishing: Publishing, server: SmallServer) -> None:
    done = publishing.publish()
    sent, _ = bodies(publishing.peer)
    publishing.peer.close()
    again = server.accept()
    again.log_in()
    repeated, receipt = bodies(again)
    assert sent == repeated == ALL
    assert not done.done()
    again.receipt(receipt)
    done.result(SECONDS)


def test_what_was_confirmed_is_not_sent_again(
    publishing: Publishing, server: SmallServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 1)
    done = publishing.publish()
    sent = [publishing.peer.frame("SEND") for _ in MESSAGES]
    for frame in sent[:2]:
        publishing.peer.receipt(frame.headers["receipt"])
    publishing.peer.close()
    again = server.accept()
    again.log_in()
    repeated = [again.frame("SEND") for _ in MESSAGES[2:]]
    assert [frame.body for frame in repeated] == ALL[2:]
    for frame in repeated:
        again.receipt(frame.headers["receipt"])
    done.result(SECONDS)


def test_a_bus_that_does_not_confirm_is_given_up_at_the_deadline(publishing: Publishing) -> None:
    done = publishing.publish(0.05)
    bodies(publishing.peer)
    with pytest.raises(InsertTimeout, match="may be there") as caught:
        done.result(SECONDS)
    assert "s3cret" not in str(caught.value)


def test_a_refusal_is_raised_with_the_words_of_the_bus(publishing: Publishing) -> None:
    done = publishing.publish()
    _, receipt = bodies(publishing.peer)
    publishing.peer.send(f"ERROR\nreceipt-id:{receipt}\nmessage:queue is full\n\n\0".encode())
    with pytest.raises(BusRefused, match="queue is full"):
        done.result(SECONDS)


def test_after_a_refusal_that_names_no_message_each_asks_for_a_receipt(
    publishing: Publishing, server: SmallServer
) -> None:
    done = publishing.publish()
    bodies(publishing.peer)
    publishing.peer.send(b"ERROR\nmessage:queue is full\n\n\0")
    publishing.peer.close()
    again = server.accept()
    again.log_in()
    sent = [again.frame("SEND") for _ in MESSAGES]
    assert [frame.body for frame in sent] == ALL
    for frame in sent[:3]:
        again.receipt(frame.headers["receipt"])
    assert not done.done()
    again.send(f"ERROR\nreceipt-id:{sent[3].headers['receipt']}\nmessage:queue is full\n\n\0".encode())
    with pytest.raises(BusRefused, match="queue is full"):
        done.result(SECONDS)


def test_a_bus_that_does_not_come_back_is_unreachable(publishing: Publishing, server: SmallServer) -> None:
    done = publishing.publish(0.3)
    bodies(publishing.peer)
    server.close()
    with pytest.raises(BusUnreachable):
        done.result(SECONDS)


def test_nothing_to_publish_needs_no_bus(server: SmallServer) -> None:
    publish(Bus(server.address), [], 0.0)


def pipe(bus: Bus, batches: SimpleQueue[list[Message]], put: SimpleQueue[int]) -> None:
    """Put batches as they come, until an empty one; tell of each."""
    with Pipeline(bus, SECONDS) as pipeline:
        while batch := batches.get(timeout=SECONDS):
            pipeline.put(batch)
            put.put(len(batch))


def test_a_batch_is_on_its_way_while_the_one_before_is_written(publishing: Publishing) -> None:
    batches, put = SimpleQueue[list[Message]](), SimpleQueue[int]()
    done = publishing._pool.submit(pipe, publishing.bus, batches, put)
    batches.put(MESSAGES)
    sent, first = bodies(publishing.peer)
    assert put.get(timeout=SECONDS) == len(MESSAGES)  # nobody has confirmed it
    batches.put(MESSAGES)
    assert bodies(publishing.peer)[0] == sent == ALL
    assert put.empty()
    publishing.peer.receipt(first)
    assert put.get(timeout=SECONDS) == len(MESSAGES)
    batches.put(MESSAGES[:1])
    assert publishing.peer.frame("SEND").body == ALL[0]
    publishing.peer.close()
    batches.put([])
    assert not done.done()


def test_all_batches_in_doubt_are_sent_again_in_their_order(publishing: Publishing, server: SmallServer) -> None:
    batches, put = SimpleQueue[list[Message]](), SimpleQueue[int]()
    done = publishing._pool.submit(pipe, publishing.bus, batches, put)
    batches.put(MESSAGES[:2])
    put.get(timeout=SECONDS)
    batches.put(MESSAGES[2:])
    for _ in MESSAGES:
        publishing.peer.frame("SEND")
    publishing.peer.close()
    again = server.accept()
    again.log_in()
    repeated, receipt = bodies(again)
    assert repeated == ALL
    again.receipt(receipt)
    put.get(timeout=SECONDS)
    batches.put([])
    done.result(SECONDS)


def test_an_error_between_batches_waits_for_nothing(publishing: Publishing) -> None:
    def stumble() -> None:
        with Pipeline(publishing.bus, SECONDS) as pipeline:
            pipeline.put(MESSAGES)
            raise KeyError

    with pytest.raises(KeyError):
        publishing._pool.submit(stumble).result(SECONDS)
    assert not publishing.bus.connection(SECONDS).receipts._waiting
