"""A fault of deployments: drones with the code of another version, for a while."""

from __future__ import annotations

import random

from swarmage.chaos.killing import ask_to_leave
from swarmage.chaos.stage import Stage

LONGEST = 4.0
"""Seconds that they stay, at most."""


def visit(stage: Stage, dice: random.Random) -> str:
    """Start drones that know only some of the task classes, and have them leave again, asked or not."""
    process = stage.cast.start_old_drones()
    seconds = dice.uniform(0.5, LONGEST)
    if dice.random() < 0.5:
        stage.later(seconds, process.kill)
        return f"drones of an older version join for {seconds:.1f} s, until kill -9 of their supervisor {process.pid}"
    stage.later(seconds, lambda: ask_to_leave(stage, process))
    return f"drones of an older version join for {seconds:.1f} s, until SIGTERM of their supervisor {process.pid}"
