"""Spread::Queue's Worker and Sender, on the embedded bus."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from swarmage import spread_queue
from swarmage.errors import ConfigError, SwarmageError, TaskFailed
from swarmage.spread_queue import Sender, Worker

from .conftest import EmbeddedBus
from .fakes import SECONDS

Run = Callable[[Worker], threading.Thread]


@pytest.fixture
def run() -> Iterator[Run]:
    started: list[tuple[Worker, threading.Thread]] = []

    def begin(worker: Worker) -> threading.Thread:
        thread = threading.Thread(target=worker.run, daemon=True)
        started.append((worker, thread))
        thread.start()
        return thread

    yield begin
    for worker, thread in started:
        worker.terminate()
        thread.join(SECONDS)
        assert not thread.is_alive()


@pytest.fixture
def sender(embedded_bus: EmbeddedBus) -> Iterator[Sender]:
    with Sender("myqueue", url=embedded_bus.url) as here:
        yield here


def answer(worker: Worker, originator: str | None, input: Any) -> None:  # noqa: A002 - the ancestor's word
    worker.respond(originator, {"response": "I heard you!", "input": input})


def test_the_synopsis(run: Run, sender: Sender, embedded_bus: EmbeddedBus) -> None:
    run(Worker(queue="myqueue", callback=answer, url=embedded_bus.url))
    assert sender.rpc({"name": "x"}, SECONDS) == {"response": "I heard you!", "input": {"name": "x"}}


def test_messages_are_taken_in_turn_and_counted(run: Run, sender: Sender, embedded_bus: EmbeddedBus) -> None:
    worker = Worker(queue="myqueue", callback=answer, url=embedded_bus.url)
    for number in range(20):
        sender.submit(number)
    run(worker)
    assert [sender.receive(SECONDS)["input"] for _ in range(20)] == list(range(20))
    assert worker.metrics["num_messages"] == worker.num_messages == 20
    assert worker.metrics["start_time"] == worker.start_time > 0


def test_several_responses_come_in_order_and_nothing_follows(
    run: Run, sender: Sender, embedded_bus: EmbeddedBus
) -> None:
    def callback(worker: Worker, originator: str | None, input: Any) -> None:  # noqa: A002
        for part in input:
            worker.respond(originator, part)

    run(Worker(queue="myqueue", callback=callback, url=embedded_bus.url))
    sender.submit([1, None, 3])
    assert [sender.receive(SECONDS) for _ in range(3)] == [1, None, 3]
    assert sender.receive(0.01) is None


def test_the_originator_hears_that_a_worker_has_begun_before_the_callback_ends(
    run: Run, sender: Sender, embedded_bus: EmbeddedBus
) -> None:
    gate = threading.Event()
    run(Worker(queue="myqueue", callback=lambda *_: gate.wait(SECONDS), url=embedded_bus.url))
    reply = sender._submit("x")
    assert reply.begun(SECONDS)
    assert not reply.done
    assert sender.receive(0.01) is None
    gate.set()
    reply.result(SECONDS)


def test_an_exception_is_told_and_does_not_end_the_loop(run: Run, sender: Sender, embedded_bus: EmbeddedBus) -> None:
    def callback(worker: Worker, originator: str | None, input: Any) -> None:  # noqa: A002
        worker.respond(originator, 1 / input)

    run(Worker(queue="myqueue", callback=callback, url=embedded_bus.url))
    with pytest.raises(TaskFailed, match="ZeroDivisionError"):
        sender.rpc(0, SECONDS)
    assert sender.rpc(2, SECONDS) == 0.5


def test_rpc_leaves_the_responses_to_others_where_they_are(run: Run, sender: Sender, embedded_bus: EmbeddedBus) -> None:
    run(Worker(queue="myqueue", callback=answer, url=embedded_bus.url))
    sender.submit("first")
    assert sender.rpc("second", SECONDS)["input"] == "second"
    assert sender.receive(SECONDS)["input"] == "first"


def test_terminate_in_the_callback_ends_the_loop_after_the_message_at_hand(
    run: Run, sender: Sender, embedded_bus: EmbeddedBus
) -> None:
    def callback(worker: Worker, originator: str | None, input: Any) -> None:  # noqa: A002
        worker.terminate()
        worker.respond(originator, "last")

    thread = run(Worker(queue="myqueue", callback=callback, url=embedded_bus.url))
    assert sender.rpc("x", SECONDS) == "last"
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert sender.rpc("y", 0.01) is None


def test_it_works_in_an_event_loop(sender: Sender, embedded_bus: EmbeddedBus) -> None:
    called: SimpleQueue[str] = SimpleQueue()

    async def callback(worker: Worker, originator: str | None, input: Any) -> None:  # noqa: A002
        called.put(threading.current_thread().name)
        await asyncio.to_thread(int)
        worker.respond(originator, input + 1)

    async def main() -> Any:
        worker = Worker(queue="myqueue", callback=callback, url=embedded_bus.url)
        worker.setup_event()
        try:
            return await asyncio.to_thread(sender.rpc, 1, SECONDS)
        finally:
            worker.terminate()

    assert asyncio.run(main()) == 2
    assert called.get() == threading.current_thread().name


def test_a_loop_that_ends_with_a_callback_in_it_holds_up_nobody(
    sender: Sender, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread_queue, "LOOK_SECONDS", 0.05)

    async def callback(*_: Any) -> None:
        await asyncio.Event().wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    worker = Worker(queue="myqueue", callback=callback, url=embedded_bus.url)
    worker.setup_event(loop)
    try:
        reply = sender._submit("x")
        assert reply.begun(SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        with pytest.raises(TaskFailed, match="the event loop of queue myqueue has ended"):
            reply.result(SECONDS)
    finally:
        worker.terminate()
        thread.join(SECONDS)
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:  # or the loop was stopped before it began one
            loop.run_until_complete(asyncio.wait(left))
        loop.close()


def test_who_is_not_at_hand_cannot_be_responded_to(embedded_bus: EmbeddedBus) -> None:
    worker = Worker(queue="myqueue", callback=answer, url=embedded_bus.url)
    with pytest.raises(SwarmageError, match="at hand"):
        worker.respond("/queue/swarmage.reply.x", 1)


def test_status_names_the_workers(run: Run, sender: Sender, embedded_bus: EmbeddedBus) -> None:
    run(Worker(queue="myqueue", callback=answer, url=embedded_bus.url))
    sender.rpc("x", SECONDS)
    status = sender.status()
    assert status["queue"] == "myqueue"
    assert len(status["workers"]) == 1


def test_the_queue_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, embedded_bus: EmbeddedBus) -> None:
    monkeypatch.setenv("SPREAD_QUEUE", "theirs")
    assert Worker(callback=answer, url=embedded_bus.url).queue == "theirs"
    with Sender(url=embedded_bus.url) as here:
        assert here.queue == "theirs"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"callback": answer}, "queue name is required"),
        ({"queue": "q"}, "callback function is required"),
        ({"queue": "q", "callback": "x"}, "callback function is required"),
        ({"queue": "q", "callback": answer, "heartbeat": 0}, "heartbeat"),
        ({"queue": "no spaces", "callback": answer}, "no spaces"),
    ],
)
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], words: str) -> None:
    monkeypatch.delenv("SPREAD_QUEUE", raising=False)
    with pytest.raises(ConfigError, match=words):
        Worker(**settings)
