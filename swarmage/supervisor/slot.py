"""A child's place in the supervisor, over all its restarts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import msgspec

from swarmage.errors import BusUnreachable, ConfigError, ConnectionLost, SwarmageError
from swarmage.settings import Address
from swarmage.supervisor.bus_plan import BusPlan
from swarmage.supervisor.child_process import ChildProcess
from swarmage.supervisor.protocol import (
    OVERRAN_CODE,
    Alone,
    BusSpec,
    ChildSpec,
    Drained,
    DroneSpec,
    Failed,
    Overran,
    Report,
)
from swarmage.supervisor.restarts import AT_ONCE, Restart, Restarts


class Slot:
    """What the supervisor knows of one child. Only the supervisor's loop touches it.

    Attributes:
        spec: what the child is to be.
        address: the bus it is on, where there are several.
        process: the child as it runs now, if it does.
        successor: the child that is to take its place, while that boots.
        predecessor: the child whose place it took, while that drains.
        failure: what the running child reported before it left, if anything.
        blames: the task that the running child will have died of, should it die now.
        was_ready: it booted at least once; from then on a failed boot is a crash like others.
        has_failed: it could not boot at least once.
        is_ready: the running child has booted.
        drained: the child was asked to leave for good.
        restart_at: when it is due to start again, on the monotonic clock.
    """

    def __init__(self, spec: ChildSpec, rng: random.Random, address: Address | None = None) -> None:
        self.spec = spec
        self.address = address
        self.process: ChildProcess | None = None
        self.successor: ChildProcess | None = None
        self.predecessor: ChildProcess | None = None
        self.failure: Failed | None = None
        self.blames = ""
        self.was_ready = self.has_failed = False
        self.is_ready = False
        self.drained = False
        self.restart_at: float | None = None
        self._restarts = Restarts(rng)

    @property
    def processes(self) -> list[ChildProcess]:
        """All that run here."""
        each = (self.process, self.successor, self.predecessor)
        return [process for process in each if process is not None]

    @property
    def may_start(self) -> bool:
        """Whether nothing runs here, no restart is planned, and nobody has asked the child to leave for good."""
        return self.process is None and self.restart_at is None and not self.drained

    def started(self, process: ChildProcess, now: float) -> None:
        """Note that the child runs."""
        self.process = process
        self.failure = None
        self.blames = ""
        self.restart_at = None
        self._restarts.started(now)

    def became_ready(self) -> None:
        """Note that the child has booted."""
        self.was_ready = self.is_ready = True

    def on_report(self, report: Report) -> None:
        """Note why the child will leave, or what it would have died of."""
        match report:
            case Failed():
                self.failure = report
                self.has_failed = True
            case Drained():
                self.drained = True
            case Alone(task) | Overran(task):
                self.blames = task

    def ended(self) -> None:
        """Note that the child is gone."""
        self.process = None
        self.is_ready = False

    def end(self, code: int) -> str:
        """Return how the child ended, and why, in words."""
        how = f"was ended by signal {-code}" if code < 0 else f"exited with {code}"
        if self.blames:
            return (
                f"{how} {'for the hard limit of' if code == OVERRAN_CODE else 'while it performed only'} {self.blames}"
            )
        return f"{how}: {self.failure.message}" if self.failure else how

    def plan_restart(self, now: float) -> Restart:
        """Decide when the child starts again: at once where the fault was a task's, which has its own cap."""
        restart = AT_ONCE if self.blames else self._restarts.ended(now)
        self.restart_at = now + restart.delay
        return restart


def drone_slots(
    targets: Sequence[str], processes: int, concurrency: Mapping[str, int], rng: random.Random, *, reload: bool = False
) -> list[Slot]:
    """Return a slot for each drone process; none where there are no targets.

    Raises:
        ConfigError: one of the settings makes no sense.
    """
    if isinstance(targets, str):
        raise ConfigError(f"targets must be a list of names, not {targets!r}")
    if processes < 1:
        raise ConfigError(f"the number of processes must be 1 or more, not {processes}")
    specs = [
        DroneSpec(name=f"drone-{number}", targets=tuple(targets), concurrency=dict(concurrency), reload=reload)
        for number in range(1, processes + 1)
    ]
    return [Slot(spec, rng) for spec in specs] if targets else []


def slots_on(addresses: Sequence[Address], slots: Sequence[Slot], rng: random.Random) -> list[Slot]:
    """Return as many drones as these for each of several buses; just these where there is one."""
    if len(addresses) == 1:
        return list(slots)
    numbered = enumerate([(address, slot) for address in addresses for slot in slots], 1)
    return [
        Slot(msgspec.structs.replace(slot.spec, name=f"drone-{number}", buses=len(addresses)), rng, address)
        for number, (address, slot) in numbered
    ]


def is_hopeless(alike: Sequence[Slot], error: SwarmageError, *, bus_comes: bool) -> bool:
    """Tell whether a child that could not boot will not do so the next time either.

    Args:
        alike: its slot, and those of the others that are to be the same.
        error: why it could not.
        bus_comes: the bus is started again here when it is lost.
    """
    if any(slot.was_ready for slot in alike):
        return False
    if not isinstance(error, BusUnreachable | ConnectionLost):
        return True
    there = {slot.address for slot in alike}
    return not bus_comes and there == {slot.address for slot in alike if slot.has_failed}


def bus_slots(plan: BusPlan | None, rng: random.Random) -> list[Slot]:
    """Return the slot of the embedded bus, if there is a plan for one."""
    if plan is None:
        return []
    spec = BusSpec(
        name="bus",
        data=plan.data,
        ports=plan.ports,
        host=plan.host,
        cert=plan.cert,
        key=plan.key,
        users=plan.users,
        keeping=plan.keeping,
    )
    return [Slot(spec, rng)]
