"""Inserting tasks.

From: your program.  To: wire, then bus.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, ParamSpec, TypeVar, overload

import msgspec

from swarmage.abilities import Ability
from swarmage.bus.bus import Bus
from swarmage.bus.publish import Pipeline, publish
from swarmage.client.control import Control
from swarmage.client.replies import Replies
from swarmage.client.reply import Reply
from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.errors import ConfigError, ConnectionLost
from swarmage.home import follow_address, load_key, resolve_address
from swarmage.inserting import class_of, task_of
from swarmage.remote.ref import RemoteRef
from swarmage.remote.remote import Remote
from swarmage.settings import DEFAULT_PORT, Address
from swarmage.task import Task
from swarmage.wire.envelope import Wire
from swarmage.wire.message import Message
from swarmage.wire.names import group_of

P = ParamSpec("P")
R = TypeVar("R")

TIMEOUT = 5.0
"""Seconds an insert may take."""
CONNECT_TIMEOUT = 3.0
"""Seconds to find a bus: long enough for one that is just being restarted, short enough to be told in time."""
BATCH = 2000
"""Tasks that `insert_many` writes at once. It waits for the batch before, so twice as many may be in doubt."""


class Client(Control):
    """Inserts tasks into the Global Queue and waits for replies.

    Any thread may use it. It connects at the first insert and reconnects by itself; a client of its own for each thread
    is not needed.

    Args:
        url: ``stomp://login:passcode@host:port/vhost``.
        hostname: the bus's machine, instead of a URL.
        port: TCP port, with hostname.
        login: user name on the bus, with hostname.
        passcode: the user's passcode, with hostname.
        timeout: seconds after which an insert that the bus has not confirmed raises.

    Without URL and hostname: SWARMAGE_URL, else the bus that was started in this folder.

    Raises:
        ConfigError: no bus is known, or the URL cannot be read, or there is no signing key.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        hostname: str | None = None,
        port: int = DEFAULT_PORT,
        login: str = "",
        passcode: str = "",
        timeout: float = TIMEOUT,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if hostname is not None:
            self.address = Address(host=hostname, port=port, login=login, passcode=passcode)
        else:
            self.address = resolve_address(url)
        if not timeout > 0:
            raise ConfigError(f"the client's timeout must be more than 0 seconds, not {timeout!r}")
        self.timeout = timeout
        self.clock = clock
        self.wire = Wire(load_key(), clock)
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self.bus = Bus(self.address, clock=self.clock, follow=follow_address(self.address))
        self._replies = Replies(self.bus, self.wire)
        self._remote = Remote(self.connect, self.wire, self.clock)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the bus for good; whoever still waits for a reply is told at once that it will not come."""
        self._closed = True
        if self._pid != os.getpid():
            return  # after a fork all of it is the parent's, who may still need it
        self._remote.stop()
        self.bus.stop()
        self._replies.abandon(ConnectionLost("the client was closed; the task may still end, nobody here will know"))

    def connect(self) -> Bus:
        """Return the bus, connected; inserts do it by themselves.

        Raises:
            BusUnreachable: no bus answers.
            LoginRefused: the bus does not take the login and passcode.
        """
        if self._closed:
            raise ConfigError("this client was closed; make another one")
        if self._pid != os.getpid():
            self._begin()  # after a fork: the connection is the parent's, who would get our receipts
        self.bus.start(min(self.timeout, CONNECT_TIMEOUT))
        return self.bus

    @property
    def remote(self) -> Remote:
        """This client's connection, for actors elsewhere."""
        if self._pid != os.getpid():
            self._begin()
        return self._remote

    def ref(self, name: str) -> RemoteRef:
        """Return a reference to the actor that any cell or program on the bus publishes under a name.

        Raises:
            ConfigError: it is not a name.
        """
        return RemoteRef(name, lambda: self.remote.asking)

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
        with Pipeline(self.connect(), self.timeout, self.clock) as pipeline:
            while batch:
                given, messages = self._written(batch, reply, kind)
                replies += given
                pipeline.put(messages)
                batch = _tasks_of(ability, left)
        return replies

    def _insert(self, task: Task, reply: bool, kind: Any) -> Reply[Any]:
        bus = self.connect()
        [given], messages = self._written([task], reply, kind)
        publish(bus, messages, self.timeout, self.clock)
        return given

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
