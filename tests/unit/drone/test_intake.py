from __future__ import annotations

from typing import Any

import pytest

from swarmage.bus.delivery import Delivery
from swarmage.clock import SYSTEM_CLOCK
from swarmage.drone.intake import Intake
from swarmage.drone.messages import Suspect, Suspected, Unread
from swarmage.drone.run import Run
from swarmage.drone.worker_inbox import WorkerInbox
from swarmage.task import Task
from swarmage.wire.envelope import Wire
from swarmage.wire.signing import Signer

from ..fakes import KEY, OTHER_KEY, FakeCell, FakeConnection


class Entrance:
    """An intake, and what came through."""

    def __init__(self) -> None:
        self.cell = FakeCell()
        self.inbox = WorkerInbox(self.cell.mailbox, ["a"])
        self.intake = Intake(self.cell.mailbox, self.cell.wire, self.cell.clock, crashes=3)

    def delivery(self, task: Task, **headers: str) -> Delivery:
        return self.cell.delivery(self.cell.wire.task(task), **headers)

    def raw(self, body: bytes, signature: str | None) -> Delivery:
        given = {"destination": "/queue/swarmage.task.a", "ack": "1"}
        if signature is not None:
            given["signature"] = signature
        return Delivery(self.cell.connection, given, body)  # type: ignore[arg-type]

    def through(self, *deliveries: Delivery) -> tuple[list[Run], list[Any]]:
        self.intake.receive(list(deliveries))
        runs, unread = [], []
        while (run := self.cell.mailbox.take(self.inbox)) is not None:
            runs.append(run)
        mailbox = self.cell.mailbox
        mailbox._next_tick = self.cell.clock.now + 1
        while not mailbox.empty():
            unread.append(mailbox.get().message)
        return runs, unread


@pytest.fixture
def entrance() -> Entrance:
    return Entrance()


GOOD = Task(task_class="a", id="good", args=[1])
SIGNER = Signer(KEY)
DESTINATION = "/queue/swarmage.task.a"


def test_a_good_task_becomes_a_run_with_a_tree_of_its_own(entrance: Entrance) -> None:
    delivery = entrance.delivery(GOOD)
    [run], unread = entrance.through(delivery)
    assert unread == []
    assert (run.task.id, run.local, run.extra) == ("good", None, False)
    assert (run.tree.delivery, run.tree.open, run.tree.task) == (delivery, 1, run.task)
    assert entrance.cell.mailbox.open_trees == 1


def test_all_tasks_of_one_read_are_put_at_once(entrance: Entrance, monkeypatch: pytest.MonkeyPatch) -> None:
    puts: list[int] = []
    monkeypatch.setattr(entrance.cell.mailbox, "put_runs", lambda runs: puts.append(len(list(runs))))
    entrance.intake.receive([entrance.delivery(GOOD, ack=str(number)) for number in range(5)])
    assert puts == [5]


def unsigned(entrance: Entrance) -> Delivery:
    return entrance.raw(b'{"class":"a"}', None)


def foreign(entrance: Entrance) -> Delivery:
    return entrance.cell.delivery(Wire(OTHER_KEY, SYSTEM_CLOCK).task(GOOD))


def garbage(entrance: Entrance) -> Delivery:
    return entrance.raw(b"\xff\0", SIGNER.sign(DESTINATION, b"\xff\0"))


def misplaced(entrance: Entrance) -> Delivery:
    body = b'{"class":"b","id":"1"}'
    return entrance.raw(body, SIGNER.sign(DESTINATION, body))


def expired(entrance: Entrance) -> Delivery:
    issued = entrance.cell.clock.wall() - 60.1
    return entrance.delivery(Task(task_class="a", id="late", issued=issued, expires=60.0))


def crashed(entrance: Entrance) -> Delivery:
    return lost(entrance, 2, Task(task_class="a", id="killer", suspect=True))


def lost(entrance: Entrance, times: int, task: Task) -> Delivery:
    return entrance.delivery(task, **{"delivery-count": str(times), "redelivered": "true"})


