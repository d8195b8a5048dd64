"""Dramatiq, on RabbitMQ or on Redis."""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from note import QUEUE, URL, perform, run

ON_RABBITMQ = URL.startswith("amqp")
broker = RabbitmqBroker(url=URL, confirm_delivery=True) if ON_RABBITMQ else RedisBroker(url=URL)
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name=QUEUE, actor_name="work")
def work(number: int) -> None:
    perform(number)


def left() -> int:
    """Return the tasks that wait on Redis, or that Dramatiq believes to be performed."""
    return int(broker.client.hlen(f"dramatiq:{QUEUE}.msgs"))


if __name__ == "__main__":
    run(work.send, left)
