"""One run, from its first process to its findings."""

from __future__ import annotations

import random
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from swarmage.chaos.cast import Cast
from swarmage.chaos.checker import Findings, check, missing
from swarmage.chaos.faults import FAULTS, needs
from swarmage.chaos.history import UNKNOWN, History
from swarmage.chaos.ledger import Ledger
from swarmage.chaos.originator import Script
from swarmage.chaos.plan import Plan, Strike
from swarmage.chaos.processes import LOOK_SECONDS
from swarmage.chaos.stage import Stage
from swarmage.clock import SYSTEM_CLOCK

AHEAD = 400
"""Tasks that are released ahead of what has ended, so that drones always hold some."""
STALL_SECONDS = 60.0
"""How long nothing may happen before a run is given up: what is missing then is lost, or stranded."""
WHOLE_SECONDS = 10.0
"""How long a strike waits for everybody to be back."""
WHOLE_PAUSE = 0.1
MOMENT_SECONDS = 0.1
ANSWER_SECONDS = 20.0
QUIET_SECONDS = 2.0
"""How long nothing may happen before what is missing counts as lost, or a bus that does not tell as drained."""
LOOK_AGAIN = 0.3
"""Seconds between two questions to the bus."""


@dataclass(kw_only=True)
class Result:
    """A run that is over.

    Attributes:
        plan: what was to happen.
        history: what did.
        findings: what came of it.
        began: when, on the monotonic clock.
        seconds: how long it took until the last task had ended.
        left: processes that could not be ended.
    """

    plan: Plan
    history: History
    findings: Findings
    began: float
    seconds: float
    left: list[int]


class Driver:
    """Drives one run."""

    def __init__(self, script: Script, folder: Path, url: str | None, announce: Callable[[str], None]) -> None:
        self._script = script
        self._plan = script.plan
        self._announce = announce
        self._ledger = Ledger(folder / "ledger")
        self._history = History(script.run)
        self._cast = Cast(folder, script, url, needs(script.faults))
        self._stage = Stage(self._cast, self._ledger, self._history, len(self._plan.tasks))
        self._began = SYSTEM_CLOCK.monotonic()

    def run(self) -> Result:
        """Do it, and end all processes whatever happens."""
        try:
            self._cast.start()
            self._stage.replace_originator()
            self._look_first()
            self._strike_all()
            self._drain()
            self._collect()
        finally:
            left = self._cast.end()
            self._history.add(self._ledger.news())  # and nothing that is due: it would start somebody again
            self._ledger.close()
        findings = check(self._plan, self._history, atomic=self._cast.own_bus)
        seconds = max(0.0, self._history.last - self._began)
        return Result(
            plan=self._plan,
            history=self._history,
            findings=findings,
            began=self._began,
            seconds=seconds,
            left=left,
        )

    def _look_first(self) -> None:
        """See which dead letters were there before."""
        self._ask_to_look(lambda: True)
        self._history.before.update(self._history.foreign)

    def _strike_all(self) -> None:
        for strike in self._plan.strikes:
            self._wait(partial(self._progress, strike.moment))
            if strike.whole:
                self._wait(self._cast.is_whole, WHOLE_SECONDS, WHOLE_PAUSE)
                self._stage.release(len(self._history.performed) + AHEAD)
                self._wait(lambda: self._history.attempted >= self._stage.released, MOMENT_SECONDS)
            self._strike(strike)
        self._wait(lambda: self._progress(len(self._plan.tasks)))

    def _progress(self, moment: int) -> bool:
        """Release what may be inserted; say whether so many tasks have been performed."""
        performed = len(self._history.performed)
        self._stage.release(performed + AHEAD)
        return performed >= moment or self._history.attempted >= len(self._plan.tasks)

    def _strike(self, strike: Strike) -> None:
        dice = random.Random(strike.dice)  # noqa: S311 - a seed is what makes a run come again
        for name in strike.faults:
            act = FAULTS[name].act
            assert act is not None
            self._ledger.write("struck", name, "...")
            text = act(self._stage, dice)
            self._ledger.write("struck", name, text)
            self._announce(f"{len(self._history.performed):>7} tasks performed: {text}")

    def _drain(self) -> None:
        """Wait until everybody is back, all is inserted, and all of it has ended."""
        self._wait(lambda: self._stage.quiet)
        for start in (self._cast.start_bus, self._cast.start_supervisors):
            start()
        self._wait(lambda: self._history.attempted >= len(self._plan.tasks) and self._settled())
        self._ask_to_look(self._is_drained)

    def _settled(self) -> bool:
        """Say whether the last tasks that were attempted are not in doubt any more."""
        return self._history.inserts[-1].what != "attempted"

    def _is_drained(self) -> bool:
        """Say whether nothing more will come: all has ended, or the bus holds nothing of what is missing."""
        still = SYSTEM_CLOCK.monotonic() - self._moved > QUIET_SECONDS
        all_ended = not missing(self._plan, self._history, iter(sorted(self._history.confirmed())))
        if self._history.left == UNKNOWN:
            return still and all_ended
        return self._history.left == 0 and (still or all_ended)

    def _ask_to_look(self, enough: Callable[[], bool]) -> None:
        """Have the originator look at the bus until that is enough, or nothing moves any more."""
        while SYSTEM_CLOCK.monotonic() - self._moved <= STALL_SECONDS:
            if self._look() and enough():
                return
            self._wait(lambda: False, LOOK_AGAIN)

    def _look(self) -> bool:
        """Have the originator write down what the bus holds; say whether it has."""
        assert self._cast.originator is not None
        looks, failed = self._history.looks, len(self._history.could_not)
        self._cast.originator.order("look")
        self._wait(lambda: self._history.looks > looks or len(self._history.could_not) > failed)
        return self._history.looks > looks

    @property
    def _moved(self) -> float:
        times = [self._history.last, self._began]
        if self._history.inserts:
            times.append(self._history.inserts[-1].time)
        return max(times)

    def _collect(self) -> None:
        assert self._cast.originator is not None
        if self._script.keyed:
            self._cast.originator.order(f"saved {ANSWER_SECONDS}")
        self._cast.originator.order(f"answer {ANSWER_SECONDS}")
        self._look()

    def _wait(self, check: Callable[[], bool], seconds: float = float("inf"), pause: float = LOOK_SECONDS) -> bool:
        """Wait until a check says yes; give up when nothing has happened for too long, or after so many seconds."""
        began = SYSTEM_CLOCK.monotonic()
        while True:
            self._stage.look()
            if check():
                return True
            now = SYSTEM_CLOCK.monotonic()
            if now - began > seconds or now - max(began, self._moved) > STALL_SECONDS:
                return False
            threading.Event().wait(pause)


def new_script(seed: int, tasks: int, faults: tuple[str, ...], *, keyed: bool) -> Script:
    """Return the script of a run whose ids are like no other's."""
    return Script(run=f"{seed}-{secrets.token_hex(4)}", seed=seed, tasks=tasks, faults=faults, keyed=keyed)
