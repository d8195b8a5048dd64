from __future__ import annotations

from typing import ClassVar

import pytest

from swarmage.abilities import Ability
from swarmage.bus.dialects.rabbitmq import RabbitMQDialect
from swarmage.drone.messages import Echo, Letter, Suspect, Suspected
from swarmage.drone.quarantine import PATIENCE, QUIET, Quarantine
from swarmage.drone.run import Run, Tree
from swarmage.drone.standing import Standing
from swarmage.drone.subscribing import Subscribing
from swarmage.drone.worker_inbox import WorkerInbox
from swarmage.outcome import Succeeded
from swarmage.task import Task

from ..fakes import FakeCell, FakeConnection


class Confirming(FakeConnection):
    """A connection whose bus confirms at once, or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.receipts = self
        self.confirms = True

    def expect(self) -> tuple[str, Confirming]:
        return "r1", self

    def wait(self, timeout: float) -> bool:
        return self.confirms

    def forget(self, number: str) -> None:
        pass


class Abler:
    abilities: ClassVar = {"a": Ability(lambda: None, "a", bound=False), "b": Ability(lambda: None, "b", bound=False)}


class Ward:
    """A quarantine with what it needs, and a worker's view on the lanes."""

    def __init__(self) -> None:
        self.cell = FakeCell(*Abler.abilities.values())
        self.connection = self.cell.bus.fake = Confirming()
        self.cell.connection = self.connection
        self.cell.bus._connection = self.connection  # type: ignore[assignment]
        self.inbox = WorkerInbox(self.cell.mailbox, ["a", "b"])
        self.subscribing = Subscribing(self.cell.cell, Abler.abilities, {"a": 1, "b": 1}, Standing())
        self.told: list[str] = []
        self.again: list[Suspected] = []
        self.quarantine = Quarantine(self.cell.cell, self.subscribing, self.told.append)
        self.subscribing.start()
        self.connection.frames()

    def run(self, name: str, task_class: str = "a") -> Run:
        task = Task(task_class=task_class, id=name)
        return Run(task, Tree(self.cell.delivery(self.cell.wire.task(task), name), task))

    def taken(self) -> str | None:
        run = self.cell.mailbox.take(self.inbox)
        return run.task.id if run is not None else None

    def finish(self, run: Run) -> None:
        self.cell.mailbox.finish(run, Succeeded(None))
        self.cell.finalizer.finalize(self.cell.mailbox.drain_finished())
        self.look()

    def admit(self, run: Run) -> None:
        self.quarantine.hear(Suspect(run))
        self.listen()

    def look(self) -> None:
        self.quarantine.look()
        self.listen()

    def listen(self) -> None:
        """Hear what the quarantine has told its drone, behind what the drone was told before."""
        while not self.cell.mailbox._control.empty():
            message = self.cell.mailbox.get().message
            if isinstance(message, Suspect | Echo):
                self.quarantine.hear(message)

    def given_back(self) -> list[str]:
        return [frame.headers["id"] for frame in self.connection.frames() if frame.command == "NACK"]


@pytest.fixture
def ward() -> Ward:
    return Ward()


def test_a_suspect_is_begun_at_once_where_nothing_else_runs(ward: Ward) -> None:
    ward.admit(ward.run("s"))
    commands = ward.connection.commands()
    assert commands[:4] == ["UNSUBSCRIBE"] * 2 + ["BEGIN", "ABORT"]
    assert ward.told == ["a s"]
    assert ward.taken() == "s"


def test_what_waits_and_other_suspects_go_back_before_it_is_begun(ward: Ward) -> None:
    ward.cell.mailbox.put_runs([ward.run("waiting", "b"), ward.run("too", "b")])
    ward.admit(ward.run("s"))
    assert ward.given_back() == ["waiting", "too"]
    ward.admit(ward.run("other"))
    assert ward.given_back() == ["other"]
    assert [ward.taken(), ward.taken()] == ["s", None]


def test_it_waits_for_what_runs_and_nothing_is_taken_meanwhile(ward: Ward) -> None:
    running = ward.run("running", "b")
    ward.cell.mailbox.put_runs([running])
    assert ward.taken() == "running"
    ward.admit(ward.run("s"))
    ward.look()
    assert ward.taken() is None
    ward.finish(running)
    assert ward.taken() == "s"


def test_it_waits_only_so_long(ward: Ward) -> None:
    ward.cell.mailbox.put_runs([ward.run("running", "b")])
    assert ward.taken() == "running"
    ward.admit(ward.run("s"))
    ward.cell.clock.advance(PATIENCE)
    ward.look()
    assert ward.taken() is None
    ward.cell.clock.advance(0.1)
    ward.look()
    assert ward.taken() == "s"


def test_it_is_not_begun_before_the_bus_has_confirmed_what_was_given_back(ward: Ward) -> None:
    ward.connection.confirms = False
    ward.admit(ward.run("s"))
    assert ward.taken() is None
    ward.connection.confirms = True
    ward.look()
    assert ward.taken() == "s"


def test_suspects_that_the_drone_has_not_heard_of_yet_go_back_before_it_is_begun(ward: Ward) -> None:
    for name in ("second", "third"):
        ward.cell.mailbox.put(Letter(Suspect(ward.run(name))))  # which came together with the first one
    ward.quarantine.hear(Suspect(ward.run("s")))
    assert (ward.taken(), ward.given_back()) == (None, [])
    ward.listen()
    assert ward.given_back() == ["second", "third"]
    assert ward.taken() == "s"