def past_its_deadline(entrance: Entrance) -> Delivery:
    return entrance.delivery(Task(task_class="a", id="past", deadline=entrance.cell.clock.wall()))


@pytest.mark.parametrize(
    ("make", "reason", "known"),
    [
        (unsigned, "signature", False),
        (foreign, "signature", False),
        (garbage, "unreadable", False),
        (misplaced, "unreadable", False),
        (expired, "expired", True),
        (past_its_deadline, "expired", True),
        (crashed, "crashed", True),
    ],
)
def test_what_is_no_task_for_this_drone_is_told_and_holds_up_no_other(
    entrance: Entrance, make: Any, reason: str, known: bool
) -> None:
    bad = make(entrance)
    before, after = entrance.delivery(GOOD, ack="2"), entrance.delivery(GOOD, ack="3")
    runs, [unread] = entrance.through(before, bad, after)
    assert [run.tree.delivery.ack_id for run in runs] == ["2", "3"]
    assert unread.delivery is bad
    assert unread.reason == reason
    assert (unread.task is not None) is known
    assert unread.failure.message


def test_a_task_that_expires_later_or_came_back_less_often_is_performed(entrance: Entrance) -> None:
    issued = entrance.cell.clock.wall() - 59.9
    soon = entrance.delivery(Task(task_class="a", issued=issued, expires=60.0), ack="2")
    later = entrance.delivery(Task(task_class="a", deadline=entrance.cell.clock.wall() + 0.1), ack="3")
    runs, unread = entrance.through(soon, later)
    assert len(runs) == 2
    assert unread == []


def test_a_task_with_which_one_drone_was_lost_is_performed_like_any_other(entrance: Entrance) -> None:
    runs, told = entrance.through(lost(entrance, 1, GOOD))
    assert [run.task.id for run in runs] == ["good"]
    assert told == []


@pytest.mark.parametrize("times", [2, 5, 500])
def test_a_task_with_which_drones_were_lost_in_company_becomes_a_suspect_however_often(
    entrance: Entrance, times: int
) -> None:
    again = lost(entrance, times, GOOD)
    runs, [told] = entrance.through(again)
    assert runs == []
    assert isinstance(told, Suspected)
    assert (told.delivery, told.task.id) == (again, "good")


@pytest.mark.parametrize(
    ("before", "alone", "ends"),
    [(0, 0, False), (0, 1, True), (0, 2, True), (1, 0, False), (1, 1, True), (5, 0, False), (0, 9, True)],
)
def test_a_suspect_is_performed_alone_until_drones_died_of_it_often_enough(
    entrance: Entrance, before: int, alone: int, ends: bool
) -> None:
    task = Task(task_class="a", id="s", suspect=True, crashes=before)
    delivery = lost(entrance, alone, task) if alone else entrance.delivery(task)
    runs, [told] = entrance.through(delivery)
    assert runs == []
    if ends:
        assert isinstance(told, Unread)
        assert told.reason == "crashed"
        assert told.task is not None
        assert told.task.crashes == before + alone + 2
        assert f"{before + alone + 2} times" in told.failure.message
    else:
        assert isinstance(told, Suspect)
        assert (told.run.task.crashes, told.run.task.suspect) == (before + alone, False)
        assert told.run.tree.task is told.run.task


@pytest.mark.parametrize(("times", "outlived", "suspected"), [(3, 2, False), (4, 2, True), (1, 9, False)])
def test_connections_that_this_drone_has_outlived_are_no_reason_for_suspicion(
    entrance: Entrance, times: int, outlived: int, suspected: bool
) -> None:
    asked: list[float] = []
    entrance.intake.outlived = lambda since: asked.append(since) or outlived  # type: ignore[func-returns-value]
    issued = entrance.cell.clock.wall() - 100
    runs, told = entrance.through(lost(entrance, times, Task(task_class="a", id="x", issued=issued)))
    assert (len(runs), [type(one) for one in told]) == ((0, [Suspected]) if suspected else (1, []))
    assert asked == [issued]


