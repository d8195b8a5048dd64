"""A whole cell on the real embedded bus, with the client that feeds it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Generator, Iterator
from queue import SimpleQueue
from typing import Any

import pykka
import pytest

from swarmage.abilities import ability
from swarmage.client.client import Client
from swarmage.client.dead_letters import DeadLetters
from swarmage.client.heard import Progress
from swarmage.drone.drone import Drone
from swarmage.drone.worker import Worker
from swarmage.errors import (
    AbilityError,
    BusUnreachable,
    ConfigError,
    NotEncodable,
    SwarmageError,
    TaskFailed,
    TaskTimeout,
)
from swarmage.task import Task

from ..conftest import EmbeddedBus
from ..fakes import SECONDS
from .conftest import Start

events: SimpleQueue[Any] = SimpleQueue()
gate = threading.Event()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    gate.clear()
    while not events.empty():
        events.get()
    yield
    gate.set()


class Reckoner(Worker):
    concurrency = 2

    @ability("add")
    def add(self, a: int, b: int = 1) -> int:
        return a + b

    @ability("exit", retries=0)
    def exit(self) -> None:
        sys.exit(3)

    @ability("fail", retries=1, backoff=0.001)
    def fail(self) -> None:
        self.insert("add", 1)
        raise ValueError(f"attempt {self.task.attempt}")

    @ability("hold", retries=0)
    def hold(self, name: str) -> str:
        events.put(name)
        gate.wait(SECONDS)
        return name

    @ability("tell.soon", retries=0)
    def tell_soon(self) -> str:
        self.respond("one", at_once=True)
        gate.wait(SECONDS)
        self.respond("two")
        return "three"

    @ability("tell.badly", retries=0)
    def tell_badly(self) -> str:
        self.respond("one")
        with contextlib.suppress(NotEncodable):
            self.respond(threading.Lock())
        self.respond("two")
        return "three"

    @ability("tell", retries=0)
    def tell(self) -> Generator[str, None, str]:
        self.progress(1, 2, "half")
        self.respond("zero")
        yield "one"
        yield "two"
        return "three"


class Splitter(Worker):
    @ability("split", retries=0)
    def split(self, parts: list[int]) -> int:
        return sum(each.result(SECONDS) for each in [self.local("double", part) for part in parts])

    @ability("double", retries=0)
    def double(self, part: int) -> int:
        if part < 0:
            raise ValueError("negative")
        return 2 * part

    @ability("ids", retries=3, backoff=0.001)
    def ids(self) -> None:
        inserted = [self.insert("add", 1), self.insert_task(Task(task_class="add", id="mine", args=[2]))]
        events.put([*inserted, self.local("leaf").result(SECONDS)])
        if self.task.attempt == 1:
            raise ValueError("once more")

    @ability("leaf")
    def leaf(self) -> str:
        return self.insert("add", 3)


def test_a_task_goes_round(start: Start, client: Client) -> None:
    start(Reckoner)
    assert client.insert("add", 1, b=2).result(SECONDS) == 3
    assert client.insert(Reckoner.add, 1).result(SECONDS) == 2
    assert [reply.result(SECONDS) for reply in client.insert_many("add", range(50))] == list(range(1, 51))


def test_a_task_that_ends_the_process_ends_only_itself(start: Start, client: Client) -> None:
    ref = start(Reckoner)
    hold = client.insert("hold", "neighbour")
    assert events.get(timeout=SECONDS) == "neighbour"
    with pytest.raises(TaskFailed, match="SystemExit"):
        client.insert("exit").result(SECONDS)
    assert ref.is_alive()
    gate.set()
    assert hold.result(SECONDS) == "neighbour"
    assert client.insert("add", 1).result(SECONDS) == 2


def test_a_task_that_fails_for_good_is_told_and_leaves_nothing_it_inserted(start: Start, client: Client) -> None:
    start(Reckoner)
    with pytest.raises(TaskFailed, match="attempt 2"):
        client.insert("fail").result(SECONDS)
    [letter] = DeadLetters(client).all()
    assert (letter.task_class, letter.reason, letter.attempts) == ("fail", "failed", 2)
    assert not [queue for queue in client.status()["queues"] if queue["task_class"] == "add" and queue["waiting"]]


def test_responses_and_progress_come_before_the_result(start: Start, client: Client) -> None:
    start(Reckoner)
    reply = client.insert("tell")
    told: list[Progress] = []
    assert reply.result(SECONDS, progress=told.append) == "three"
    assert told == [Progress(1, 2, "half")]
    assert list(reply) == ["zero", "one", "two", "three"]


def test_local_tasks_are_done_by_the_cell_even_if_all_of_it_waits_for_them(start: Start, client: Client) -> None:
    start(Splitter)
    assert client.insert("split", [1, 2, 3]).result(SECONDS) == 12


def test_a_local_task_that_fails_fails_the_task_it_came_of(start: Start, client: Client) -> None:
    start(Splitter)
    with pytest.raises(TaskFailed, match="negative"):
        client.insert("split", [1, -2]).result(SECONDS)
    [letter] = DeadLetters(client).all()
    assert (letter.task_class, letter.message) == ("split", "negative")


def test_what_a_step_inserts_has_the_same_ids_each_time_it_is_repeated(start: Start, client: Client) -> None:
    start(Splitter, Reckoner)
    client.insert("ids").result(SECONDS)
    first, second = events.get(timeout=SECONDS), events.get(timeout=SECONDS)
    assert first == second
    assert len({*first, "mine"}) == 4
    client.insert("ids").result(SECONDS)
    assert not set(events.get(timeout=SECONDS)) & set(first)


def test_a_worker_that_dies_of_a_message_it_was_sent_is_replaced(
    start: Start, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    Fragile.made = 0
    start(Fragile)
    assert client.insert("who").result(SECONDS) == "worker 1"
    [ref] = pykka.ActorRegistry.get_by_class(Fragile)
    ref.tell("die")
    assert ref.actor_stopped.wait(SECONDS)
    assert client.insert("who").result(SECONDS) == "worker 2"
    assert "another takes its place" in caplog.text


class Fragile(Worker):
    made = 0

    def on_start(self) -> None:
        Fragile.made += 1
        self.number = Fragile.made

    @ability("who")
    def who(self) -> str:
        return f"worker {self.number}"

    def on_receive(self, message: Any) -> Any:
        raise ValueError(message)


def test_stopping_finishes_what_is_begun_and_gives_the_rest_back(start: Start, client: Client) -> None:
    ref = start(Reckoner, concurrency={"Reckoner": 1})
    first = client.insert("hold", "first")
    assert events.get(timeout=SECONDS) == "first"
    second = client.insert("hold", "second")
    stopping = threading.Thread(target=ref.stop)
    stopping.start()
    gate.set()
    stopping.join(SECONDS)
    assert not ref.is_alive()
    assert first.result(SECONDS) == "first"
    assert events.empty()
    start(Reckoner)
    assert second.result(SECONDS) == "second"


def test_status_shows_who_is_here_and_what_they_do(start: Start, client: Client) -> None:
    start(Reckoner)
    client.insert("hold", "busy")
    assert events.get(timeout=SECONDS) == "busy"
    [drone] = client.status()["drones"]
    assert sorted(worker["state"] for worker in drone["workers"]) == ["busy", "idle"]
    assert {worker["task_class"] for worker in drone["workers"]} == {"hold", None}
    assert drone["holding"] == 1
    gate.set()


def test_a_plain_mapping_of_functions_is_a_worker(embedded_bus: EmbeddedBus, client: Client) -> None:
    address = embedded_bus.address
    worker = Worker(
        hostname=address.host,
        port=address.port,
        login=address.login,
        passcode=address.passcode,
        ability={"do.something": lambda a, b: a + b, "most": max},
    )
    working = threading.Thread(target=worker.work)
    working.start()
    try:
        assert client.insert_task(Task(task_class="do.something", args=[1, 2])).result(SECONDS) == 3
        assert client.insert("most", 3, 5).result(SECONDS) == 5
    finally:
        worker.terminate()
        working.join(SECONDS)
    assert not working.is_alive()


def test_a_worker_at_rest_says_that_it_is_performing_nothing() -> None:
    with pytest.raises(SwarmageError, match="not performing a task"):
        Worker().insert("a")


# what keeps a drone from starting


class Unmakeable(Worker):
    def __init__(self) -> None:
        raise OSError("no model file")

    @ability("a")
    def a(self) -> None: ...


class Forgetful(Worker):
    def __init__(self) -> None:
        self.size = 3

    @ability("a")
    def a(self) -> None: ...


class Unstartable(Worker):
    def on_start(self) -> None:
        raise SystemExit("no database")

    @ability("a")
    def a(self) -> None: ...


class Leaver(Worker):
    def __init__(self) -> None:
        sys.exit("gone")

    @ability("a")
    def a(self) -> None: ...


class Idle(Worker):
    pass


@pytest.mark.parametrize(
    ("worker", "says"),
    [(Unmakeable, "no model file"), (Forgetful, ""), (Unstartable, "no database"), (Leaver, "gone")],
)
def test_a_worker_that_cannot_start_stops_the_drone_and_is_named(start: Start, worker: type[Worker], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        start(Reckoner, worker)
    assert f"worker {worker.__name__}" in str(caught.value)
    assert says in str(caught.value)
    for ref in pykka.ActorRegistry.get_by_class(Reckoner):
        assert ref.actor_stopped.wait(SECONDS)


@pytest.mark.parametrize(
    ("workers", "concurrency", "says"),
    [
        ([], {}, "at least one"),
        ([Idle], {}, "Idle has no abilities"),
        ([Reckoner], {"Nobody": 1}, "'Nobody'"),
        ([Reckoner], {"Reckoner": 0}, "Reckoner must be"),
        ([Reckoner], {"Reckoner": 1001}, "Reckoner must be"),
    ],
)
def test_a_drone_that_makes_no_sense_is_refused(
    start: Start, workers: list[type[Worker]], concurrency: dict[str, int], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        start(*workers, concurrency=concurrency)


def test_a_drone_without_a_bus_does_not_start(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swarmage.drone.drone.CONNECT_TIMEOUT", 0.05)
    with pytest.raises(BusUnreachable):
        Drone.start(workers=[Reckoner], url="stomp://127.0.0.1:1")


@pytest.mark.parametrize(
    "settings", [{"concurrency": 0}, {"concurrency": 1001}, {"concurrency": 1.5}, {"isolation": "prison"}]
)
def test_a_worker_class_that_makes_no_sense_is_refused_when_it_is_defined(settings: dict[str, Any]) -> None:
    with pytest.raises(AbilityError, match=f"Wrong.{next(iter(settings))}"):
        type("Wrong", (Worker,), settings)


class Helper(Worker):
    """Both of these can perform ``help``; only one of them is free to when it comes."""

    concurrency = 2

    @ability("wait.busy", retries=0)
    def wait_busy(self) -> None:
        self.local("leaf").result(SECONDS)
        events.put("busy")
        gate.wait(SECONDS)

    @ability("wait.free", retries=0)
    def wait_free(self) -> Any:
        return self.local("ask").result(SECONDS)

    @ability("help")
    def help(self) -> str:
        return "helped"


class Asker(Worker):
    concurrency = 2

    @ability("leaf")
    def leaf(self) -> None:
        events.put("leaf")
        leaf_gate.wait(SECONDS)

    @ability("ask")
    def ask(self) -> Any:
        events.put("ask")
        ask_gate.wait(SECONDS)
        return self.local("help").result(1.0)


leaf_gate, ask_gate = threading.Event(), threading.Event()


def test_a_worker_that_no_longer_waits_is_not_the_one_woken_for_a_local_task(start: Start, client: Client) -> None:
    leaf_gate.clear()
    ask_gate.clear()
    start(Helper, Asker)
    free = client.insert("wait.free")
    assert events.get(timeout=SECONDS) == "ask"
    client.insert("wait.busy")
    assert events.get(timeout=SECONDS) == "leaf"
    leaf_gate.set()
    assert events.get(timeout=SECONDS) == "busy"
    ask_gate.set()
    try:
        assert free.result(SECONDS) == "helped"
    finally:
        gate.set()


class Limited(Worker):
    """One worker: while it waits for a local task it performs others itself."""

    @ability("limit.wait", timeout=0.2, retries=0)
    def wait(self) -> str:
        nested = self.local("limit.hold")
        try:
            nested.result(SECONDS)
        finally:
            events.put("told")
        return "never"

    @ability("limit.hold")
    def hold(self) -> None:
        gate.wait(0.5)

    @ability("limit.loop", timeout=0.2, retries=0)
    def loop(self) -> None:
        while not gate.wait(0.001):
            pass

    @ability("limit.fine")
    def fine(self) -> str:
        return "fine"


def test_a_task_over_its_timeout_is_a_dead_letter_and_its_worker_goes_on(start: Start, client: Client) -> None:
    start(Limited)
    with pytest.raises(TaskFailed, match="TaskTimeout"):
        client.insert("limit.loop").result(SECONDS)
    assert client.insert("limit.fine").result(SECONDS) == "fine"


def test_a_limit_that_ends_while_a_local_task_is_performed_loses_neither(start: Start, client: Client) -> None:
    ref = start(Limited)
    with pytest.raises(TaskFailed, match="TaskTimeout"):
        client.insert("limit.wait").result(SECONDS)
    assert events.get(timeout=SECONDS) == "told"
    assert client.insert("limit.fine").result(SECONDS) == "fine"
    ref.stop(timeout=SECONDS)  # which waits for trees that have not ended


def test_an_ancestral_worker_may_perform_task_classes_of_any_name(embedded_bus: EmbeddedBus, client: Client) -> None:
    names = ("local", "insert", "concurrency", "abilities", "work")
    worker = Worker(url=embedded_bus.url, ability={name: (lambda name=name: name) for name in names})
    working = threading.Thread(target=worker.work)
    working.start()
    try:
        assert [client.insert(name).result(SECONDS) for name in names] == list(names)
    finally:
        worker.terminate()
        working.join(SECONDS)
    assert not working.is_alive()


class Odd(Worker):
    """Abilities whose results and errors have broken drones."""

    concurrency = 4

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    @ability("odd.fan", retries=0)
    def fan(self, parts: int) -> int:
        return sum(part.result(SECONDS) for part in [self.local("odd.part") for _ in range(parts)])

    @ability("odd.part", retries=0)
    def part(self) -> int:
        return int(self.local("odd.leaf").result(SECONDS))

    @ability("odd.leaf", retries=0)
    def leaf(self) -> int:
        return 1

    @ability("odd.chain", retries=0)
    def chain(self, depth: int) -> int:
        if depth == 0:
            raise ValueError("at the bottom")
        return int(self.local("odd.chain", depth - 1).result(SECONDS))

    @ability("odd.deep", retries=0)
    def deep(self) -> Any:
        nested: Any = [None]
        for _ in range(400):
            nested = [nested]
        return nested

    @ability("odd.live")
    def live(self, number: int) -> list[int]:
        self.seen.append(number)
        return self.seen

    @ability("odd.timeout", retries=0)
    def timeout(self) -> None:
        raise TaskTimeout("my own")

    @ability("odd.much", retries=0)
    def much(self) -> None:
        for _ in range(20):
            self.insert("odd.leaf", "x" * 3_900_000)


def test_a_fan_out_of_tasks_that_wait_themselves_does_not_exhaust_the_stack(start: Start, client: Client) -> None:
    start(Odd)
    assert client.insert("odd.fan", 300).result(SECONDS * 3) == 300


def test_an_error_through_many_local_tasks_keeps_its_size(start: Start, client: Client) -> None:
    start(Odd)
    with pytest.raises(TaskFailed, match="at the bottom") as caught:
        client.insert("odd.chain", 18).result(SECONDS)
    assert len(str(caught.value)) < 10_000


def test_a_result_that_is_too_deep_for_anybody_ends_its_task_and_not_its_drone(start: Start, client: Client) -> None:
    start(Odd)
    reply = client.insert("odd.deep")
    with contextlib.suppress(TaskFailed):
        reply.result(SECONDS)
    assert reply.done
    assert client.insert("odd.leaf").result(SECONDS) == 1


def test_a_reply_is_what_the_ability_returned_when_it_returned(start: Start, client: Client) -> None:
    start(Odd, concurrency={"Odd": 1})
    replies = client.insert_many("odd.live", range(100))
    results = sorted((reply.result(SECONDS) for reply in replies), key=len)
    assert [len(result) for result in results] == list(range(1, 101))
    assert all(result == results[-1][: len(result)] for result in results)


def test_a_timeout_that_a_task_raises_itself_is_an_error_like_any_other(start: Start, client: Client) -> None:
    start(Odd)
    with pytest.raises(TaskFailed, match="my own"):
        client.insert("odd.timeout").result(SECONDS)


def test_a_task_that_inserts_too_much_is_told_so_before_the_bus_is(start: Start, client: Client) -> None:
    start(Odd)
    with pytest.raises(TaskFailed, match="insert fewer tasks"):
        client.insert("odd.much").result(SECONDS)


def test_two_stops_at_once_are_both_answered(start: Start, client: Client) -> None:
    ref = start(Reckoner)
    stops = [threading.Thread(target=ref.stop, kwargs={"timeout": SECONDS}) for _ in range(4)]
    for stop in stops:
        stop.start()
    for stop in stops:
        stop.join(SECONDS)
        assert not stop.is_alive()


class Blocker(Worker):
    concurrency = 2

    @ability("block.hold", hard_timeout=0.2, retries=0)
    def hold(self) -> None:
        events.put("hold")
        gate.wait(SECONDS * 4)

    @ability("block.other", retries=0)
    def other(self) -> None:
        events.put("other")
        other_gate.wait(SECONDS)


other_gate = threading.Event()


def test_a_drone_leaves_with_a_task_that_is_over_its_hard_limit(
    start: Start, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarmage.drone.drone.OVERRUN_GRACE", 0.2)
    other_gate.clear()
    told: SimpleQueue[str] = SimpleQueue()
    ref = start(Blocker, overrun=told.put)
    other = client.insert("block.other")
    assert events.get(timeout=SECONDS) == "other"
    hold = client.insert("block.hold")
    assert told.get(timeout=SECONDS) == f"block.hold {hold.id}"
    with pytest.raises(TaskFailed, match=r"hard_timeout of 0\.2 s"):
        hold.result(SECONDS)
    assert ref.actor_stopped.wait(SECONDS)
    [letter] = DeadLetters(client).all()
    assert (letter.id, letter.reason, letter.attempts) == (hold.id, "failed", 1)
    other_gate.set()
    start(Blocker)
    assert other.result(SECONDS) is None  # it was given back
    gate.set()  # a thread of this process, which nobody has ended


def test_a_response_that_cannot_be_carried_is_not_waited_for(start: Start, client: Client) -> None:
    start(Reckoner)
    assert list(client.insert("tell.badly").parts(SECONDS)) == ["one", "two", "three"]


def test_a_response_sent_at_once_comes_while_the_task_runs_and_only_once(start: Start, client: Client) -> None:
    start(Reckoner)
    reply = client.insert("tell.soon")
    parts = reply.parts(SECONDS)
    assert next(parts) == "one"
    assert not reply.done
    gate.set()
    assert list(parts) == ["two", "three"]
    assert reply.responses == ["one", "two"]


def test_the_originator_hears_that_a_worker_has_begun_if_it_asked_for_it(start: Start, client: Client) -> None:
    start(Reckoner)
    asked = client.insert_task(Task(task_class="hold", args=["a"], acknowledge=True))
    unasked = client.insert_task(Task(task_class="hold", args=["b"]))
    assert {events.get(timeout=SECONDS), events.get(timeout=SECONDS)} == {"a", "b"}
    assert asked.begun(SECONDS)
    assert not unasked.begun(0.01)
    assert not asked.done
    gate.set()
    assert asked.result(SECONDS) == "a"
    assert unasked.result(SECONDS) == "b"


def numbered(number: int) -> Any:
    """Return an ability of its own."""

    @ability(f"numbered.{number}")
    def perform(self: Worker) -> int:
        return number

    return perform


def test_a_drone_may_have_more_than_a_thousand_task_classes(start: Start, client: Client) -> None:
    count = 1_100
    start(type("Numbered", (Worker,), {f"perform{number}": numbered(number) for number in range(count)}))
    assert [client.insert(f"numbered.{number}").result(SECONDS) for number in (0, 500, count - 1)] == [0, 500, 1099]
