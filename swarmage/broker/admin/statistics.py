"""What the bus tells of itself and its queues."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swarmage.broker.entrance.login import SERVER, VERSION
from swarmage.broker.queues.queue import Queue
from swarmage.broker.queues.router import QUEUE
from swarmage.broker.storage.sqlite_file import FILE_NAME

if TYPE_CHECKING:
    from swarmage.broker.hub import Hub


def collect(hub: Hub, prefix: str = QUEUE) -> dict[str, Any]:
    """Return the figures of the bus, and those of the queues whose names begin so."""
    shared = [queue for queue in hub.router.queues.values() if queue.name.startswith(QUEUE)]
    named = sorted((queue for queue in shared if queue.name.startswith(prefix)), key=lambda queue: queue.name)
    ages = hub.records.oldest_ages()
    return {
        "bus": _bus(hub, shared),
        "queues": [{**_queue(hub, queue), "oldest_age": ages.get(queue.name)} for queue in named],
        "topics": [{"name": name, "consumers": n} for name, n in sorted(hub.router.topics.counts().items())],
    }


def _bus(hub: Hub, shared: Iterable[Queue]) -> dict[str, Any]:
    now = hub.clock.monotonic()
    rate_in, rate_out = hub.tally.rates(now, hub.started)
    forgotten = hub.router.forgotten
    return {
        "server": SERVER,
        "version": VERSION,
        "pid": os.getpid(),
        "time": round(hub.clock.wall(), 3),
        "durability": hub.durability,
        "refusing": hub.journal.full,
        "uptime": round(now - hub.started, 3),
        "connections": len(hub.sessions),
        "login_failures": hub.door.failures,
        "messages_in": hub.tally.came,
        "messages_out": hub.tally.went,
        "messages_waiting": sum(queue.waiting.count for queue in shared),
        "rate_in": rate_in,
        "rate_out": rate_out,
        "acked": forgotten.acked(0) + sum(queue.tally.acked(queue.in_flight) for queue in shared),
        "expired": forgotten.expired + sum(queue.tally.expired for queue in shared),
        "dead": forgotten.dead + sum(queue.tally.dead for queue in shared),
        "unsaved_bytes": hub.journal.unsaved_bytes,
        **_disk(hub.data),
    }


def _queue(hub: Hub, queue: Queue) -> dict[str, Any]:
    tally = queue.tally
    rate_in, rate_out = tally.rates(hub.clock.monotonic(), hub.started)
    return {
        "name": queue.name,
        "waiting": queue.waiting.count,
        "in_flight": queue.in_flight,
        "delayed": queue.delayed,
        "consumers": queue.consumers,
        "rate_in": rate_in,
        "rate_out": rate_out,
        "in": tally.came,
        "out": tally.went,
        "acked": tally.acked(queue.in_flight),
        "expired": tally.expired,
        "dead": tally.dead,
    }


def _disk(data: Path | None) -> dict[str, int | None]:
    """Return what the messages take on the disk, and what is left there; None for what cannot be told."""
    if data is None:
        return {"stored_bytes": 0, "disk_free_bytes": None}
    try:
        stored = sum(path.stat().st_size for path in data.glob(f"{FILE_NAME}*") if ".db." not in path.name)
        disk = os.statvfs(data)
    except OSError:
        return {"stored_bytes": None, "disk_free_bytes": None}
    return {"stored_bytes": stored, "disk_free_bytes": disk.f_bavail * disk.f_frsize}
