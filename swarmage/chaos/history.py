"""The ledger of a run, gathered: what was inserted, performed, answered and buried, and what struck when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from swarmage.chaos.ledger import Entry

UNKNOWN = -1
"""What a bus holds that does not tell."""


class Performance(NamedTuple):
    """One time that a task was begun, or came to its end.

    Attributes:
        time: when.
        pid: the process.
        mark: which part of what was inserted it is.
        attempt: which one.
        where: the kind of worker.
        done: whether it came to its end, or has only begun.
    """

    time: float
    pid: int
    mark: str
    attempt: int
    where: str
    done: bool


class Letter(NamedTuple):
    """One dead letter.

    Attributes:
        time: when it was seen.
        reason: why.
        text: what it says.
    """

    time: float
    reason: str
    text: str


class Insert(NamedTuple):
    """What an originator wrote of some tasks that it inserted together.

    Attributes:
        time: when.
        pid: of the originator.
        what: attempted, confirmed or refused.
        first: the number of the first.
        end: one more than that of the last.
        text: why it was refused.
    """

    time: float
    pid: int
    what: str
    first: int
    end: int
    text: str


class Struck(NamedTuple):
    """One fault, as it happened.

    Attributes:
        time: when.
        fault: its name.
        text: what it did.
    """

    time: float
    fault: str
    text: str


@dataclass
class History:
    """What all processes of a run wrote down.

    Attributes:
        run: how the ids of this run's tasks begin.
        performed: what was begun and done of each task, by its number.
        strangers: what was performed that nobody has inserted: ids and marks.
        inserts: what originators wrote, in order.
        answers: what came of each reply, by the task's number; only the last originator tells.
        buried: the dead letters of each task, by its number.
        foreign: dead letters of messages that are no tasks, by their ids, with the reason.
        before: those of them that were there before the run.
        saved: what each key's actor has performed.
        struck: the faults, in order.
        sent: how many messages of each sort were sent besides.
        originator: the process id of the last originator.
        could_not: what an originator could not do, and why.
        stuck: what has not ended in time when it was asked to.
        left: tasks that the bus held when it was asked last, or `UNKNOWN`; None before.
        looks: how often it was asked.
        last: when something was begun or done last.
    """

    run: str
    performed: defaultdict[int, list[Performance]] = field(default_factory=lambda: defaultdict(list))
    strangers: list[str] = field(default_factory=list)
    inserts: list[Insert] = field(default_factory=list)
    answers: dict[int, str] = field(default_factory=dict)
    buried: defaultdict[int, list[Letter]] = field(default_factory=lambda: defaultdict(list))
    foreign: dict[str, str] = field(default_factory=dict)
    before: set[str] = field(default_factory=set)
    saved: dict[str, list[int]] = field(default_factory=dict)
    struck: list[Struck] = field(default_factory=list)
    sent: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    originator: int = 0
    could_not: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    left: int | None = None
    looks: int = 0
    last: float = 0.0

    def add(self, entries: Iterable[Entry]) -> None:
        """Take in what is new."""
        for entry in entries:
            match entry.what:
                case "begun" | "done":
                    self._add_performance(entry)
                case "attempted" | "confirmed" | "refused":
                    first, end, *text = entry.words
                    self.inserts.append(Insert(entry.time, entry.pid, entry.what, int(first), int(end), " ".join(text)))
                case "answered":
                    self.answers[int(entry.words[0])] = " ".join(entry.words[1:])
                case "buried":
                    self._add_letter(entry)
                case "saved":
                    self.saved[entry.words[0]] = [int(root.rpartition(".")[2]) for root in entry.words[1:]]
                case _:
                    self._add_other(entry)

    def _add_other(self, entry: Entry) -> None:
        match entry.what:
            case "struck":
                self.struck.append(Struck(entry.time, entry.words[0], " ".join(entry.words[1:])))
            case "sent":
                self.sent[entry.words[0]] += 1
            case "joined":
                self.originator = entry.pid
            case "could-not":
                self.could_not.append(" ".join(entry.words))
            case "stuck":
                self.stuck.append(" ".join(entry.words))
            case "left":
                self.left = int(entry.words[0])
                self.looks += 1

    def _number(self, root: str) -> int | None:
        run, _, number = root.rpartition(".")
        return int(number) if run == self.run and number.isdecimal() else None

    def _add_performance(self, entry: Entry) -> None:
        root, mark, attempt, where = entry.words
        number = self._number(root)
        self.last = max(self.last, entry.time)
        if number is not None:
            self.performed[number].append(
                Performance(entry.time, entry.pid, mark, int(attempt), where, entry.what == "done")
            )
        elif root.startswith(f"{self.run}.") and entry.what == "begun":
            self.strangers.append(f"{root} {mark}")

    def _add_letter(self, entry: Entry) -> None:
        root, reason, *text = entry.words
        number = self._number(root)
        if number is not None:
            if not any(letter.reason == reason for letter in self.buried[number]):
                self.buried[number].append(Letter(entry.time, reason, " ".join(text)))
        elif root.startswith("message-"):
            self.foreign.setdefault(root, reason)

    @property
    def attempted(self) -> int:
        """How many tasks originators have attempted to insert, all in their order."""
        return max((insert.end for insert in self.inserts if insert.what == "attempted"), default=0)

    def confirmed(self) -> set[int]:
        """Return the numbers of the tasks whose insert returned."""
        return {
            number
            for insert in self.inserts
            if insert.what == "confirmed"
            for number in range(insert.first, insert.end)
        }

    def doubts(self) -> dict[int, tuple[float, float]]:
        """Return from when to when each insert was in doubt: what is sent again meanwhile may come twice."""
        found: dict[int, tuple[float, float]] = {}
        for insert in self.inserts:
            for number in range(insert.first, insert.end):
                began, _ = found.get(number, (insert.time, 0.0))
                found[number] = began, float("inf") if insert.what == "attempted" else insert.time
        return found
