"""Who takes what, with whole cells on the real embedded bus."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from swarmage.abilities import ability
from swarmage.client.client import Client
from swarmage.drone.worker import Worker

from ..fakes import SECONDS
from .conftest import Start

begun: SimpleQueue[str] = SimpleQueue()
gate = threading.Event()


@pytest.fixture(autouse=True)
def _closed(start: Start) -> Iterator[None]:
    """Close the gate for each test, and open it before its drones stop."""
    gate.clear()
    yield
    gate.set()


class Both(Worker):
    """One thread, two classes: each has a credit of its own."""

    @ability("both.long", retries=0)
    def long(self) -> str:
        begun.put("long")
        gate.wait(SECONDS * 2)
        return "long"

    @ability("both.short", retries=0)
    def short(self, number: int) -> int:
        return number


def test_a_task_does_not_wait_behind_one_of_another_class_while_another_drone_is_idle(
    start: Start, client: Client
) -> None:
    start(Both)
    long = client.insert("both.long")
    assert begun.get(timeout=SECONDS) == "long"
    stuck = client.insert("both.short", 1)  # the busy drone, the only one, has credit for it
    start(Both)
    assert stuck.result(SECONDS) == 1
    for reply in [client.insert("both.short", number) for number in range(20)]:
        reply.result(SECONDS)
    assert not long.done
    gate.set()
    assert long.result(SECONDS) == "long"


def test_what_was_left_to_others_is_taken_again_when_the_worker_is_free(start: Start, client: Client) -> None:
    ref = start(Both)
    long = client.insert("both.long")
    assert begun.get(timeout=SECONDS) == "long"
    stuck = client.insert("both.short", 1)
    drone: Any = ref._actor_weakref()  # type: ignore[attr-defined]
    waiting = threading.Event()
    look = drone._sharing.look

    def seen() -> None:
        look()
        if drone._sharing.leaves_some:
            waiting.set()

    drone._sharing.look = seen
    assert waiting.wait(SECONDS)
    assert client.status()["drones"][0]["holding"] == 1
    gate.set()
    assert stuck.result(SECONDS) == 1
    assert long.result(SECONDS) == "long"
    assert client.insert("both.short", 2).result(SECONDS) == 2
