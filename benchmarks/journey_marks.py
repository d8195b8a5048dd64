"""Notes when each task passes which line, in the processes of the bus, of the drone and of the client.

A process that is watched has a few functions wrapped, keeps what it notes in memory, and writes it to the folder of the
environment variable BENCH_MARKS_TO when it ends. All processes of a machine share the clock.

    python -m benchmarks.journey_marks bus       a `swarmage bus` that is watched
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from swarmage.broker.connection import Connection as BusSide
from swarmage.broker.hub import Hub
from swarmage.broker.queues.message import Message
from swarmage.broker.queues.router import Router
from swarmage.broker.queues.subscription import Subscription
from swarmage.broker.sessions.session import Session
from swarmage.broker.storage.sqlite_rows import Rows
from swarmage.broker.storage.store import Batch
from swarmage.bus import connection
from swarmage.bus.delivery import Delivery
from swarmage.bus.steps import Steps
from swarmage.client.replies import Replies
from swarmage.drone.intake import Intake
from swarmage.drone.run import Run
from swarmage.drone.worker import Worker
from swarmage.wire.names import is_reply_destination

MARKS_TO = "BENCH_MARKS_TO"
_ID = re.compile(rb'"id":"([^"]+)"')

Mark = tuple[str, str, float]
"""A line, a task, and when it passed."""

marks: list[Mark] = []
"""What this process has noted."""


def note(line: str, tasks: Iterable[str], when: float | None = None) -> None:
    """Note that tasks pass a line, now unless it is said when."""
    now = time.monotonic() if when is None else when
    marks.extend([(line, task, now) for task in tasks])


class _Here(threading.local):
    """What a thread has at hand: when the bytes came that it looks at, and what it has handed out but not written."""

    def __init__(self) -> None:
        self.came = 0.0
        self.handed: list[tuple[str, str]] = []


_here = _Here()


def _before(owner: Any, name: str, look: Callable[..., None]) -> None:
    """Have the arguments of a function looked at before it is called."""
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def watched(*args: Any, **kwargs: Any) -> Any:
        look(*args)
        return inner(*args, **kwargs)

    setattr(owner, name, watched)


def _behind(owner: Any, name: str, look: Callable[..., None]) -> None:
    """Have the arguments of a function looked at when it has returned."""
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def watched(*args: Any, **kwargs: Any) -> Any:
        result = inner(*args, **kwargs)
        look(*args)
        return result

    setattr(owner, name, watched)


def _task_of(body: bytes) -> str:
    found = _ID.search(body)
    return found[1].decode() if found else ""


def _tasks(deliveries: Iterable[Delivery]) -> list[str]:
    return [_task_of(delivery.body) for delivery in deliveries]


def _what(message: Message) -> str:
    return "reply" if is_reply_destination(message.destination) else "task"


def _came(*_: object) -> None:
    _here.came = time.monotonic()


# the bus


def watch_bus() -> None:
    """Note what passes through the bus of this process."""
    _before(BusSide, "data_received", _came)
    _before(Hub, "publish", _published)
    _before(Rows, "write", lambda _, batch: _stored("store begins", batch))
    _behind(Rows, "write", lambda _, batch: _stored("store ends", batch))
    _before(Router, "arrive", lambda _, message: note(f"bus hears {_what(message)}", [_task_of(message.body)]))
    _before(Subscription, "take", lambda _, message: _here.handed.append((_what(message), _task_of(message.body))))
    _before(Session, "flush", _writes)


def _published(_: Hub, message: Message) -> None:
    task = [_task_of(message.body)]
    note(f"bus reads {_what(message)}", task, _here.came)
    note(f"bus takes {_what(message)}", task)


def _stored(line: str, batch: Batch) -> None:
    for message in batch.inserts:
        note(f"{line} {_what(message)}", [_task_of(message.body)])


def _writes(_: Session) -> None:
    for what, task in _here.handed:
        note(f"bus writes {what}", [task])
    _here.handed.clear()


# the drone and the client


def watch_drone() -> None:
    """Note what passes through the drone of this process."""
    _behind(connection._Transport, "receive", _came)
    _before(Intake, "receive", lambda _, deliveries: note("drone reads", _tasks(deliveries), _here.came))
    _before(Worker, "_perform", lambda _, run: _performs("begins", run))
    _before(Worker, "_end", lambda _, run, outcome: _performs("ends", run))
    _before(Steps, "take", lambda _, steps: note("drone finalizes", _tasks([delivery for delivery, _ in steps])))
    _before(connection.Connection, "write", lambda _, *frames: _sends("drone writes", b"BEGIN", frames))


def _performs(line: str, run: Run) -> None:
    note(line, [run.task.id])


def watch_client() -> None:
    """Note what passes through the clients of this process."""
    _behind(connection._Transport, "receive", _came)
    _before(Replies, "_receive", lambda _, deliveries: note("client reads", _tasks(deliveries), _here.came))
    _before(connection.Connection, "write", lambda _, *frames: _sends("client writes", b"SEND", frames))


def _sends(line: str, command: bytes, frames: Iterable[bytes]) -> None:
    note(line, [_task_of(frame) for frame in frames if frame.startswith(command)])


def keep() -> None:
    """Write what this process has noted to the folder, if there is one."""
    folder = os.environ.get(MARKS_TO)
    if folder and marks:
        (Path(folder) / f"{os.getpid()}.json").write_text(json.dumps(marks))


def main() -> None:
    """Run a command of swarmage in which the bus is watched."""
    from swarmage.cli.main import main as run  # noqa: PLC0415 - only here

    atexit.register(keep)
    watch_bus()
    run()


if __name__ == "__main__":
    main()
