"""Messages that an attacker, a stranger or a faulty program would send."""

from __future__ import annotations

import random

from swarmage.bus.publish import publish
from swarmage.client.client import Client
from swarmage.task import Task
from swarmage.wire.message import Message
from swarmage.wire.names import task_destination

TASK_CLASS = "chaos.write"
_GARBAGE = 200


def send_forged(client: Client, root: str, dice: random.Random) -> None:
    """Send a task that somebody without the key has signed."""
    message = client.wire.task(Task(task_class=TASK_CLASS, args=[root, 0.0, ""], id=root))
    digits = list(message.signature)
    place = dice.randrange(len(digits) - 64, len(digits))
    digits[place] = "0" if digits[place] != "0" else "1"
    _send(client, message._replace(signature="".join(digits)))


def send_garbled(client: Client, root: str, dice: random.Random) -> None:
    """Send bytes that are no task, signed by who holds the key."""
    destination = task_destination(TASK_CLASS)
    body = dice.randbytes(_GARBAGE)
    signed = client.wire.sign(Message(destination, body, ""))
    _send(client, signed)


def send_again(client: Client, task: Task) -> None:
    """Send a task once more that was inserted before, as who has recorded it would."""
    _send(client, client.wire.task(task))


def _send(client: Client, message: Message) -> None:
    publish(client.connect(), [message], client.timeout, client.clock)
