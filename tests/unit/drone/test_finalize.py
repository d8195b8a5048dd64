from __future__ import annotations

import math
from typing import Any

import pytest

from swarmage.abilities import Ability
from swarmage.bus.frames import Frame
from swarmage.drone.branch import Branch
from swarmage.drone.messages import Unread
from swarmage.drone.run import Local, Run
from swarmage.drone.sending import answer
from swarmage.outcome import Crashed, Discarded, Failed, Failure, Outcome, Rejected, Skipped, Succeeded
from swarmage.retry import RetryPolicy
from swarmage.task import Task
from swarmage.wire import names
from swarmage.wire.envelope import MAX_BODY, DeadBody, ReplyBody
from swarmage.wire.message import Message

from ..fakes import FakeCell, FakeConnection, local_run

ORIGINATOR = names.reply_destination("me")
FAILURE = Failure("ValueError", "boo", "Traceback: line 3")
POLICY = RetryPolicy(retries=2, first=10.0, jitter=0.25)


@pytest.fixture
def cell() -> FakeCell:
    one = Ability(lambda: None, "a", policy=POLICY, bound=False)
    return FakeCell(one, Ability(lambda: None, "b", policy=RetryPolicy(retries=0), bound=False))


def asked(task_class: str = "a", **more: Any) -> Task:
    return Task(task_class=task_class, id="t", args=[1], originator=ORIGINATOR, issued=5.0, **more)


def in_one_transaction(frames: list[Frame], ack: str = "1") -> list[Frame]:
    """Return the SENDs of BEGIN, SEND…, ACK, COMMIT."""
    begin, *sends, settled, commit = frames
    assert [begin.command, settled.command, commit.command] == ["BEGIN", "ACK", "COMMIT"]
    assert {frame.command for frame in sends} == {"SEND"}
    assert {frame.headers["transaction"] for frame in frames} == {begin.headers["transaction"]}
    assert settled.headers["id"] == ack
    return sends


def reply_in(cell: FakeCell, frame: Frame) -> ReplyBody:
    assert frame.headers["destination"] == ORIGINATOR
    return cell.wire.read_reply(ORIGINATOR, frame.body, frame.headers["signature"])


def dead_in(cell: FakeCell, frame: Frame) -> DeadBody:
    assert frame.headers["destination"] == names.DEAD
    return cell.wire.read_dead(frame.body, frame.headers["signature"])


def task_in(cell: FakeCell, frame: Frame) -> Task:
    return cell.wire.read_task(frame.headers["destination"], frame.body, frame.headers["signature"])


def wants_sent(run: Run, *bodies: bytes) -> None:
    run.sends = [Message("/queue/swarmage.task.next", body, "s") for body in bodies]


def ended(cell: FakeCell, run: Run, result: Any) -> tuple[Run, Outcome]:
    """Return a run that has succeeded, as its worker hands it in."""
    return run, answer(run, Succeeded(result), cell.wire)


def test_success_that_nobody_asked_for_is_a_bare_ack(cell: FakeCell) -> None:
    cell.finalizer.finalize([(cell.run(Task(task_class="a"), "7"), Succeeded({"big": 1}))])
    [ack] = cell.connection.frames()
    assert (ack.command, ack.headers) == ("ACK", {"id": "7"})


def test_the_result_leaves_in_one_transaction_with_the_ack(cell: FakeCell) -> None:
    cell.finalizer.finalize([ended(cell, cell.run(asked(attempt=2)), [1, 2])])
    [send] = in_one_transaction(cell.connection.frames())
    assert reply_in(cell, send) == ReplyBody(id="t", kind="result", attempt=2, value=[1, 2])


def test_what_a_task_inserted_leaves_before_its_result_in_order(cell: FakeCell) -> None:
    run = cell.run(asked())
    wants_sent(run, b"first", b"second")
    cell.finalizer.finalize([ended(cell, run, None)])
    sends = in_one_transaction(cell.connection.frames())
    assert [frame.body for frame in sends[:2]] == [b"first", b"second"]
    assert reply_in(cell, sends[2]).kind == "result"


