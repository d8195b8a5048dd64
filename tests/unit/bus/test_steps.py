from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from swarmage.bus import frames
from swarmage.bus.bus import Bus
from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
from swarmage.wire.message import Message

from ..fakes import SECONDS
from .small_server import Peer, SmallServer

MESSAGES = [Message("/queue/swarmage.task.b", b"1", "s"), Message("/queue/swarmage.task.b", b"2", "s")]


class Side:
    """A bus in another process's words, and a message it has delivered."""

    def __init__(self, server: SmallServer, kind: bytes) -> None:
        self.bus = Bus(server.address)
        self.heard: SimpleQueue[Delivery] = SimpleQueue()
        self.bus.subscribe(
            Subscription(id="s", destination="/queue/a", receive=lambda got: [self.heard.put(one) for one in got])
        )
        self.pool = concurrent.futures.ThreadPoolExecutor(1)
        starting = self.pool.submit(self.bus.start, SECONDS)
        self.peer = server.accept()
        self.log_in(self.peer, kind)
        starting.result(SECONDS)

    @staticmethod
    def log_in(peer: Peer, kind: bytes) -> None:
        peer.frame("CONNECT")
        peer.send(b"CONNECTED\nversion:1.2\nserver:%b\nheart-beat:0,0\n\n\0" % kind)
        peer.frame("SUBSCRIBE")

    def deliver(self, ack: str) -> Delivery:
        self.peer.send(frames.encode("MESSAGE", {"subscription": "s", "ack": ack, "destination": "/queue/a"}))
        return self.heard.get(timeout=SECONDS)


@pytest.fixture(params=[b"RabbitMQ/3.10.8", b"ActiveMQ/5.17.2"])
def side(request: pytest.FixtureRequest, server: SmallServer) -> Iterator[Side]:
    here = Side(server, request.param)
    yield here
    server.close()
    here.bus.stop(goodbye=False)


def receipts(peer: Peer, count: int) -> list[str]:
    return [peer.frame("SEND").headers["receipt"] for _ in range(count)]


def test_the_ack_follows_when_the_last_receipt_has_come_and_not_before(side: Side) -> None:
    side.bus.steps.take([(side.deliver("a:1"), MESSAGES)])
    first, second = receipts(side.peer, 2)
    side.peer.receipt(second)
    side.bus.connection(SECONDS).write(b"\n")
    assert not side.bus.steps.wait(0)
    side.peer.receipt(first)
    assert side.peer.frame("ACK").headers == {"id": "a:1"}
    assert side.bus.steps.wait(SECONDS)


def test_what_one_read_confirms_is_acknowledged_with_one_write(side: Side) -> None:
    side.bus.steps.take([(side.deliver("a1"), MESSAGES[:1]), (side.deliver("a2"), MESSAGES[:1])])
    numbers = receipts(side.peer, 2)
    side.peer.send(b"".join(f"RECEIPT\nreceipt-id:{number}\n\n\0".encode() for number in numbers))
    assert [side.peer.frame("ACK").headers["id"] for _ in numbers] == ["a1", "a2"]


def test_a_step_that_sends_nothing_is_acknowledged_at_once(side: Side) -> None:
    side.bus.steps.take([(side.deliver("a1"), [])])
    assert side.peer.frame("ACK").headers == {"id": "a1"}
    assert side.bus.steps.wait(0)


def test_a_refused_message_ends_the_connection_so_that_the_task_comes_again(side: Side) -> None:
    side.bus.steps.take([(side.deliver("a1"), MESSAGES)])
    first, _ = receipts(side.peer, 2)
    side.peer.send(f"ERROR\nmessage:precondition_failed\nreceipt-id:{first}\n\n\0".encode())
    assert side.peer.rest() == b""
    assert side.bus.steps.wait(SECONDS)


def test_who_leaves_waits_for_the_steps_that_are_open(side: Side) -> None:
    side.bus.steps.take([(side.deliver("a1"), MESSAGES[:1])])
    leaving = side.pool.submit(side.bus.stop)
    [number] = receipts(side.peer, 1)
    side.peer.receipt(number)
    assert side.peer.frame("ACK").headers == {"id": "a1"}
    side.peer.frame("UNSUBSCRIBE")
    side.peer.receipt(side.peer.frame("DISCONNECT").headers["receipt"])
    leaving.result(SECONDS)


def test_a_step_of_a_lost_connection_comes_to_nothing(side: Side, server: SmallServer) -> None:
    delivery = side.deliver("a1")
    delivery.connection.close()
    side.bus.steps.take([(delivery, MESSAGES)])
    assert side.bus.steps.wait(0)


def test_one_step_can_be_waited_for(side: Side) -> None:
    taking = side.pool.submit(side.bus.steps.complete, side.deliver("a1"), MESSAGES, SECONDS)
    for number in receipts(side.peer, 2):
        side.peer.receipt(number)
    ack = side.peer.frame("ACK")
    assert not taking.done()
    side.peer.receipt(ack.headers["receipt"])
    assert taking.result(SECONDS)


LATE = b"ERROR\nmessage:Subscription not found\n\nThere is no current subscription with tag 'T_%b'.\0"


def test_an_answer_behind_the_end_of_its_subscription_ends_no_connection_on_rabbitmq(server: SmallServer) -> None:
    side = Side(server, b"RabbitMQ/3.10.8")
    connection = side.bus.connection(SECONDS)
    side.bus.subscribe(Subscription(id="status.1", destination="/queue/b", receive=lambda got: None, ack="auto"))
    side.bus.unsubscribe("status.1")
    side.peer.send(LATE % b"status.1")
    assert side.deliver("a1").connection is connection
    assert not connection.lost
    server.close()
    side.bus.stop(goodbye=False)


def test_a_task_behind_the_end_of_its_subscription_comes_again_with_another_connection(server: SmallServer) -> None:
    side = Side(server, b"RabbitMQ/3.10.8")
    connection = side.bus.connection(SECONDS)
    side.bus.unsubscribe("s")
    side.peer.frame("UNSUBSCRIBE")
    side.peer.send(LATE % b"s")
    again = server.accept()
    again.log_in()
    assert connection.lost
    assert side.bus.connection(SECONDS) is not connection
    server.close()
    side.bus.stop(goodbye=False)


def test_an_error_that_names_no_frame_fails_what_is_outstanding_on_rabbitmq(server: SmallServer) -> None:
    side = Side(server, b"RabbitMQ/3.10.8")
    _, lasting = side.bus.connection(SECONDS).receipts.expect()
    side.peer.send(b"ERROR\nmessage:access_refused\n\nno rights\0")
    with pytest.raises(Exception, match="access_refused: no rights"):
        lasting.wait(SECONDS)
    again = server.accept()
    side.log_in(again, b"RabbitMQ/3.10.8")
    server.close()
    side.bus.stop(goodbye=False)


def test_on_our_own_bus_a_step_is_one_transaction(server: SmallServer) -> None:
    side = Side(server, b"swarmage/1")
    side.bus.steps.take([(side.deliver("a1"), MESSAGES[:1])])
    kinds = [side.peer.frame(kind) for kind in ("BEGIN", "SEND", "ACK", "COMMIT")]
    assert len({frame.headers["transaction"] for frame in kinds}) == 1
    assert "receipt" not in kinds[1].headers
    server.close()
    side.bus.stop(goodbye=False)
