"""Turning outcomes into replies, retries and dead letters, and then, last, into acks. The only place that acks.

From: worker, through the drone's mailbox.  To: bus.

What a tree wants sent and its ack are one step (bus.steps), which the bus takes as a whole or, when the connection is
lost before, delivers the task again. So there is nothing to wait for here.
"""

from __future__ import annotations

import logging
import random
import socket
from collections.abc import Iterable, Mapping
from typing import assert_never

import msgspec

from swarmage.abilities import Ability
from swarmage.bus.delivery import Delivery
from swarmage.drone.branch import Branch
from swarmage.drone.cell import Cell
from swarmage.drone.decision import Again, Bury, Drop, decide
from swarmage.drone.keyed.lane import settle_all
from swarmage.drone.messages import CANCELLATION, CANCELLED, Suspected, Unread
from swarmage.drone.run import Run, Tree
from swarmage.drone.sending import MOST_SENT, SEND_OVERHEAD
from swarmage.errors import ConfigError, NotEncodable, TaskTimeout
from swarmage.outcome import Crashed, Discarded, Failed, Failure, Outcome, Rejected, Skipped, Succeeded, Unsuccessful
from swarmage.task import DEFAULT_PRIORITY, PRIORITIES, Task
from swarmage.wire.envelope import DeadBody, ReplyBody
from swarmage.wire.message import Message
from swarmage.wire.signing import HEADER

logger = logging.getLogger("swarmage.drone")


