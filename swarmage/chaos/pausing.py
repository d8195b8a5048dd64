"""Faults that stop a process, or set its clock, for a while."""

from __future__ import annotations

import random
import signal

from swarmage.chaos.processes import strike
from swarmage.chaos.skewed import set_clock
from swarmage.chaos.stage import Stage

LONGEST_PAUSE = 2.0
"""Seconds a process is stopped: fewer than after which the bus gives up on it."""
FREEZE = 15.0
"""Seconds a drone is stopped that the bus gives up meanwhile: it hears no heart-beat for 10 s."""
LARGEST_JUMP = 3600.0
"""Seconds by which a clock jumps, at most."""
LONGEST_JUMP = 3.0
"""Seconds after which it jumps back, at most."""
_RESTARTS = {"bus", "restart", "all", "disk-error"}
"""What starts the bus again: it takes the delays of what it finds on disk from the clock, so that one that is wrong
meanwhile makes them wrong for good."""


def pause(stage: Stage, dice: random.Random) -> str:
    """Stop somebody, and have it go on before it is missed."""
    cast = stage.cast
    victims = {"the client": [stage.originator.pid]}
    if cast.bus is not None:
        victims["the bus"] = [cast.bus.pid]
    drones = cast.drones()
    if drones:
        drone = dice.choice(drones)
        victims[f"drone {drone}"] = cast.with_descendants(drone)
    name = dice.choice(sorted(victims))
    return _stop(stage, name, victims[name], dice.uniform(0.05, LONGEST_PAUSE))


def freeze(stage: Stage, dice: random.Random) -> str:
    """Stop a drone for so long that the bus gives its tasks to others, and let it go on then."""
    drones = stage.cast.drones()
    if not drones:
        return "no drone was there"
    drone = dice.choice(drones)
    return _stop(stage, f"drone {drone}", stage.cast.with_descendants(drone), FREEZE)


def _stop(stage: Stage, name: str, pids: list[int], seconds: float) -> str:
    for pid in pids:
        strike(pid, signal.SIGSTOP)

    def go_on() -> None:
        for pid in pids:
            strike(pid, signal.SIGCONT)
        stage.ledger.write("struck", "pause", f"SIGCONT of {name}")

    stage.later(seconds, go_on)
    return f"SIGSTOP of {name} for {seconds:.2f} s"


def jump(stage: Stage, dice: random.Random) -> str:
    """Set the wall clock of somebody wrong for a while."""
    names = ["drones-1", "drones-2", "originator"]
    if stage.cast.own_bus and not _RESTARTS.intersection(stage.cast.script.faults):
        names.append("bus")
    name = dice.choice(names)
    offset = dice.choice((-1, 1)) * dice.uniform(1, LARGEST_JUMP)
    clock = stage.cast.clock_of(name)
    set_clock(clock, offset)
    stage.later(dice.uniform(0.2, LONGEST_JUMP), lambda: set_clock(clock, 0.0))
    return f"the clock of {name} jumps by {offset:+.0f} s, and back later"
