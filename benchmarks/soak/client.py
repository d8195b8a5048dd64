"""``python -m benchmarks.soak.client RATE`` inserts tasks at a steady rate until its stdin ends; it says what came."""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from typing import Any

from swarmage import Client, SwarmageError, Task
from swarmage.client.reply import Reply

TIMEOUT = 30.0
"""Seconds that an insert or a reply may take: a bus that is away for a moment comes back in time."""
TICK_SECONDS = 0.02
MOST_AT_ONCE = 500
"""Tasks inserted together, at most: what a client that was stopped has to catch up with is more."""
ASKED = 10
"""Of so many tasks the originator wants one's reply."""
LARGE_EVERY, LARGE, SMALL = 50, 20_000, 100
"""Every so many tasks one carries so many bytes; the others carry few."""
DELAY = 1.0
KINDS = (
    *["soak.plain"] * 60,
    *["soak.in_coroutine"] * 15,
    *["soak.in_process"] * 10,
    *["soak.delayed"] * 5,
    *["soak.flaky"] * 5,
    *["soak.tree"] * 5,
)
"""The mix, of a hundred tasks each."""


def task(number: int, now: float) -> Task:
    """Return the task of a number."""
    kind = KINDS[number * 37 % len(KINDS)]  # so that kinds take turns
    delayed = kind == "soak.delayed"
    padding = "x" * (SMALL if number % LARGE_EVERY else LARGE)
    args = [number, 0.0 if delayed else now, padding]
    return Task(task_class="soak.plain" if delayed else kind, args=args, delay=DELAY if delayed else 0.0)


class Offering:
    """Inserts, and hears the replies.

    Attributes:
        inserted: tasks whose insert returned.
        right: replies that came, and were right.
        wrong: what came instead.
        doubtful: numbers of tasks whose insert did not return, first and end.
        seconds: how long tasks were inserted.
    """

    def __init__(self, client: Client, rate: float) -> None:
        self._client = client
        self._rate = rate
        self._replies: queue.SimpleQueue[tuple[int, Reply[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._hear, name="replies")
        self.inserted = 0
        self.right = 0
        self.wrong: list[str] = []
        self.doubtful: list[tuple[int, int]] = []
        self.seconds = 0.0

    def run(self, ended: threading.Event) -> None:
        """Insert what is due, until the event."""
        self._thread.start()
        began, number = time.monotonic(), 0
        while not ended.wait(TICK_SECONDS):
            due = int((time.monotonic() - began) * self._rate)
            while number < due:
                end = min(due, number + MOST_AT_ONCE)
                self._insert(number, end)
                number = end
        self.seconds = time.monotonic() - began
        self._replies.put(None)
        self._thread.join()

    def _insert(self, first: int, end: int) -> None:
        now = time.monotonic()
        try:
            for asked in (True, False):
                numbers = [number for number in range(first, end) if (number % ASKED == 0) is asked]
                tasks = [task(number, now) for number in numbers]
                made = self._client.insert_many("soak.plain", tasks, reply=asked)
                if asked:
                    for each in zip(numbers, made, strict=True):
                        self._replies.put(each)
            self.inserted += end - first
        except SwarmageError as error:
            print(f"inserts {first} to {end}: {type(error).__name__}: {error}", file=sys.stderr)
            self.doubtful.append((first, end))

    def _hear(self) -> None:
        while (each := self._replies.get()) is not None:
            number, reply = each
            try:
                result = reply.result(TIMEOUT)
            except SwarmageError as error:
                self.wrong.append(f"task {number}: {type(error).__name__}: {error}")
                continue
            if result == number:
                self.right += 1
            else:
                self.wrong.append(f"task {number}: {result!r}")


def main() -> None:
    """Offer tasks until stdin ends, then print what came of it."""
    ended = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    with Client(timeout=TIMEOUT) as client:
        offering = Offering(client, float(sys.argv[1]))
        offering.run(ended)
    names = ("inserted", "right", "wrong", "doubtful", "seconds")
    print(json.dumps({name: getattr(offering, name) for name in names}))


if __name__ == "__main__":
    main()
