"""Runs that never were: a plan of chosen tasks, and a ledger written by hand."""

from __future__ import annotations

from typing import Any

from swarmage.chaos.checker import Findings, check
from swarmage.chaos.driver import Result
from swarmage.chaos.history import History
from swarmage.chaos.kinds import KINDS
from swarmage.chaos.ledger import Entry
from swarmage.chaos.plan import Plan, PlannedTask


class Run:
    """Tasks 0, 1, … of the kinds that are given, and what is written of them."""

    def __init__(self, *kinds: str, asked: bool = False) -> None:
        tasks = [
            PlannedTask(
                kind=kind, seconds=0.0, delay=0.0, asked=asked, key="key-0" if KINDS[kind].keyed else None, padding=0
            )
            for kind in kinds
        ]
        self.plan = Plan(seed=1, tasks=tuple(tasks), strikes=())
        self.history = History("r")
        self.client = 7
        self.write(0.9, "joined", 0, pid=self.client)

    def write(self, time: float, what: str, *words: Any, pid: int = 9) -> None:
        text = " ".join(map(str, words))
        self.history.add([Entry(time, pid, what, tuple(text.split()))])

    def insert(self, time: float = 1.0, *, sure: bool = True) -> None:
        """Insert all of them."""
        self.write(time, "attempted", 0, len(self.plan.tasks), pid=self.client)
        if sure:
            self.write(time + 0.1, "confirmed", 0, len(self.plan.tasks), pid=self.client)

    def perform(self, number: int, time: float = 2.0, *, leave_out: str = "") -> None:
        """Perform all parts of one."""
        for mark in KINDS[self.plan.tasks[number].kind].marks:
            if mark != leave_out:
                self.write(time, "begun", f"r.{number}", mark, 1, "thread")
                self.write(time + 0.1, "done", f"r.{number}", mark, 1, "thread")

    def bury(self, number: int, reason: str) -> None:
        self.write(3.0, "buried", f"r.{number}", reason, "ValueError: no")

    def strike(self, time: float, text: str = "kill -9 of drone 5") -> None:
        self.write(time, "struck", "drone", text)

    @property
    def findings(self) -> Findings:
        return check(self.plan, self.history)

    @property
    def result(self) -> Result:
        return Result(plan=self.plan, history=self.history, findings=self.findings, began=0.5, seconds=3.0, left=[])
