from __future__ import annotations

import time

import pytest

from swarmage.bench import raw_latency
from swarmage.bench.raw_socket import RawSocket, task_frame
from swarmage.settings import Address

from ..conftest import EmbeddedBus

QUEUE = "/queue/bench.test"


def test_what_a_bare_socket_sends_it_takes_again(embedded_bus: EmbeddedBus) -> None:
    frame = task_frame(QUEUE, "x" * 100)
    with RawSocket(embedded_bus.address) as sender, RawSocket(embedded_bus.address) as receiver:
        assert sender.send_all(frame, 200) > 0
        assert sender.send_confirmed(frame, 50, 1) > 0
        assert receiver.receive_all(QUEUE, 250) > 0


def test_a_bare_socket_waits_no_longer_than_it_may(embedded_bus: EmbeddedBus) -> None:
    with RawSocket(embedded_bus.address, deadline=1.0) as raw:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            raw.receive_all(QUEUE, 1)
        assert time.monotonic() - started < 30


def test_a_read_gives_up_when_nothing_has_come_for_so_long(embedded_bus: EmbeddedBus) -> None:
    with RawSocket(embedded_bus.address, deadline=30.0) as raw:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            raw.read_frames(0.05)
        assert time.monotonic() - started < 20


def test_a_bare_socket_says_what_the_bus_refused(embedded_bus: EmbeddedBus) -> None:
    stranger = Address(port=embedded_bus.address.port, login="ann", passcode="wrong")
    with pytest.raises(ConnectionError, match="refused"):
        RawSocket(stranger)


def test_the_frame_is_as_large_as_its_argument_and_signed() -> None:
    small, large = task_frame(QUEUE, ""), task_frame(QUEUE, "x" * 1000)
    # the length itself may have a digit more, and each may say when it was inserted in fewer digits
    assert abs(len(large) - len(small) - 1000) < 10
    assert b"\nsignature:" in small


def test_each_message_of_a_schedule_is_confirmed_and_delivered(embedded_bus: EmbeddedBus) -> None:
    confirmed, delivered = raw_latency.times(embedded_bus.address, QUEUE, 100, 500, 50)
    assert len(confirmed) == len(delivered) == 50
    assert min(confirmed) > 0
    assert min(delivered) > 0
