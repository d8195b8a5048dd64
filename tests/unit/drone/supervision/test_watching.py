"""Death watch among actors of our own and of pykka's, without a drone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import Any

import pykka
import pytest

from swarmage.drone.supervision.life import life_of
from swarmage.drone.supervision.watching import Watching, watching
from swarmage.drone.worker import Worker
from swarmage.errors import ConfigError, SwarmageError
from swarmage.remote.default import ref as ref_to

from ...fakes import SECONDS


class Mourner(Watching):
    """Does what it is told, and puts the deaths that it hears of into a queue."""

    def __init__(self, deaths: SimpleQueue[Any]) -> None:
        super().__init__()
        self.deaths = deaths

    def on_receive(self, message: Any) -> Any:
        return message(self)

    def on_death(self, ref: pykka.ActorRef[Any], reason: BaseException | None) -> None:
        self.deaths.put((ref, reason))


class Mortal(Watching):
    def __init__(self, failures: SimpleQueue[Any] | None = None) -> None:
        super().__init__()
        self.failures = failures

    def on_receive(self, message: Any) -> Any:
        if message == "exit":
            sys.exit("enough")
        if message == "raise":
            raise ValueError("no luck")
        return message

    def on_failure(self, *raised: Any) -> None:
        if self.failures is not None:
            self.failures.put(raised[1])


class Stillborn(Watching):
    def on_start(self) -> None:
        sys.exit("no luck")


@pytest.fixture(autouse=True)
def nobody_is_left() -> Iterator[None]:
    yield
    for ref in pykka.ActorRegistry.get_all():
        ref.stop(timeout=SECONDS)


@pytest.fixture
def deaths() -> SimpleQueue[Any]:
    return SimpleQueue()


@pytest.fixture
def mourner(deaths: SimpleQueue[Any]) -> pykka.ActorRef[Mourner]:
    return Mourner.start(deaths)


def watch(mourner: pykka.ActorRef[Mourner], ref: pykka.ActorRef[Any]) -> None:
    mourner.ask(lambda self: self.watch(ref), timeout=SECONDS)


def unwatch(mourner: pykka.ActorRef[Mourner], ref: pykka.ActorRef[Any]) -> None:
    mourner.ask(lambda self: self.unwatch(ref), timeout=SECONDS)


def nothing_comes(mourner: pykka.ActorRef[Mourner], deaths: SimpleQueue[Any]) -> None:
    mourner.ask(lambda _: None, timeout=SECONDS)  # what it was told before has been acted on
    with pytest.raises(Empty):
        deaths.get_nowait()


def until_over(ref: pykka.ActorRef[Any]) -> None:
    life = life_of(ref)
    assert life is None or life.over.wait(SECONDS)


@pytest.mark.parametrize(("how", "reason"), [("raise", "no luck"), ("exit", "enough"), (None, None)])
def test_a_death_is_told_once_with_its_reason(
    mourner: pykka.ActorRef[Mourner], deaths: SimpleQueue[Any], how: str | None, reason: str | None
) -> None:
    mortal = Mortal.start()
    watch(mourner, mortal)
    watch(mourner, mortal)
    if how is None:
        mortal.stop(timeout=SECONDS)
    else:
        mortal.tell(how)
    ref, why = deaths.get(timeout=SECONDS)
    assert ref is mortal
    assert (None if why is None else str(why)) == reason
    nothing_comes(mourner, deaths)


def test_the_death_of_one_that_is_dead_already_is_told_too(
    mourner: pykka.ActorRef[Mourner], deaths: SimpleQueue[Any]
) -> None:
    mortal = Mortal.start()
    actor = mortal._actor_weakref()  # or there might be nobody left to ask for the reason
    mortal.tell("raise")
    until_over(mortal)
    watch(mourner, mortal)
    assert str(deaths.get(timeout=SECONDS)[1]) == "no luck"
    watch(mourner, mortal)
    assert str(deaths.get(timeout=SECONDS)[1]) == "no luck"
    assert actor is not None


def test_of_one_that_is_forgotten_the_death_is_told_without_a_reason(
    mourner: pykka.ActorRef[Mourner], deaths: SimpleQueue[Any]
) -> None:
    mortal = Mortal.start()
    mortal.stop(timeout=SECONDS)
    until_over(mortal)
    watch(mourner, mortal)
    assert deaths.get(timeout=SECONDS) == (mortal, None)


def test_one_that_fails_to_start_has_died(mourner: pykka.ActorRef[Mourner], deaths: SimpleQueue[Any]) -> None:
    stillborn = Stillborn.start()
    watch(mourner, stillborn)
    ref, reason = deaths.get(timeout=SECONDS)
    assert ref is stillborn
    assert reason is None or str(reason) == "no luck"


def test_what_is_not_watched_any_more_is_not_told(mourner: pykka.ActorRef[Mourner], deaths: SimpleQueue[Any]) -> None:
    one, other = Mortal.start(), Mortal.start()
    watch(mourner, one)
    watch(mourner, other)
    unwatch(mourner, one)
    for ref in (one, other):
        ref.stop(timeout=SECONDS)
        until_over(ref)
    assert deaths.get(timeout=SECONDS)[0] is other
    nothing_comes(mourner, deaths)


def test_a_death_that_is_on_its_way_can_still_be_unwatched(
    mourner: pykka.ActorRef[Mourner], deaths: SimpleQueue[Any]
) -> None:
    mortal = Mortal.start()

    def change_its_mind(self: Mourner) -> None:
        self.watch(mortal)
        mortal.stop(timeout=SECONDS)
        until_over(mortal)
        self.unwatch(mortal)

    mourner.ask(change_its_mind, timeout=SECONDS)
    nothing_comes(mourner, deaths)


def test_two_may_watch_one_another(deaths: SimpleQueue[Any]) -> None:
    one, other = Mourner.start(deaths), Mourner.start(deaths)
    watch(one, other)
    watch(other, one)
    one.stop(timeout=SECONDS)
    assert deaths.get(timeout=SECONDS) == (one, None)


def test_who_dies_is_told_of_nobody_and_kept_by_nobody(deaths: SimpleQueue[Any]) -> None:
    mortal, mourner = Mortal.start(), Mourner.start(deaths)
    watch(mourner, mortal)
    mourner.stop(timeout=SECONDS)
    until_over(mourner)
    life = life_of(mortal)
    assert life is not None
    assert not life._watchers


def test_an_error_in_on_death_is_a_failure_like_others(deaths: SimpleQueue[Any]) -> None:
    class Shocked(Mourner):
        def on_death(self, ref: pykka.ActorRef[Any], reason: BaseException | None) -> None:
            raise OSError("and now?")

    shocked, mourner, mortal = Shocked.start(deaths), Mourner.start(deaths), Mortal.start()
    watch(shocked, mortal)
    watch(mourner, shocked)
    mortal.stop(timeout=SECONDS)
    assert str(deaths.get(timeout=SECONDS)[1]) == "and now?"


@pytest.mark.parametrize("call", ["watch", "unwatch"])
def test_a_reference_to_an_actor_elsewhere_cannot_be_watched(mourner: pykka.ActorRef[Mourner], call: str) -> None:
    with pytest.raises(ConfigError, match=r"^only an actor of this process can be watched.* not <RemoteRef to bank>"):
        mourner.ask(lambda self: getattr(self, call)(ref_to("bank")), timeout=SECONDS)
    assert mourner.is_alive()


def test_a_plain_actor_cannot_be_watched_but_its_class_can_be_made_one_that_can(
    mourner: pykka.ActorRef[Mourner], deaths: SimpleQueue[Any]
) -> None:
    class Plain(pykka.ThreadingActor):
        def __init__(self, name: str = "") -> None:
            super().__init__()
            self.name = name

    plain = Plain.start()
    with pytest.raises(ConfigError, match=r"Plain cannot be watched: make it a subclass of swarmage\.Watching"):
        watch(mourner, plain)
    made = watching(Plain)
    assert (made.__qualname__, made.__module__) == (Plain.__qualname__, Plain.__module__)
    assert watching(made) is made
    other = made.start("it")
    assert other in pykka.ActorRegistry.get_by_class(Plain)
    assert other.proxy().name.get(timeout=SECONDS) == "it"
    watch(mourner, other)
    other.stop(timeout=SECONDS)
    assert deaths.get(timeout=SECONDS) == (other, None)


def test_who_runs_nowhere_cannot_watch() -> None:
    mortal = Mortal.start()
    with pytest.raises(SwarmageError, match="Worker runs as no actor here"):
        Worker().watch(mortal)


# what ends such an actor


def test_a_system_exit_ends_one_actor_alone() -> None:
    failures: SimpleQueue[Any] = SimpleQueue()
    mortal, neighbour = Mortal.start(failures), Mortal.start()
    mortal.tell("exit")
    until_over(mortal)
    assert str(failures.get(timeout=SECONDS)) == "enough"
    assert neighbour.ask("there?", timeout=SECONDS) == "there?"


def test_who_asks_gets_the_error_and_only_a_plain_one_leaves_the_actor_alive() -> None:
    mortal = Mortal.start()
    with pytest.raises(ValueError, match="no luck"):
        mortal.ask("raise", timeout=SECONDS)
    assert mortal.ask("there?", timeout=SECONDS) == "there?"
    with pytest.raises(SystemExit):
        mortal.ask("exit", timeout=SECONDS)
    until_over(mortal)


def test_hooks_that_fail_are_the_end_and_no_more_than_that() -> None:
    class Clumsy(Mortal):
        def on_stop(self) -> None:
            sys.exit("not even that")

        def on_failure(self, *_: Any) -> None:
            sys.exit("nor that")

    stopped, failed, neighbour = Clumsy.start(), Clumsy.start(), Mortal.start()
    stopped.stop(block=False)
    failed.tell("raise")
    for ref in (stopped, failed):
        until_over(ref)
    assert neighbour.ask("there?", timeout=SECONDS) == "there?"
