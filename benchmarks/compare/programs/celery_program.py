"""Celery, on RabbitMQ or on Redis."""

from __future__ import annotations

import sys

from celery import Celery
from kombu import Queue

from benchmarks.compare.programs.counting import count, note
from benchmarks.compare.programs.serving import LOOSE, ONE, PROCESSES, QUEUE, URL, Insert, Program, each

ON_RABBITMQ = URL.startswith("amqp")


def made(*, confirmed: bool) -> Celery:
    app = Celery("bench", broker=URL)
    app.conf.update(
        task_acks_late=True,  # or what a killed worker held would be lost
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=400,
        worker_send_task_events=False,
        task_queues=[Queue(QUEUE, durable=True)],
        task_default_queue=QUEUE,
        task_default_delivery_mode="persistent",
        broker_connection_retry_on_startup=True,
        broker_transport_options={"confirm_publish": confirmed} if ON_RABBITMQ else {"visibility_timeout": 3600},
    )
    return app


app = made(confirmed=ON_RABBITMQ)
loose = made(confirmed=False)


def _noop(number: int) -> None:
    count()


def _begin(due: float) -> None:
    note(due)


noop = app.task(name="noop")(_noop)
begin = app.task(name="begin")(_begin)


def ways() -> dict[str, Insert]:
    confirmed = each(lambda number: noop.apply_async((number,)))
    if not ON_RABBITMQ:
        return {ONE: confirmed}  # Redis answers each command
    return {ONE: confirmed, LOOSE: each(lambda number: loose.send_task("noop", (number,)))}


if __name__ == "__main__":
    Program(
        packages=["celery", "kombu", "redis", "amqp"],
        ways=ways(),
        begin=lambda due: begin.apply_async((due,)),
        command=[
            sys.executable, "-m", "celery", "-A", "benchmarks.compare.programs.celery_program", "worker",
            "--concurrency", str(PROCESSES), "--pool", "prefork", "-O", "fair",
            "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING",
        ],
    ).serve()  # fmt: skip
