"""The bus, as clients and drones see it: one connection at a time that is made again when it is lost.

From: client, drone.  To: the bus; and the other way round.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence

from swarmage.bus import frames
from swarmage.bus.backoff import Backoff
from swarmage.bus.connection import Connection
from swarmage.bus.delivery import Delivery
from swarmage.bus.dialects import dialect_of
from swarmage.bus.dialects.dialect import Dialect
from swarmage.bus.dialects.embedded import EmbeddedDialect
from swarmage.bus.frames import Frame
from swarmage.bus.memory import MemoryConnection
from swarmage.bus.subscription import Subscription
from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.errors import BusError, BusRefused, BusUnreachable, ConnectionLost, LoginRefused, TlsFailed
from swarmage.settings import Address
from swarmage.wire.message import Message

logger = logging.getLogger(__name__)


class Bus:
    """A connection that mends itself.

    One keeper thread (named ``bus``) connects, beats and connects again; the reading thread is stomp.py's.
    `on_lost` is called in the keeper's or the reading thread and must neither raise nor wait.
    """

    def __init__(
        self, address: Address, *, clock: Clock = SYSTEM_CLOCK, follow: Callable[[], Address] | None = None
    ) -> None:
        self.address = address
        self._follow = follow or (lambda: address)
        self.dialect: Dialect = EmbeddedDialect()
        self.on_lost: Callable[[Connection], None] = lambda connection: None
        self._clock = clock
        self._subscriptions: dict[str, Subscription] = {}
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

    def abandon(self) -> None:
        """Connect no more, without a word on the present connection: what the death of a process looks like."""
        self._stopping = True

    def owns(self, connection: Connection) -> bool:
        """Say whether it is the present connection."""
        return connection is self._opening

    def _say_goodbye(self, connection: Connection) -> None:
        number, receipt = connection.receipts.expect()
        try:
            connection.write(frames.encode("DISCONNECT", {"receipt": number}))
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
                if self._stopping or left <= 0 or isinstance(error, LoginRefused | TlsFailed):
                    raise error or BusUnreachable(f"no answer from a bus at {self.address}")
                self._changed.wait(left)

    def send_frame(self, message: Message, transaction: str | None = None) -> bytes:
        """Write a message as a SEND frame in this bus's dialect."""
        head = (
            f"SEND\ndestination:{message.destination}\nsignature:{message.signature}\n"
            f"{self.dialect.send_headers(message, self._clock.wall())}content-length:{len(message.body)}\n"
        )
        if transaction is not None:
            head += f"transaction:{transaction}\n"
        return b"%b\n%b\0" % (head.encode(), message.body)

    def subscribe(self, subscription: Subscription) -> None:
        """Take from a destination from now on, also after reconnects."""
        with self._changed:  # the keeper subscribes a new connection under the same lock: none is left out
            self._subscriptions[subscription.id] = subscription
            if self._connection is not None and not self._connection.lost:
                self._subscribe(self._connection, subscription)

    def _subscribe(self, connection: Connection, subscription: Subscription) -> None:
        headers = {"id": subscription.id, "destination": subscription.destination, "ack": subscription.ack}
        headers |= self.dialect.subscribe_headers(subscription.prefetch, exclusive=subscription.exclusive)
        if subscription.browser:
            headers["browser"] = "true"
        with contextlib.suppress(ConnectionLost):  # the next one will have it
            connection.write(frames.encode("SUBSCRIBE", headers))

    def unsubscribe(self, id: str) -> None:  # noqa: A002 - STOMP's word for it
        """Take no more for this subscription; what it has brought can still be acknowledged."""
        with self._changed:
            if self._subscriptions.pop(id, None) is None or self._connection is None:
                return
            with contextlib.suppress(ConnectionLost):  # so there is nothing to unsubscribe
                self._connection.write(frames.encode("UNSUBSCRIBE", {"id": id}))

    def _keep(self) -> None:
        """Connect; beat; when the connection is lost, connect again: until stopped."""
        backoff = Backoff(self._clock)
        while not self._stopping:
            backoff.begin()
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
            self._pause(backoff.next())

    def _live(self) -> None:
        """Live through one connection, from login to loss."""
        self.address = self._follow()
        kind = MemoryConnection if self.address.memory else Connection
        connection = self._opening = kind(self.address, self._clock, self._take, self._lost)
        try:
            connection.open(timeout=5.0)
            self.dialect = dialect_of(connection.server)
            with self._changed:
                if self._stopping:
                    return
                connection.established = True  # from here on its end is told
                for subscription in self._subscriptions.values():
                    self._subscribe(connection, subscription)
                self._note(connection, None)
            level = logging.INFO if self._connected_before else logging.DEBUG
            logger.log(level, "connected to the bus at %s", self.address)
            self._connected_before = True
            while not (connection.lost or self._stopping):
                self._pause(1.0)
                connection.tick()
        finally:
            if not (self._stopping and connection.established):  # `stop` says goodbye on that one
                connection.close()

    def _note(self, connection: Connection | None, error: BusError | None) -> None:
        with self._changed:
            self._connection, self._last_error = connection, error
            self._changed.notify_all()

    def _pause(self, seconds: float) -> None:
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

    def _take(self, connection: Connection, incoming: list[Frame]) -> None:
        arrived: dict[str, list[Delivery]] = {}
        for command, headers, body in incoming:
            if command == "MESSAGE":
                delivery = Delivery(connection, headers, body)
                arrived.setdefault(headers["subscription"], []).append(delivery)
            elif command == "RECEIPT":
                connection.receipts.settle(headers["receipt-id"])
            elif command == "ERROR":
                self._refused(connection, headers)
        for id_, deliveries in arrived.items():
            subscription = self._subscriptions.get(id_)
            if subscription is not None:
                subscription.receive(deliveries)
            else:  # they were on their way when it was dropped
                self.give_back(deliveries)

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Hand back messages that nobody has begun, for others to take."""
        for delivery in deliveries:
            if "ack" not in delivery.headers:
                continue
            with contextlib.suppress(ConnectionLost):  # whose end gives all of them back
                delivery.connection.write(self.dialect.give_back(delivery.ack_id))

    def _refused(self, connection: Connection, headers: dict[str, str]) -> None:
        error = BusRefused(f"the bus at {self.address} answers: {headers.get('message', 'ERROR without a message')!r}")
        logger.warning("%s", error)
        if "receipt-id" in headers:
            connection.receipts.settle(headers["receipt-id"], error)
