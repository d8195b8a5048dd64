from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from queue import SimpleQueue

import pytest

from swarmage.abilities import Ability, ability
from swarmage.broker.entrance.users import User, hash_passcode, users_as_text
from swarmage.bus.frames import Frame
from swarmage.client.client import Client
from swarmage.drone.drone import Drone
from swarmage.drone.lane import Lane
from swarmage.drone.run import Run, Tree
from swarmage.drone.silence import ANSWER, LOOK, MOST_PATIENCE, Silence, answer_probe
from swarmage.drone.standing import Standing
from swarmage.drone.subscribing import Subscribing
from swarmage.drone.worker import Worker
from swarmage.errors import BusRefused
from swarmage.settings import SILENCE, Address
from swarmage.task import Task
from swarmage.testing.fault_proxy import FaultProxy
from swarmage.wire.probes import answer_to, write_probe

from ..conftest import EmbeddedBus
from ..fakes import SECONDS, FakeCell, FakeConnection


class Watched:
    """A drone's subscriptions to the task classes a and b, with two workers and one, and who watches over them."""

    def __init__(self) -> None:
        self.cell = FakeCell()
        self.clock = self.cell.clock
        abilities = {name: Ability(print, name, bound=False) for name in ("a", "b")}
        self.cell.mailbox.lanes |= {"a": Lane(), "b": Lane()}
        self.subscribing = Subscribing(self.cell.cell, abilities, {"a": 2, "b": 1}, Standing())
        self.subscribing.start()
        self.silence = Silence(self.cell.cell, self.subscribing)
        self.silence.look()
        self.frames()

    def frames(self) -> list[Frame]:
        return self.cell.connection.frames()

    def passes(self, seconds: float) -> None:
        """Let time pass, in which the drone looks as often as it does."""
        for _ in range(round(seconds / LOOK)):
            self.clock.advance(LOOK)
            self.silence.look()

    def hears(self, task_class: str) -> None:
        """Let something come, which is none of the watcher's business."""
        for intake in self.subscribing._lines[task_class].intakes.values():
            intake.heard = True

    def runs(self, task_class: str, task_id: str) -> Run:
        task = Task(task_class=task_class, id=task_id)
        run = Run(task, Tree(self.cell.delivery(self.cell.wire.task(task), ack=task_id), task))
        self.cell.mailbox.put_runs([run])
        return run

    def probes(self) -> list[Frame]:
        """Return the probes that were sent, whose receipts come at once."""
        found = [frame for frame in self.frames() if frame.command == "SEND"]
        for frame in found:
            self.cell.connection.receipts.settle(frame.headers["receipt"])
        return found

    def probed(self) -> list[str]:
        return sorted(frame.headers["destination"].rpartition(".")[2] for frame in self.probes())

    def answers(self, probe: Frame) -> None:
        """Let some drone answer."""
        answer = answer_to(self.cell.wire, probe.headers, probe.body)
        assert answer is not None
        self.silence._receive([self.cell.delivery(answer)])

    def connects_again(self) -> FakeConnection:
        new = FakeConnection()
        self.cell.bus.fake = self.cell.connection = new
        self.cell.bus._connection = new  # type: ignore[assignment]
        self.passes(LOOK)
        return new


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_class_of_which_nothing_comes_is_probed_and_no_other(watched: Watched) -> None:
    for _ in range(3):
        watched.passes(SILENCE - LOOK)
        watched.hears("b")
        assert watched.probed() == []
        watched.passes(LOOK)
        [subscribe, probe] = watched.frames()
        assert (subscribe.command, subscribe.headers["ack"]) == ("SUBSCRIBE", "auto")
        assert probe.headers["destination"] == "/queue/swarmage.task.a"
        watched.cell.connection.receipts.settle(probe.headers["receipt"])
        watched.answers(probe)
        watched.passes(LOOK)
        [unsubscribe] = watched.frames()
        assert (unsubscribe.command, unsubscribe.headers["id"]) == ("UNSUBSCRIBE", subscribe.headers["id"])
        watched.hears("b")
        watched.passes(LOOK)
        watched.hears("a")
        watched.hears("b")
        watched.passes(LOOK)
    assert not watched.cell.connection.lost


