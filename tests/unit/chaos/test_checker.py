"""What is counted of a run: that nothing is lost is worth only as much as that a loss is found."""

from __future__ import annotations

import pytest

from swarmage.chaos.checker import HELD_SECONDS, UNSETTLED_SECONDS, check
from swarmage.chaos.kinds import KINDS
from tests.unit.chaos.runs import Run

PERFORMED = [name for name, kind in KINDS.items() if kind.marks]


@pytest.mark.parametrize("kind", PERFORMED)
def test_a_task_that_was_performed_is_ok(kind: str) -> None:
    run = Run(kind)
    run.insert()
    run.perform(0)
    if KINDS[kind].keyed:
        run.write(5.0, "saved", "key-0", "r.0")
    assert run.findings.ok == 1
    assert run.findings.good


@pytest.mark.parametrize("kind", PERFORMED)
def test_a_task_of_which_a_part_is_missing_is_lost(kind: str) -> None:
    for mark in KINDS[kind].marks:
        run = Run(kind)
        run.insert()
        run.perform(0, leave_out=mark)
        assert run.findings.lost == [0]
        assert not run.findings.good


def test_a_task_that_has_begun_and_not_ended_is_lost() -> None:
    run = Run("plain")
    run.insert()
    run.write(2.0, "begun", "r.0", "done", 1, "thread")
    assert run.findings.lost == [0]


def test_a_task_whose_insert_did_not_return_may_be_missing_but_not_be_there_in_part() -> None:
    run = Run("plain", "plain", "chain")
    run.insert(sure=False)
    assert run.findings.good
    assert run.findings.lost == run.findings.recovered == []
    run.perform(1)
    run.perform(2, leave_out="step-1")
    assert run.findings.recovered == [1]
    assert run.findings.lost == [2]


def test_a_task_that_always_fails_belongs_into_the_dead_letters_with_its_reason() -> None:
    run = Run("doomed", "segfault")
    run.insert()
    assert run.findings.lost == [0, 1]
    run.bury(0, "failed")
    run.bury(1, "crashed")
    assert run.findings.good
    assert run.findings.ok == 2


def test_an_innocent_dead_letter_is_unexpected_and_not_lost() -> None:
    run = Run("plain")
    run.insert()
    run.bury(0, "crashed")
    assert run.findings.lost == []
    assert "task 0 is a dead letter: crashed" in run.findings.unexpected[0]
    assert not run.findings.good


def test_what_nobody_has_inserted_is_unexpected() -> None:
    run = Run("plain")
    run.write(2.0, "begun", "r.0", "done", 1, "thread")
    run.write(2.0, "begun", "r.forged", "done", 1, "thread")
    run.write(2.0, "begun", "another-run.3", "done", 1, "thread")  # of which we know nothing
    assert run.findings.unexpected == ["r.forged done", "task 0, which nobody has inserted"]


def test_a_run_in_which_not_all_was_inserted_is_no_good_run() -> None:
    run = Run("plain", "plain")
    assert run.findings.unattempted == 2
    assert not run.findings.good


def test_a_process_that_did_not_end_when_it_was_asked_to_is_told() -> None:
    run = Run("plain")
    run.insert()
    run.perform(0)
    run.write(9.0, "stuck", "the bus, 7, 45 s after SIGTERM")
    assert run.findings.stuck == ["the bus, 7, 45 s after SIGTERM"]
    assert not run.findings.good


def test_a_task_that_is_performed_again_after_a_fault_is_a_duplicate_and_no_more() -> None:
    run = Run("plain", "plain")
    run.insert()
    run.perform(0, 2.0)
    run.perform(1, 2.0)
    run.strike(2.0 + HELD_SECONDS)
    run.perform(0, 4.0)
    assert run.findings.duplicated == [0]
    assert run.findings.extra == 1
    assert run.findings.in_flight >= 1
    assert run.findings.good


def test_a_task_that_is_performed_again_without_a_fault_in_between_is_wrong() -> None:
    run = Run("plain")
    run.insert()
    run.strike(1.5)
    run.perform(0, 10.0)
    run.perform(0, 11.0)
    assert run.findings.unexplained == [0]
    assert not run.findings.good


def test_where_a_step_is_not_atomic_a_fault_may_double_a_task_that_is_performed_long_after() -> None:
    run = Run("plain")
    run.insert()
    run.strike(1.5)
    run.perform(0, 30.0)
    run.perform(0, 31.0)
    assert not check(run.plan, run.history).good
    assert check(run.plan, run.history, atomic=False).good


def test_where_a_step_is_not_atomic_a_fault_that_came_too_late_excuses_nothing() -> None:
    run = Run("plain")
    run.insert()
    run.perform(0, 30.0)
    run.perform(0, 31.0)
    run.strike(33.0)
    assert check(run.plan, run.history, atomic=False).unexplained == [0]


def test_a_fault_long_after_the_end_of_a_task_does_not_excuse_its_return() -> None:
    run = Run("plain")
    run.insert()
    run.perform(0, 2.0)
    run.strike(2.0 + UNSETTLED_SECONDS + 1)
    run.perform(0, 2.0 + UNSETTLED_SECONDS + 2)
    assert run.findings.unexplained == [0]


def test_a_fault_while_an_insert_was_in_doubt_excuses_that_it_came_twice() -> None:
    run = Run("plain")
    run.insert(sure=False)
    run.strike(1.2)
    run.write(8.0, "confirmed", 0, 1, pid=run.client)
    run.perform(0, 8.0)
    run.perform(0, 8.5)
    assert run.findings.duplicated == [0]
    assert run.findings.good


def test_a_task_that_takes_its_drone_along_excuses_its_neighbours() -> None:
    run = Run("plain", "killer")
    run.insert()
    run.bury(1, "crashed")
    run.perform(0, 2.0)
    run.write(2.2, "begun", "r.1", "done", 1, "thread")
    run.perform(0, 3.0)
    assert run.findings.good


def test_a_reply_must_come_to_the_last_originator_and_be_right() -> None:
    run = Run("plain", asked=True)
    run.insert()
    run.perform(0)
    assert run.findings.unanswered == {0: "silence"}
    run.write(5.0, "answered", 0, "wrong 7")
    assert run.findings.unanswered == {0: "wrong 7"}
    run.write(5.0, "answered", 0, "right")
    assert run.findings.good


def test_replies_to_an_originator_that_was_killed_are_nobodys_business() -> None:
    run = Run("plain", asked=True)
    run.insert()
    run.perform(0)
    run.write(5.0, "joined", 1, pid=8)
    assert run.findings.good


@pytest.mark.parametrize(
    ("saved", "how"), [(["r.0", "r.0", "r.1"], "saved twice: [0]"), (["r.0"], "performed and not saved: [1]")]
)
def test_what_a_key_has_saved_must_be_each_task_once(saved: list[str], how: str) -> None:
    run = Run("account", "account")
    run.insert()
    run.perform(0)
    run.perform(1)
    run.write(5.0, "saved", "key-0", *saved)
    assert run.findings.miscounted == {"key-0": how}
    assert not run.findings.good


def test_forged_and_garbled_messages_must_be_found_among_the_dead_letters() -> None:
    run = Run("plain")
    run.insert(sure=False)
    run.write(1.0, "buried", "message-1", "signature", "of an earlier run")
    run.history.before.update(run.history.foreign)
    run.write(2.0, "sent", "forged")
    run.write(2.0, "sent", "garbled")
    assert run.findings.unburied == 2
    run.write(3.0, "buried", "message-2", "signature", "no")
    run.write(3.0, "buried", "message-3", "unreadable", "no")
    assert run.findings.good
