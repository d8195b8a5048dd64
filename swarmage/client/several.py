"""Several buses at once: which of them a task is given to, and what all of them are asked.

From: connecting, control.  To: reaching, bus.

They know nothing of each other. A task is on one of them, its reply comes back over the same one, and what comes of it
stays there. So a bus that is lost takes along what it holds itself, until it is back, and nothing else.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, NamedTuple, TypeVar

from swarmage.bus.bus import Bus
from swarmage.bus.publish import Sending
from swarmage.client.reaching import PREFERENCE, Reaching, all_in_one, is_there
from swarmage.clock import Clock
from swarmage.errors import BusUnreachable, ConfigError, ConnectionLost, NotEncodable, SwarmageError
from swarmage.wire.message import Message

logger = logging.getLogger("swarmage.client")

PATIENCE = 3.0
"""Seconds to wait for a bus that is just being started, or started again, before the others are asked without it. Who
only looks, again and again perhaps, waits so long in the beginning, and then `PREFERENCE`."""

R = TypeVar("R")


class Answer(NamedTuple, Generic[R]):
    """What came of asking one bus: a value, or else an error."""

    bus: Bus
    value: R | None
    error: SwarmageError | None


class Several:
    """The buses of one client. Any thread may use it.

    Attributes:
        buses: in the order in which they are preferred.
    """

    def __init__(self, buses: Sequence[Bus], clock: Clock, *, spread: bool) -> None:
        """Begin without any connection.

        Args:
            buses: in the order in which they are preferred.
            clock: measures the waits.
            spread: give tasks to all buses in turn, not to the first that is there.
        """
        self.buses = tuple(buses)
        self._reaching = Reaching(buses, clock)
        self._clock = clock
        self._spread = spread
        self._preferred = len(self.buses) if spread else 1
        self._turns = itertools.count()

    def connect(self, timeout: float) -> Bus:
        """Return the first bus that is there; the others are connected when they can be.

        Raises:
            BusUnreachable: none answers within `timeout` seconds.
            LoginRefused: those that answer refuse the login and passcode.
        """
        return self._reaching.there(timeout, preferred=self._preferred)[0]

    def connect_first(self, timeout: float) -> None:
        """Return when the first of all is connected.

        Raises:
            BusUnreachable: it does not answer within `timeout` seconds.
            LoginRefused: it refuses the login and passcode.
        """
        self._reaching.begin()
        self.buses[0].connection(timeout)

    def stop(self) -> None:
        """Leave all of them; safe twice."""
        self._reaching.stop()

    # inserting

    def publish(self, messages: Sequence[Message], timeout: float) -> None:
        """Send messages and return when each is on the disk of a bus.

        Raises:
            BusUnreachable: none of them is there.
            BusRefused: those that are there refuse one of the messages.
            InsertTimeout: none confirms in time; what one has not confirmed may be there.
            NotEncodable: one of the messages is too large.
            ConfigError: one of them asks for what the buses that are there cannot do, or is for a key.
        """
        if any(message.group is not None for message in messages):
            raise ConfigError(
                "a task for a key cannot go to one of several buses: each would keep a state of its own for the key;"
                " insert it with a Client for the one bus on which the drones of its KeyedWorker are"
            )
        there = self._reaching.there(timeout, preferred=self._preferred)
        others = [bus for bus in self.buses if bus not in there]
        if not self._spread:
            self._give(messages, [*there, *others], timeout)
            return
        turn = next(self._turns)
        for number in range(min(len(there), len(messages))):
            first = (turn + number) % len(there)
            self._give(messages[number :: len(there)], [*there[first:], *there[:first], *others], timeout)

    def _give(self, messages: Sequence[Message], buses: Sequence[Bus], timeout: float) -> None:
        """Give messages to the first bus that takes them.

        What one leaves in doubt is sent to the same one once more if it is back within its share of the time. Then, by
        the same id, it goes to whichever is there: it may be there twice.
        """
        sending = Sending(messages)
        bus, *untried = buses
        deadline = self._clock.monotonic() + timeout
        errors: dict[Bus, SwarmageError] = {}
        while True:
            before, now = len(sending), self._clock.monotonic()
            share = (deadline - now) / (1 + sum(map(is_there, untried)))
            try:
                sending.once(bus, share, self._clock, share)
                break
            except SwarmageError as error:
                again, errors[bus] = bus in errors, error
            patience = 0.0 if again else timeout / len(buses)
            if len(sending) < before:
                deadline, patience = self._clock.monotonic() + timeout, timeout / len(buses)
            lost = isinstance(errors[bus], ConnectionLost | BusUnreachable)
            wrong = isinstance(errors[bus], ConfigError | NotEncodable)  # which waiting does not mend
            until = now + self._reaching.left_of(PREFERENCE) if wrong else deadline
            following = self._reaching.next_of(bus if lost else None, now + patience, untried, until)
            if following is None:
                raise all_in_one(list(errors.values()))
            if following is not bus:
                logger.warning("given to %s instead, %d tasks: %s", following.address, len(sending), errors[bus])
                untried.remove(following)
                bus = following

    # asking

    def ask(self, ask: Callable[[Bus], R], patience: float | None = None) -> list[Answer[R]]:
        """Ask all buses at once; return what each answers, or why it does not.

        Args:
            ask: called with each, in threads of their own.
            patience: seconds to wait for one that is not there; see `PATIENCE`.
        """
        self._reaching.begin()
        wait = max(PREFERENCE, self._reaching.left_of(PATIENCE)) if patience is None else patience

        def answer_of(bus: Bus) -> Answer[R]:
            try:
                bus.connection(wait)
                return Answer(bus, ask(bus), None)
            except SwarmageError as error:
                return Answer(bus, None, error)

        with ThreadPoolExecutor(len(self.buses), thread_name_prefix="ask") as pool:
            return list(pool.map(answer_of, self.buses))

    def each(self, ask: Callable[[Bus], R]) -> list[R]:
        """Ask all buses, and return the answers of those that give one.

        Raises:
            SwarmageError: none does; the error is the first one's.
        """
        answers = self.ask(ask)
        errors = [answer.error for answer in answers if answer.error is not None]
        if len(errors) == len(answers):
            raise errors[0]
        for error in errors:
            logger.warning("what stands on one of the buses is left out: %s", error)
        return [answer.value for answer in answers if answer.error is None]  # type: ignore[misc]  # None may be a value

    def every(self, tell: Callable[[Bus], object]) -> None:
        """Tell all buses.

        Raises:
            SwarmageError: one was not told, while those that could be have been.
        """
        answers = self.ask(tell, PATIENCE)
        errors = [answer.error for answer in answers if answer.error is not None]
        told = " and ".join(str(answer.bus.address) for answer in answers if answer.error is None)
        if errors:
            rest = f"; it stands on {told}: say it again when the other is back" if told else ""
            raise type(errors[0])(f"{errors[0]}{rest}")
