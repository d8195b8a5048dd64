"""AsyncWorkers in a whole cell on the real embedded bus."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import pykka
import pytest

from swarmage.abilities import ability
from swarmage.client.client import Client
from swarmage.client.heard import Progress
from swarmage.drone.coroutines import async_loop
from swarmage.drone.coroutines.async_worker import AsyncWorker
from swarmage.drone.worker import Worker
from swarmage.errors import AbilityError, ConfigError, SwarmageError, TaskFailed
from swarmage.task import Task

from ...conftest import EmbeddedBus
from ...fakes import SECONDS
from ..conftest import Start

LONG = 30.0
events: SimpleQueue[Any] = SimpleQueue()
gate = threading.Event()
seen: ContextVar[str] = ContextVar("seen", default="nothing")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    gate.clear()
    while not events.empty():
        events.get()
    yield
    gate.set()


async def opened() -> None:
    """Wait for the gate without holding up the loop."""
    await asyncio.to_thread(gate.wait, SECONDS)


@dataclass
class Page:
    url: str
    size: int


class Fetch(AsyncWorker):
    concurrency = 500
    together = 0
    all_here: asyncio.Event

    async def on_start(self) -> None:
        self.all_here = asyncio.Event()

    @ability("fetch")
    async def fetch(self, page: Page, times: int = 1) -> list[Page]:
        await asyncio.wait_for(asyncio.Event().wait(), 0.001) if times < 0 else None
        return [page] * times

    @ability("meet", retries=0)
    async def meet(self, count: int) -> int:
        self.together += 1
        if self.together == count:
            self.all_here.set()
        async with asyncio.timeout(LONG):
            await self.all_here.wait()
        return self.together

    @ability("stream", retries=0)
    async def stream(self, count: int) -> AsyncIterator[int]:
        for number in range(count):
            await asyncio.to_thread(int)
            yield number
            if number == 5:
                raise ValueError("six is too many")

    @ability("half", retries=0)
    async def half(self) -> str:
        self.progress(1, 2, "half")
        self.progress(1, 2, "too soon after that")
        await opened()
        return "whole"

    @ability("inside", retries=0)
    async def inside(self) -> list[str]:
        async def part() -> str:
            await asyncio.to_thread(int)
            return self.task.id

        found = list(await asyncio.gather(part(), part()))
        async with asyncio.TaskGroup() as group:
            found.append(await group.create_task(part()))
        found.append(await asyncio.to_thread(lambda: self.task.id))
        await asyncio.create_task(self._insert())
        return found

    async def _insert(self) -> None:
        events.put(self.insert("told", 1))

    @ability("told")
    async def told(self, number: int) -> None:
        events.put(number)

    @ability("look", retries=0)
    async def look(self) -> str:
        before = seen.get()
        seen.set("something")
        return before

    @ability("hold", retries=0)
    async def hold(self, name: str) -> str:
        events.put(name)
        await opened()
        return name


def test_a_coroutine_performs_a_task_whose_arguments_were_converted(start: Start, client: Client) -> None:
    start(Fetch)
    assert client.insert(Fetch.fetch, Page("a", 1), times=2).result(SECONDS) == [Page("a", 1)] * 2
    with pytest.raises(TaskFailed, match="ArgumentError"):
        client.insert("fetch", 3, 4, 5).result(SECONDS)


def test_as_many_tasks_run_at_once_as_there_are_slots(start: Start, client: Client) -> None:
    start(Fetch)
    replies = client.insert_many("meet", [500] * 500)
    assert {reply.result(SECONDS) for reply in replies} == {500}


def test_an_async_generator_responds_and_has_no_result(start: Start, client: Client) -> None:
    start(Fetch)
    reply = client.insert(Fetch.stream, 3)
    assert reply.result(SECONDS) is None
    assert reply.responses == [0, 1, 2]
    with pytest.raises(TaskFailed, match="six is too many"):
        client.insert(Fetch.stream, 9).result(SECONDS)


def test_the_originator_hears_that_it_has_begun(start: Start, client: Client) -> None:
    start(Fetch)
    reply = client.insert_task(Task(task_class="meet", args=[2], acknowledge=True))
    assert reply.begun(LONG)
    assert not reply.done
    assert client.insert("meet", 2).result(LONG) == reply.result(LONG) == 2


def test_progress_comes_while_the_task_runs_and_not_too_often(start: Start, client: Client) -> None:
    start(Fetch)
    said: list[Progress] = []

    def hear(progress: Progress) -> None:
        said.append(progress)
        gate.set()

    replies = client.insert_many(Fetch.half, [()] * 2)
    assert replies[0].result(SECONDS, progress=hear) == "whole"
    assert said == [Progress(1, 2, "half")]
    assert replies[1].result(SECONDS) == "whole"


def test_every_asyncio_task_of_a_task_knows_what_it_performs(start: Start, client: Client) -> None:
    start(Fetch)
    reply = client.insert(Fetch.inside)
    assert reply.result(SECONDS) == [reply.id] * 4
    assert len(events.get(timeout=SECONDS)) == 36
    assert events.get(timeout=SECONDS) == 1


def test_the_context_of_one_task_is_not_seen_by_the_next(start: Start, client: Client) -> None:
    start(Fetch)
    assert [client.insert(Fetch.look).result(SECONDS) for _ in range(3)] == ["nothing"] * 3


def test_status_and_current_runs_show_what_is_performed(start: Start, client: Client) -> None:
    ref = start(Fetch)
    replies = client.insert_many("hold", ["a", "b"])
    assert {events.get(timeout=SECONDS) for _ in replies} == {"a", "b"}
    (worker,) = ref._actor_weakref()._crew.workers  # type: ignore[union-attr]
    assert {run.task.id for run in worker.current_runs} == {reply.id for reply in replies}
    (shown,) = client.status(SECONDS)["drones"][0]["workers"]
    assert (shown["name"], shown["state"], shown["task_class"]) == ("Fetch", "busy", "hold")
    gate.set()
    assert [reply.result(SECONDS) for reply in replies] == ["a", "b"]


def test_two_drones_share_what_one_has_no_slots_for(start: Start, client: Client) -> None:
    class Pair(AsyncWorker):
        concurrency = 20

        @ability("pair", retries=0)
        async def pair(self) -> None:
            events.put(None)
            await opened()

    start(Pair)
    start(Pair)
    replies = client.insert_many("pair", [()] * 40)
    for _ in replies:
        events.get(timeout=SECONDS)
    gate.set()
    assert [reply.result(SECONDS) for reply in replies] == [None] * 40


def test_a_thousand_slots_are_a_thousand_tasks_at_once(start: Start, client: Client) -> None:
    start(Fetch, concurrency={"Fetch": 1_000})
    client.insert_many("meet", [1_000] * 999, reply=False)
    assert client.insert("meet", 1_000).result(LONG) == 1_000


class Ender(AsyncWorker):
    @ability("end", retries=0)
    async def end(self, how: str) -> str:
        match how:
            case "exit":
                sys.exit(3)
            case "interrupt":
                raise KeyboardInterrupt
            case "cancelled":
                raise asyncio.CancelledError
            case "cancel":
                current = asyncio.current_task()
                assert current is not None
                current.cancel()
                await asyncio.Event().wait()
            case "deep":
                return await self.end(how)
            case "child":
                await asyncio.create_task(self._exit())
            case "orphan":
                self.orphan = asyncio.create_task(self._exit())
        return how

    async def _exit(self) -> None:
        sys.exit(4)

    @ability("massacre", retries=0)
    async def massacre(self) -> None:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    @ability("hold.on", retries=0)
    async def hold_on(self) -> None:
        events.put("held")
        await opened()


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("exit", "SystemExit"),
        ("interrupt", "KeyboardInterrupt"),
        ("cancelled", "CancelledError"),
        ("cancel", "CancelledError"),
        ("deep", "RecursionError"),
        ("child", "SystemExit"),
    ],
)
def test_whatever_a_coroutine_raises_ends_only_its_task(start: Start, client: Client, how: str, kind: str) -> None:
    ref = start(Ender)
    neighbour = client.insert(Ender.hold_on)
    assert events.get(timeout=SECONDS) == "held"
    with pytest.raises(TaskFailed) as caught:
        client.insert(Ender.end, how).result(SECONDS)
    assert caught.value.kind == kind
    gate.set()
    assert neighbour.result(SECONDS) is None
    assert client.insert(Ender.end, "well").result(SECONDS) == "well"
    assert ref.is_alive()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_forgotten_coroutine_that_exits_does_not_end_the_loop(start: Start, client: Client) -> None:
    start(Ender)
    assert client.insert(Ender.end, "orphan").result(SECONDS) == "orphan"
    assert client.insert(Ender.end, "well").result(SECONDS) == "well"


def test_a_task_that_cancels_whatever_it_finds_loses_none(start: Start, client: Client) -> None:
    start(Ender, concurrency={"Ender": 1000})
    replies = client.insert_many("massacre", [()] * 300)
    for reply in replies:
        with contextlib.suppress(TaskFailed):
            reply.result(SECONDS)
    assert client.insert(Ender.end, "well").result(SECONDS) == "well"


class Hooked(AsyncWorker):
    concurrency = 2

    async def on_start(self) -> None:
        await asyncio.to_thread(int)
        self.said = "hello"

    async def on_stop(self) -> None:
        await asyncio.to_thread(int)
        events.put("stopped")

    async def on_receive(self, message: Any) -> Any:
        await asyncio.to_thread(int)
        if message == "exit":
            sys.exit(5)
        events.put(message)
        return f"{self.said}, {message}"

    async def spoken(self, word: str) -> str:
        await asyncio.to_thread(int)
        return word

    @ability("hooked")
    async def hooked(self) -> str:
        return self.said


def actor(ref: pykka.ActorRef[Any]) -> pykka.ActorRef[Any]:
    return ref._actor_weakref()._crew.workers[0].actor_ref  # type: ignore[union-attr,no-any-return]


def test_hooks_and_messages_may_be_coroutines(start: Start, client: Client) -> None:
    ref = start(Hooked)
    assert client.insert(Hooked.hooked).result(SECONDS) == "hello"
    worker = actor(ref)
    assert worker.ask("you", timeout=SECONDS) == "hello, you"
    worker.tell("there")
    proxy = worker.proxy()
    assert proxy.spoken("word").get(timeout=SECONDS) == "word"
    assert proxy.said.get(timeout=SECONDS) == "hello"
    with pytest.raises(SystemExit):
        worker.ask("exit", timeout=SECONDS)
    assert client.insert(Hooked.hooked).result(SECONDS) == "hello"
    ref.stop(timeout=SECONDS)
    assert [events.get(timeout=SECONDS) for _ in range(3)] == ["you", "there", "stopped"]


def test_a_worker_that_dies_of_a_message_is_replaced_and_what_it_performs_goes_on(
    start: Start, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    class Mortal(Hooked):
        @ability("mortal.hold")
        async def hold(self) -> str:
            events.put("held")
            await opened()
            return "done"

    ref = start(Mortal)
    held = client.insert(Mortal.hold)
    assert events.get(timeout=SECONDS) == "held"
    old = actor(ref)
    old.tell("exit")
    assert old.actor_stopped.wait(SECONDS)
    assert client.insert("hooked").result(SECONDS) == "hello"
    gate.set()
    assert held.result(SECONDS) == "done"
    assert "Mortal has died" in caplog.text


def test_a_worker_that_is_stopped_ends_what_it_has_begun_first(start: Start, client: Client) -> None:
    ref = start(Fetch)
    held = client.insert(Fetch.hold, "a")
    assert events.get(timeout=SECONDS) == "a"
    stopped = actor(ref).stop(block=False)
    gate.set()
    assert stopped.get(timeout=SECONDS)
    assert held.result(SECONDS) == "a"
    assert client.insert(Fetch.look).result(SECONDS) == "nothing"  # by another, which has taken its place


class Unstartable(AsyncWorker):
    async def on_start(self) -> None:
        await asyncio.to_thread(int)
        sys.exit("no page")

    @ability("never")
    async def never(self) -> None: ...


def test_a_worker_whose_start_fails_stops_the_drone_and_is_named(start: Start) -> None:
    with pytest.raises(ConfigError, match="Unstartable cannot start: SystemExit: no page"):
        start(Unstartable)


def test_stopping_finishes_what_is_begun(start: Start, client: Client) -> None:
    ref = start(Fetch)
    held = client.insert(Fetch.hold, "a")
    assert events.get(timeout=SECONDS) == "a"
    stopped = ref.stop(block=False)
    gate.set()
    assert stopped.get(timeout=SECONDS)
    assert held.result(SECONDS) == "a"


class Stubborn(AsyncWorker):
    @ability("stubborn", retries=0)
    async def stubborn(self) -> str:
        if gate.is_set():
            return "later"
        events.put("begun")
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            await asyncio.Event().wait()
        finally:
            events.put("cleaned up")
        return "never"


def test_what_is_over_the_grace_cleans_up_and_goes_back_to_the_bus(
    start: Start, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_loop, "AGAIN", 0.1)
    ref = start(Stubborn, grace=0.1)
    reply = client.insert(Stubborn.stubborn)
    assert events.get(timeout=SECONDS) == "begun"
    ref.stop(timeout=SECONDS)
    assert events.get(timeout=SECONDS) == "cleaned up"
    assert not [thread for thread in threading.enumerate() if thread.name == "event loop"]
    gate.set()
    start(Stubborn)
    assert reply.result(SECONDS) == "later"


def test_the_wrong_kind_of_function_is_refused_when_the_class_is_defined() -> None:
    with pytest.raises(AbilityError, match=r"Threaded\.go is async.*make .*Threaded an AsyncWorker"):

        class Threaded(Worker):
            @ability("a")
            async def go(self) -> None: ...

    with pytest.raises(AbilityError, match=r"Threaded\.parts is async"):

        class Threaded(Worker):  # type: ignore[no-redef]
            @ability("a")
            async def parts(self) -> AsyncIterator[int]:
                yield 1

    with pytest.raises(AbilityError, match=r"Looped\.go is a plain def.*or .*Looped a Worker"):

        class Looped(AsyncWorker):
            @ability("a")
            def go(self) -> None: ...


@pytest.mark.parametrize("concurrency", [0, 100_001, True])
def test_a_number_of_slots_that_makes_no_sense_is_refused(start: Start, concurrency: Any) -> None:
    with pytest.raises(AbilityError, match="1 to 100000"):
        type("Wrong", (AsyncWorker,), {"concurrency": concurrency})
    if concurrency is not True:
        with pytest.raises(ConfigError, match="1 to 100000"):
            start(Fetch, concurrency={"Fetch": concurrency})


def test_it_needs_a_drone_and_outside_a_task_there_is_none() -> None:
    with pytest.raises(ConfigError, match="give it to a Drone"):
        Fetch.start()
    assert not pykka.ActorRegistry.get_by_class(Fetch)
    with pytest.raises(SwarmageError, match="not performing"):
        _ = Fetch().task


def test_an_ancestral_worker_may_perform_coroutines(embedded_bus: EmbeddedBus, client: Client) -> None:
    async def double(number: int) -> int:
        await asyncio.to_thread(int)
        return 2 * number

    address = embedded_bus.address
    worker = AsyncWorker(
        hostname=address.host, port=address.port, login="ann", passcode="s3cret", ability={"double": double}
    )
    thread = threading.Thread(target=worker.work)
    thread.start()
    try:
        assert client.insert("double", 4).result(SECONDS) == 8
    finally:
        worker.terminate()
        thread.join(SECONDS)
