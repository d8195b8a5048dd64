from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from swarmage.drone.coroutines import async_loop
from swarmage.drone.coroutines.async_loop import EventLoop

from ...fakes import SECONDS

var: ContextVar[int] = ContextVar("var", default=0)


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop()
    loop.start()
    yield loop
    loop.stop()
    assert not loop._thread.is_alive()


def test_what_is_called_is_called_on_the_loop_and_sees_nobody_s_context(loop: EventLoop) -> None:
    seen: list[object] = []
    called = threading.Event()

    def inner() -> None:
        seen.extend([loop.here, var.get()])
        called.set()

    def outer() -> None:
        asyncio.get_running_loop().call_soon(lambda: (var.set(3), loop.call(inner)))

    loop.call(outer)
    assert called.wait(SECONDS)
    assert seen == [True, 0]
    assert not loop.here


def test_stopping_twice_or_calling_afterwards_is_safe(loop: EventLoop) -> None:
    loop.stop()
    loop.stop()
    loop.call(lambda: None)


def test_stopping_runs_the_finally_of_what_is_left(loop: EventLoop) -> None:
    begun, ended = threading.Event(), threading.Event()
    kept: list[asyncio.Task[None]] = []

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    loop.call(lambda: kept.append(loop.asyncio.create_task(wait())))
    assert begun.wait(SECONDS)
    loop.stop()
    assert ended.is_set()


def test_a_loop_that_is_held_up_does_not_hold_up_who_stops_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(async_loop, "STOP_SECONDS", 0.05)
    monkeypatch.setattr(async_loop, "AGAIN", 0.05)
    loop = EventLoop()
    loop.start()
    gate = threading.Event()
    loop.call(lambda: gate.wait(SECONDS))
    loop.stop()
    assert "left behind" in caplog.text
    gate.set()
    loop._thread.join(SECONDS)
    assert not loop._thread.is_alive()


def test_it_is_told_once_and_after_a_second_that_the_loop_is_held_up(
    loop: EventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    gate, held = threading.Event(), threading.Event()
    loop.call(lambda: (held.set(), gate.wait(SECONDS)))
    assert held.wait(SECONDS)
    for now in (100.0, 100.5, 101.0, 101.5, 109.0):
        loop.look(now)
    (record,) = caplog.records
    assert "held up for 1.0 s by something that belongs to no task" in record.getMessage()
    assert "gate.wait" in record.getMessage()
    gate.set()
    passed = threading.Event()
    loop.call(passed.set)
    assert passed.wait(SECONDS)
    loop.look(110.0)
    assert "goes on after 10.0 s" in caplog.records[-1].getMessage()


def test_what_is_told_waits_for_a_slow_bus_in_a_thread_and_too_much_is_dropped(
    loop: EventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_loop, "MOST_UNTOLD", 3)
    gate, all_asked = threading.Event(), threading.Event()
    told: list[int] = []

    def tell_ten() -> None:
        for number in range(10):
            loop.tell(lambda number=number: (gate.wait(SECONDS), told.append(number)))  # type: ignore[misc]
        all_asked.set()

    loop.call(tell_ten)
    assert all_asked.wait(SECONDS)
    gate.set()
    told_last = threading.Event()
    while not told_last.is_set():
        loop.call(lambda: told_last.set() if loop._untold == 0 else None)
        told_last.wait(0.01)
    assert told == [0, 1, 2]


def test_a_cell_of_threads_needs_no_asyncio() -> None:
    look = "import sys, swarmage; swarmage.Drone; swarmage.Worker; sys.exit('asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], timeout=60, check=False).returncode == 0
