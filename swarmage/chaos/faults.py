"""The faults by their names: what each does, and whether this machine can do it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from swarmage.chaos import disk, killing, network, pausing, visiting
from swarmage.chaos.cast import Needs
from swarmage.chaos.kinds import ILL
from swarmage.chaos.small_disk import no_small_disk
from swarmage.chaos.stage import Stage
from swarmage.errors import ConfigError

Act = Callable[[Stage, random.Random], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    Attributes:
        says: what it does, in a few words.
        act: does it, and says what exactly it did; None for a task that is ill.
        own_bus: whether it is for a bus of our own only.
        hinders: returns why it cannot be done on this machine; empty when it can.
        network: whether it needs the proxy.
        alone: whether it is left out of the mix, as it shows what it should only by itself.
    """

    says: str
    act: Act | None = None
    own_bus: bool = False
    hinders: Callable[[], str] = lambda: ""
    network: bool = False
    alone: bool = False


def _sending(what: str) -> Act:
    def act(stage: Stage, dice: random.Random) -> str:
        stage.originator.order(f"send {what}")
        return f"a {what} message"

    return act


FAULTS = {
    "worker": Fault(says="kill -9 of the process of a worker", act=killing.kill_worker),
    "drone": Fault(says="kill -9 of a drone", act=killing.kill_drone),
    "supervisor": Fault(says="kill -9 of a supervisor", act=killing.kill_supervisor),
    "bus": Fault(says="kill -9 of the bus", act=killing.kill_bus, own_bus=True),
    "restart": Fault(says="SIGTERM of the bus", act=killing.end_bus, own_bus=True),
    "client": Fault(says="kill -9 of the program that inserts", act=killing.kill_client),
    "all": Fault(says="kill -9 of all of them at once", act=killing.kill_all),
    "rolling": Fault(says="SIGTERM of the supervisors, which others replace", act=killing.roll),
    "old": Fault(says="drones of an older version come and go", act=visiting.visit),
    "pause": Fault(says="SIGSTOP of one of them, and SIGCONT before it is missed", act=pausing.pause),
    "freeze": Fault(says="SIGSTOP of a drone until others have its tasks", act=pausing.freeze, alone=True),
    "clock": Fault(says="the clock of one of them jumps by up to an hour, and back", act=pausing.jump),
    "reset": Fault(says="TCP reset", act=network.reset, network=True),
    "blackhole": Fault(says="a connection on which nothing passes any more", act=network.swallow, network=True),
    "slow": Fault(says="a slow network", act=network.slow, network=True),
    "split": Fault(says="frames in small pieces", act=network.split, network=True),
    "disk-full": Fault(says="no room on the disk of the bus", act=disk.fill_up, own_bus=True, hinders=no_small_disk),
    "disk-error": Fault(says="a failed sync", act=disk.fail_to_sync, own_bus=True, hinders=disk.no_strace),
    "forged": Fault(says="a task with a wrong signature", act=_sending("forged")),
    "garbled": Fault(says="a signed message that is no task", act=_sending("garbled")),
    "replayed": Fault(says="a task that is sent once more", act=_sending("replayed")),
    **{name: Fault(says=f"tasks that are ill: {name}") for name in ILL},
}
"""All of them, by name."""


def choose(names: str | None, *, own_bus: bool) -> tuple[tuple[str, ...], list[str]]:
    """Return the faults of a run, and for each that is left out of the mix a line that says why.

    Args:
        names: separated by commas; None for all that can be done here.
        own_bus: whether the bus is ours.

    Raises:
        ConfigError: one of the names is unknown, or cannot be done here.
    """
    wanted = list(FAULTS) if names is None else [name for name in names.replace(" ", "").split(",") if name]
    chosen, left_out = [], []
    for name in wanted:
        if name not in FAULTS:
            raise ConfigError(f"there is no fault {name!r}; there are: {', '.join(FAULTS)}")
        fault = FAULTS[name]
        why = "the bus is not ours to strike" if fault.own_bus and not own_bus else fault.hinders()
        if why and names is not None:
            raise ConfigError(f"the fault {name!r} cannot be done here: {why}")
        if why or (fault.alone and names is None):
            left_out.append(f"{name}: {why or 'only by itself'}")
        else:
            chosen.append(name)
    return tuple(chosen), left_out


def needs(names: Sequence[str]) -> Needs:
    """Return what faults need."""
    return Needs(
        ill=any(name in ILL for name in names),
        network=any(FAULTS[name].network for name in names),
        disk="disk-full" in names,
        clock="clock" in names,
    )
