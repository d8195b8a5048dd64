"""Who is compared, on what, and in which configuration: the best one that keeps tasks when something is killed."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.compare.environments import NODE

EMBEDDED, RABBITMQ, REDIS, SQLITE = "the embedded bus", "RabbitMQ", "Redis", "SQLite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One row of the comparison.

    Attributes:
        name: as it is called.
        bus: what its tasks wait on.
        program: the file that takes its orders.
        environment: what is installed for it, and where; peers may share one.
        packages: what is installed there; nothing for what this Python has already.
        each_core: whether it gets a process for each core, where the others have one of 8 threads.
        share: the part of the tasks it gets: less where it is slow, as rates do not depend on it.
        limit: whether it is no peer but what would be possible on its bus.
        note: its configuration, for who reads the figures.
    """

    name: str
    bus: str
    program: str
    environment: str = ""
    packages: tuple[str, ...] = ()
    each_core: bool = False
    share: float = 1.0
    limit: bool = False
    note: str

    @property
    def title(self) -> str:
        """Its name and its bus."""
        return f"{self.name} on {self.bus}"


_CELERY = ("celery[redis]>=5.5,<6",)
_CELERY_NOTE = (
    "`acks_late` with `reject_on_worker_lost`, results ignored, prefetch multiplier 400, `prefork` with a process for"
    " each core, `-O fair`, without gossip, mingle and heart-beats"
)
_DRAMATIQ = ("dramatiq[rabbitmq,redis]>=2,<3",)
_DRAMATIQ_NOTE = "its own defaults with one process of 8 threads; it acknowledges when a task is done"

LIMITS = (
    Peer(
        name="raw sockets",
        bus=EMBEDDED,
        program="limits.py",
        limit=True,
        note="STOMP frames of a swarmage task, made beforehand; one receipt at the end, or one for each",
    ),
    Peer(
        name="raw sockets",
        bus=RABBITMQ,
        program="limits.py",
        limit=True,
        note="the same frames to the STOMP of RabbitMQ, into a durable classic queue",
    ),
    Peer(
        name="raw sockets",
        bus=REDIS,
        program="limits.py",
        limit=True,
        note="`LPUSH`, then `LMOVE` to a second list and `LREM` from it, 100 commands a write",
    ),
    Peer(
        name="bare statements",
        bus=SQLITE,
        program="limits.py",
        limit=True,
        note="an `INSERT` a transaction, synced; then a `DELETE … RETURNING` a transaction, with WAL",
    ),
)
"""What would be possible on each bus."""

PEERS = (
    Peer(
        name="swarmage",
        bus=EMBEDDED,
        program="swarmage_program.py",
        note="its own defaults: signed, durable, synced before it is confirmed; one drone process of 8 threads",
    ),
    Peer(
        name="swarmage",
        bus=RABBITMQ,
        program="swarmage_program.py",
        note="the same, with `?queues=classic`, as the queues of the others there are classic ones, too",
    ),
    Peer(
        name="Celery",
        bus=RABBITMQ,
        program="celery_program.py",
        environment="celery",
        packages=_CELERY,
        each_core=True,
        note=f"durable queue, persistent messages; {_CELERY_NOTE}. Confirmed is with `confirm_publish`, which is off by"
        " default",
    ),
    Peer(
        name="Celery",
        bus=REDIS,
        program="celery_program.py",
        environment="celery",
        packages=_CELERY,
        each_core=True,
        note=f"{_CELERY_NOTE}; what a killed worker held comes back after the visibility timeout, an hour",
    ),
    Peer(
        name="Dramatiq",
        bus=RABBITMQ,
        program="dramatiq_program.py",
        environment="dramatiq",
        packages=_DRAMATIQ,
        note=f"durable queue, persistent messages; {_DRAMATIQ_NOTE}. Confirmed is with `confirm_delivery`, which is off"
        " by default",
    ),
    Peer(
        name="Dramatiq",
        bus=REDIS,
        program="dramatiq_program.py",
        environment="dramatiq",
        packages=_DRAMATIQ,
        note=_DRAMATIQ_NOTE,
    ),
    Peer(
        name="taskiq",
        bus=RABBITMQ,
        program="taskiq_program.py",
        environment="taskiq",
        packages=("taskiq>=0.11", "taskiq-aio-pika>=0.4"),
        note="durable queue, persistent messages, confirms as is the default there; in bulk is 100 at a time by"
        " `asyncio.gather`; one process, tasks are coroutines, acknowledged `when_executed`",
    ),
    Peer(
        name="RQ",
        bus=REDIS,
        program="rq_program.py",
        environment="rq",
        packages=("rq>=2",),
        each_core=True,
        share=0.2,
        note="`worker-pool` with a process for each core and `SimpleWorker`, which does not fork for each task as the"
        " default does, and is therefore faster and less safe; in bulk is `enqueue_many`",
    ),
    Peer(
        name="Huey",
        bus=SQLITE,
        program="huey_program.py",
        environment="huey",
        packages=("huey>=2.5",),
        note="`fsync=True`, no results, 8 threads that look every 10 to 20 ms; a task leaves the file before it is"
        " performed, so what a killed process held is lost",
    ),
    Peer(
        name="BullMQ",
        bus=REDIS,
        program="bullmq_program.cjs",
        environment=NODE,
        packages=("bullmq@>=5", "ioredis@>=5"),
        note="node, one process, concurrency 100, tasks removed when they are done; in bulk is `addBulk`",
    ),
)
