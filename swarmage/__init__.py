"""swarmage: a distributed job queue and actor framework on a STOMP message bus.

The way of a task, one folder a stage, in the order it travels:

    client/      in your program: insert tasks, await replies
    wire/        task to signed message, and back
    bus/         message to STOMP frames on a connection that mends itself
    remote/      references to actors of other cells and programs
    broker/      the embedded bus, which knows nothing of tasks
    drone/       the cell: take tasks in, perform them, finalize
    child/       what runs in a process of its own, for a Worker that asks for one
    supervisor/  the process above: keeps drones and the embedded bus alive
    bench/       load tests of all of it, beside bare sockets
    cli/         the commands, for people
    testing/     all of it in one process, for tests
    chaos/       tasks while faults happen, and what came of them

The words everyone uses stand beside them: task, ability, outcome, retry, settings, home, clock, errors.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swarmage.abilities import ability as ability
    from swarmage.client.client import Client as Client
    from swarmage.client.heard import Progress as Progress
    from swarmage.client.reply import Reply as Reply
    from swarmage.drone.coroutines.async_worker import AsyncWorker as AsyncWorker
    from swarmage.drone.drone import Drone as Drone
    from swarmage.drone.supervision.watching import Watching as Watching
    from swarmage.drone.worker import Worker as Worker
    from swarmage.keyed import KeyedWorker as KeyedWorker
    from swarmage.remote.default import publish as publish
    from swarmage.remote.default import ref as ref
    from swarmage.remote.ref import RemoteRef as RemoteRef
    from swarmage.supervisor.supervisor import Supervisor as Supervisor
    from swarmage.task import Task as Task

from swarmage import errors
from swarmage.errors import *  # noqa: F403 - the whole tree, as its module names it

_WHERE = {
    "Client": "swarmage.client.client",
    "Task": "swarmage.task",
    "Reply": "swarmage.client.reply",
    "Progress": "swarmage.client.heard",
    "Worker": "swarmage.drone.worker",
    "AsyncWorker": "swarmage.drone.coroutines.async_worker",
    "KeyedWorker": "swarmage.keyed",
    "ability": "swarmage.abilities",
    "Drone": "swarmage.drone.drone",
    "Supervisor": "swarmage.supervisor.supervisor",
    "Watching": "swarmage.drone.supervision.watching",
    "RemoteRef": "swarmage.remote.ref",
    "ref": "swarmage.remote.default",
    "publish": "swarmage.remote.default",
}
"""The public names and their modules, imported on first use: the embedded bus needs neither stomp.py nor pykka."""

__all__ = [*_WHERE, *errors.__all__]  # noqa: PLE0604 - all are strings


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_WHERE[name]), name)
    return value
