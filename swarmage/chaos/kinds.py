"""The kinds of task that chaos inserts, and what has to be in the ledger of each when all is over."""

from __future__ import annotations

from dataclasses import dataclass

CHAIN = 3
"""Tasks of a chain, each inserted by the one before."""
LEAVES = 3
"""Local tasks that a tree and its branch have, each."""
RESPONSES = 3
"""Responses of a task that has several."""
KEYS = 8
"""Actors of the KeyedWorker."""

DONE = ("done",)
_TREE = (
    *(f"leaf-{number}" for number in range(LEAVES)),
    *(f"branch-{number}" for number in range(LEAVES)),
    *("branch", "tree", "after"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of task.

    Attributes:
        task_class: whose ability it needs.
        share: how many of them there are, in proportion to the others.
        marks: what performing it writes, each at least once.
        reasons: of the dead letter that it becomes; empty where it must not become one.
        keyed: whether it is for a key, which not every bus can do.
        longest: seconds it may take; 0 = none worth mentioning.
        delay: seconds at most before it may begin.
        ill: what is wrong with it; it is inserted only where this is asked for, as one of the faults.
        kills_drone: it takes its drone with it.
    """

    task_class: str
    share: int = 0
    marks: tuple[str, ...] = DONE
    reasons: tuple[str, ...] = ()
    keyed: bool = False
    longest: float = 0.0
    delay: float = 0.0
    ill: str = ""
    kills_drone: bool = False


CRASHED = ("crashed", "failed")

KINDS = {
    "plain": Kind(task_class="chaos.write", share=40),
    "short": Kind(task_class="chaos.write", share=12, longest=0.02),
    "thread": Kind(task_class="chaos.in_thread", share=8, longest=0.01),
    "process": Kind(task_class="chaos.in_process", share=8, longest=0.01),
    "coroutine": Kind(task_class="chaos.in_coroutine", share=8, longest=0.05),
    "long": Kind(task_class="chaos.in_coroutine", share=2, longest=1.0),
    "delayed": Kind(task_class="chaos.write", share=5, delay=2.0),
    "flaky": Kind(task_class="chaos.flaky", share=4),
    "talk": Kind(task_class="chaos.talk", share=4),
    "chain": Kind(task_class="chaos.chain", share=3, marks=tuple(f"step-{number}" for number in range(CHAIN))),
    "tree in a thread": Kind(task_class="chaos.tree_in_thread", share=1, marks=_TREE),
    "tree in a process": Kind(task_class="chaos.tree_in_process", share=1, marks=_TREE),
    "tree of coroutines": Kind(task_class="chaos.tree_in_coroutine", share=1, marks=_TREE),
    "account": Kind(task_class="chaosaccount.add", share=4, keyed=True),
    "doomed": Kind(task_class="chaos.doomed", share=1, marks=(), reasons=("failed",)),
    "segfault": Kind(task_class="chaos.segfault", marks=(), reasons=CRASHED, ill="segfault"),
    "exit": Kind(task_class="chaos.exit", marks=(), reasons=CRASHED, ill="exit"),
    "memory": Kind(task_class="chaos.memory", marks=(), reasons=CRASHED, ill="memory"),
    "hang": Kind(task_class="chaos.hang", marks=(), reasons=("failed",), ill="hang"),
    "stubborn": Kind(task_class="chaos.stubborn", marks=(), reasons=("failed",), ill="stubborn", kills_drone=True),
    "killer": Kind(task_class="chaos.killer", marks=(), reasons=CRASHED, ill="killer", kills_drone=True),
}
"""All of them, by name."""

ILL = tuple(name for name, kind in KINDS.items() if kind.ill)
"""The names of the faults that are tasks."""
