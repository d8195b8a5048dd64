"""Looking into the dead letters, and bringing them back.

From: bus.  To: your program, `swarmage dead`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

import msgspec

from swarmage.bus import frames
from swarmage.bus.bus import Bus
from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
from swarmage.client.client import Client
from swarmage.errors import InsertTimeout, ReplyTimeout, WireError
from swarmage.task import Task
from swarmage.wire import codec
from swarmage.wire.envelope import DeadBody
from swarmage.wire.message import Message
from swarmage.wire.names import DEAD, task_class_of
from swarmage.wire.signing import HEADER

TIMEOUT = 30.0
"""Seconds between two messages after which the bus counts as not answering."""

_Sends = Callable[[DeadBody | None, Delivery], Iterable[Message]]
"""What is sent in place of a dead letter that is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A task, or a message that was none, that nobody will try again by itself.

    Attributes:
        id: the task's identity, or ``message-…`` for what could not be read.
        task_class: its class, as far as its queue tells.
        reason: why it is here; docs/wire-format.md lists the words.
        kind: name of the last error's type.
        message: the last error's text.
        traceback: the last error's traceback, as text.
        attempts: how often it was tried.
        died: when it came here, seconds since the epoch.
        host: machine of the drone that gave it up.
        destination: the queue it came from.
        args: its arguments by position, None where they cannot be shown.
        kwargs: its arguments by name.
    """

    id: str
    task_class: str | None
    reason: str
    kind: str
    message: str
    traceback: str
    attempts: int
    died: float
    host: str
    destination: str
    args: Sequence[Any] | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)


class DeadLetters:
    """The dead letters of the swarm a client belongs to."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def all(self) -> list[DeadLetter]:
        """Return all dead letters, oldest first; nothing is taken. Of several buses those that answer are looked at.

        Raises:
            BusUnreachable: no bus answers.
            ReplyTimeout: the bus stops answering.
        """
        found = [letter for looked in self._client.each(self._look) for letter, _, _ in looked]
        return found if self._client.several is None else sorted(found, key=lambda letter: letter.died)

    def retry(self, ids: Collection[str]) -> list[str]:
        """Insert dead letters again, as a first attempt and without deadline; return the ids of those that were there.

        Raises:
            BusUnreachable: no bus answers.
            ReplyTimeout: the bus stops answering.
        """
        return self._take_everywhere(ids, self._again)

    def drop(self, ids: Collection[str]) -> list[str]:
        """Remove dead letters for good; return the ids of those that were there.

        Raises:
            BusUnreachable: no bus answers.
            ReplyTimeout: the bus stops answering.
        """
        return self._take_everywhere(ids, lambda _, __: [])

    def _look(self, bus: Bus) -> list[tuple[DeadLetter, DeadBody | None, Delivery]]:
        found = []
        with _Reading(bus, browser=True, prefetch=1000) as reading:
            for delivery in reading:
                if delivery.headers.get("browser") == "end":
                    break
                found.append((*self._read(delivery), delivery))
        return found

    def _take_everywhere(self, ids: Collection[str], sends: _Sends) -> list[str]:
        return [id_ for taken in self._client.each(lambda bus: self._take(bus, ids, sends)) for id_ in taken]

    def _take(self, bus: Bus, ids: Collection[str], sends: _Sends) -> list[str]:
        """Consume the letters asked for, each with what it sends in one transaction; the others go back untouched."""
        present = [letter.id for letter, _, _ in self._look(bus)]
        wanted = set(ids).intersection(present)
        done: list[str] = []
        if not wanted:
            return done
        with _Reading(bus, browser=False, prefetch=len(present) + 1000) as reading:
            for delivery in reading:
                letter, body = self._read(delivery)
                if letter.id in wanted:
                    self._settle(bus, delivery, sends(body, delivery))
                    wanted.discard(letter.id)
                    done.append(letter.id)
                else:
                    reading.keep(delivery)
                if not wanted:
                    break
        return done

    def _settle(self, bus: Bus, delivery: Delivery, messages: Iterable[Message]) -> None:
        if not bus.steps.complete(delivery, list(messages), self._client.timeout):
            raise InsertTimeout(f"the bus did not confirm within {self._client.timeout:.1f} s; look again")

    def _again(self, body: DeadBody | None, delivery: Delivery) -> Iterable[Message]:
        if body is not None and body.task is not None:
            task = msgspec.structs.replace(body.task, attempt=1, delay=0.0, issued=0.0, crashes=0, deadline=None)
            return [self._client.wire.task(task)]
        if body is not None and body.raw is not None:  # as it came: never signed by us, who do not know what it says
            return [Message(frames.escape(body.destination), body.raw, frames.escape(body.signature or "none"))]
        return [Message(DEAD, delivery.body, frames.escape(delivery.headers.get(HEADER, "none")))]

    def _read(self, delivery: Delivery) -> tuple[DeadLetter, DeadBody | None]:
        try:
            body = self._client.wire.read_dead(delivery.body, delivery.headers.get(HEADER))
        except WireError as error:
            return _foreign(delivery, str(error)), None
        task = body.task
        shown: dict[str, Any] = {}
        if task is not None:
            shown = {"kwargs": task.kwargs, "args": None if task.pickled is not None else task.args}
        return DeadLetter(
            id=task.id if task is not None else f"message-{delivery.headers['message-id']}",
            task_class=task.task_class if task is not None else task_class_of(body.destination),
            reason=body.reason,
            kind=body.failure.kind,
            message=body.failure.message,
            traceback=body.failure.traceback,
            attempts=_attempts(task, body.reason) if task is not None else 0,
            died=body.died,
            host=body.host,
            destination=body.destination,
            **shown,
        ), body


