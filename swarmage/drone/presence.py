"""Who is there, and what they do: a drone's answers to who asks.

From: control.  To: bus.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from swarmage.drone.cell import Cell
from swarmage.drone.keyed.checks import is_keyed
from swarmage.drone.run import Run
from swarmage.drone.worker import Worker
from swarmage.errors import BusError, NotEncodable

MOST_STACK = 8000
"""Characters of one stack that are told: its innermost lines."""
MOST_STACKS = 2 * 1024 * 1024
"""Characters of all stacks together."""


class Presence:
    """Answers in the name of one drone. From any thread."""

    def __init__(self, name: str, cell: Cell) -> None:
        self.name = name
        self._cell = cell
        self._started = cell.clock.wall()

    def answer(
        self, reply_to: str, workers: Iterable[Worker], paused: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Say who is here and what they do."""
        self._send(
            reply_to,
            {
                **self._who(),
                "started": round(self._started, 3),
                "holding": self._cell.mailbox.open_trees,
                "paused": paused or {},
                "workers": [self._describe(worker) for worker in workers],
            },
        )

    def say_goodbye(self, reply_to: str) -> None:
        """Say that this drone leaves, and how many tasks it holds."""
        self._send(reply_to, {**self._who(), "holding": self._cell.mailbox.open_trees})

    def show_stacks(self, reply_to: str, workers: Iterable[Worker]) -> None:
        """Say where in its code each worker is, and the drone itself."""
        left = MOST_STACKS
        shown = []
        everybody = tuple(workers)
        for worker in everybody:
            for run in worker.current_runs:
                stack = worker.stack_of(run)[-min(MOST_STACK, left) :] if left else ""
                left -= len(stack)
                shown.append({**self._describe(worker, run), "stack": stack})
        self._send(reply_to, {**self._who(), "workers": shown, "threads": _threads_but(everybody)})

    def _who(self) -> dict[str, Any]:
        return {"id": self.name, "pid": os.getpid(), "host": socket.gethostname()}

    def _send(self, reply_to: str, note: dict[str, Any]) -> None:
        bus = self._cell.bus
        try:
            bus.connection(0).write(bus.send_frame(self._cell.wire.note(reply_to, note)))
        except (BusError, NotEncodable):
            return  # who asked asks again

    def _describe(self, worker: Worker, run: Run | None = None) -> dict[str, Any]:
        run = run or next(iter(worker.current_runs), None)
        found: dict[str, Any] = {
            "name": type(worker).__qualname__,
            "abilities": sorted(worker.abilities),
            "state": "idle" if run is None else "busy",
            "task": None if run is None else run.tree.task.id,
            "task_class": None if run is None else run.task.task_class,
        }
        if is_keyed(worker):
            found["kind"] = worker.kind  # type: ignore[attr-defined]  # as a KeyedWorker has it
        if worker._life.path:
            found["supervisor"] = worker._life.path
        if run is not None and run.began:
            seconds = max(0.0, self._cell.clock.monotonic() - run.began)
            found |= {"since": round(self._cell.clock.wall() - seconds, 3), "seconds": round(seconds, 3)}
        return found


def _threads_but(workers: Iterable[Worker]) -> list[dict[str, str]]:
    """Return the stacks of all threads but those of workers: the drone's own, and those of its connection."""
    theirs = tuple({f"{type(worker).__name__}-" for worker in workers})
    frames = sys._current_frames()
    return [
        {"name": thread.name, "stack": "".join(traceback.format_stack(frames[thread.ident]))[-MOST_STACK:]}
        for thread in threading.enumerate()
        if thread.ident in frames and not thread.name.startswith(theirs) and thread is not threading.current_thread()
    ]
