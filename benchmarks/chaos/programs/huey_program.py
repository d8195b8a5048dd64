"""Huey on SQLite, each change synced to the disk."""

from __future__ import annotations

from huey import SqliteHuey
from note import QUEUE, URL, perform, run

huey = SqliteHuey(QUEUE, filename=URL, fsync=True, results=False)


@huey.task(name="work")
def work(number: int) -> None:
    perform(number)


if __name__ == "__main__":
    from huey_program import work as named  # under the name by which the consumer finds it

    run(named, huey.pending_count)
