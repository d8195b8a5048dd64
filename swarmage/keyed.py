"""Keyed actors: one for each key, of which the swarm has one at most, and whose state outlives every process.

From: your program.  To: client, for who inserts; drone, for who performs.
"""

from __future__ import annotations

from abc import ABCMeta
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar, cast

from swarmage.abilities import Ability
from swarmage.client.default import default_client
from swarmage.client.reply import Reply
from swarmage.drone.keyed.host import IDLE, MOST_KEYS, KeyedHost
from swarmage.task import check_key

P = ParamSpec("P")
R = TypeVar("R")
W = TypeVar("W", bound="KeyedWorker")


class KeyedAbility(Ability[P, R], Generic[P, R]):
    """An ability of a KeyedWorker for one key: `Client.insert` and `Worker.insert` take it, and it can be called."""

    def __init__(self, ability: Ability[P, R], key: str) -> None:
        self.__dict__.update(vars(ability))
        self.key = key

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Reply[R]:
        """Insert a task for the key with a client of this process; back when the bus has it on disk.

        That client is made at the first call, and finds its bus as ``Client()`` does. An ability that inserts for a
        key calls ``self.insert`` instead, so that both are done or neither.

        Raises:
            ConfigError: no bus is known, or this is an ability for no key.
            BusUnreachable: no bus answers.
            InsertTimeout: the bus does not confirm in time; the task may be there.
            NotEncodable: the arguments cannot be carried.
        """
        return default_client().insert(self, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<ability {self.task_class} of {self.key!r}>"


class _Keys(ABCMeta):
    """What makes ``Account["alice"]`` of a class."""

    def __getitem__(cls: type[W], key: str) -> type[W]:  # type: ignore[misc]  # for a type checker it has its abilities
        return cast("type[W]", KeyOf(cls, key))


class KeyOf:
    """The actor of one key, as others see it: its attributes are the abilities, for this key."""

    __slots__ = ("_class", "_key")

    def __init__(self, worker_class: type[KeyedWorker], key: str) -> None:
        check_key(f"{worker_class.kind or worker_class.__qualname__}.", key)
        self._class = worker_class
        self._key = key

    def __getattr__(self, name: str) -> KeyedAbility[..., Any]:
        ability = getattr(self._class, name, None)
        if isinstance(ability, Ability):
            _ = ability.hints  # read once, and not for each copy
            return KeyedAbility(ability, self._key)
        known = [name for name in dir(self._class) if isinstance(getattr(self._class, name, None), Ability)]
        raise AttributeError(f"{self._class.__qualname__} has no ability {name!r}; it has {', '.join(known)}")

    def __repr__(self) -> str:
        return f"{self._class.__qualname__}[{self._key!r}]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyOf) and (self._class, self._key) == (other._class, other._key)

    def __hash__(self) -> int:
        return hash((self._class, self._key))


class KeyedWorker(KeyedHost, metaclass=_Keys):
    """Has one actor for each key, and at most one in the whole swarm at a time.

    Subclass it and declare what an actor is able to do with `ability`; the task classes begin with the name of the
    kind. ``Account["alice"].deposit(10)`` inserts a task for a key; the tasks of a key are performed one at a time, in
    the order of their inserts. An actor is made when its key has a task, and leaves memory when it had none for long.
    It is no pykka actor and has no thread of its own: `concurrency` threads of each drone perform for all of them.

    What an actor keeps in `state` is saved with each task that changes it, in the transaction that acknowledges the
    task: both are on disk, or neither. Of a task that fails nothing is kept. What it keeps elsewhere on ``self`` lasts
    as long as it is in memory.

    Example:
        class Account(KeyedWorker):
            @ability("account.deposit")
            def deposit(self, amount: int) -> int:
                self.state["balance"] = self.state.get("balance", 0) + amount
                return self.state["balance"]

        Account["alice"].deposit(10).result(timeout=5)

    Attributes:
        concurrency: how many actors of this class each drone has perform at once.
        idle: seconds without a task after which an actor leaves memory.
        most_keys: how many actors of this class a drone keeps in memory when they have nothing to do.
        kind: what its task classes begin with.
        key: of an actor, its key.
        state: of an actor, what is saved.
    """

    concurrency: ClassVar[int] = 8
    idle: ClassVar[float] = IDLE
    most_keys: ClassVar[int] = MOST_KEYS

    def on_load(self, state: Any) -> None:
        """Begin with a state; by default it becomes `state`, or an empty dict for a key that has none.

        Called when an actor is made, and that is what `__init__` is for in other classes: there is none here.

        Args:
            state: what `on_save` returned when it was saved last; None for a key of which nothing is saved.
        """
        super().on_load(state)

    def on_save(self) -> Any:
        """Return what is to be saved, by default `state`; None forgets the key. Called after each task that succeeds.

        What JSON brings back as it was is saved as JSON, anything else by cloudpickle.
        """
        return super().on_save()
