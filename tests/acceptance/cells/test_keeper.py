"""Workers in processes of their own, in a whole cell on the real embedded bus."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from pathlib import Path
from typing import Any

import pykka
import pytest
from processes import eventually, is_gone

from swarmage.abilities import ability
from swarmage.client.client import Client
from swarmage.client.reply import Progress
from swarmage.drone.processes import keeping, owner
from swarmage.drone.processes.keeper import Keeper
from swarmage.drone.worker import Worker
from swarmage.errors import AbilityError, ConfigError, TaskFailed
from swarmage.task import Task
from tests.unit.conftest import EmbeddedBus
from tests.unit.drone.conftest import Start

from .boxed import BadInit, BadStart, Boxed, HardStart, NeverStart, Threaded
from .restless import Restless

pytestmark = pytest.mark.acceptance

SECONDS = 10.0


def keepers() -> list[Keeper]:
    actors = [ref._actor_weakref() for ref in pykka.ActorRegistry.get_all()]
    return [actor for actor in actors if isinstance(actor, Keeper)]


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def failure(client: Client, *task: Any) -> TaskFailed:
    with pytest.raises(TaskFailed) as caught:
        client.insert(*task).result(SECONDS)
    return caught.value


def test_a_task_is_performed_in_a_process_that_lives_on_and_keeps_what_is_on_self(start: Start, client: Client) -> None:
    start(Boxed)
    (first, one), (second, two) = (client.insert("pid").result(SECONDS) for _ in range(2))
    assert first == second != os.getpid()
    assert (one, two) == (1, 2)


def test_the_process_knows_neither_the_passcode_nor_where_the_key_is(
    start: Start, client: Client, monkeypatch: pytest.MonkeyPatch, embedded_bus: EmbeddedBus
) -> None:
    monkeypatch.setenv("SWARMAGE_URL", embedded_bus.url)
    monkeypatch.setenv("SWARMAGE_CHILD", embedded_bus.url)
    start(Boxed)
    seen = client.insert("environment").result(SECONDS)
    assert "SWARMAGE_HOME" in seen
    assert not {"SWARMAGE_URL", "SWARMAGE_KEY_FILE", "SWARMAGE_CHILD"} & set(seen)
    [keeper] = keepers()
    assert keeper._child is not None
    pid = keeper._child.pid
    for file in ("environ", "cmdline"):
        assert b"s3cret" not in Path(f"/proc/{pid}/{file}").read_bytes()


def test_responses_progress_and_the_result_reach_the_originator(start: Start, client: Client) -> None:
    start(Boxed)
    seen: list[Any] = []
    assert client.insert("tell").result(SECONDS, seen.append) == "two"
    assert list(client.insert("tell").parts(SECONDS)) == ["zero", "one", "two"]
    assert seen == [Progress(1, 2, "half")]


def test_the_log_of_the_process_goes_where_the_drones_goes(
    start: Start, client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    start(Boxed)
    client.insert("tell").result(SECONDS)
    eventually(lambda: "said in the process" in capfd.readouterr().err)


def test_ids_of_what_it_inserts_repeat_as_in_a_thread(start: Start, client: Client) -> None:
    start(Boxed, Threaded)
    task = Task(task_class="ids", id="7")
    boxed = client.insert_task(task).result(SECONDS)
    assert client.insert_task(task).result(SECONDS) == boxed
    assert boxed[2] == "7/3"


@pytest.mark.parametrize(
    ("task", "kind", "says"),
    [
        (("fail",), "ValueError", r"half \\ud800 a character"),
        (("leave", 0), "WorkerCrashed", "exit code 0"),
        (("leave", 3), "WorkerCrashed", "exit code 3"),
        (("signal", signal.SIGKILL), "WorkerCrashed", "killed by SIGKILL"),
        (("fault",), "WorkerCrashed", "killed by SIGSEGV"),
        (("picky", 5), "WorkerCrashed", "exit code 5"),
        (("pid", 1), "ArgumentError", "too many"),
        (("wait_for_a_crash",), "WorkerCrashed", "exit code 3"),
    ],
)
def test_a_task_that_fails_or_crashes_is_told_and_leaves_nothing_it_inserted(
    start: Start, client: Client, task: Any, kind: str, says: str
) -> None:
    start(Boxed, concurrency={"Boxed": 1})
    error = failure(client, *task)
    assert error.kind == kind
    assert says.replace("\\\\", "\\") in error.message
    assert client.insert("pid").result(SECONDS)
    assert all(q["waiting"] == 0 for q in client.status()["queues"] if q["task_class"] == "leaf")


@pytest.mark.parametrize("task_class", ["loop", "wait"])
def test_the_time_limit_holds_for_code_that_nothing_else_would_end(
    start: Start, client: Client, task_class: str
) -> None:
    start(Boxed)
    pid, _ = client.insert("pid").result(SECONDS)
    begun = time.monotonic()
    error = failure(client, task_class)
    assert 0.3 <= time.monotonic() - begun < 1.5  # the round trip is in it, on a busy machine
    assert (error.kind, error.message) == ("TaskTimeout", "longer than its timeout of 0.3 s, so its process was killed")
    assert is_gone(pid)


def test_the_result_of_a_task_that_cannot_be_pickled_is_no_matter_where_nobody_wants_it(
    start: Start, client: Client
) -> None:
    start(Boxed)
    assert failure(client, "unpicklable").kind == "NotEncodable"


def test_local_tasks_go_between_threads_and_processes_nested_as_deep_as_they_like(start: Start, client: Client) -> None:
    start(Boxed, Threaded)
    pids = client.insert("split", 6).result(SECONDS)
    assert len(pids) == 13
    assert {pids.index(os.getpid()) % 2, len(set(pids))} == {1, 2}
    assert client.insert("sum_of", 20).result(SECONDS) == 190


def test_a_crash_fails_its_own_tree_and_another_that_waits_there_begins_anew(
    start: Start, client: Client, fifo: Path, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    start(Boxed, Threaded, concurrency={"Threaded": 4})
    patient = client.insert("be_patient", str(ledger), str(fifo))
    eventually(ledger.exists)
    assert failure(client, "crash_by_local").kind == "WorkerCrashed"
    eventually(lambda: len(ledger.read_text().split()) == 2)
    pids = ledger.read_text().split()
    fifo.write_text("go on")  # to both that wait for it, of which one counts for nothing
    assert client.insert("leaf", 1).result(SECONDS) == 1
    assert str(patient.result(SECONDS)) == pids[1] != pids[0]
    inserted = next(q for q in client.status()["queues"] if q["task_class"] == "nobody.takes")
    assert inserted["waiting"] == 2  # its own, and that of its local task: once each


def test_a_local_task_that_is_late_is_told_in_the_process(start: Start, client: Client, fifo: Path) -> None:
    start(Boxed, Threaded)
    assert client.insert("late", str(fifo)).result(SECONDS) == "DeadlineExceeded"


def test_a_process_that_dies_while_idle_costs_no_task(start: Start, client: Client) -> None:
    start(Boxed)
    pid, _ = client.insert("pid").result(SECONDS)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: is_gone(pid))
    assert client.insert("pid").result(SECONDS)[1] == 1


def many_short_tasks(client: Client) -> int:
    """Have keepers give their processes tasks ahead; return how many they gave so far."""

    def some() -> bool:
        for reply in client.insert_many("quick", [()] * 200):
            reply.result(SECONDS)
        return all(keeper._pace.room() for keeper in keepers())

    eventually(some)
    return sum(keeper._number for keeper in keepers())


def test_no_task_waits_behind_a_long_one_that_came_before_it(start: Start, client: Client, fifo: Path) -> None:
    start(Boxed, concurrency={"Boxed": 2})
    given = many_short_tasks(client)
    replies = client.insert_many("quick", [()] * 200 + [(0, str(fifo))] + [()] * 200)
    for reply in replies[:200] + replies[201:]:
        reply.result(SECONDS)
    assert sum(keeper._number for keeper in keepers()) > given
    assert not replies[200].done
    fifo.write_text("go on")
    assert replies[200].result(SECONDS)


def test_of_tasks_given_ahead_only_the_one_that_crashes_fails(start: Start, client: Client) -> None:
    start(Boxed)
    for _ in range(3):
        given = many_short_tasks(client)
        replies = client.insert_many("quick", [()] * 100 + [(3,)] + [()] * 100)
        with pytest.raises(TaskFailed, match="WorkerCrashed"):
            replies[100].result(SECONDS)
        for reply in replies[:100] + replies[101:]:
            reply.result(SECONDS)
        assert sum(keeper._number for keeper in keepers()) > given


def test_a_task_can_be_cancelled(start: Start, client: Client, fifo: Path) -> None:
    start(Boxed)
    reply = client.insert("hold", str(fifo))
    [keeper] = keepers()
    eventually(lambda: keeper.current_runs)
    assert not keeper._cancel("another")
    eventually(lambda: keeper._cancel(reply.id))  # it counts as begun a moment before the process is told
    with pytest.raises(TaskFailed, match="Cancelled"):
        reply.result(SECONDS)


def test_a_stop_ends_all_processes(start: Start, client: Client) -> None:
    ref = start(Boxed, concurrency={"Boxed": 2})
    pids = [keeper._child.pid for keeper in keepers() if keeper._child is not None]
    assert len(pids) == 2
    ref.stop(timeout=SECONDS)
    assert all(map(is_gone, pids))


def test_what_is_still_running_when_the_grace_is_over_is_killed(start: Start, client: Client, fifo: Path) -> None:
    ref = start(Boxed, grace=0.1)
    client.insert("hold", str(fifo))
    [keeper] = keepers()
    eventually(lambda: keeper.current_runs)
    assert keeper._child is not None
    begun = time.monotonic()
    ref.stop(timeout=SECONDS)
    assert time.monotonic() - begun < 4
    assert is_gone(keeper._child.pid if keeper._child is not None else -1) or keeper._child is None


def test_fifty_new_processes_leave_no_file_and_no_thread_behind(start: Start, client: Client) -> None:
    start(Boxed)
    failure(client, "leave", 1)
    client.insert("pid").result(SECONDS)
    files, threads = open_files(), threading.active_count()
    for _ in range(50):
        failure(client, "leave", 1)
    client.insert("pid").result(SECONDS)
    assert open_files() <= files
    assert threading.active_count() <= threads


def test_a_new_process_is_there_soon(start: Start, client: Client) -> None:
    start(Boxed)
    [keeper] = keepers()
    took = []
    for _ in range(10):
        begun = time.monotonic()
        child = keeping.start_child(keeper.nursery)
        took.append(time.monotonic() - begun)
        child.end()
    assert statistics.median(took) < 0.2  # 6 ms on a machine with nothing else to do


@pytest.mark.parametrize(
    ("worker", "says"),
    [
        (BadInit, "worker BadInit cannot be made: ValueError: no luck"),
        (BadStart, "worker BadStart cannot start: ValueError: no luck"),
        (HardStart, "worker HardStart cannot start: its process ended with exit code 4"),
        (NeverStart, "worker NeverStart has not started in 3 s"),
    ],
)
def test_a_worker_that_cannot_start_is_told_as_one_in_a_thread(
    start: Start, worker: type[Worker], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "START_SECONDS", 3.0)
    with pytest.raises(ConfigError) as caught:
        start(worker)
    assert str(caught.value).startswith(says)


def test_a_class_that_no_module_holds_is_brought_by_value(start: Start, client: Client, tmp_path: Path) -> None:
    told = tmp_path / "told"

    class Here(Worker):
        isolation = "process"
        recycle_tasks = 2
        memory_limit = 200_000_000

        @ability("here", retries=0, crashes=1)
        def here(self) -> int:
            return os.getpid()

        @ability("eat", retries=0, crashes=1)
        def eat(self) -> int:
            data = bytearray()
            while True:
                data += b"x" * 5_000_000

        def on_stop(self) -> None:
            with told.open("a") as file:
                file.write(f"{os.getpid()}\n")

    ref = start(Here)
    pids = [client.insert("here").result(SECONDS) for _ in range(5)]
    assert [pids[0] == pids[1], pids[1] == pids[2], pids[2] == pids[3], pids[3] == pids[4]] == [
        True,
        False,
        True,
        False,
    ]
    error = failure(client, "eat")
    assert error.kind == "MemoryLimitExceeded"
    assert "200 MB" in error.message
    ref.stop(timeout=SECONDS)
    stopped = told.read_text().split()
    assert stopped[:2] == [str(pids[0]), str(pids[2])]
    assert len(stopped) == 3  # and the last one, at the stop; who was killed could not


def test_a_process_that_has_grown_is_replaced(start: Start, client: Client) -> None:
    class Growing(Worker):
        isolation = "process"
        recycle_growth = 20_000_000
        kept: list[bytes]

        @ability("grow", retries=0, crashes=1)
        def grow(self, size: int) -> int:
            self.kept = [b"x" * size]
            return os.getpid()

    start(Growing)
    pids = [client.insert("grow", size).result(SECONDS) for size in (1, 1, 50_000_000, 1)]
    assert pids[0] == pids[1] == pids[2] != pids[3]


def test_on_stop_has_a_deadline(start: Start, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "STOP_SECONDS", 0.2)

    class Clinging(Worker):
        isolation = "process"

        @ability("cling")
        def cling(self) -> int:
            return os.getpid()

        def on_stop(self) -> None:
            signal.pause()

    ref = start(Clinging)
    pid = client.insert("cling").result(SECONDS)
    ref.stop(timeout=SECONDS)
    assert is_gone(pid)


def test_a_class_whose_module_starts_threads_gets_fresh_interpreters(start: Start, client: Client) -> None:
    start(Restless)
    assert client.insert("restless").result(SECONDS) == [os.getpid(), 2]


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "1"])
@pytest.mark.parametrize("field", ["memory_limit", "recycle_tasks", "recycle_growth"])
def test_a_wrong_field_is_refused_when_the_class_is_defined(field: str, value: Any) -> None:
    with pytest.raises(AbilityError, match=f"Wrong.{field}"):
        type("Wrong", (Worker,), {"isolation": "process", field: value})
    with pytest.raises(AbilityError, match=f"Wrong.{field} is for a process"):
        type("Wrong", (Worker,), {field: 5})
