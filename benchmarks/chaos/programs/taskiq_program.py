"""taskiq on RabbitMQ."""

from __future__ import annotations

import asyncio

from note import PAUSE_SECONDS, QUEUE, SLOTS, URL, failed, numbers, seconds, write
from taskiq_aio_pika import AioPikaBroker, Exchange, Queue

broker = AioPikaBroker(
    url=URL, task_queues=[Queue(name=QUEUE, durable=True)], exchange=Exchange(name=QUEUE, durable=True), qos=SLOTS
)


@broker.task(task_name="work")
async def work(number: int) -> None:
    write("begun", number)
    await asyncio.sleep(seconds())
    write("done", number)


async def insert() -> None:
    """Insert tasks, each confirmed before the next one, on one loop, so that its connection is looked after."""
    await broker.startup()
    for number in numbers():
        write("attempted", number)
        try:
            await work.kiq(number)
        except Exception as error:  # noqa: BLE001 - of whatever type: the bus may just be gone
            failed(number, error)
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            write("confirmed", number)
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(insert())
