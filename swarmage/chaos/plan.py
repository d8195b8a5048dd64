"""What happens in a run: which tasks are inserted and which faults strike when, a pure function of the seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from swarmage.chaos.kinds import ILL, KEYS, KINDS

ASKED = 0.3
"""The share of tasks whose originator wants a reply."""
PADDINGS = (0, 0, 0, 0, 0, 0, 0, 100, 100, 2_000, 40_000)
"""Bytes that a task carries for nothing."""
SPACING = 700
"""Tasks between two strikes, about: enough that what struck is at work again before the next one."""
FEWEST, MOST = 3, 14
"""Strikes in a run."""
WHOLE = 0.7
"""The share of strikes before which everybody is back at work; the others meet who is still starting."""
OF_EACH_ILL = 2
"""Tasks of each kind that is ill, but one of those that take their drone with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTask:
    """One task.

    Attributes:
        kind: its name in `KINDS`.
        seconds: how long it takes.
        delay: seconds before it may begin.
        asked: whether a reply is wanted.
        key: of the actor that performs it, if it is for one.
        padding: bytes it carries.
    """

    kind: str
    seconds: float
    delay: float
    asked: bool
    key: str | None
    padding: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One or more faults at once.

    Attributes:
        moment: how many tasks have been performed before.
        faults: their names.
        whole: whether everybody is back at work before, from whatever struck last.
        dice: what is random about them: whom they strike, and for how long.
    """

    moment: int
    faults: tuple[str, ...]
    whole: bool
    dice: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole run.

    Attributes:
        seed: what it was made from.
        tasks: in the order of their inserts; each is called by its number here.
        strikes: in their order.
    """

    seed: int
    tasks: tuple[PlannedTask, ...]
    strikes: tuple[Strike, ...]


def make_plan(seed: int, count: int, faults: Sequence[str], *, keyed: bool) -> Plan:
    """Return the plan of a seed.

    Args:
        seed: the same one makes the same plan.
        count: how many tasks are inserted.
        faults: their names; those of ill tasks are inserted, the others strike.
        keyed: whether the bus can do tasks for keys.
    """
    dice = random.Random(seed)  # noqa: S311 - a seed is what makes a run come again
    tasks = _tasks(dice, count, keyed=keyed)
    for fault in faults:
        if fault in ILL:
            for _ in range(1 if KINDS[fault].kills_drone else OF_EACH_ILL):
                tasks[dice.randrange(count)] = _task(dice, fault)
    striking = [fault for fault in faults if fault not in ILL]
    return Plan(seed=seed, tasks=tuple(tasks), strikes=tuple(_strikes(dice, count, striking)))


def _tasks(dice: random.Random, count: int, *, keyed: bool) -> list[PlannedTask]:
    shares = {name: kind.share for name, kind in KINDS.items() if kind.share and (keyed or not kind.keyed)}
    return [_task(dice, name) for name in dice.choices(list(shares), list(shares.values()), k=count)]


def _task(dice: random.Random, name: str) -> PlannedTask:
    kind = KINDS[name]
    return PlannedTask(
        kind=name,
        seconds=round(dice.uniform(0, kind.longest), 4),
        delay=round(dice.uniform(0, kind.delay), 3),
        asked=dice.random() < ASKED,
        key=f"key-{dice.randrange(KEYS)}" if kind.keyed else None,
        padding=dice.choice(PADDINGS),
    )


def _strikes(dice: random.Random, count: int, faults: Sequence[str]) -> list[Strike]:
    if not faults:
        return []
    number = max(FEWEST, min(MOST, count // SPACING))
    moments = sorted(dice.randrange(count * 9 // 10 + 1) for _ in range(number))
    # Each comes as often as the others, and some of them together.
    order: list[str] = []
    while len(order) < 2 * number:
        order += dice.sample(faults, len(faults))
    strikes = []
    for moment in moments:
        width = dice.choices((1, 2, 3), (6, 3, 1))[0]
        together = tuple(dict.fromkeys(order.pop() for _ in range(min(width, len(order)))))
        whole = dice.random() < WHOLE
        strikes.append(Strike(moment=moment, faults=together, whole=whole, dice=dice.randrange(1 << 32)))
    return strikes
