"""swarmage, on its embedded bus or on RabbitMQ."""

from __future__ import annotations

import sys

from benchmarks.compare.programs.counting import count, note
from benchmarks.compare.programs.serving import BULK, ONE, PROCESSES, THREADS, URL, Program, each
from swarmage import Client, Worker, ability


class Counting(Worker):
    """The same task as everywhere."""

    concurrency = THREADS

    @ability("bench.noop")
    def noop(self, number: int) -> None:
        count()

    @ability("bench.begin")
    def begin(self, due: float) -> None:
        note(due)


def main() -> None:
    with Client(URL, timeout=60) as client:

        def insert(*numbers: int) -> None:
            client.insert_many("bench.noop", numbers, reply=False)

        Program(
            packages=["swarmage"],
            ways={BULK: lambda tasks: insert(*range(tasks)), ONE: each(insert)},
            begin=lambda due: client.insert_many("bench.begin", [due], reply=False),
            command=[
                sys.executable, "-m", "swarmage", "drone", "benchmarks.compare.programs.swarmage_program",
                "-p", str(PROCESSES),
            ],
        ).serve()  # fmt: skip


if __name__ == "__main__":
    main()
