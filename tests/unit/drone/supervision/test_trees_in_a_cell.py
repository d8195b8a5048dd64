"""Whole drones with trees in them, on the real embedded bus."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pykka
import pytest

from swarmage.abilities import ability
from swarmage.client.client import Client
from swarmage.drone.coroutines.async_worker import AsyncWorker
from swarmage.drone.supervision.declared import Supervising
from swarmage.drone.supervision.life import life_of
from swarmage.drone.worker import Worker
from swarmage.errors import ConfigError, TaskFailed

from ..conftest import Start
from .test_watching import Mourner
from .troubled import ALLOWED, Troubled

SECONDS = 30.0

events: SimpleQueue[str] = SimpleQueue()
"""What the actors say of themselves."""
gate = threading.Event()
"""Held tasks end when it is set."""
willing = threading.Event()
"""While it is set, `Connections` starts."""


@pytest.fixture(autouse=True)
def fresh() -> None:
    while not events.empty():
        events.get()
    gate.clear()
    willing.set()


def heard(count: int) -> list[str]:
    return [events.get(timeout=SECONDS) for _ in range(count)]


class Connections(pykka.ThreadingActor):
    """A plain actor that others need."""

    def __init__(self) -> None:
        super().__init__()
        self.users = 0

    def on_start(self) -> None:
        if not willing.is_set():
            events.put("Connections cannot start")
            sys.exit("no database")
        events.put("Connections starts")

    def on_stop(self) -> None:
        events.put("Connections stops")

    def on_failure(self, *raised: Any) -> None:
        events.put(f"Connections fails of {raised[1]}")

    def on_receive(self, message: Any) -> Any:
        if message == "die":
            raise ValueError("told to")
        self.users += 1
        return self.users


class Census(Worker):
    def __init__(self) -> None:
        super().__init__()
        self.performed = 0

    def on_start(self) -> None:
        events.put("Census starts")

    def on_stop(self) -> None:
        events.put("Census stops")

    def on_receive(self, message: Any) -> None:
        sys.exit(message)

    @ability("tree.count")
    def count(self) -> int:
        self.performed += 1
        return self.performed

    @ability("tree.hold", retries=0, crashes=1)
    def hold(self) -> str:
        events.put("held")
        assert gate.wait(SECONDS)
        return "done"


class Fetch(AsyncWorker):
    async def on_start(self) -> None:
        await asyncio.to_thread(int)
        events.put("Fetch starts")

    async def on_stop(self) -> None:
        events.put("Fetch stops")

    @ability("tree.fetch")
    async def fetch(self) -> str:
        return "fetched"


def ref_of(actor_class: type[Any]) -> pykka.ActorRef[Any]:
    [ref] = pykka.ActorRegistry.get_by_class(actor_class)
    return ref


def kill(ref: pykka.ActorRef[Any]) -> None:
    """End an actor by a message."""
    life = life_of(ref)
    assert life is not None
    ref.tell("die")
    assert life.over.wait(SECONDS)


class Site(Supervising):
    children = (Connections, Census, Fetch)
    strategy = "rest_for_one"


def test_a_tree_starts_in_order_and_stops_in_the_reverse(start: Start, client: Client) -> None:
    ref = start(Site)
    assert heard(3) == ["Connections starts", "Census starts", "Fetch starts"]
    assert client.insert("tree.count").result(SECONDS) == 1
    assert client.insert("tree.fetch").result(SECONDS) == "fetched"
    ref.stop(timeout=SECONDS)
    assert heard(3) == ["Fetch stops", "Census stops", "Connections stops"]


def test_what_depends_on_a_dead_actor_starts_again_after_it(
    start: Start, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    start(Site)
    heard(3)
    assert ref_of(Connections).ask("use", timeout=SECONDS) == 1
    assert client.insert("tree.count").result(SECONDS) == 1
    kill(ref_of(Connections))
    assert heard(6) == [
        "Connections fails of told to",
        "Fetch stops",
        "Census stops",
        "Connections starts",
        "Census starts",
        "Fetch starts",
    ]
    assert ref_of(Connections).ask("use", timeout=SECONDS) == 1  # another instance, which knows nothing of before
    assert client.insert("tree.count").result(SECONDS) == 1
    assert "Site: actor Connections has died of ValueError: told to; another takes its place" in caplog.text


def test_what_stands_before_a_dead_actor_goes_on(start: Start, client: Client) -> None:
    start(Site)
    heard(3)
    ref_of(Connections).ask("use", timeout=SECONDS)
    kill(ref_of(Census))  # by a SystemExit, which takes nobody else along
    assert heard(3) == ["Fetch stops", "Census starts", "Fetch starts"]
    assert ref_of(Connections).ask("use", timeout=SECONDS) == 2


def test_a_task_in_hand_ends_before_its_worker_starts_again(start: Start, client: Client) -> None:
    start(Site)
    heard(3)
    held = client.insert("tree.hold")
    assert heard(1) == ["held"]
    kill(ref_of(Connections))
    assert heard(2) == ["Connections fails of told to", "Fetch stops"]
    waiting = client.insert("tree.count")
    gate.set()
    assert heard(4) == ["Census stops", "Connections starts", "Census starts", "Fetch starts"]
    assert held.result(SECONDS) == "done"
    assert waiting.result(SECONDS) == 1


def test_a_task_that_takes_long_does_not_hold_up_the_others_for_ever(
    start: Start, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarmage.drone.supervision.post.PATIENCE", 0.2)
    ref = start(Site)
    heard(3)
    held = client.insert("tree.hold")
    assert heard(1) == ["held"]
    kill(ref_of(Connections))
    assert heard(5)[2:] == ["Connections starts", "Census starts", "Fetch starts"]
    assert client.insert("tree.count").result(SECONDS) == 1  # by the one that took its place
    gate.set()
    assert held.result(SECONDS) == "done"  # by the one before, once
    assert heard(1) == ["Census stops"]
    ref.stop(timeout=SECONDS)


class Pair(Supervising):
    children = (Census, Fetch)
    strategy = "one_for_all"


def test_all_actors_of_a_class_start_again_together(start: Start, client: Client) -> None:
    start(Pair, concurrency={"Census": 3})
    heard(4)
    before = pykka.ActorRegistry.get_by_class(Census)
    kill(before[1])
    assert sorted(heard(7)) == sorted([*["Census starts"] * 3, *["Census stops"] * 2, "Fetch starts", "Fetch stops"])
    after = pykka.ActorRegistry.get_by_class(Census)
    assert len(after) == 3
    assert not {ref.actor_urn for ref in before} & {ref.actor_urn for ref in after}
    assert client.insert("tree.count").result(SECONDS) == 1


def test_concurrency_can_be_changed_inside_of_a_tree(start: Start, client: Client) -> None:
    start(Pair)
    heard(2)
    client.concurrency("Census", 3)
    assert heard(2) == ["Census starts"] * 2
    kill(pykka.ActorRegistry.get_by_class(Census)[0])
    assert sorted(heard(7)) == sorted([*["Census starts"] * 3, *["Census stops"] * 2, "Fetch starts", "Fetch stops"])
    client.concurrency("Census", 1)
    assert heard(2) == ["Census stops"] * 2
    assert client.insert("tree.count").result(SECONDS) == 1
    client.concurrency("Census", None)


class Inner(Supervising):
    children = (Census,)
    intensity = 1


class Outer(Supervising):
    children = (Inner, Connections)
    strategy = "one_for_all"


def test_a_supervisor_that_fails_is_a_death_for_the_one_above(start: Start, client: Client) -> None:
    start(Outer)
    assert heard(2) == ["Census starts", "Connections starts"]
    kill(ref_of(Census))
    assert heard(1) == ["Census starts"]
    kill(ref_of(Census))
    assert heard(3) == ["Connections stops", "Census starts", "Connections starts"]
    [drone] = client.status()["drones"]
    assert [worker["supervisor"] for worker in drone["workers"]] == ["Outer/Inner"]


class Brittle(Supervising):
    children = (Connections, Census)
    strategy = "one_for_all"
    intensity = 1


def test_a_tree_that_fails_is_the_end_of_its_drone_and_no_task_is_lost(start: Start, client: Client) -> None:
    reasons: SimpleQueue[str] = SimpleQueue()
    ref = start(Brittle, failed=reasons.put, grace=0.2)
    heard(2)
    held, waiting = client.insert("tree.hold"), client.insert("tree.count")
    assert heard(1) == ["held"]
    willing.clear()
    kill(ref_of(Connections))
    assert heard(1) == ["Connections fails of told to"]
    gate.set()
    assert reasons.get(timeout=SECONDS) == (
        "supervisor Brittle: more than 1 restarts in 60 s, the last one since actor Connections cannot start:"
        " SystemExit: no database"
    )
    assert ref.actor_stopped.wait(SECONDS)
    willing.set()
    start(Brittle)
    assert held.result(SECONDS) == "done"
    assert waiting.result(SECONDS) == 1


def test_what_a_failed_drone_gives_back_is_performed_by_another_and_counts_as_no_crash(
    start: Start, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarmage.drone.supervision.post.PATIENCE", 0.2)
    monkeypatch.setattr("swarmage.drone.drone.FAILED_GRACE", 0.2)
    ref = start(Brittle)
    heard(2)
    held = client.insert("tree.hold")  # of which one crash is too many
    assert heard(1) == ["held"]
    willing.clear()
    kill(ref_of(Connections))
    assert ref.actor_stopped.wait(SECONDS)
    assert heard(2) == ["Connections fails of told to", "Connections cannot start"]
    willing.set()
    start(Brittle)
    assert heard(3) == ["Connections starts", "Census starts", "held"]
    gate.set()
    assert held.result(SECONDS) == "done"


def test_an_actor_that_cannot_start_again_is_tried_again_later(
    start: Start, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    start(Site)
    heard(3)
    willing.clear()
    kill(ref_of(Connections))
    assert heard(3) == ["Connections fails of told to", "Fetch stops", "Census stops"]
    waiting = client.insert("tree.count")
    assert heard(2) == ["Connections cannot start"] * 2
    assert not waiting.done
    assert "actor Connections cannot start: SystemExit: no database; another takes its place" in caplog.text
    willing.set()
    while (first := heard(1)) == ["Connections cannot start"]:
        pass  # one more attempt may have been on its way
    assert first + heard(2) == ["Connections starts", "Census starts", "Fetch starts"]
    assert waiting.result(SECONDS) == 1


def test_a_tree_that_cannot_start_stops_the_drone_and_what_had_started(start: Start) -> None:
    class Late(Supervising):
        children = (Census, Connections)

    willing.clear()
    with pytest.raises(ConfigError, match="actor Connections cannot start: SystemExit: no database"):
        start(Late)
    assert heard(3) == ["Census starts", "Connections cannot start", "Census stops"]


def test_a_tree_without_a_worker_is_nothing_for_a_drone(start: Start) -> None:
    class Bare(Supervising):
        children = (Connections,)

    with pytest.raises(ConfigError, match="at least one Worker class"):
        start(Bare)


def test_workers_outside_of_a_tree_are_started_again_without_end(start: Start, client: Client) -> None:
    class Alone(Worker):
        def on_receive(self, message: Any) -> None:
            sys.exit(message)

        @ability("tree.alone")
        def alone(self) -> str:
            return "here"

    drone = start(Brittle, Alone)
    for _ in range(4):
        kill(ref_of(Alone))
        assert client.insert("tree.alone").result(SECONDS) == "here"
    assert drone.is_alive()
    [found] = client.status()["drones"]
    assert {worker["name"].rpartition(".")[2]: worker.get("supervisor") for worker in found["workers"]} == {
        "Census": "Brittle",
        "Alone": None,
    }


def test_the_drone_does_not_wait_for_an_actor_that_starts_again(start: Start, client: Client) -> None:
    slow = threading.Event()

    class Slow(Worker):
        def on_start(self) -> None:
            if slow.is_set():
                events.put("slow")
                assert gate.wait(SECONDS)

        @ability("tree.slow")
        def perform(self) -> str:
            return "at last"

    start(Slow, Census)
    heard(1)
    slow.set()
    ref_of(Slow).stop(timeout=SECONDS)
    assert heard(1) == ["slow"]
    waiting = client.insert("tree.slow")
    assert [client.insert("tree.count").result(SECONDS) for _ in range(3)] == [1, 2, 3]  # replies leave with the acks
    assert not waiting.done
    gate.set()
    assert waiting.result(SECONDS) == "at last"


def test_an_actor_that_takes_too_long_to_start_again_is_given_up(
    start: Start, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    slow = threading.Event()

    class Slow(Worker):
        def on_start(self) -> None:
            if slow.is_set():
                slow.clear()
                assert gate.wait(SECONDS)
                events.put("too late")

        def on_stop(self) -> None:
            events.put("so it leaves")

        @ability("tree.slow")
        def perform(self) -> str:
            return "at last"

    start(Slow)
    monkeypatch.setattr("swarmage.drone.supervision.post.START_TIMEOUT", 0.2)
    slow.set()
    ref_of(Slow).stop(timeout=SECONDS)
    assert heard(1) == ["so it leaves"]
    assert client.insert("tree.slow").result(SECONDS) == "at last"
    assert "Slow has not started in 0 s; another takes its place" in caplog.text
    gate.set()
    assert heard(2) == ["too late", "so it leaves"]


# workers in processes


def test_a_process_that_cannot_be_started_is_a_death(
    start: Start, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Boxes(Supervising):
        children = (Connections, Troubled)
        strategy = "one_for_all"
        intensity = 2

    allowed = tmp_path / "allowed"
    allowed.touch()
    monkeypatch.setenv(ALLOWED, str(allowed))
    reasons: SimpleQueue[str] = SimpleQueue()
    ref = start(Boxes, failed=reasons.put)
    assert heard(1) == ["Connections starts"]
    allowed.unlink()
    with pytest.raises(TaskFailed, match="WorkerCrashed"):
        client.insert("troubled.crash").result(SECONDS)
    waiting = client.insert("troubled.pid")
    assert heard(2) == ["Connections stops", "Connections starts"]
    assert "worker Troubled cannot start: OSError: it may not start" in reasons.get(timeout=SECONDS)
    assert ref.actor_stopped.wait(SECONDS)
    allowed.touch()
    start(Boxes)
    assert isinstance(waiting.result(SECONDS), int)


def test_outside_of_a_tree_a_process_that_cannot_be_started_is_tried_again_until_it_can(
    start: Start, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    allowed = tmp_path / "allowed"
    allowed.touch()
    monkeypatch.setenv(ALLOWED, str(allowed))
    start(Census, Troubled)
    heard(1)
    allowed.unlink()
    with pytest.raises(TaskFailed, match="WorkerCrashed"):
        client.insert("troubled.crash").result(SECONDS)
    waiting = client.insert("troubled.pid")
    deadline = time.monotonic() + SECONDS
    while caplog.text.count("worker Troubled cannot start: OSError: it may not start; another") < 3:
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
    assert client.insert("tree.count").result(SECONDS) == 1  # its neighbour does not notice
    allowed.touch()
    assert isinstance(waiting.result(SECONDS), int)


# death watch in a cell


class Nurse(Worker):
    @ability("watch.census")
    def attend(self) -> None:
        for ref in pykka.ActorRegistry.get_by_class(Census):
            self.watch(ref)

    def on_death(self, ref: pykka.ActorRef[Any], reason: BaseException | None) -> None:
        events.put(f"{ref.actor_class.__name__} has died of {reason!r} in {threading.current_thread().name}")


class Porter(AsyncWorker):
    @ability("watch.connections")
    async def attend(self) -> None:
        [ref] = pykka.ActorRegistry.get_by_class(Connections)
        self.watch(ref)

    async def on_death(self, ref: pykka.ActorRef[Any], reason: BaseException | None) -> None:
        await asyncio.to_thread(int)
        events.put(f"{ref.actor_class.__name__} has died of {reason!r} in {threading.current_thread().name}")


def test_workers_hear_of_deaths_in_their_own_thread(start: Start, client: Client) -> None:
    start(Brittle, Nurse, Porter)
    heard(2)
    client.insert("watch.census").result(SECONDS)
    client.insert("watch.connections").result(SECONDS)
    kill(ref_of(Connections))
    said = heard(6)
    assert any(line.startswith("Census has died of None in Nurse-") for line in said)
    assert "Connections has died of ValueError('told to') in event loop" in said


def test_the_death_of_an_async_worker_is_told(start: Start, client: Client) -> None:
    start(Site)
    heard(3)
    deaths: SimpleQueue[Any] = SimpleQueue()

    mourner = Mourner.start(deaths)
    mourner.ask(lambda self: self.watch(ref_of(Fetch)), timeout=SECONDS)
    ref_of(Fetch).stop(timeout=SECONDS)
    assert deaths.get(timeout=SECONDS)[1] is None
    mourner.stop(timeout=SECONDS)
    assert heard(2) == ["Fetch stops", "Fetch starts"]
