"""taskiq on RabbitMQ."""

from __future__ import annotations

import asyncio

from note import QUEUE, SLOTS, URL, run, seconds, write
from taskiq_aio_pika import AioPikaBroker, Exchange, Queue

broker = AioPikaBroker(
    url=URL, task_queues=[Queue(name=QUEUE, durable=True)], exchange=Exchange(name=QUEUE, durable=True), qos=SLOTS
)
loop = asyncio.new_event_loop()


@broker.task(task_name="work")
async def work(number: int) -> None:
    write("begun", number)
    await asyncio.sleep(seconds())
    write("done", number)


async def count() -> int:
    async with broker.write_conn.channel() as channel:
        queue = await channel.declare_queue(QUEUE, passive=True)
        return int(queue.declaration_result.message_count or 0)


if __name__ == "__main__":
    loop.run_until_complete(broker.startup())
    run(lambda number: loop.run_until_complete(work.kiq(number)), lambda: loop.run_until_complete(count()))
    loop.run_until_complete(broker.shutdown())
