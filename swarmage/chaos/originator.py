"""The originator of a run, in a process that can be killed: ``python -m swarmage.chaos.originator`` does what it reads.

It reads one order a line from stdin, and writes to the ledger what it attempts before it does, and what the bus has
confirmed after that. Tasks are called by their numbers in the plan.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from swarmage.chaos.history import UNKNOWN
from swarmage.chaos.kinds import KEYS, KINDS
from swarmage.chaos.ledger import Ledger, own_ledger
from swarmage.chaos.messages import send_again, send_forged, send_garbled
from swarmage.chaos.plan import Plan, make_plan
from swarmage.client.client import Client
from swarmage.client.dead_letters import DeadLetters
from swarmage.client.reply import Reply
from swarmage.client.status import bus_figures
from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import ReplyTimeout, SwarmageError, TaskFailed
from swarmage.task import Task

SCRIPT_VARIABLE = "SWARMAGE_CHAOS_SCRIPT"
"""Holds the script, as JSON."""
TIMEOUT = 20.0
"""Seconds an insert may take: a bus that is started again comes in time."""
MOST_AT_ONCE = 60
"""Tasks inserted together, at most."""
MOST_TEXT = 300
"""Characters of an error that are written down."""


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """What an originator has to know.

    Attributes:
        run: how the ids of this run's tasks begin.
        seed: of the plan.
        tasks: how many.
        faults: the names of its faults.
        keyed: whether there are tasks for keys.
    """

    run: str
    seed: int
    tasks: int
    faults: tuple[str, ...]
    keyed: bool

    @property
    def plan(self) -> Plan:
        """The plan, made once more."""
        return make_plan(self.seed, self.tasks, self.faults, keyed=self.keyed)


@dataclass
class Originator:
    """Inserts the tasks of a plan, and hears what became of them."""

    script: Script
    plan: Plan
    client: Client
    ledger: Ledger
    dice: random.Random
    next: int
    replies: dict[int, Reply[Any]] = field(default_factory=dict)

    def insert(self, upto: int) -> None:
        """Insert the tasks up to a number, some together and some alone."""
        while self.next < upto:
            end = min(upto, self.next + self.dice.randint(1, MOST_AT_ONCE))
            self._insert(range(self.next, end))
            self.next = end

    def _insert(self, numbers: range) -> None:
        span = (numbers.start, numbers.stop)
        asked = [number for number in numbers if self.plan.tasks[number].asked]
        others = [number for number in numbers if not self.plan.tasks[number].asked]
        self.ledger.write("attempted", *span)
        try:
            for some, reply in ((asked, True), (others, False)):
                made = self.client.insert_many("chaos.write", [self._task(number) for number in some], reply=reply)
                if reply:
                    self.replies.update(zip(some, made, strict=True))
        except SwarmageError as error:
            self.ledger.write("refused", *span, f"{type(error).__name__}: {error}")
        else:
            self.ledger.write("confirmed", *span)

    def _task(self, number: int) -> Task:
        planned = self.plan.tasks[number]
        root = f"{self.script.run}.{number}"
        return Task(
            task_class=KINDS[planned.kind].task_class,
            args=[root, planned.seconds, "x" * planned.padding],
            id=root,
            delay=planned.delay,
            key=planned.key,
        )

    def look(self) -> None:
        """Write down what the bus holds, and the dead letters of this run."""
        held = UNKNOWN
        if self.client.connect().dialect.figures:
            figures = bus_figures(self.client.bus, TIMEOUT, SYSTEM_CLOCK)
            tasks = [queue for queue in figures["queues"] if "chaos" in queue["name"]]
            held = sum(queue["waiting"] + queue["in_flight"] + queue["delayed"] for queue in tasks)
        for letter in DeadLetters(self.client).all():
            root = str(letter.args[0]) if letter.args else letter.id
            text = f"{letter.task_class} {letter.kind}: {letter.message}"[:MOST_TEXT]
            self.ledger.write("buried", root, letter.reason, text)
        self.ledger.write("left", held)

    def answer(self, seconds: float) -> None:
        """Wait for all replies, and write down what came."""
        deadline = SYSTEM_CLOCK.monotonic() + seconds
        for number, reply in self.replies.items():
            self.ledger.write("answered", number, self._hear(number, reply, deadline))

    def _hear(self, number: int, reply: Reply[Any], deadline: float) -> str:
        kind = KINDS[self.plan.tasks[number].kind]
        try:
            result = reply.result(max(0.0, deadline - SYSTEM_CLOCK.monotonic()))
        except TaskFailed as error:
            return "right" if kind.reasons else f"failed {error.kind}: {error.message}"[:MOST_TEXT]
        except ReplyTimeout:
            return "silence"
        if self.plan.tasks[number].kind == "talk":
            return "right" if result is None and reply.responses == [0, 1, 2] else f"wrong {reply.responses} {result}"
        return "right" if result == f"{self.script.run}.{number}" else f"wrong {result}"

    def saved(self, seconds: float) -> None:
        """Ask each actor of a key what it has performed, and write it down."""
        for key in (f"key-{number}" for number in range(KEYS)):
            task = Task(task_class="chaosaccount.roots", args=["-"], key=key)
            roots: list[str] = self.client.insert_task(task).result(seconds)
            self.ledger.write("saved", key, *(root for root in roots if root.startswith(f"{self.script.run}.")))

    def send(self, what: str) -> None:
        """Send a message that must not be performed, or that was performed before."""
        match what:
            case "forged":
                send_forged(self.client, f"{self.script.run}.forged", self.dice)
            case "garbled":
                send_garbled(self.client, f"{self.script.run}.garbled", self.dice)
            case "replayed":
                plain = [number for number in range(self.next) if self.plan.tasks[number].kind == "plain"]
                if not plain:
                    return
                send_again(self.client, self._task(self.dice.choice(plain)))
        self.ledger.write("sent", what)


def main() -> None:
    """Do what stdin says, until it ends."""
    script = msgspec.json.decode(os.environ[SCRIPT_VARIABLE], type=Script)
    ledger = own_ledger()
    with Client(timeout=TIMEOUT) as client:
        dice = random.Random(f"{script.seed} {sys.argv[1]}")  # noqa: S311 - a seed is what makes a run come again
        ledger.write("joined", sys.argv[1])
        originator = Originator(script, script.plan, client, ledger, dice, int(sys.argv[1]))
        for order, words in _orders():
            _obey(originator, order, words)


def _obey(originator: Originator, order: str, words: list[str]) -> None:
    try:
        match order:
            case "insert":
                originator.insert(int(words[0]))
            case "send":
                originator.send(words[0])
            case "look":
                originator.look()
            case "answer":
                originator.answer(float(words[0]))
            case "saved":
                originator.saved(float(words[0]))
    except SwarmageError as error:
        originator.ledger.write("could-not", order, f"{type(error).__name__}: {error}")


def _orders() -> Iterator[tuple[str, list[str]]]:
    for line in sys.stdin:
        order, *words = line.split()
        yield order, words


def environment(script: Script) -> Mapping[str, str]:
    """Return what an originator finds in its environment, besides what others do."""
    return {SCRIPT_VARIABLE: msgspec.json.encode(script).decode()}


if __name__ == "__main__":
    main()
