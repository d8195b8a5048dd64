"""taskiq on RabbitMQ. It inserts in coroutines, so many at once, as its users do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

from taskiq_aio_pika import AioPikaBroker, Exchange, Queue

from benchmarks.compare.programs.counting import count, note
from benchmarks.compare.programs.serving import BULK, ONE, PROCESSES, QUEUE, URL, Program

AT_ONCE = 100

broker = AioPikaBroker(
    url=URL,
    task_queues=[Queue(name=QUEUE, durable=True)],
    exchange=Exchange(name=QUEUE, durable=True),
)


async def _noop(number: int) -> None:
    count()


async def _begin(due: float) -> None:
    note(due)


noop = broker.register_task(_noop, task_name="noop")
begin = broker.register_task(_begin, task_name="begin")
loop = asyncio.new_event_loop()


def run(work: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine on the one loop of this program, to which the connection belongs."""
    loop.run_until_complete(work)


async def one_by_one(tasks: int) -> None:
    for number in range(tasks):
        await noop.kiq(number)


async def at_once(tasks: int) -> None:
    for first in range(0, tasks, AT_ONCE):
        await asyncio.gather(*[noop.kiq(number) for number in range(first, min(first + AT_ONCE, tasks))])


if __name__ == "__main__":
    run(broker.startup())
    Program(
        packages=["taskiq", "taskiq-aio-pika", "aio-pika"],
        ways={BULK: lambda tasks: run(at_once(tasks)), ONE: lambda tasks: run(one_by_one(tasks))},
        begin=lambda due: run(begin.kiq(due)),
        command=[
            sys.executable, "-m", "taskiq", "worker", "benchmarks.compare.programs.taskiq_program:broker",
            "--workers", str(PROCESSES), "--ack-type", "when_executed", "--max-async-tasks", "1000",
            "--log-level", "WARNING",
        ],
    ).serve()  # fmt: skip
    run(broker.shutdown())