class Finalizer:
    """Ends tasks. Owned by the drone's thread."""

    def __init__(self, cell: Cell, abilities: Mapping[str, Ability[..., object]], rng: random.Random) -> None:
        self._mailbox = cell.mailbox
        self._wire = cell.wire
        self._bus = cell.bus
        self._clock = cell.clock
        self._abilities = abilities
        self._rng = rng
        self._host = socket.gethostname()

    def finalize(self, finished: list[tuple[Run, Outcome]]) -> None:
        """Note the outcomes, and end the trees that are complete with them."""
        for run, outcome in finished:
            if type(outcome) is not Succeeded or run.sends is not None or type(run.tree) is Branch:
                self._note(run, outcome)
        steps: list[tuple[Delivery, list[Message]]] = []
        keyed: list[tuple[Tree, list[Message]]] = []
        complete = self._mailbox.end_runs([run for run, _ in finished])
        for tree in complete:
            if type(tree) is Branch:
                complete += self._end_branch(tree)
                continue
            plain = tree.ending is None and not tree.sending
            messages = [] if plain else self._messages_or_dead(tree)
            steps.append((tree.delivery, messages))
            if tree.task.key is not None:
                keyed.append((tree, messages))
        self._bus.steps.take(steps)
        if keyed:
            settle_all(self._mailbox, keyed, self._clock.monotonic())

    def force(self, trees: Iterable[Tree]) -> None:
        """End trees of which a task has overrun its hard limit, though others of them may run for ever."""
        for tree in trees:
            if tree.open:
                late = Failure(TaskTimeout.__name__, "a local task of it is over its hard limit")
                tree.ending = tree.ending or Failed(late, TaskTimeout)
                self._bus.steps.take([(tree.delivery, self._messages_or_dead(tree))])

    def bury(self, unread: Unread) -> None:
        """Move a message that is no task for this drone to the dead letters; a cancelled task is only answered."""
        delivery, task = unread.delivery, unread.task
        messages = []
        if task is not None and unread.reason == CANCELLED:
            logger.info("task %s %s is cancelled", *_name(task))
        else:
            messages.append(self._dead(delivery, unread.reason, unread.failure, task))
        if task is not None:
            messages += self._reply(task, unread.failure)
        self._bus.steps.take([(delivery, messages)])

    def suspect(self, suspected: Suspected) -> None:
        """Send a task again that a drone was lost with, marked and ahead of its equals; its deliveries count anew."""
        task = msgspec.structs.replace(suspected.task, suspect=suspected.alone, delay=suspected.delay)
        message = self._wire.task(task)
        if self._bus.dialect.prioritises and suspected.alone:
            priority = DEFAULT_PRIORITY if task.priority is None else task.priority
            message = message._replace(priority=min(priority + 1, PRIORITIES[-1]))
        self._bus.steps.take([(suspected.delivery, [message])])

    @staticmethod
    def _note(run: Run, outcome: Outcome) -> None:
        tree = run.tree
        if run.parent is not None and run.disowned:
            return
        if type(tree) is Branch and run.local is tree.local:
            tree.outcome = outcome
        match outcome:
            case Succeeded():
                if run.sends is not None:
                    tree.sending.append(run)
            case Failed() | Rejected() | Discarded() | Crashed():
                tree.ending = tree.ending or outcome
            case Skipped():
                pass
            case _:
                assert_never(outcome)

    def _end_branch(self, branch: Branch) -> list[Tree]:
        """Tell the handle of a branch how it ended; only what came of a good one is sent with the tree."""
        if branch.ending is None:
            branch.parent.sending.extend(branch.sending)
        branch.local.end(branch.ending or branch.outcome)
        return self._mailbox.end_branch(branch)

    def _messages_or_dead(self, tree: Tree) -> list[Message]:
        """Return what is sent with the ack of a complete tree; one that defeats us is buried, and the drone lives."""
        try:
            return self._messages(tree)
        except (NotEncodable, ConfigError) as error:  # what this bus cannot carry
            return self._fail(tree, Rejected("result", Failure(type(error).__qualname__, str(error))))
        except Exception as error:
            logger.exception("task %s %s cannot be finalized", *_name(tree.task))
            failure = Failure(type(error).__qualname__, "it could not be finalized; see the drone's log")
            return [self._dead(tree.delivery, "result", failure, tree.task), *self._reply(tree.task, failure)]

    def _messages(self, tree: Tree) -> list[Message]:
        sends = [message for run in tree.sending if not run.disowned for message in run.sends or ()]
        ending = tree.ending
        if sends and ending is None and self._bus.dialect.check is not None:
            self._bus.check(sends)
        if ending is None and sum(len(message.body) + SEND_OVERHEAD for message in sends) > MOST_SENT * 3 // 2:
            too_much = Failure("NotEncodable", "its local tasks together insert more than one transaction can hold")
            ending = Rejected("result", too_much)
        return sends if ending is None else self._fail(tree, ending)

    def _fail(self, tree: Tree, ending: Unsuccessful) -> list[Message]:
        task, failure = tree.task, ending.failure
        if ending is CANCELLATION:
            logger.info("task %s %s is cancelled in attempt %d", *_name(task), task.attempt)
            return self._reply(task, failure)
        what = f"{failure.kind}: {failure.message[:200]}"
        policy = self._abilities[task.task_class].policy.with_own(task.retries, task.backoff)
        match decide(task, ending, policy, self._clock.wall(), self._rng):
            case Again(copy):
                logger.info(
                    "task %s %s failed, attempt %d again in %.1f s: %r", *_name(task), copy.attempt, copy.delay, what
                )
                return [self._wire.task(copy)]
            case Drop():
                logger.info("task %s %s is discarded: %r", *_name(task), what)
                return self._reply(task, failure)
            case Bury(reason, dead):
                logger.warning(
                    "task %s %s is a dead letter (%s) after attempt %d: %r", *_name(task), reason, task.attempt, what
                )
                return [self._dead(tree.delivery, reason, failure, dead), *self._reply(task, failure)]

    def _dead(self, delivery: Delivery, reason: str, failure: Failure, task: Task | None) -> Message:
        unknown = task is None
        letter = DeadBody(
            reason=reason,
            destination=delivery.headers["destination"],
            died=round(self._clock.wall(), 3),
            host=self._host,
            failure=failure,
            task=task,
            raw=delivery.body if unknown else None,
            signature=delivery.headers.get(HEADER) if unknown else None,
        )
        return self._wire.dead(letter)

    def _reply(self, task: Task, failure: Failure) -> list[Message]:
        if task.originator is None:
            return []
        error = ReplyBody(id=task.id, kind="error", attempt=task.attempt, failure=failure)
        return [self._wire.reply(task.originator, error)]


def _name(task: Task) -> tuple[str, str]:
    return task.task_class, task.id
