"""swarmage, on its own bus or on RabbitMQ."""

from __future__ import annotations

from note import QUEUE, SLOTS, perform, run

from swarmage import Client, Worker, ability


class Chaos(Worker):
    concurrency = SLOTS

    @ability(f"{QUEUE}.work")
    def perform(self, number: int) -> None:
        perform(number)


def left() -> int:
    """Return what its own bus holds; others do not tell."""
    with Client() as client:
        queues = client.status()["queues"]
    return sum(queue["waiting"] + queue["in_flight"] + queue["delayed"] for queue in queues)


if __name__ == "__main__":
    with Client(timeout=20.0) as client:
        run(lambda number: client.insert_many(f"{QUEUE}.work", [number], reply=False), left)
