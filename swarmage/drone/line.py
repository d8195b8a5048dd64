"""What a drone has asked the bus for of one task class.

From: bus.  To: subscribing.
"""

from __future__ import annotations

from swarmage.drone.credit import Credit
from swarmage.drone.intake import Intake


class Line:
    """The subscriptions for one task class.

    Attributes:
        task_class: its name.
        credit: judges its runs.
        granted: tasks that the subscriptions for its workers may bring together.
        ids: of those subscriptions.
        intakes: of these, and of those for extra credit, by their ids.
        paused: for which reasons nothing is taken.
    """

    __slots__ = ("credit", "granted", "ids", "intakes", "paused", "task_class")

    def __init__(self, task_class: str, workers: int) -> None:
        self.task_class = task_class
        self.credit = Credit(workers)
        self.granted = 0
        self.ids: list[str] = []
        self.intakes: dict[str, Intake] = {}
        self.paused: set[str] = set()

    def take_heard(self) -> bool:
        """Say whether something has come since this was called before."""
        heard = False
        for intake in self.intakes.values():
            heard, intake.heard = heard or intake.heard, False
        return heard