def test_what_a_task_inserted_leaves_with_its_ack_also_when_nobody_asked(cell: FakeCell) -> None:
    run = cell.run(Task(task_class="a"))
    wants_sent(run, b"first")
    cell.finalizer.finalize([(run, Succeeded(None))])
    assert [frame.body for frame in in_one_transaction(cell.connection.frames())] == [b"first"]


def test_each_step_has_a_transaction_of_its_own_and_a_burst_is_one_write(cell: FakeCell) -> None:
    cell.finalizer.finalize([ended(cell, cell.run(asked(), str(number)), number) for number in range(3)])
    assert len(cell.connection.writes) == 1
    frames = cell.connection.frames()
    assert len({frame.headers["transaction"] for frame in frames if frame.command == "BEGIN"}) == 3
    for number in range(3):
        in_one_transaction(frames[number * 4 : number * 4 + 4], str(number))


def test_a_failed_task_is_sent_again_later_with_the_next_attempt(cell: FakeCell) -> None:
    task = asked(parent="p", expires=900.0, priority=3)
    run = cell.run(task)
    wants_sent(run, b"must not leave")
    cell.finalizer.finalize([(run, Failed(FAILURE))])
    [send] = in_one_transaction(cell.connection.frames())
    copy = task_in(cell, send)
    assert (copy.id, copy.attempt, copy.args, copy.issued) == ("t", 2, [1], 5.0)
    assert (copy.originator, copy.parent, copy.expires, copy.priority) == (ORIGINATOR, "p", 900.0, 3)
    assert 7.5 <= copy.delay <= 12.5
    assert int(send.headers["delay"]) == round(copy.delay * 1000)


def test_the_wait_grows_with_the_attempts(cell: FakeCell) -> None:
    cell.finalizer.finalize([(cell.run(asked(attempt=2)), Failed(FAILURE))])
    [send] = in_one_transaction(cell.connection.frames())
    assert 15.0 <= task_in(cell, send).delay <= 25.0


def test_after_the_last_attempt_it_is_a_dead_letter_and_the_originator_is_told(cell: FakeCell) -> None:
    task = asked(attempt=3)
    run = cell.run(task)
    wants_sent(run, b"must not leave")
    cell.finalizer.finalize([(run, Failed(FAILURE))])
    letter, reply = in_one_transaction(cell.connection.frames())
    dead = dead_in(cell, letter)
    assert (dead.reason, dead.destination, dead.failure) == ("failed", "/queue/swarmage.task.a", FAILURE)
    assert dead.task == task
    assert dead.died == cell.clock.wall()
    assert dead.host
    assert reply_in(cell, reply) == ReplyBody(id="t", kind="error", attempt=3, failure=FAILURE)


def test_a_dead_letter_nobody_asked_about_is_only_that(cell: FakeCell) -> None:
    cell.finalizer.finalize([(cell.run(Task(task_class="b")), Failed(FAILURE))])
    [letter] = in_one_transaction(cell.connection.frames())
    assert dead_in(cell, letter).reason == "failed"


def test_what_is_rejected_is_not_tried_again(cell: FakeCell) -> None:
    cell.finalizer.finalize([(cell.run(asked()), Rejected("arguments", FAILURE))])
    letter, reply = in_one_transaction(cell.connection.frames())
    assert dead_in(cell, letter).reason == "arguments"
    assert reply_in(cell, reply).kind == "error"


@pytest.mark.parametrize("result", ["x" * MAX_BODY, (x for x in ())], ids=["large", "generator"])
def test_a_result_that_cannot_be_carried_is_a_dead_letter_without_what_was_inserted(
    cell: FakeCell, result: Any
) -> None:
    run = cell.run(asked())
    wants_sent(run, b"must not leave")
    cell.finalizer.finalize([ended(cell, run, result)])
    letter, reply = in_one_transaction(cell.connection.frames())
    assert dead_in(cell, letter).reason == "result"
    failure = reply_in(cell, reply).failure
    assert failure is not None
    assert failure.kind == "NotEncodable"


