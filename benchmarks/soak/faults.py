"""A gentle mix of faults for a soak: none of them ends who is watched, and each is over within seconds."""

from __future__ import annotations

import contextlib
import random
import signal
import time

import psutil

from benchmarks.soak.swarm import Soaked

LONGEST_PAUSE = 1.0
"""Seconds somebody is stopped, at most: fewer than after which it is missed."""


def strike(soaked: Soaked, dice: random.Random) -> str:
    """Do one of them; return what it was."""
    act = dice.choice((_kill_worker, _kill_drone, _reset, _pause))
    with contextlib.suppress(psutil.NoSuchProcess):  # who just ends needs no fault
        return act(soaked, dice)
    return "nobody was there"


def _kill_worker(soaked: Soaked, dice: random.Random) -> str:
    boxes = [box for drone in soaked.drones() for server in drone.children() for box in server.children()]
    if not boxes:
        return "no process of a worker was there"
    process = dice.choice(boxes)
    process.kill()
    return f"kill -9 of process {process.pid} of a worker"


def _kill_drone(soaked: Soaked, dice: random.Random) -> str:
    drones = soaked.drones()
    if len(drones) < 2:
        return "the other drone is not back yet"
    drones[-1].kill()
    return f"kill -9 of drone {drones[-1].pid}"


def _reset(soaked: Soaked, dice: random.Random) -> str:
    assert soaked.proxy is not None
    passages = soaked.proxy.passages
    if not passages or dice.random() < 0.3:
        soaked.proxy.reset()
        return "TCP reset of all connections"
    soaked.proxy.reset(dice.choice(passages))
    return "TCP reset of one connection"


def _pause(soaked: Soaked, dice: random.Random) -> str:
    name, process = dice.choice(sorted(soaked.watched().items()))
    seconds = dice.uniform(0.1, LONGEST_PAUSE)
    process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        process.send_signal(signal.SIGCONT)
    return f"SIGSTOP of the {name} for {seconds:.1f} s"
