"""Dramatiq, on RabbitMQ or on Redis."""

from __future__ import annotations

import sys

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker

from benchmarks.compare.programs.counting import count, note
from benchmarks.compare.programs.serving import LOOSE, ONE, PROCESSES, QUEUE, THREADS, URL, Program, each

ON_RABBITMQ = URL.startswith("amqp")
broker = RabbitmqBroker(url=URL, confirm_delivery=True) if ON_RABBITMQ else RedisBroker(url=URL)
dramatiq.set_broker(broker)


def _noop(number: int) -> None:
    count()


def _begin(due: float) -> None:
    note(due)


noop = dramatiq.actor(_noop, actor_name="noop", queue_name=QUEUE)
begin = dramatiq.actor(_begin, actor_name="begin", queue_name=QUEUE)


def loosely(tasks: int) -> None:
    """Insert without waiting for the confirmations of RabbitMQ, which is Dramatiq's default."""
    loose = RabbitmqBroker(url=URL)
    loose.declare_queue(QUEUE, ensure=True)
    for number in range(tasks):
        loose.enqueue(noop.message(number))
    loose.close()  # which returns when all of it is written


if __name__ == "__main__":
    Program(
        packages=["dramatiq", "pika", "redis"],
        ways={ONE: each(noop.send)} | ({LOOSE: loosely} if ON_RABBITMQ else {}),
        begin=begin.send,
        command=[
            sys.executable, "-m", "dramatiq", "benchmarks.compare.programs.dramatiq_program",
            "--processes", str(PROCESSES), "--threads", str(THREADS),
        ],
    ).serve()  # fmt: skip