def test_a_nan_result_is_carried(cell: FakeCell) -> None:
    cell.finalizer.finalize([ended(cell, cell.run(asked()), math.nan)])
    [send] = in_one_transaction(cell.connection.frames())
    assert math.isnan(reply_in(cell, send).value)


def test_a_tree_is_acked_after_its_last_local_task_with_all_that_was_inserted(cell: FakeCell) -> None:
    root = cell.run(asked())
    leaves = [local_run(root, Task(task_class="a", id=f"leaf{number}")) for number in range(2)]
    wants_sent(root, b"root")
    wants_sent(leaves[0], b"leaf0")
    wants_sent(leaves[1], b"leaf1")
    cell.finalizer.finalize([ended(cell, root, "the root's")])
    cell.finalizer.finalize([(leaves[1], Succeeded("not this"))])
    assert cell.connection.frames() == []
    cell.finalizer.finalize([(leaves[0], Succeeded("nor this"))])
    *sends, reply = in_one_transaction(cell.connection.frames())
    assert [frame.body for frame in [*sends, reply] if frame.headers["destination"] != ORIGINATOR] == [
        b"root",
        b"leaf1",
        b"leaf0",
    ]
    [answered] = [frame for frame in [*sends, reply] if frame.headers["destination"] == ORIGINATOR]
    assert reply_in(cell, answered).value == "the root's"
    assert cell.mailbox.open_trees == 0


@pytest.mark.parametrize("ending", [Failed(FAILURE), Rejected("arguments", FAILURE)])
def test_a_leaf_that_fails_fails_its_tree_and_nothing_of_it_leaves(cell: FakeCell, ending: Any) -> None:
    root = cell.run(asked("b"))
    leaf, late = (local_run(root, Task(task_class="a", id=name)) for name in ("leaf", "late"))
    wants_sent(root, b"must not leave")
    cell.finalizer.finalize([(leaf, ending), (root, Succeeded("fine")), (late, Skipped())])
    letter, reply = in_one_transaction(cell.connection.frames())
    dead = dead_in(cell, letter)
    assert (dead.failure, dead.task and dead.task.id) == (FAILURE, "t")
    assert dead.reason == (ending.reason if isinstance(ending, Rejected) else "failed")
    assert reply_in(cell, reply).kind == "error"


def test_the_first_failure_of_a_tree_is_the_one_that_is_told(cell: FakeCell) -> None:
    root = cell.run(asked("b"))
    leaf = local_run(root, Task(task_class="a", id="leaf"))
    cell.finalizer.finalize([(leaf, Failed(FAILURE)), (root, Failed(Failure("TaskFailed", "because of the leaf")))])
    letter, _ = in_one_transaction(cell.connection.frames())
    assert dead_in(cell, letter).failure == FAILURE


def test_a_rejection_that_only_follows_from_a_failure_changes_nothing(cell: FakeCell) -> None:
    root = cell.run(asked("b"))
    leaf = local_run(root, Task(task_class="a", id="leaf"))
    cell.finalizer.finalize([(leaf, Failed(FAILURE)), (root, Rejected("arguments", Failure("E", "later")))])
    letter, _ = in_one_transaction(cell.connection.frames())
    dead = dead_in(cell, letter)
    assert (dead.reason, dead.failure) == ("failed", FAILURE)


def test_a_failed_tree_is_tried_again_by_the_policy_of_its_root(cell: FakeCell) -> None:
    root = cell.run(asked())
    leaf = local_run(root, Task(task_class="b", id="leaf"))
    cell.finalizer.finalize([(root, Succeeded(None)), (leaf, Failed(FAILURE))])
    [send] = in_one_transaction(cell.connection.frames())
    assert (task_in(cell, send).task_class, task_in(cell, send).attempt) == ("a", 2)