def _attempts(task: Task, reason: str) -> int:
    """Return how often it was begun: a crash is an attempt too, but is counted apart."""
    return task.attempt + task.crashes - (1 if reason == "crashed" else 0)


def _foreign(delivery: Delivery, why: str) -> DeadLetter:
    return DeadLetter(
        id=f"message-{delivery.headers['message-id']}",
        task_class=None,
        reason="foreign",
        kind="Foreign",
        message=f"not written by this swarm: {why}; it begins {codec.base64_text(delivery.body[:60])} (base64)",
        traceback="",
        attempts=0,
        died=0.0,
        host="",
        destination=DEAD,
    )


class _Reading:
    """The dead letters' queue, message by message, for as long as the block lasts."""

    def __init__(self, bus: Bus, *, browser: bool, prefetch: int) -> None:
        self._bus = bus
        self._heard: SimpleQueue[Delivery] = SimpleQueue()
        self._kept: list[Delivery] = []
        self._side: Bus | None = None
        self._id = f"dead.{secrets.token_hex(8)}"
        self._browser = browser
        self._prefetch = prefetch

    def __enter__(self) -> _Reading:
        if not (self._browser or self._bus.dialect.gives_back):
            self._side = self._bus = self._bus.branch()  # whose end gives back what is kept
            self._bus.start(TIMEOUT)
        self._bus.subscribe(
            Subscription(
                id=self._id, destination=DEAD, receive=self._receive, browser=self._browser, prefetch=self._prefetch
            )
        )
        return self

    def _receive(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._heard.put(delivery)

    def __iter__(self) -> Iterator[Delivery]:
        while True:
            try:
                yield self._heard.get(timeout=TIMEOUT)
            except Empty:
                raise ReplyTimeout(f"the bus has shown no dead letter for {TIMEOUT:.0f} s; try again") from None

    def keep(self, delivery: Delivery) -> None:
        """Note a letter that goes back when the block ends."""
        self._kept.append(delivery)

    def __exit__(self, *_: object) -> None:
        self._bus.unsubscribe(self._id)
        while not self._heard.empty():
            self._kept.append(self._heard.get())
        if not self._browser:
            self._bus.give_back(self._kept)
        if self._side is not None:
            self._side.stop()
