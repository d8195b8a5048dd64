"""What a Supervisor declares: the tree of actors that each drone of it has inside of its cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, TypeAlias

import pykka

from swarmage.drone.worker import Worker
from swarmage.errors import ConfigError

STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")


class Supervising:
    """The part of a Supervisor that says what it keeps alive inside of each cell, and how.

    Attributes:
        children: classes, in the order in which they start: Workers, other Supervisors, and plain pykka actors.
        strategy: what is started again with an actor that has died: "one_for_one", nothing else; "one_for_all", all
            children; "rest_for_one", the children declared after it.
        intensity: so many restarts within `period` are borne; with one more the Supervisor itself has failed.
        period: seconds.
    """

    children: ClassVar[Sequence[type[Any]]] = ()
    strategy: ClassVar[str] = "one_for_one"
    intensity: ClassVar[int] = 5
    period: ClassVar[float] = 60.0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "children" in vars(cls):
            cls.children = _as_tuple(cls)
        check_tree(cls)


Root: TypeAlias = type[Worker] | type[Supervising]
"""What a drone is given: Workers, and trees of them."""


def check_tree(root: type[Supervising]) -> None:
    """Refuse a tree that makes no sense.

    Raises:
        ConfigError: names the class and the field, and says what would do.
    """
    seen: dict[type[Any], str] = {}
    for owner, child in _walk(root, ()):
        if child in seen:
            raise ConfigError(
                f"{owner}.children: {child.__qualname__} stands in {seen[child]}.children already; a class has one"
                " place in a tree, and its concurrency says how many actors of it there are"
            )
        seen[child] = owner


def leaves_of(root: type[Supervising]) -> list[type[Any]]:
    """Return the classes of actors in a tree, in the order in which they start."""
    return [child for _, child in _walk(root, ()) if not issubclass(child, Supervising)]


def workers_of(classes: Iterable[type[Any]]) -> list[type[Worker]]:
    """Return the Worker classes among these classes and in the trees that they declare, each once."""
    found: dict[type[Worker], None] = {}
    for one in classes:
        leaves = leaves_of(one) if issubclass(one, Supervising) else [one]
        found.update(dict.fromkeys(leaf for leaf in leaves if issubclass(leaf, Worker)))
    return list(found)


def roots_of(classes: Iterable[type[Any]]) -> list[type[Any]]:
    """Return these classes without those that stand in the tree of another one of them, each once.

    Raises:
        ConfigError: a class stands in two trees, or in a tree that makes no sense.
    """
    given = list(dict.fromkeys(classes))
    trees = [one for one in given if issubclass(one, Supervising)]
    inside: dict[type[Any], str] = {}
    for tree in trees:
        check_tree(tree)
        inside.update(dict.fromkeys((child for _, child in _walk(tree, ())), tree.__qualname__))
    roots = [one for one in given if one not in inside]
    seen: dict[type[Any], str] = {}
    for root in roots:
        for child in leaves_of(root) if issubclass(root, Supervising) else ():
            if child in seen:
                raise ConfigError(
                    f"{child.__qualname__} stands in the trees of {seen[child]} and {root.__qualname__}; give a drone"
                    " one of the two, such as module:Site"
                )
            seen[child] = root.__qualname__
    return roots


def _walk(tree: type[Supervising], above: tuple[type[Any], ...]) -> Iterator[tuple[str, type[Any]]]:
    """Yield each child in a tree with the name of the Supervisor it is of, as declared."""
    _check_settings(tree)
    above = (*above, tree)
    for child in tree.children:
        _check_child(tree, child)
        if child in above:
            raise ConfigError(f"{tree.__qualname__}.children: {child.__qualname__} would contain itself")
        yield tree.__qualname__, child
        if issubclass(child, Supervising):
            yield from _walk(child, above)


def _as_tuple(cls: type[Supervising]) -> tuple[type[Any], ...]:
    children: object = cls.children
    name = f"{cls.__qualname__}.children"
    if not isinstance(children, list | tuple):
        raise ConfigError(f"{name} must be a list of classes, not {children!r}")
    if not children:
        raise ConfigError(f"{name} must name at least one class; leave it out where there is nothing to keep alive")
    return tuple(children)


def _check_child(tree: type[Supervising], child: object) -> None:
    name = f"{tree.__qualname__}.children"
    if not isinstance(child, type) or not issubclass(child, pykka.ThreadingActor | Supervising):
        raise ConfigError(
            f"{name} must be classes: Workers, AsyncWorkers, Supervisors or pykka.ThreadingActors, not {child!r}"
        )
    if issubclass(child, Worker) and not child.abilities:
        raise ConfigError(f"{name}: {child.__qualname__} has no abilities; declare its methods with @ability")
    if issubclass(child, Supervising) and not child.children:
        raise ConfigError(f"{name}: {child.__qualname__} has no children of its own")


def _check_settings(cls: type[Supervising]) -> None:
    name = cls.__qualname__
    if cls.strategy not in STRATEGIES:
        raise ConfigError(f"{name}.strategy must be one of {', '.join(STRATEGIES)}, not {cls.strategy!r}")
    if type(cls.intensity) is not int or cls.intensity < 0:
        raise ConfigError(f"{name}.intensity must be a whole number, 0 or more, not {cls.intensity!r}")
    if type(cls.period) not in {int, float} or not cls.period > 0:
        raise ConfigError(f"{name}.period must be more than 0 seconds, not {cls.period!r}")
