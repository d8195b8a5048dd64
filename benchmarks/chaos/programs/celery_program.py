"""Celery, on RabbitMQ or on Redis; with CHAOS_LATE=1 as it is advised for tasks that must not be lost."""

from __future__ import annotations

from celery import Celery
from kombu import Queue
from note import LATE, QUEUE, URL, perform, run

ON_RABBITMQ = URL.startswith("amqp")

app = Celery("celery_program", broker=URL)
app.conf.update(
    task_acks_late=LATE,
    task_reject_on_worker_lost=LATE,
    worker_prefetch_multiplier=1 if LATE else 4,  # as its page on late acknowledgement says; 4 is its default
    task_ignore_result=True,
    task_queues=[Queue(QUEUE, durable=True)],
    task_default_queue=QUEUE,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"confirm_publish": True} if ON_RABBITMQ else {},
)


@app.task(name="work")
def work(number: int) -> None:
    perform(number)


def left() -> int:
    """Return the tasks that Celery still has on Redis: those that wait, and those it believes to be performed."""
    with app.connection() as connection:
        redis = connection.default_channel.client
        return int(redis.llen(QUEUE) + redis.hlen("unacked"))


if __name__ == "__main__":
    run(lambda number: work.apply_async((number,)), left)
