"""swarmage: a distributed job queue and actor framework on a STOMP message bus.

The way of a task, one folder a stage, in the order it travels:

    client/      in your program: insert tasks, await replies
    wire/        task to signed message, and back
    bus/         message to STOMP frames on a connection that mends itself
    broker/      the embedded bus, which knows nothing of tasks
    drone/       the cell: take tasks in, perform them, finalize
    supervisor/  the process above: keeps drones and the embedded bus alive
    cli/         the commands, for people

The words everyone uses stand beside them: task, ability, outcome, retry, settings, home, clock, errors.
"""

from swarmage.ability import ability
from swarmage.client.client import Client
from swarmage.client.reply import Progress, Reply
from swarmage.drone.drone import Drone
from swarmage.drone.worker import Worker
from swarmage.errors import (
    AbilityError,
    BadSignature,
    BusError,
    BusFailed,
    BusRefused,
    BusUnreachable,
    ConfigError,
    ConnectionLost,
    DeadlineExceeded,
    InsertTimeout,
    LoginRefused,
    NotEncodable,
    ReplyTimeout,
    SwarmageError,
    TargetError,
    TaskFailed,
    TaskTimeout,
    Unreadable,
    WireError,
)
from swarmage.task import Task

__all__ = [  # noqa: RUF022 - in the order in which one meets them
    # inserting
    "Client",
    "Task",
    "Reply",
    "Progress",
    # performing
    "Worker",
    "ability",
    "Drone",
    # errors
    "AbilityError",
    "BadSignature",
    "BusError",
    "BusFailed",
    "BusRefused",
    "BusUnreachable",
    "ConfigError",
    "ConnectionLost",
    "DeadlineExceeded",
    "InsertTimeout",
    "LoginRefused",
    "NotEncodable",
    "ReplyTimeout",
    "SwarmageError",
    "TargetError",
    "TaskFailed",
    "TaskTimeout",
    "Unreadable",
    "WireError",
]
