"""Inserting tasks.

From: your program.  To: wire, then bus.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, ParamSpec, TypeVar, overload

import msgspec

from swarmage.abilities import Ability
from swarmage.bus.publish import Pipeline, publish
from swarmage.client.connecting import chosen
from swarmage.client.control import Control
from swarmage.client.reply import Reply
from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.inserting import class_of, task_of
from swarmage.settings import DEFAULT_PORT, Address
from swarmage.task import Task
from swarmage.wire.message import Message
from swarmage.wire.names import group_of

P = ParamSpec("P")
R = TypeVar("R")

TIMEOUT = 5.0
"""Seconds an insert may take."""
BATCH = 2000
"""Tasks that `insert_many` writes at once. It waits for the batch before, so twice as many may be in doubt."""


class Client(Control):
    """Inserts tasks into the Global Queue and waits for replies.

    Any thread may use it. It connects at the first insert and reconnects by itself; a client of its own for each thread
    is not needed.

    Args:
        url: ``stomp://login:passcode@host:port/vhost``; several with spaces between them are several buses.
        urls: the same, as a list. The first bus that is there gets the tasks.
        hostname: the bus's machine, instead of a URL.
        port: TCP port, with hostname.
        login: user name on the bus, with hostname.
        passcode: the user's passcode, with hostname.
        timeout: seconds after which an insert that the bus has not confirmed raises.
        spread: with several buses, give the tasks to those that are there in turn.

    Without URL and hostname: SWARMAGE_URL, else the bus that was started in this folder.

    Attributes:
        address: where the bus is; of several the first.
        bus: the bus; of several the first. Remote references use this one.

    Raises:
        ConfigError: no bus is known, or the URL cannot be read, or there is no signing key.
    """

    def __init__(  # noqa: PLR0913 - keyword-only settings
        self,
        url: str | None = None,
        *,
        urls: Sequence[str] | None = None,
        hostname: str | None = None,
        port: int = DEFAULT_PORT,
        login: str = "",
        passcode: str = "",
        timeout: float = TIMEOUT,
        spread: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        given = Address(host=hostname, port=port, login=login, passcode=passcode) if hostname is not None else None
        super().__init__(chosen(given, url, urls), timeout, clock, spread=spread)

    @overload
    def insert(self, ability: Ability[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Reply[R]: ...
    @overload
    def insert(self, ability: str, /, *args: Any, **kwargs: Any) -> Reply[Any]: ...
    def insert(self, ability: Ability[..., Any] | str, /, *args: Any, **kwargs: Any) -> Reply[Any]:
        """Insert a task; back when the bus has it on disk.

        Args:
            ability: an ability of a Worker, or the name of a task class.
            args: its arguments by position.
            kwargs: its arguments by name.

        Raises:
            BusUnreachable: no bus answers.
            ConfigError: it is an ability of a KeyedWorker, for no key.
            InsertTimeout: the bus does not confirm in time; the task may be there.
            NotEncodable: the arguments cannot be carried.
        """
        task = task_of(ability, args, kwargs)
        return self._insert(task, True, _kind_of(ability))

    def insert_task(self, task: Task, *, reply: bool = True) -> Reply[Any]:
        """Insert a task with all its settings, as `insert` does.

        Args:
            task: what is to be done, and when.
            reply: whether its result is wanted.
        """
        return self._insert(task, reply, Any)

    @overload
    def insert_many(self, ability: Ability[..., R], items: Iterable[Any], *, reply: bool = True) -> list[Reply[R]]: ...
    @overload
    def insert_many(self, ability: str, items: Iterable[Any], *, reply: bool = True) -> list[Reply[Any]]: ...
    def insert_many(
        self, ability: Ability[..., Any] | str, items: Iterable[Any], *, reply: bool = True
    ) -> list[Reply[Any]]:
        """Insert many tasks of one class, pipelined; back when the bus has all of them on disk.

        Args:
            ability: an ability of a Worker, or the name of a task class.
            items: for each task a `Task`, a tuple of arguments, a mapping of named ones, or else its one argument.
            reply: whether their results are wanted; without it the bus has half the work.

        Raises:
            BusUnreachable: no bus answers.
            BusRefused: the bus refuses one of them, as where the queue is full; others may be there.
            InsertTimeout: the bus does not confirm in time; those of the last 4,000 may be there.
            NotEncodable: the arguments of one cannot be carried; those before it may be there.
        """
        class_of(ability)
        kind = _kind_of(ability)
        replies: list[Reply[Any]] = []
        left = iter(items)
        batch = _tasks_of(ability, left)
        if not batch:
            return replies
        bus = self.connect()
        with Pipeline(bus, self.timeout, self.clock) as pipeline:
            while batch:
                waiting, messages = self._written(batch, reply, kind)
                replies += waiting
                if self.several is None:
                    pipeline.put(messages)
                else:
                    self.several.publish(messages, self.timeout)
                batch = _tasks_of(ability, left)
        return replies

    def _insert(self, task: Task, reply: bool, kind: Any) -> Reply[Any]:
        bus = self.connect()
        [waiting], messages = self._written([task], reply, kind)
        if self.several is None:
            publish(bus, messages, self.timeout, self.clock)
        else:
            self.several.publish(messages, self.timeout)
        return waiting

    def _written(self, tasks: list[Task], reply: bool, kind: Any) -> tuple[list[Reply[Any]], list[Message]]:
        """Return the replies of tasks, and what is to be sent."""
        now = round(self.clock.wall(), 3)
        replies = []
        messages = []
        for task in tasks:
            waiting: Reply[Any] = Reply(task.id, task.task_class, kind, self.clock, asked=reply)
            originator = self._replies.expect(waiting) if reply else None
            message = self.wire.task(msgspec.structs.replace(task, issued=now, originator=originator))
            if task.key is not None:
                message = message._replace(once=group_of(task.id))  # what is sent again, in doubt, must not count twice
            messages.append(message)
            replies.append(waiting)
        return replies, messages


def _kind_of(ability: Ability[..., Any] | str) -> Any:
    return ability.hints.get("return", Any) if isinstance(ability, Ability) else Any


def _tasks_of(ability: Ability[..., Any] | str, items: Iterator[Any]) -> list[Task]:
    """Return the tasks of the next batch."""
    return [_task_of(ability, item) for item in islice(items, BATCH)]


def _task_of(ability: Ability[..., Any] | str, item: Any) -> Task:
    if isinstance(item, Task):
        return item
    if isinstance(item, tuple):
        return task_of(ability, item, {})
    if isinstance(item, Mapping):
        return task_of(ability, (), dict(item))
    return task_of(ability, (item,), {})
