"""Faults of the network between the bus and everybody else, by a proxy that all connections go through."""

from __future__ import annotations

import random

from swarmage.chaos.stage import Stage
from swarmage.testing.faults import Fault as NetworkFault

LONGEST = 2.0
"""Seconds that a fault of the network lasts, at most."""
SLOW_BYTES = 64_000
"""Bytes that pass in a second where the network is slow."""


def reset(stage: Stage, dice: random.Random) -> str:
    """End connections with a TCP reset."""
    if dice.random() < 0.5:
        stage.network.reset()
        return "TCP reset of all connections"
    passages = stage.network.passages
    if passages:
        stage.network.reset(dice.choice(passages))
    return "TCP reset of one connection"


def swallow(stage: Stage, dice: random.Random) -> str:
    """Have one connection become a black hole, which only missing heart-beats tell of."""
    passages = stage.network.passages
    if passages:
        hole = NetworkFault(black_hole=True)
        stage.network.set(up=hole, down=hole, only=dice.choice(passages))
    return "one connection becomes a black hole"


def slow(stage: Stage, dice: random.Random) -> str:
    """Make the network slow, for a while."""
    delay = dice.uniform(0.01, 0.2)
    return _for_a_while(stage, dice, NetworkFault(delay=delay, bytes_per_second=SLOW_BYTES), f"{delay * 1000:.0f} ms")


def split(stage: Stage, dice: random.Random) -> str:
    """Have all arrive in small pieces, for a while."""
    piece = dice.randint(1, 100)
    return _for_a_while(stage, dice, NetworkFault(piece=piece, pause=0.0), f"in pieces of {piece} bytes")


def _for_a_while(stage: Stage, dice: random.Random, fault: NetworkFault, what: str) -> str:
    seconds = dice.uniform(0.2, LONGEST)
    stage.network.set(up=fault, down=fault)
    stage.later(seconds, stage.network.mend)
    return f"the network passes {what} for {seconds:.1f} s"