def test_acks_go_to_the_connection_the_task_came_on_and_a_lost_one_holds_up_no_other(cell: FakeCell) -> None:
    old, new = cell.run(asked(), "old"), cell.run(asked(), "new")
    other = FakeConnection()
    other.lost = True
    old.tree.delivery = old.tree.delivery._replace(connection=other)
    cell.finalizer.finalize([ended(cell, old, 1), ended(cell, new, 2)])
    in_one_transaction(cell.connection.frames(), "new")
    assert other.writes == []
    assert cell.mailbox.open_trees == 0


def test_a_message_nobody_can_read_is_buried_as_it_came(cell: FakeCell) -> None:
    delivery = cell.delivery(Message("/queue/swarmage.task.a", b"\xff\0", "v1.x.y"), "9")
    cell.finalizer.bury(Unread(delivery, "unreadable", FAILURE))
    [letter] = in_one_transaction(cell.connection.frames(), "9")
    dead = dead_in(cell, letter)
    assert (dead.reason, dead.raw, dead.signature, dead.task) == ("unreadable", b"\xff\0", "v1.x.y", None)
    assert dead.failure == FAILURE


def test_a_task_that_came_too_late_is_buried_and_its_originator_told(cell: FakeCell) -> None:
    task = asked()
    cell.finalizer.bury(Unread(cell.delivery(cell.wire.task(task)), "expired", FAILURE, task))
    letter, reply = in_one_transaction(cell.connection.frames())
    dead = dead_in(cell, letter)
    assert (dead.reason, dead.task, dead.raw, dead.signature) == ("expired", task, None, None)
    assert reply_in(cell, reply).failure == FAILURE


@pytest.mark.parametrize("text", ["no such file: \udcff", "m" * MAX_BODY], ids=["surrogate", "large"])
def test_a_failure_in_any_words_ends_its_task(cell: FakeCell, text: str) -> None:
    cell.finalizer.finalize([(cell.run(asked("b")), Failed(Failure("OSError", text, text)))])
    letter, reply = in_one_transaction(cell.connection.frames())
    assert dead_in(cell, letter).failure.kind == "OSError"
    assert reply_in(cell, reply).kind == "error"


def test_a_task_that_just_fits_can_fail(cell: FakeCell) -> None:
    empty = len(cell.wire.task(Task(task_class="a", id="1", issued=1.0, args=[""])).body)
    task = Task(task_class="a", id="1", issued=1.0, args=["x" * (MAX_BODY - empty)])
    cell.finalizer.finalize([(cell.run(task), Failed(FAILURE))])
    [send] = in_one_transaction(cell.connection.frames())
    assert send.headers["destination"] in ("/queue/swarmage.task.a", names.DEAD)


def test_what_is_discarded_is_acked_and_its_originator_told_and_nothing_else_leaves(cell: FakeCell) -> None:
    run = cell.run(asked())
    wants_sent(run, b"must not leave")
    cell.finalizer.finalize([(run, Discarded(FAILURE))])
    [reply] = in_one_transaction(cell.connection.frames())
    assert reply_in(cell, reply) == ReplyBody(id="t", kind="error", attempt=1, failure=FAILURE)


def test_a_crash_of_what_performed_it_is_counted_apart_from_failures(cell: FakeCell) -> None:
    run = cell.run(asked(crashes=1, attempt=2))
    wants_sent(run, b"must not leave")
    cell.finalizer.finalize([(run, Crashed(FAILURE))])
    [send] = in_one_transaction(cell.connection.frames())
    copy = task_in(cell, send)
    assert (copy.crashes, copy.attempt) == (2, 2)
    assert copy.delay > 0
    cell.finalizer.finalize([(cell.run(asked(crashes=2, attempt=2)), Crashed(FAILURE))])
    letter, _ = in_one_transaction(cell.connection.frames())
    dead = dead_in(cell, letter)
    assert dead.task is not None
    assert (dead.reason, dead.task.crashes) == ("crashed", 3)


