"""A child's place in the supervisor, over all its restarts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from swarmage.errors import ConfigError
from swarmage.supervisor.bus_plan import BusPlan
from swarmage.supervisor.child_process import ChildProcess
from swarmage.supervisor.protocol import OVERRAN_CODE, BusSpec, ChildSpec, DroneSpec, Failed
from swarmage.supervisor.restarts import AT_ONCE, Restart, Restarts


class Slot:
    """What the supervisor knows of one child. Only the supervisor's loop touches it.

    Attributes:
        spec: what the child is to be.
        process: the child as it runs now, if it does.
        failure: what the running child reported before it left, if anything.
        blames: the task that the running child will have died of, should it die now.
        was_ready: it booted at least once; from then on a failed boot is a crash like others.
        is_ready: the running child has booted.
        restart_at: when it is due to start again, on the monotonic clock.
    """

    def __init__(self, spec: ChildSpec, rng: random.Random) -> None:
        self.spec = spec
        self.process: ChildProcess | None = None
        self.failure: Failed | None = None
        self.blames = ""
        self.was_ready = False
        self.is_ready = False
        self.restart_at: float | None = None
        self._restarts = Restarts(rng)

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
    targets: Sequence[str], processes: int, concurrency: Mapping[str, int], rng: random.Random
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
        DroneSpec(name=f"drone-{number}", targets=tuple(targets), concurrency=dict(concurrency))
        for number in range(1, processes + 1)
    ]
    return [Slot(spec, rng) for spec in specs] if targets else []


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
