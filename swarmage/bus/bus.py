"""The bus, as clients and drones see it: one connection at a time that is made again when it is lost.

From: client, drone.  To: the bus; and the other way round.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable, Sequence

from swarmage.bus import frames
from swarmage.bus.backoff import Backoff
from swarmage.bus.connection import Connection
from swarmage.bus.delivery import Delivery
from swarmage.bus.dialects import dialect_of
from swarmage.bus.dialects.dialect import Dialect
from swarmage.bus.dialects.embedded import EmbeddedDialect
from swarmage.bus.memory import MemoryConnection
from swarmage.bus.reading import Reading
from swarmage.bus.steps import Steps
from swarmage.bus.subscription import Subscription
from swarmage.bus.subscriptions import Subscriptions
from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.errors import BusError, BusUnreachable, LoginRefused, TlsFailed
from swarmage.settings import Address
from swarmage.wire.message import Message

logger = logging.getLogger(__name__)

LEAVE_SECONDS = 5.0
"""Seconds for the steps that are still open when the bus is left."""


class Bus:
    """A connection that mends itself.

    One keeper thread (named ``bus``) connects, beats and connects again; the reading thread is stomp.py's.
    `on_lost` is called in the keeper's or the reading thread and must neither raise nor wait, nor must `on_beat`, which
    the keeper calls before each attempt to connect, and then four times in a heart-beat, about once a second.
    """

    def __init__(
        self, address: Address, *, clock: Clock = SYSTEM_CLOCK, follow: Callable[[], Address] | None = None
    ) -> None:
        self.address = address
        self._follow = follow or (lambda: address)
        self.dialect: Dialect = EmbeddedDialect()
        self.on_lost: Callable[[Connection], None] = lambda connection: None
        self.on_beat: Callable[[], None] = lambda: None
        self.steps = Steps(self)
        self._clock = clock
        self._backoff = Backoff(clock)
        self._subscriptions = Subscriptions(self)
        self._reading = Reading(self, self._subscriptions)
        self._machine = random.randrange(1000)  # noqa: S311 - those who come together spread over several machines
        self._connection: Connection | None = None  # set by the keeper under the condition
        self._opening: Connection | None = None
        self._connected_before = False
        self._changed = threading.Condition()
        self._stopping = False
        self._last_error: BusError | None = None
        self._keeper: threading.Thread | None = None

    def start(self, timeout: float) -> None:
        """Connect, and keep connected from then on; safe to call twice.

        Raises:
            BusUnreachable: no bus within `timeout` seconds.
            LoginRefused: the bus does not take the login and passcode.
            TlsFailed: the bus is not who it should be, or one of the two sides speaks no TLS.
        """
        with self._changed:
            if self._keeper is not None:
                return  # connected once: it mends itself from now on, and who needs it waits in `connection`
            self._stopping = False
            self._last_error = None
            self._keeper = threading.Thread(target=self._keep, name="bus", daemon=True)
            self._keeper.start()
        try:
            self.connection(timeout)
        except BusError:
            self.stop()
            raise

    def stop(self, *, goodbye: bool = True) -> None:
        """End the connection, with a goodbye if all went well; safe twice."""
        with self._changed:
            self._stopping = True
            connection, keeper, self._keeper = self._connection, self._keeper, None
            self._changed.notify_all()
        if connection is not None and not connection.lost:
            if goodbye:
                self._say_goodbye(connection)
            connection.close()
        if self._opening is not None:
            self._opening.close()  # or the keeper would wait for an answer to its login
        if keeper is not None and keeper is not threading.current_thread():
            keeper.join(timeout=5)

    def branch(self, turn: int = 0) -> Bus:
        """Return another bus at the same address, not started: it begins with our machine, or so many behind that."""
        side = Bus(self.address, clock=self._clock, follow=self._follow)
        side._machine = self._machine + turn
        return side

    def abandon(self) -> None:
        """Connect no more, without a word on the present connection: what the death of a process looks like."""
        self._stopping = True

    def owns(self, connection: Connection) -> bool:
        """Say whether it is the present connection."""
        return connection is self._opening

    def _say_goodbye(self, connection: Connection) -> None:
        self.steps.wait(LEAVE_SECONDS)
        number, receipt = connection.receipts.expect()
        try:
            connection.write(*self._subscriptions.ends(), frames.encode("DISCONNECT", {"receipt": number}))
            receipt.wait(2.0)  # the receipt says that all before it has been taken in ("DISCONNECT")
        except BusError as error:
            logger.debug("no goodbye: %s", error)

    def connection(self, timeout: float) -> Connection:
        """Return the present connection, waiting for one if need be.

        Raises:
            BusError: there is none within `timeout` seconds; the error says why the last attempt failed.
        """
        deadline = self._clock.monotonic() + timeout
        with self._changed:
            while True:
                connection = self._connection
                if connection is not None and not connection.lost:
                    return connection
                error, left = self._last_error, deadline - self._clock.monotonic()
                final = isinstance(error, LoginRefused | TlsFailed) and not self._connected_before
                if self._stopping or left <= 0 or final:  # who was let in before: buses refuse all while they start
                    raise error or BusUnreachable(f"no answer from a bus at {self.address}")
                self._changed.wait(left)

    def send_frame(self, message: Message, transaction: str | None = None, *, receipt: str | None = None) -> bytes:
        """Write a message as a SEND frame in this bus's dialect, with what must go ahead of it."""
        head = f"SEND\n{self.dialect.send(message, self._clock.wall())}content-length:{len(message.body)}\n"
        if transaction is not None:
            head += f"transaction:{transaction}\n"
        if receipt is not None:
            head += f"receipt:{receipt}\n"
        frame = b"%b\n%b\0" % (head.encode(), message.body)
        return self.dialect.declare(message) + frame if message.delay else frame

    def check(self, messages: Iterable[Message]) -> None:
        """Refuse what this bus cannot carry, before any of it is sent.

        Raises:
            NotEncodable: one is too large.
            ConfigError: one asks for what this bus cannot do.
        """
        check = self.dialect.check
        if check is not None:
            for message in messages:
                check(message)

    def subscribe(self, subscription: Subscription) -> None:
        """Take from a destination from now on, also after reconnects."""
        with self._changed:  # the keeper subscribes a new connection under the same lock: none is left out
            self._subscriptions.add(subscription, self._connection)

    def unsubscribe(self, id: str) -> None:  # noqa: A002 - STOMP's word for it
        """Take no more for this subscription; what it has brought can be acknowledged where the dialect gives back."""
        with self._changed:
            self._subscriptions.drop(id, self._connection)

    def wants(self, subscription: Subscription) -> bool:
        """Say whether this subscription was neither dropped nor replaced, and the bus not stopped."""
        return not self._stopping and self._subscriptions.holds(subscription)

    def _keep(self) -> None:
        """Connect; beat; when the connection is lost, connect again: until stopped."""
        while not self._stopping:
            self._backoff.begin()
            try:
                self._live()
                self._note(None, None)
            except BusError as error:
                if self._connected_before and type(error) is not type(self._last_error):
                    logger.warning("%s", error)
                self._note(None, error)
            except Exception:  # whatever it is, a bus that never connects again would be worse
                logger.exception("the connection to the bus failed; connecting again")
                self._note(None, None)
            self._machine += 1
            self.pause(self._backoff.next())

    def _live(self) -> None:
        """Live through one connection, from login to loss."""
        self.address = self._follow()
        self.on_beat()
        kind = MemoryConnection if self.address.memory else Connection
        address = self.address.machine(self._machine)
        connection = self._opening = kind(address, self._clock, self._reading.take, self._lost)
        try:
            connection.open(self._backoff.patience(len(self.address.machines)))
            self.dialect = dialect_of(connection.server, address)
            with self._changed:
                if self._stopping:
                    return
                connection.established = True  # from here on its end is told
                self._subscriptions.renew(connection)
                self._note(connection, None)
            logger.log(logging.INFO if self._connected_before else logging.DEBUG, "connected to the bus at %s", address)
            self._connected_before = True
            self._backoff.connected()
            while not (connection.lost or self._stopping):
                self.pause(address.heartbeat / 4)
                connection.tick()
                self.on_beat()
        finally:
            if not (self._stopping and connection.established):  # `stop` says goodbye on that one
                connection.close()

    def _note(self, connection: Connection | None, error: BusError | None) -> None:
        with self._changed:
            self._connection, self._last_error = connection, error
            self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Wait, less where the bus is stopped or its connection lost meanwhile."""
        with self._changed:
            connection = self._connection
            if not self._stopping and (connection is None or not connection.lost):
                self._changed.wait(seconds)

    def _lost(self, connection: Connection) -> None:
        if not connection.established:
            return
        if not self._stopping:
            logger.warning("lost the connection to the bus at %s", self.address)
        with self._changed:
            self._changed.notify_all()
        self.on_lost(connection)

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Hand back messages that nobody has begun, for others to take, where the bus takes them for free."""
        if self.dialect.gives_back:
            self._subscriptions.give_back(deliveries)
