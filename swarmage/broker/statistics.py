"""What the bus tells about itself, asked for by a SEND to ``/bus/statistics``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from swarmage.broker.frames import Frame
from swarmage.broker.login import SERVER, VERSION
from swarmage.broker.refused import Refused
from swarmage.broker.router import QUEUE
from swarmage.broker.sending import build

if TYPE_CHECKING:
    from swarmage.broker.hub import Hub
    from swarmage.broker.session import Session


def answer(session: Session, frame: Frame) -> None:
    """Send the statistics to where the request wants its reply.

    Raises:
        Refused: the request names no place for a reply, or none that exists.
    """
    target = frame.headers.get("reply-to")
    if not target:
        raise Refused("a request for statistics needs a reply-to header")
    if target.startswith("/temp-queue/"):
        target = session.reply_to(target)
    headers = {"destination": target, "content-type": "application/json", "persistent": "false"}
    if "correlation-id" in frame.headers:
        headers["correlation-id"] = frame.headers["correlation-id"]
    body = msgspec.json.encode(collect(session.hub, session.entry.door.failures))
    session.hub.router.arrive(build(session, Frame("SEND", headers, body)))


def collect(hub: Hub, login_failures: int) -> dict[str, Any]:
    """Return the statistics."""
    ages = hub.records.oldest_ages()
    shared = [queue for queue in hub.router.queues.values() if queue.name.startswith(QUEUE)]
    return {
        "bus": {
            "server": SERVER,
            "version": VERSION,
            "pid": os.getpid(),
            "durability": hub.durability,
            "refusing": hub.journal.full,
            "uptime": round(hub.clock.monotonic() - hub.started, 3),
            "connections": len(hub.sessions),
            "login_failures": login_failures,
            "messages_in": hub.messages_in,
            "messages_out": hub.messages_out,
            "messages_waiting": sum(queue.waiting.count for queue in shared),
        },
        "queues": [
            {
                "name": queue.name,
                "waiting": queue.waiting.count,
                "in_flight": queue.in_flight,
                "delayed": queue.delayed,
                "consumers": queue.consumers,
                "oldest_age": ages.get(queue.name),
            }
            for queue in sorted(shared, key=lambda queue: queue.name)
        ],
        "topics": [{"name": name, "consumers": n} for name, n in sorted(hub.router.topics.counts().items())],
    }
