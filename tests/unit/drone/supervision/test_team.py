"""Teams of actors that do what the test says, on a clock that the test moves: no thread, no drone."""

from __future__ import annotations

import itertools
import random

import pytest

from swarmage.drone.supervision.post import Child
from swarmage.drone.supervision.restarts import Intensity
from swarmage.drone.supervision.team import Team
from swarmage.errors import ConfigError

from ...fakes import FakeClock
from ...seeds import SEED

LONG = 10.0
"""Longer than any wait before a restart."""


class Fake(Child):
    """Starts at once and stops at once, unless told otherwise; writes down when."""

    def __init__(self, name: str, said: list[str]) -> None:
        super().__init__(name)
        self.said = said
        self.there = False
        self.slow = False  # it neither starts nor stops before the test says so
        self.broken = False  # it cannot start

    def begin(self, now: float) -> None:
        self.said.append(f"+{self.name}")
        self.failure, self.told = ("cannot start", False) if self.broken else ("", False)
        self.there = not (self.slow or self.broken)

    def begin_now(self, now: float) -> None:
        self.begin(now)
        if self.failure:
            raise ConfigError(self.failure)

    def stop(self, now: float) -> None:
        self.told = True
        self.said.append(f"-{self.name}")
        self.there = self.there and self.slow

    def look(self, now: float) -> None:
        """Nothing changes by itself."""

    def die(self) -> None:
        self.there, self.failure = False, f"{self.name} has died"

    @property
    def up(self) -> bool:
        return self.there

    def gone(self, now: float) -> bool:
        return not self.there


class Stage:
    """A team with the children a, b and c, unless others are given, that has started."""

    def __init__(self, strategy: str, *ranks: str, intensity: int | None = None, period: float = 60.0) -> None:
        self.clock = FakeClock()
        self.said: list[str] = []
        self.team = Team("Site", strategy, Intensity(intensity, period))
        self.fakes: dict[str, Fake] = {}
        for rank in ranks or ("a", "b", "c"):
            self.fakes |= {name: Fake(name, self.said) for name in rank}
            self.team.ranks.append([self.fakes[name] for name in rank])

    def start(self) -> Stage:
        self.team.begin_now(self.clock.now)
        self.said.clear()
        return self

    def pass_by(self, seconds: float = LONG) -> str:
        """Let time pass in steps of a tenth of a second; return what has been done meanwhile."""
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)
            self.team.look(self.clock.now)
        done, self.said[:] = " ".join(self.said), []
        return done

    def kill(self, name: str) -> None:
        self.fakes[name].die()


def test_children_start_in_order() -> None:
    stage = Stage("one_for_one")
    stage.team.begin_now(stage.clock.now)
    assert stage.said == ["+a", "+b", "+c"]


@pytest.mark.parametrize(
    ("strategy", "dead", "done"),
    [
        ("one_for_one", "a", "+a"),
        ("one_for_one", "c", "+c"),
        ("one_for_all", "a", "-c -b +a +b +c"),
        ("one_for_all", "b", "-c -a +a +b +c"),
        ("rest_for_one", "a", "-c -b +a +b +c"),
        ("rest_for_one", "b", "-c +b +c"),
        ("rest_for_one", "c", "+c"),
    ],
)
def test_what_starts_again_with_the_one_that_died(strategy: str, dead: str, done: str) -> None:
    stage = Stage(strategy).start()
    stage.kill(dead)
    assert stage.pass_by() == done
    assert stage.pass_by() == ""


def test_the_actors_of_one_class_are_one_rank() -> None:
    stage = Stage("rest_for_one", "a", "bcd", "e").start()
    stage.kill("c")
    assert stage.pass_by() == "-e +c +e"
    stage.kill("a")
    assert stage.pass_by() == "-e -b -c -d +a +b +c +d +e"


def test_two_that_die_together_are_one_restart_of_all() -> None:
    stage = Stage("one_for_all", intensity=1).start()
    stage.kill("a")
    stage.kill("c")
    assert stage.pass_by() == "-b +a +b +c"
    assert not stage.team.failure


def test_what_dies_while_it_is_being_stopped_is_no_further_failure() -> None:
    stage = Stage("one_for_all", intensity=1).start()
    stage.fakes["b"].slow = True
    stage.kill("a")
    assert stage.pass_by(1.0) == "-c -b"
    stage.kill("b")
    stage.fakes["b"].slow = False
    assert stage.pass_by() == "+a +b +c"
    assert not stage.team.failure


def test_nothing_starts_before_all_that_is_to_stop_is_gone() -> None:
    stage = Stage("rest_for_one").start()
    stage.fakes["c"].slow = True
    stage.kill("a")
    assert stage.pass_by() == "-c"  # and b is not told yet: c may need it until it is gone
    stage.fakes["c"].there = stage.fakes["c"].slow = False
    assert stage.pass_by() == "-b +a +b +c"


def test_the_next_one_starts_when_the_one_before_has_started() -> None:
    stage = Stage("one_for_all").start()
    stage.fakes["a"].slow = True
    stage.kill("b")
    assert stage.pass_by() == "-c -a"
    stage.fakes["a"].there = False
    assert stage.pass_by() == "+a"
    stage.fakes["a"].there = True
    assert stage.pass_by() == "+b +c"


def test_an_earlier_one_that_dies_during_a_restart_widens_it() -> None:
    stage = Stage("rest_for_one").start()
    stage.kill("c")
    assert stage.pass_by(0.0) == ""
    stage.team.look(stage.clock.now)
    stage.kill("a")
    assert stage.pass_by() == "-b +a +b +c"


