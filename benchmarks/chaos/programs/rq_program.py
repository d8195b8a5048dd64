"""RQ on Redis, with retries, without which what a killed worker held counts as failed."""

from __future__ import annotations

import redis
from note import QUEUE, URL, perform, run
from rq import Queue, Retry
from rq.registry import FailedJobRegistry, StartedJobRegistry

RETRIES = 10
queue = Queue(QUEUE, connection=redis.Redis.from_url(URL))


def work(number: int) -> None:
    perform(number)


def left() -> int:
    """Return the tasks that wait, that RQ believes to be performed, and those it has put aside as failed."""
    registries = (StartedJobRegistry(queue=queue), FailedJobRegistry(queue=queue))
    return len(queue) + sum(len(registry.get_job_ids(cleanup=False)) for registry in registries)


if __name__ == "__main__":
    run(lambda number: queue.enqueue("rq_program.work", number, result_ttl=0, retry=Retry(max=RETRIES)), left)