def test_where_nobody_answers_and_nothing_comes_the_connection_is_ended_with_one_line(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.passes(SILENCE)
    assert watched.probed() == ["a", "b"]
    watched.passes(ANSWER - LOOK)
    assert not watched.cell.connection.lost
    with caplog.at_level(logging.INFO):
        watched.passes(LOOK)
    assert watched.cell.connection.lost
    assert caplog.messages == [
        f"nothing of a, b has come for {SILENCE + ANSWER:.0f} s although its queue waits: connecting to the bus again"
    ]


@pytest.mark.parametrize("sign", ["task", "answer", "pause", "full"])
def test_a_sign_of_life_or_no_room_is_no_reason_to_connect_again(watched: Watched, sign: str) -> None:
    watched.passes(SILENCE - LOOK)
    watched.hears("b")
    watched.passes(LOOK)
    [probe] = watched.probes()
    watched.passes(ANSWER - LOOK)
    if sign == "task":
        watched.hears("a")
    elif sign == "answer":
        watched.answers(probe)
    elif sign == "pause":
        watched.subscribing.pause("a", "reason")
    else:
        watched.runs("a", "1")
        watched.runs("a", "2")
    watched.passes(LOOK)
    watched.hears("b")
    watched.passes(2 * LOOK)
    assert not watched.cell.connection.lost


def test_a_class_without_room_is_not_probed_until_it_has_some(watched: Watched) -> None:
    watched.subscribing.pause("b", "reason")
    runs = [watched.runs("a", "1"), watched.runs("a", "2")]
    watched.passes(3 * SILENCE)
    assert watched.probed() == []
    watched.cell.mailbox.end_runs(runs[:1])
    watched.passes(LOOK)
    assert watched.probed() == ["a"]


def test_an_answer_to_an_older_probe_counts_for_nothing(watched: Watched) -> None:
    watched.passes(SILENCE)
    old = watched.probes()
    for probe in old:
        watched.answers(probe)
    watched.passes(LOOK + SILENCE)
    assert watched.probed() == ["a", "b"]
    for probe in old:
        watched.answers(probe)
    watched.passes(ANSWER)
    assert watched.cell.connection.lost


def test_a_probe_that_the_bus_does_not_confirm_says_nothing(watched: Watched) -> None:
    watched.passes(SILENCE)
    assert [frame.command for frame in watched.frames()] == ["SUBSCRIBE", "SEND", "SEND"]
    watched.passes(SILENCE)
    assert [frame.command for frame in watched.frames()] == ["UNSUBSCRIBE"]
    assert not watched.cell.connection.lost
    watched.passes(SILENCE)
    assert watched.probed() == ["a", "b"]


def test_where_connecting_again_does_not_help_it_waits_longer_each_time_and_not_for_ever(watched: Watched) -> None:
    patience = 1
    while patience < MOST_PATIENCE:
        watched.passes(patience * SILENCE - LOOK)
        assert watched.probed() == []
        watched.passes(LOOK)
        assert watched.probed() == ["a", "b"]
        watched.passes(ANSWER)
        assert watched.cell.connection.lost
        watched.connects_again()
        patience *= 2
    watched.passes(MOST_PATIENCE * SILENCE)
    assert watched.probed() == ["a", "b"]
    watched.hears("a")
    watched.passes(ANSWER)
    watched.connects_again()
    watched.passes(SILENCE)
    assert watched.probed() == ["a"]  # something has come of it since


def test_a_new_connection_is_given_the_whole_time(watched: Watched) -> None:
    watched.passes(SILENCE - LOOK)
    watched.connects_again()
    watched.passes(SILENCE - LOOK)
    assert watched.probed() == []
    watched.passes(LOOK)
    assert watched.probed() == ["a", "b"]
    watched.cell.connection.lost = True
    watched.passes(2 * SILENCE)
    assert [frame.command for frame in watched.connects_again().frames()] == []


def test_a_machine_that_slept_makes_no_subscription_silent(watched: Watched) -> None:
    watched.clock.advance(1000 * SILENCE)
    watched.silence.look()
    assert watched.probed() == []


@pytest.mark.parametrize("how", ["receipt", "end"])
def test_a_drone_that_may_not_ask_says_so_once_and_leaves_it(
    watched: Watched, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    watched.passes(SILENCE)
    watched.frames()
    error = BusRefused("the bus answers: 'the user may not subscribe to it'")
    with caplog.at_level(logging.INFO):
        if how == "receipt":
            watched.cell.connection.receipts.fail_all(error)
            watched.passes(LOOK)
        else:
            watched.cell.connection.refused = error
            watched.cell.connection.lost = True
            watched.connects_again()
        watched.passes(3 * SILENCE)
    assert caplog.messages == [
        f"this drone will not notice subscriptions that bring nothing any more: {error}",
    ]
    assert watched.probed() == []


def test_it_can_be_switched_off(watched: Watched) -> None:
    watched.cell.bus.address = Address.parse("stomp://one?silence=0")
    watched.passes(3 * SILENCE)
    assert watched.probed() == []


def test_a_probe_is_answered_and_acknowledged_and_nothing_else_is() -> None:
    cell = FakeCell()
    probe = write_probe(cell.wire, "a", "7", "/queue/swarmage.reply.status.1")
    assert answer_probe(cell.cell, cell.delivery(probe))
    send, ack = cell.connection.frames()
    assert (send.command, send.headers["destination"]) == ("SEND", "/queue/swarmage.reply.status.1")
    assert (ack.command, ack.headers["id"]) == ("ACK", "1")
    assert not answer_probe(cell.cell, cell.delivery(cell.wire.task(Task(task_class="a", id="1"))))
    assert cell.connection.frames() == []
    cell.connection.lost = True
    assert answer_probe(cell.cell, cell.delivery(probe))  # the bus gives it to another drone


def test_a_probe_that_comes_with_tasks_goes_no_further_than_the_subscription() -> None:
    watched = Watched()
    probe = write_probe(watched.cell.wire, "a", "7", "/queue/swarmage.reply.status.1")
    task = watched.cell.wire.task(Task(task_class="a", id="1"))
    [intake] = watched.subscribing._lines["a"].intakes.values()
    intake.receive([watched.cell.delivery(probe, ack="1"), watched.cell.delivery(task, ack="2")])
    assert list(watched.cell.mailbox.trees) == ["1"]
    assert watched.cell.mailbox.empty()
    assert [frame.command for frame in watched.frames()] == ["SEND", "ACK"]


class Doer(Worker):
    @ability("silence.do")
    def do(self) -> int:
        return 1


def test_a_drone_whose_user_may_not_ask_says_so_and_works_on(home: Path) -> None:
    send, subscribe = ("/queue/swarmage.",), ("/queue/swarmage.task.", "/queue/swarmage.state", "/topic/swarmage.")
    user = User(passcode=hash_passcode("pass"), send=send, subscribe=subscribe)
    (home / "users.json").write_text(users_as_text({"bob": user}))
    (home / "users.json").chmod(0o600)
    bus = EmbeddedBus(users_file=home / "users.json")
    said, heard = SimpleQueue[str](), logging.Handler()
    heard.emit = lambda record: said.put(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("swarmage").addHandler(heard)
    url = dataclasses.replace(bus.address, login="bob", passcode="pass", silence=0.4).url
    drone = Drone.start(workers=[Doer], url=url)
    try:
        told = [said.get(timeout=SECONDS)]
        while "will not notice" not in told[-1]:
            told.append(said.get(timeout=SECONDS))
        assert "may not subscribe to /queue/swarmage.reply.status." in told[-1]
        with Client(bus.url) as client:
            assert client.insert(Doer.do).result(SECONDS) == 1
    finally:
        drone.stop(timeout=SECONDS)
        logging.getLogger("swarmage").removeHandler(heard)
        bus.stop()


def test_a_drone_with_nothing_to_do_is_left_in_peace(embedded_bus: EmbeddedBus) -> None:
    with FaultProxy(embedded_bus.url) as proxy:
        drone = Drone.start(workers=[Doer], url=dataclasses.replace(Address.parse(proxy.url), silence=0.4).url)
        [passage] = proxy.passages
        try:
            assert proxy.wait(lambda proxy: passage.down.passed > 4000, 30.0)  # some probes and their answers
            assert proxy.passages == [passage]
        finally:
            drone.stop(timeout=SECONDS)