def test_with_one_for_one_nobody_waits_for_another() -> None:
    stage = Stage("one_for_one").start()
    for _ in range(6):
        stage.fakes["a"].broken = True
        stage.kill("a")
        stage.pass_by(1.0)
    stage.kill("c")
    assert "+c" in stage.pass_by(0.3)


def test_waits_grow_from_one_restart_to_the_next() -> None:
    stage = Stage("one_for_one", "a").start()
    stage.fakes["a"].broken = True
    stage.kill("a")
    starts = []
    for step in range(300):
        starts += [step] if stage.pass_by(0.1) else []
    gaps = [after - before for before, after in itertools.pairwise(starts)]
    assert gaps[0] <= 4
    assert 38 <= gaps[-1] <= 65  # five seconds, more or less a quarter, in tenths


def test_one_restart_too_many_is_the_end_of_the_team() -> None:
    stage = Stage("one_for_one", intensity=2, period=60.0).start()
    for _ in range(2):
        stage.kill("b")
        assert stage.pass_by(1.0) == "+b"
    stage.kill("b")
    assert stage.pass_by() == "-c -a"
    assert stage.team.failure == "supervisor Site: more than 2 restarts in 60 s, the last one since b has died"
    assert stage.team.gone(stage.clock.now)
    stage.kill("a")
    assert stage.pass_by() == ""


def test_restarts_that_are_far_apart_are_borne_for_ever() -> None:
    stage = Stage("one_for_one", intensity=1, period=5.0).start()
    for _ in range(10):
        stage.kill("a")
        assert stage.pass_by(10.0) == "+a"
    assert not stage.team.failure


class Nested(Stage):
    """A team [a, [x, y], b], of which the inner one bears no restart."""

    def __init__(self, strategy: str, intensity: int | None = None) -> None:
        super().__init__(strategy, "a", "b", intensity=intensity)
        self.inner = Team("Site/Inner", "one_for_one", Intensity(0, 60.0))
        for name in "xy":
            self.fakes[name] = Fake(name, self.said)
            self.inner.ranks.append([self.fakes[name]])
        self.team.ranks.insert(1, [self.inner])


@pytest.mark.parametrize(
    ("strategy", "done"),
    [("one_for_one", "-y +x +y"), ("rest_for_one", "-y -b +x +y +b"), ("one_for_all", "-y -b -a +a +x +y +b")],
)
def test_a_team_that_fails_is_a_death_for_the_one_above(strategy: str, done: str) -> None:
    stage = Nested(strategy).start()
    stage.kill("x")
    assert stage.pass_by() == done
    assert not stage.team.failure
    assert stage.inner.up


def test_a_failure_climbs_to_the_root() -> None:
    stage = Nested("one_for_one", intensity=0).start()
    stage.kill("y")
    assert stage.pass_by() == "-x -b -a"
    assert stage.team.failure == (
        "supervisor Site: more than 0 restarts in 60 s, the last one since supervisor Site/Inner: more than 0 restarts"
        " in 60 s, the last one since y has died"
    )
    assert not any(fake.there for fake in stage.fakes.values())


def test_a_team_starts_again_with_a_clean_slate() -> None:
    stage = Nested("one_for_one").start()
    for _ in range(5):
        stage.kill("x")
        assert stage.pass_by() == "-y +x +y"


def test_a_team_is_stopped_as_a_whole_and_from_its_end() -> None:
    stage = Nested("rest_for_one").start()
    stage.kill("a")
    assert stage.pass_by() == "-b -y -x +a +x +y +b"


def test_what_is_added_starts_at_once_or_with_the_others() -> None:
    stage = Stage("one_for_all", "a", "b").start()
    late = Fake("c", stage.said)
    stage.team.add(stage.team.ranks[1], late, stage.clock.now)
    assert stage.pass_by() == "+c"
    stage.kill("a")
    stage.pass_by(0.0)
    stage.team.look(stage.clock.now)
    later = Fake("d", stage.said)
    stage.team.add(stage.team.ranks[1], later, stage.clock.now)
    assert stage.pass_by() == "-b -c +a +b +c +d"
    stage.team.remove(stage.team.ranks[1], late, stage.clock.now)
    stage.kill("a")
    assert stage.pass_by() == "-c -b -d +a +b +d"


def test_what_cannot_be_added_is_not_there() -> None:
    stage = Stage("one_for_all", "a").start()
    broken = Fake("b", stage.said)
    broken.broken = True
    with pytest.raises(ConfigError):
        stage.team.add(stage.team.ranks[0], broken, stage.clock.now)
    assert stage.pass_by() == "+b"  # the attempt alone


@pytest.mark.parametrize("seed", range(SEED, SEED + 30), ids=lambda seed: str(seed - SEED))
@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_whatever_dies_and_whenever_all_are_there_again_in_the_end(strategy: str, seed: int) -> None:
    rng = random.Random(seed)
    stage = Nested(strategy).start()
    for _ in range(200):
        fake = rng.choice(list(stage.fakes.values()))
        match rng.randrange(4):
            case 0 if fake.there:
                fake.die()
            case 1:
                fake.slow = not fake.slow
            case 2:
                fake.broken = rng.random() < 0.3
            case 3 if fake.slow:
                fake.there = not fake.told
        stage.pass_by(rng.random())
    for fake in stage.fakes.values():
        fake.broken = fake.slow = False
        fake.there = fake.there or not (fake.told or fake.failure)
        fake.there = fake.there and not fake.told
    stage.pass_by(60.0)
    assert stage.team.failure == ""
    assert all(fake.there for fake in stage.fakes.values()), {name: fake.there for name, fake in stage.fakes.items()}
    assert stage.inner.up