def test_a_suspect_is_buried_for_the_losses_that_nobody_has_outlived(entrance: Entrance) -> None:
    entrance.intake.outlived = lambda since: 2
    _, [told] = entrance.through(lost(entrance, 2, Task(task_class="a", id="s", suspect=True)))
    assert type(told) is Suspect
    assert told.run.task.crashes == 0
    _, [told] = entrance.through(lost(entrance, 3, Task(task_class="a", id="t", suspect=True)))
    assert type(told) is Unread
    assert told.reason == "crashed"


def test_a_task_that_runs_here_is_no_suspect_when_its_connection_was_lost(entrance: Entrance) -> None:
    [run], _ = entrance.through(entrance.delivery(GOOD))
    entrance.cell.connection.lost = True
    again = lost(entrance, 7, GOOD)._replace(connection=FakeConnection())  # type: ignore[arg-type]
    assert entrance.through(again) == ([], [])
    assert run.tree.delivery is again


def test_without_a_cap_nothing_is_suspected(entrance: Entrance) -> None:
    cell = entrance.cell
    entrance.intake = Intake(cell.mailbox, cell.wire, cell.clock, crashes=None)
    runs, told = entrance.through(lost(entrance, 50, GOOD))
    assert ([run.task.id for run in runs], told) == (["good"], [])


def test_tasks_by_the_extra_subscription_are_marked(entrance: Entrance) -> None:
    cell = entrance.cell
    entrance.intake = Intake(cell.mailbox, cell.wire, cell.clock, extra=True)
    [run], _ = entrance.through(entrance.delivery(GOOD))
    assert run.extra


@pytest.fixture
def uncounted() -> Entrance:
    """The intake of a drone on a bus that says that a task was delivered before, and not how often."""
    entrance = Entrance()
    cell = entrance.cell
    entrance.intake = Intake(
        cell.mailbox, cell.wire, cell.clock, crashes=3, counted=False, put_runs=cell.mailbox.put_runs
    )
    return entrance


@pytest.mark.parametrize(("losses", "alone"), [(0, False), (1, False), (2, True)])
def test_where_the_bus_does_not_count_copies_do_and_the_third_loss_makes_a_suspect(
    uncounted: Entrance, losses: int, alone: bool
) -> None:
    task = Task(task_class="a", id="x", losses=losses)
    runs, [told] = uncounted.through(uncounted.delivery(task, **{"delivery-count": "1"}))
    assert not runs
    assert type(told) is Suspected
    assert (told.task.losses, told.alone) == (losses + 1, alone)
    assert told.delay > 0


def test_a_suspect_is_forgiven_one_loss_where_it_may_have_stood_beside_another(uncounted: Entrance) -> None:
    first = Task(task_class="a", id="x", suspect=True)
    _, [told] = uncounted.through(uncounted.delivery(first, **{"delivery-count": "1"}))
    assert type(told) is Suspected
    assert told.task.crashes == 1
    _, [again] = uncounted.through(uncounted.delivery(told.task))
    assert type(again) is Suspect
    _, [end] = uncounted.through(uncounted.delivery(told.task, **{"delivery-count": "1"}))
    assert type(end) is Unread
    assert end.reason == "crashed"


def test_where_the_bus_does_not_count_what_was_outlived_makes_a_suspect_later(uncounted: Entrance) -> None:
    uncounted.intake.outlived = lambda since: 2
    for losses in range(5):
        task = Task(task_class="a", id="x", losses=losses)
        _, [told] = uncounted.through(uncounted.delivery(task, **{"delivery-count": "1"}))
        assert type(told) is Suspected
        assert (told.task.losses, told.alone) == (losses + 1, losses == 4)
    for crashes in range(4):
        task = Task(task_class="a", id="y", suspect=True, crashes=crashes)
        _, [told] = uncounted.through(uncounted.delivery(task, **{"delivery-count": "1"}))
        assert type(told) is (Suspected if crashes < 3 else Unread)
