"""Who is put to the test, on what, and in which configuration."""

from __future__ import annotations

from dataclasses import dataclass

OWN, RABBITMQ, REDIS, SQLITE = "own bus", "RabbitMQ", "Redis", "SQLite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One row of each table.

    Attributes:
        name: as it is called, with its configuration where there are two.
        bus: what its tasks wait on.
        program: the module, in `benchmarks.chaos.programs`.
        packages: what is installed for it; nothing for what this Python has already.
        worker: what performs, behind ``python -m``.
        late: tasks are acknowledged when they are done, where that is not so anyway.
    """

    name: str
    bus: str
    program: str
    packages: tuple[str, ...] = ()
    worker: tuple[str, ...]
    late: bool = False

    @property
    def title(self) -> str:
        """Its name and its bus."""
        return f"{self.name} on {self.bus}"

    @property
    def environment(self) -> str:
        """The name of what is installed for it."""
        return self.program.removesuffix("_program")


def _peers() -> list[Peer]:
    celery = ("celery", "-A", "celery_program", "worker", "--concurrency", "4", "--loglevel", "WARNING")
    late = "Celery, acks_late and reject_on_worker_lost"
    dramatiq = ("dramatiq", "dramatiq_program", "--processes", "1", "--threads", "4")
    taskiq = ("taskiq", "worker", "taskiq_program:broker", "--workers", "1", "--ack-type", "when_executed")
    consumer = ("huey.bin.huey_consumer", "huey_program.huey", "-g", "TERM")  # or SIGTERM would interrupt its tasks
    huey = (*consumer, "-k", "process", "-w", "4", "-d", "0.01", "-m", "0.1")
    rq = ("rq.cli", "worker-pool", "chaos", "--num-workers", "4", "--quiet")
    swarmage = ("swarmage", "drone", "swarmage_program")
    celery_packages, dramatiq_packages = ("celery[redis]>=5.5,<6",), ("dramatiq[rabbitmq,redis]>=2,<3",)
    peers = [Peer(name="swarmage", bus=bus, program="swarmage_program", worker=swarmage) for bus in (OWN, RABBITMQ)]
    for bus in (RABBITMQ, REDIS):
        peers += [
            Peer(
                name=name, bus=bus, program="celery_program", packages=celery_packages, worker=celery, late=name == late
            )
            for name in ("Celery", late)
        ]
        peers.append(
            Peer(name="Dramatiq", bus=bus, program="dramatiq_program", packages=dramatiq_packages, worker=dramatiq)
        )
    return [
        *peers,
        Peer(
            name="taskiq",
            bus=RABBITMQ,
            program="taskiq_program",
            packages=("taskiq>=0.11", "taskiq-aio-pika>=0.4"),
            worker=taskiq,
        ),
        Peer(name="RQ", bus=REDIS, program="rq_program", packages=("rq>=3",), worker=rq),
        Peer(name="Huey", bus=SQLITE, program="huey_program", packages=("huey>=3.5",), worker=huey),
    ]


PEERS = tuple(_peers())
