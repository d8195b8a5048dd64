"""What came of a run, counted as Jepsen's checker of a total queue does: ok, lost, duplicated, recovered, unexpected.

Every task whose insert returned must have been performed in all its parts by the end, or be a dead letter if it is of
those that always fail. One whose insert was in doubt may be missing, but must not be there in part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from swarmage.chaos.history import History, Performance
from swarmage.chaos.kinds import KINDS, Kind
from swarmage.chaos.plan import Plan

UNSETTLED_SECONDS = 5.0
"""A task that has come to its end so long before a fault was acknowledged by then: performing it again is no doing of
that fault."""
HELD_SECONDS = 0.2
"""One that has come to its end within this time before a fault counts as in flight: its ack may be on its way."""


@dataclass(kw_only=True)
class Findings:
    """What came of a run; lists hold the numbers of tasks.

    Attributes:
        attempted: tasks that originators began to insert.
        confirmed: tasks whose insert returned.
        ok: confirmed tasks that ended as they should.
        lost: tasks that were inserted and neither performed nor a dead letter, or only in part.
        duplicated: tasks of which something was performed more than once.
        extra: how often anything was performed again, in all.
        in_flight: how many tasks had begun and were hardly acknowledged at the faults, in all: those may come twice.
        unexplained: tasks that were performed again although no fault came while they were unsettled.
        recovered: tasks that were performed although their insert did not return.
        unexpected: what was performed and never inserted, or a dead letter that should be none.
        unanswered: tasks whose originator waited for a reply until the end, and got none, or a wrong one.
        miscounted: keys whose actor has saved a task twice, or not at all.
        unburied: how many forged or garbled messages are missing among the dead letters.
        stuck: what has not ended in time when it was asked to.
        unattempted: tasks that nobody has begun to insert, as the run came to a standstill.
    """

    attempted: int = 0
    confirmed: int = 0
    ok: int = 0
    lost: list[int] = field(default_factory=list)
    duplicated: list[int] = field(default_factory=list)
    extra: int = 0
    in_flight: int = 0
    unexplained: list[int] = field(default_factory=list)
    recovered: list[int] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    unanswered: dict[int, str] = field(default_factory=dict)
    miscounted: dict[str, str] = field(default_factory=dict)
    unburied: int = 0
    stuck: list[str] = field(default_factory=list)
    unattempted: int = 0

    @property
    def good(self) -> bool:
        """Whether nothing was lost, and nothing else is wrong either."""
        if self.lost or self.unexpected or self.unexplained or self.unanswered or self.miscounted:
            return False
        return not (self.unburied or self.stuck or self.unattempted)


def missing(plan: Plan, history: History, numbers: Iterator[int]) -> list[int]:
    """Return those tasks that have not ended yet, well or badly."""
    return [number for number in numbers if number not in history.buried and not _has_ended(plan, history, number)]


def _has_ended(plan: Plan, history: History, number: int) -> bool:
    kind = KINDS[plan.tasks[number].kind]
    if kind.reasons:
        return number in history.buried
    return not _lacks(kind, history.performed.get(number, ()))


def _lacks(kind: Kind, performances: object) -> set[str]:
    assert isinstance(performances, list | tuple)
    return set(kind.marks).difference(each.mark for each in performances if each.done)


def check(plan: Plan, history: History, *, atomic: bool = True) -> Findings:
    """Return what came of a run that has been drained.

    Args:
        plan: what was to happen.
        history: what did.
        atomic: the bus does what a task sends and its ack together; elsewhere a fault in between leaves two messages,
            which may be performed long after it.
    """
    confirmed = history.confirmed()
    found = Findings(attempted=history.attempted, confirmed=len(confirmed))
    found.unattempted = len(plan.tasks) - history.attempted
    found.unexpected = list(history.strangers)
    found.stuck = list(history.stuck)
    strikes, doubts = _strikes(plan, history), history.doubts()
    for number in range(history.attempted):
        _check_end(found, plan, history, number, sure=number in confirmed)
        doubted = any(doubts[number][0] <= strike <= doubts[number][1] for strike in strikes)
        last = max((each.time for each in history.performed.get(number, ())), default=0.0)
        struck = not atomic and any(doubts[number][0] <= strike <= last for strike in strikes)
        _check_duplicates(found, plan, history, number, strikes, excused=doubted or struck)
    _check_strangers(found, history)
    _check_answers(found, plan, history, confirmed)
    _check_saved(found, plan, history)
    wanted = history.sent["forged"] + history.sent["garbled"]
    buried = Counter(reason for message, reason in history.foreign.items() if message not in history.before)
    found.unburied = max(0, wanted - buried["signature"] - buried["unreadable"])
    return found


def _check_end(found: Findings, plan: Plan, history: History, number: int, *, sure: bool) -> None:
    kind = KINDS[plan.tasks[number].kind]
    performances = history.performed.get(number, [])
    letters = history.buried.get(number, [])
    reasons = {letter.reason for letter in letters}
    if reasons.difference(kind.reasons):
        found.unexpected.append(f"task {number} is a dead letter: {', '.join(sorted(reasons))}, {letters[0].text}")
    elif _has_ended(plan, history, number):
        if sure:
            found.ok += 1
        else:
            found.recovered.append(number)
    elif sure or performances or letters:
        found.lost.append(number)


def _strikes(plan: Plan, history: History) -> list[float]:
    """Return when something struck: the faults, and the tasks that take their drone with them."""
    killers = [
        each.time
        for number, performances in history.performed.items()
        if number < len(plan.tasks) and KINDS[plan.tasks[number].kind].kills_drone
        for each in performances
    ]
    return sorted([each.time for each in history.struck] + killers)


def _check_duplicates(
    found: Findings, plan: Plan, history: History, number: int, strikes: list[float], *, excused: bool
) -> None:
    """Count what was done twice, and see that a fault came in between, while it or its insert was unsettled."""
    performances = history.performed.get(number, [])
    if not performances:
        return
    begun, ended = performances[0].time, performances[-1].time
    found.in_flight += sum(1 for strike in strikes if begun <= strike <= ended + HELD_SECONDS)
    counts = Counter(each.mark for each in performances if each.done)
    extra = sum(counts.values()) - len(counts)
    if not extra:
        return
    found.extra += extra
    found.duplicated.append(number)
    replayed = history.sent["replayed"] and plan.tasks[number].kind == "plain"
    if not (replayed or excused) and not all(_explained(_of_mark(performances, mark), strikes) for mark in counts):
        found.unexplained.append(number)


def _of_mark(performances: list[Performance], mark: str) -> list[float]:
    return sorted(each.time for each in performances if each.done and each.mark == mark)


def _explained(times: list[float], strikes: list[float]) -> bool:
    """Say whether between each end and the next one something struck, before the first can have been acknowledged."""
    return all(
        any(first - UNSETTLED_SECONDS <= strike <= min(second, first + UNSETTLED_SECONDS) for strike in strikes)
        for first, second in pairwise(times)
    )


def _check_strangers(found: Findings, history: History) -> None:
    late = [number for number in {*history.performed, *history.buried} if number >= history.attempted]
    found.unexpected += [f"task {number}, which nobody has inserted" for number in sorted(late)]


def _check_answers(found: Findings, plan: Plan, history: History, confirmed: set[int]) -> None:
    """Of the last originator alone: what earlier ones waited for died with them."""
    for insert in history.inserts:
        if insert.what != "confirmed" or insert.pid != history.originator:
            continue
        for number in range(insert.first, insert.end):
            if plan.tasks[number].asked and number in confirmed:
                answer = history.answers.get(number, "silence")
                if answer != "right":
                    found.unanswered[number] = answer


def _check_saved(found: Findings, plan: Plan, history: History) -> None:
    wanted: dict[str, set[int]] = {}
    for number, performances in history.performed.items():
        key = plan.tasks[number].key if number < len(plan.tasks) else None
        if key is not None and any(each.done for each in performances):
            wanted.setdefault(key, set()).add(number)
    for key, numbers in wanted.items():
        saved = history.saved.get(key, [])
        twice = [number for number, times in Counter(saved).items() if times > 1]
        if twice:
            found.miscounted[key] = f"saved twice: {twice}"
        elif set(saved) != numbers:
            found.miscounted[key] = f"performed and not saved: {sorted(numbers.difference(saved))}"
