"""Faults that end a process: kill -9, of one or of all, and SIGTERM of the bus."""

from __future__ import annotations

import random
import signal
from functools import partial

from swarmage.chaos.processes import Process, strike
from swarmage.chaos.stage import GRACE_SECONDS, Stage, soon


def kill_worker(stage: Stage, dice: random.Random) -> str:
    """Kill a process in which a worker performs."""
    boxes = stage.cast.boxes()
    if not boxes:
        return "no process of a worker was there"
    pid = dice.choice(boxes)
    strike(pid, signal.SIGKILL)
    return f"kill -9 of process {pid} of a worker"


def kill_drone(stage: Stage, dice: random.Random) -> str:
    """Kill a drone, which its supervisor replaces."""
    drones = stage.cast.drones()
    if not drones:
        return "no drone was there"
    pid = dice.choice(drones)
    strike(pid, signal.SIGKILL)
    return f"kill -9 of drone {pid}"


def kill_supervisor(stage: Stage, dice: random.Random) -> str:
    """Kill a supervisor; its drones leave by themselves."""
    process = dice.choice(stage.cast.supervisors)
    process.kill()
    stage.later(soon(dice), stage.cast.start_supervisors)
    return f"kill -9 of supervisor {process.pid}"


def kill_bus(stage: Stage, dice: random.Random) -> str:
    """Kill the bus."""
    bus = stage.bus
    bus.kill()
    stage.later(soon(dice), stage.cast.start_bus)
    return f"kill -9 of the bus, {bus.pid}"


def end_bus(stage: Stage, dice: random.Random) -> str:
    """Have the bus end by itself."""
    bus = stage.bus
    bus.send(signal.SIGTERM)
    stage.see_off("the bus", bus, GRACE_SECONDS, lambda: stage.later(soon(dice), stage.cast.start_bus))
    return f"SIGTERM of the bus, {bus.pid}"


def kill_client(stage: Stage, dice: random.Random) -> str:
    """Kill the program that inserts."""
    originator = stage.originator
    originator.kill()
    stage.later(soon(dice), stage.replace_originator)
    return f"kill -9 of the client, {originator.pid}"


def kill_all(stage: Stage, dice: random.Random) -> str:
    """Kill everybody, as a loss of the machine does that spares its disk's cache."""
    stage.cast.kill_everybody()
    acts = [stage.cast.start_bus, stage.cast.start_supervisors, stage.replace_originator]
    dice.shuffle(acts)
    for act in acts:
        stage.later(soon(dice), act)
    return "kill -9 of everybody"


def roll(stage: Stage, dice: random.Random) -> str:
    """Replace each supervisor, the new one first, as a deployment does."""
    cast = stage.cast
    old = list(cast.supervisors)
    for number, process in enumerate(old):
        cast.supervisors[number] = cast.start_supervisor(number)
        stage.later(dice.uniform(0, 1.0), partial(ask_to_leave, stage, process))
    return f"SIGTERM of supervisors {', '.join(str(process.pid) for process in old)}, which others replace"


def ask_to_leave(stage: Stage, process: Process) -> None:
    """Have a supervisor drain, and see that it is gone in time."""
    process.send(signal.SIGTERM)
    stage.see_off("a supervisor", process, GRACE_SECONDS)
