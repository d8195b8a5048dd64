from __future__ import annotations

from typing import Any

import pykka
import pytest

from swarmage.abilities import ability
from swarmage.drone.drone import Drone
from swarmage.drone.supervision.declared import Supervising, leaves_of, roots_of, workers_of
from swarmage.drone.worker import Worker
from swarmage.errors import ConfigError
from swarmage.supervisor.supervisor import Supervisor


class Sender(Worker):
    @ability("send")
    def send(self) -> None: ...


class Sorter(Worker):
    @ability("sort")
    def sort(self) -> None: ...


class Idle(Worker):
    pass


class Pool(pykka.ThreadingActor):
    pass


class Mailers(Supervising):
    children = [Sender, Sorter]  # noqa: RUF012 - as people write it
    strategy = "one_for_all"


class Childless(Supervising):
    pass


def test_a_tree_starts_as_declared() -> None:
    class Site(Supervising):
        children = (Pool, Mailers)

    assert leaves_of(Site) == [Pool, Sender, Sorter]
    assert workers_of([Site, Sender]) == [Sender, Sorter]
    assert (Site.strategy, Site.intensity, Site.period) == ("one_for_one", 5, 60.0)


def test_settings_and_children_are_inherited() -> None:
    class Patient(Mailers):
        intensity = 50

    assert leaves_of(Patient) == [Sender, Sorter]
    assert Patient.strategy == "one_for_all"


def test_the_children_cannot_be_changed_behind_the_back_of_the_check() -> None:
    assert Mailers.children == (Sender, Sorter)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"strategy": "all_for_one"}, "Wrong.strategy must be one of one_for_one, one_for_all, rest_for_one"),
        ({"strategy": None}, "Wrong.strategy"),
        ({"intensity": -1}, "Wrong.intensity must be a whole number, 0 or more, not -1"),
        ({"intensity": 1.5}, "Wrong.intensity"),
        ({"intensity": True}, "Wrong.intensity"),
        ({"period": 0}, "Wrong.period must be more than 0 seconds, not 0"),
        ({"period": "60"}, "Wrong.period"),
        ({"period": float("nan")}, "Wrong.period"),
        ({"children": []}, "Wrong.children must name at least one class"),
        ({"children": ()}, "Wrong.children must name at least one class"),
        ({"children": Sender}, "Wrong.children must be a list of classes"),
        ({"children": "Sender"}, "Wrong.children must be a list of classes, not 'Sender'"),
        ({"children": [Sorter, "Sender"]}, "Wrong.children must be classes.*not 'Sender'"),
        ({"children": [dict]}, "Wrong.children must be classes.*dict"),
        ({"children": [Idle]}, "Wrong.children: Idle has no abilities"),
        ({"children": [Childless]}, "Wrong.children: Childless has no children of its own"),
        ({"children": [Sender, Pool, Sender]}, "Wrong.children: Sender stands in Wrong.children already"),
        ({"children": [Sender, Mailers]}, "Mailers.children: Sender stands in Wrong.children already"),
        ({"children": [Mailers, Sorter]}, "Wrong.children: Sorter stands in Mailers.children already"),
        ({"children": [Mailers, Mailers]}, "Wrong.children: Mailers stands in Wrong.children already"),
    ],
)
@pytest.mark.parametrize("base", [Supervising, Supervisor])
def test_a_tree_that_makes_no_sense_is_refused_when_it_is_defined(
    base: type, settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        type("Wrong", (base,), {"children": [Sender], **settings})


def test_a_tree_that_contains_itself_is_refused_wherever_that_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    class Inner(Supervising):
        children = [Sender]  # noqa: RUF012 - as above

    class Outer(Supervising):
        children = [Inner]  # noqa: RUF012 - as above

    monkeypatch.setattr(Inner, "children", (Sorter, Outer))
    with pytest.raises(ConfigError, match=r"Inner.children: \S+Outer would contain itself"):
        type("Around", (Supervising,), {"children": [Outer]})
    with pytest.raises(ConfigError, match=r"Inner.children: \S+Outer would contain itself"):
        Drone.start(workers=[Outer], url="stomp://127.0.0.1:1")


def test_what_stands_in_a_tree_that_is_given_is_no_root_of_its_own() -> None:
    class Site(Supervising):
        children = (Pool, Mailers)

    assert roots_of([Sender, Mailers, Site, Site]) == [Site]


def test_two_trees_share_no_class() -> None:
    class One(Supervising):
        children = (Sender,)

    class Two(Supervising):
        children = (Pool, Sender)

    with pytest.raises(ConfigError, match=r"Sender stands in the trees of \S+One and \S+Two"):
        roots_of([One, Two])
