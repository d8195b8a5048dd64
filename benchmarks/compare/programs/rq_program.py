"""RQ on Redis."""

from __future__ import annotations

import sys

import redis
from rq import Queue

from benchmarks.compare.programs.counting import count, note
from benchmarks.compare.programs.serving import BULK, ONE, PROCESSES, QUEUE, URL, Program, each

BATCH = 1000
HERE = "benchmarks.compare.programs.rq_program"
queue = Queue(QUEUE, connection=redis.Redis.from_url(URL)) if URL else None


def noop(number: int) -> None:
    count()


def begin(due: float) -> None:
    note(due)


def enqueue(function: str, argument: float) -> None:
    assert queue is not None
    queue.enqueue(f"{HERE}.{function}", argument, result_ttl=0)


def in_bulk(tasks: int) -> None:
    assert queue is not None
    for first in range(0, tasks, BATCH):
        numbers = range(first, min(first + BATCH, tasks))
        queue.enqueue_many([Queue.prepare_data(f"{HERE}.noop", (number,), result_ttl=0) for number in numbers])


if __name__ == "__main__":
    Program(
        packages=["rq", "redis"],
        ways={BULK: in_bulk, ONE: each(lambda number: enqueue("noop", number))},
        begin=lambda due: enqueue("begin", due),
        command=[
            sys.executable, "-m", "rq.cli", "worker-pool", QUEUE, "--url", URL, "--num-workers", str(PROCESSES),
            "--worker-class", "rq.worker.SimpleWorker", "--quiet",
        ],
    ).serve()  # fmt: skip