def test_a_reason_in_any_words_is_carried(cell: FakeCell) -> None:
    cell.finalizer.finalize([(cell.run(asked()), Rejected("\udcff" + "x" * 10_000, FAILURE))])
    letter, _ = in_one_transaction(cell.connection.frames())
    assert dead_in(cell, letter).reason.startswith("\\udcffxxx")
    assert len(dead_in(cell, letter).reason) < 300


def grown(parent: Run, path: str) -> Run:
    """Return a local task whose failure is its parent's to handle, and that a worker has begun."""
    local = Local("a", tried=True)
    parent.tree.open += 1
    branch = Branch(parent.tree, local)
    branch.open = 1
    return Run(Task(task_class="a", id=path), branch, path, local)


def test_what_came_of_a_good_branch_leaves_with_its_tree(cell: FakeCell) -> None:
    root = cell.run(asked("b"))
    trial = grown(root, "1")
    inner = grown(trial, "1.1")
    for run, body in ((root, b"root"), (trial, b"trial"), (inner, b"inner")):
        wants_sent(run, body)
    cell.finalizer.finalize([(trial, Succeeded("result"))])
    assert trial.local is not None
    assert trial.local.outcome is None  # a task of the branch runs still
    cell.finalizer.finalize([(inner, Succeeded(None)), (root, Succeeded(None))])
    assert trial.local.outcome == Succeeded("result")
    sends = in_one_transaction(cell.connection.frames())
    assert {frame.body for frame in sends} == {b"root", b"trial", b"inner"}
    assert cell.mailbox.open_trees == 0


def test_of_a_branch_that_fails_nothing_leaves_and_its_tree_goes_on(cell: FakeCell) -> None:
    root = cell.run(asked("b"))
    trial = grown(root, "1")
    leaf = local_run(trial, Task(task_class="a", id="leaf"))
    inner = grown(trial, "1.2")
    for run, body in ((root, b"root"), (trial, b"trial"), (inner, b"inner")):
        wants_sent(run, body)
    cell.finalizer.finalize([(inner, Succeeded(None)), (leaf, Failed(FAILURE)), (trial, Succeeded("result"))])
    assert trial.local is not None
    assert trial.local.outcome == Failed(FAILURE)
    assert inner.tree.failure == FAILURE
    assert root.tree.failure is None
    cell.finalizer.finalize([(root, Succeeded(None))])
    assert [frame.body for frame in in_one_transaction(cell.connection.frames())] == [b"root"]


def test_a_branch_ends_its_tree_when_it_is_the_last_of_it(cell: FakeCell) -> None:
    root = cell.run(Task(task_class="b"))
    trial = grown(root, "1")
    cell.finalizer.finalize([(root, Succeeded(None))])
    assert cell.connection.frames() == []
    cell.finalizer.finalize([(trial, Failed(FAILURE))])
    assert cell.connection.commands() == ["ACK"]


def test_a_tree_of_which_a_task_runs_for_ever_can_be_ended_all_the_same(cell: FakeCell) -> None:
    root = cell.run(asked("b"))
    local_run(root, Task(task_class="a", id="leaf"))
    cell.finalizer.force([root.tree])
    letter, reply = in_one_transaction(cell.connection.frames())
    assert (dead_in(cell, letter).reason, dead_in(cell, letter).failure.kind) == ("failed", "TaskTimeout")
    assert reply_in(cell, reply).kind == "error"
    ended = cell.run(asked("b"))
    cell.finalizer.finalize([(ended, Failed(FAILURE))])
    cell.connection.frames()
    cell.finalizer.force([ended.tree])
    assert cell.connection.frames() == []