def test_when_it_has_ended_others_are_taken_again(ward: Ward) -> None:
    suspect = ward.run("s")
    ward.admit(suspect)
    assert ward.taken() == "s"
    ward.connection.frames()
    ward.look()
    assert ward.connection.commands() == []
    ward.finish(suspect)
    assert ward.connection.commands() == ["ACK", "SUBSCRIBE", "SUBSCRIBE"]
    assert ward.told == ["a s", ""]


def test_a_suspect_whose_connection_is_lost_before_it_was_begun_is_forgotten(ward: Ward) -> None:
    ward.cell.mailbox.put_runs([ward.run("running", "b")])
    ward.taken()
    suspect = ward.run("s")
    ward.admit(suspect)
    ward.connection.frames()
    ward.quarantine.forget(suspect.tree.delivery.connection)
    [subscribe] = ward.connection.frames()  # the worker for the other class is still busy
    assert (subscribe.command, subscribe.headers["destination"]) == ("SUBSCRIBE", "/queue/swarmage.task.a")
    assert ward.taken() is None


def test_a_drone_that_stops_gives_it_back(ward: Ward) -> None:
    ward.cell.mailbox.put_runs([ward.run("running", "b")])
    ward.taken()
    ward.admit(ward.run("s"))
    ward.quarantine.close()
    assert ward.given_back() == ["s"]


def test_a_task_becomes_a_suspect_by_a_copy_ahead_of_its_equals(ward: Ward) -> None:
    for priority, header in ((None, "5"), (0, "1"), (9, "9")):
        task = Task(task_class="a", id="s", issued=5.0, delay=3.0, priority=priority)
        ward.cell.finalizer.suspect(Suspected(ward.cell.delivery(ward.cell.wire.task(task), "7"), task))
        begin, send, ack, commit = ward.connection.frames()
        assert [begin.command, ack.command, commit.command] == ["BEGIN", "ACK", "COMMIT"]
        copy = ward.cell.wire.read_task(send.headers["destination"], send.body, send.headers["signature"])
        assert (copy.id, copy.suspect, copy.delay, copy.priority, copy.attempt) == ("s", True, 0.0, priority, 1)
        assert (send.headers["priority"], "delay" in send.headers) == (header, False)


def test_a_suspect_is_not_given_back_with_what_else_is_not_taken(ward: Ward) -> None:
    ward.admit(ward.run("s"))
    ward.cell.mailbox.put_runs([ward.run("on its way", "b")])
    ward.connection.frames()
    ward.subscribing.tick()
    assert ward.given_back() == ["on its way"]
    assert ward.taken() == "s"


def test_a_suspect_of_a_class_that_is_not_taken_goes_back(ward: Ward) -> None:
    ward.subscribing.pause("a", "ordered")
    ward.connection.frames()
    ward.admit(ward.run("s"))
    assert ward.given_back() == ["s"]
    assert ward.told == []


def test_a_suspect_that_is_cancelled_before_a_worker_took_it_lets_others_in_again(ward: Ward) -> None:
    suspect = ward.run("s")
    ward.admit(suspect)
    assert ward.cell.mailbox.remove_waiting("a", lambda run: run is suspect) == [suspect]
    ward.connection.frames()
    ward.look()
    assert ward.connection.commands() == ["SUBSCRIBE", "SUBSCRIBE"]
    assert ward.told == ["a s", ""]


@pytest.fixture
def elsewhere() -> Ward:
    """A quarantine on a bus that takes nothing back for free."""
    ward = Ward()
    ward.cell.bus.dialect = RabbitMQDialect("quorum")
    ward.quarantine = Quarantine(ward.cell.cell, ward.subscribing, ward.told.append, ward.again.append)
    return ward


def test_where_nothing_is_given_back_another_suspect_is_sent_again_each_a_little_later(elsewhere: Ward) -> None:
    elsewhere.quarantine.admit(elsewhere.run("s"))
    elsewhere.quarantine.admit(elsewhere.run("one"))
    elsewhere.quarantine.admit(elsewhere.run("two"))
    assert [suspected.task.id for suspected in elsewhere.again] == ["one", "two"]
    assert 0 < elsewhere.again[0].delay < elsewhere.again[1].delay
    assert not elsewhere.connection.frames()


def test_where_nothing_is_given_back_a_suspect_begins_when_no_other_has_come_for_a_while(elsewhere: Ward) -> None:
    elsewhere.subscribing.holding.put_runs([elsewhere.run("waiting", "b")])
    elsewhere.quarantine.admit(elsewhere.run("s"))
    assert elsewhere.taken() is None
    elsewhere.cell.clock.advance(QUIET + 0.01)
    elsewhere.quarantine.look()
    assert [elsewhere.taken(), elsewhere.taken()] == ["s", None]


def test_where_nothing_is_given_back_one_that_was_not_begun_leaves_as_a_copy(elsewhere: Ward) -> None:
    elsewhere.quarantine.admit(elsewhere.run("s"))
    elsewhere.quarantine.close()
    assert [suspected.task.id for suspected in elsewhere.again] == ["s"]
