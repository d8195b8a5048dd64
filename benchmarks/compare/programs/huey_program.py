"""Huey on SQLite, each change synced to the disk."""

from __future__ import annotations

import sys

from huey import SqliteHuey

from benchmarks.compare.programs.counting import count, note
from benchmarks.compare.programs.serving import ONE, QUEUE, THREADS, URL, Program, each

huey = SqliteHuey(QUEUE, filename=URL or ":memory:", fsync=True, results=False)


def _noop(number: int) -> None:
    count()


def _begin(due: float) -> None:
    note(due)


noop = huey.task(name="noop")(_noop)
begin = huey.task(name="begin")(_begin)

if __name__ == "__main__":
    # Under the name by which those who perform find it: a task of Huey is called by its module.
    from benchmarks.compare.programs.huey_program import begin, noop

    Program(
        packages=["huey"],
        ways={ONE: each(noop)},
        begin=begin,
        command=[
            sys.executable, "-m", "huey.bin.huey_consumer", "benchmarks.compare.programs.huey_program.huey",
            "-k", "thread", "-w", str(THREADS), "-d", "0.01", "-b", "1.0", "-m", "0.02", "--quiet",
        ],
    ).serve()  # fmt: skip
