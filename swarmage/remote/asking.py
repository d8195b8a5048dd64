"""Asking actors that others publish.

From: your program, through ref and proxy.  To: publishing, over the bus.

Before the first request a ping asks the publisher for a session, without which it does nothing: so what is sent to
nobody is done by nobody who comes later. While an answer is awaited the ping is repeated. Three of them unanswered mean
that the actor is gone; an answer with another session means that another one has taken over, or that its publisher's
connection was lost, and what was sent before that ping is in doubt. Nothing in doubt is sent again.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
from collections.abc import Callable
from weakref import WeakValueDictionary

import msgspec

from swarmage.bus.bus import Bus
from swarmage.bus.connection import Connection
from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
from swarmage.clock import Clock
from swarmage.errors import BusError, ConnectionLost, WireError
from swarmage.remote import losses
from swarmage.remote.future import RemoteFuture
from swarmage.remote.peer import Peer
from swarmage.remote.pulse import INTERVAL, Pulse
from swarmage.wire.envelope import Wire
from swarmage.wire.message import Message
from swarmage.wire.names import reply_destination
from swarmage.wire.requests import Answer, Request, read_answer, write_request
from swarmage.wire.signing import HEADER

logger = logging.getLogger("swarmage.remote")

MOST_UNANSWERED = 3
"""Pings after which an actor counts as gone: it is told within 3 s, be it the first ping or one in the middle."""
FRESH = 3.0
"""Seconds from a sign of life for which a message is told without asking for another one."""


class Asking:
    """All that is asked over one connection. Any thread may use it.

    The lock is a plain one and guards everything: the time limit of a task may strike in whoever holds it.

    Attributes:
        answers: the queue in which answers come.
    """

    def __init__(self, connect: Callable[[], Bus], wire: Wire, clock: Clock) -> None:
        self._name = f"ref.{secrets.token_hex(8)}"
        self.answers = reply_destination(self._name)
        self._connect = connect
        self._wire = wire
        self._clock = clock
        self._lock = threading.Lock()
        self._bus: Bus | None = None
        self._connection: Connection | None = None  # on which all that is pending was sent
        self._peers: dict[str, Peer] = {}
        self._pings: dict[int, Peer] = {}
        self._pending: WeakValueDictionary[int, RemoteFuture] = WeakValueDictionary()
        self._numbers = itertools.count(1)
        self._pulse = Pulse(self._look)

    def ask(self, name: str, request: Request) -> RemoteFuture:
        """Send a request, at once or as soon as the publisher is known; return what its answer will be in.

        One that is ``told`` is answered when it is sent.

        Raises:
            BusUnreachable: no bus answers.
            NotEncodable: the request is too large for the bus.
        """
        if self._bus is None:
            self._begin()
        future = RemoteFuture(name, request)
        with self._lock:
            peer = self._peers.get(name) or self._peers.setdefault(name, Peer(name))
            if not peer.busy:
                peer.unanswered = 0  # pings of whoever waits no more
            if self._may_send(peer, request):
                self._send(peer, future)
            else:
                self._write(peer, request, 2**53, "0" * 16)  # what cannot be carried is told now, and here
                first = not peer.held
                peer.waiting.append(future)
                if first:
                    self._ping(peer)
            if self._pulse.stopped:
                peer.abandon(losses.closed(name))
            elif peer.busy:
                self._pulse.begin()
        return future

    def _may_send(self, peer: Peer, request: Request) -> bool:
        if peer.session is None or peer.held or request.say == "ping":
            return False
        return not request.told or self._clock.monotonic() - peer.heard < FRESH

    def _begin(self) -> None:
        bus = self._connect()
        with self._lock:
            if self._bus is None:
                bus.subscribe(Subscription(id=self._name, destination=self.answers, receive=self._receive, ack="auto"))
                self._bus = bus

    def stop(self) -> None:
        """Tell everybody who waits that nothing will come any more; safe twice."""
        self._pulse.stop()
        with self._lock:
            for peer in self._peers.values():
                peer.abandon(losses.closed(peer.name))

    # with the lock held

    def _present(self) -> Connection:
        """Return the connection; if it is a new one, what was sent on the last is in doubt.

        Raises:
            BusError: there is none now.
        """
        assert self._bus is not None
        self._note_loss()
        connection = self._bus.connection(0)
        self._connection = connection
        return connection

    def _note_loss(self) -> None:
        if self._connection is not None and self._connection.lost:
            self._connection = None
            for peer in self._peers.values():
                peer.fail(losses.cut_off(peer.name))

    def _send(self, peer: Peer, future: RemoteFuture) -> None:
        request, number = future.request, next(self._numbers)
        assert request is not None
        assert self._bus is not None
        assert peer.session is not None
        message = self._write(peer, request, number, peer.session)
        try:
            connection = self._present()
        except BusError:
            return peer.waiting.append(future)  # nothing was written: it is sent when there is a connection
        if not request.told:
            peer.pending[number] = self._pending[number] = future
        try:
            connection.write(self._bus.send_frame(message))
        except ConnectionLost:
            self._note_loss()
            if request.told:
                future.fail(losses.cut_off(peer.name))
        else:
            if request.told:
                future.settle(Answer(say="value", number=number))

    def _write(self, peer: Peer, request: Request, number: int, session: str) -> Message:
        return write_request(self._wire, peer.name, msgspec.structs.replace(request, number=number, session=session))

    def _ping(self, peer: Peer) -> None:
        peer.unanswered += 1
        assert self._bus is not None
        number = next(self._numbers)
        message = write_request(self._wire, peer.name, Request(say="ping", reply_to=self.answers, number=number))
        try:
            self._present().write(self._bus.send_frame(message))
        except BusError:
            return  # which is as good as no answer
        self._pings[number] = peer

    # the thread of the pulse

    def _look(self) -> None:
        """Ping those that somebody waits for, and give up those that are silent."""
        with self._lock:
            self._note_loss()
            busy = [peer for peer in self._peers.values() if peer.busy]
            if not busy:
                self._pulse.rest()
            for peer in busy:
                if peer.unanswered >= MOST_UNANSWERED:
                    self._give_up(peer)
                else:
                    self._ping(peer)

    def _give_up(self, peer: Peer) -> None:
        assert self._bus is not None
        known, seconds = bool(peer.session or peer.pending), INTERVAL * MOST_UNANSWERED
        error = losses.silent(peer.name, self._bus, seconds, known=known)
        peer.session, peer.unanswered = None, 0
        self._pings = {number: other for number, other in self._pings.items() if other is not peer}
        peer.abandon(error)

    # the reading thread

    def _receive(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            try:
                answer = read_answer(self._wire, self.answers, delivery.body, delivery.headers.get(HEADER))
            except WireError as error:
                logger.warning("an answer is ignored: %s", error)
                continue
            with self._lock:
                if answer.say == "here":
                    self._greeted(answer)
                else:
                    self._answered(answer)

    def _greeted(self, answer: Answer) -> None:
        peer = self._pings.pop(answer.number, None)
        if peer is None:
            return  # a copy, or too late
        self._pings = {each: other for each, other in self._pings.items() if other is not peer or each > answer.number}
        self._heard(peer)
        if answer.session != peer.session:
            # what was sent before this ping was taken by another one; what was sent after it comes back, and goes first
            peer.fail(losses.replaced(peer.name), before=answer.number)
            peer.session = None if peer.pending else answer.session
        for future in peer.release() if peer.session else ():
            if future.request is not None and future.request.say == "ping":
                future.settle(Answer(say="value", number=answer.number, value=True))
            elif peer.waiting:  # the connection has ended meanwhile
                peer.waiting.append(future)
            elif future.request is not None:
                self._send(peer, future)

    def _answered(self, answer: Answer) -> None:
        future = self._pending.pop(answer.number, None)
        if future is None:
            if answer.say == "stale":
                logger.warning("an actor was told something, and did not hear it: another one had just taken over")
            return
        peer = self._peers[future.name]
        if peer.pending.pop(answer.number, None) is None:
            return  # too late: that it is in doubt has been told
        self._heard(peer)
        if answer.say != "stale":
            future.settle(answer)
            return
        first, peer.session = not peer.held, None
        peer.refused.append(future)  # nobody has done it, and nobody will
        if first:
            self._ping(peer)

    def _heard(self, peer: Peer) -> None:
        peer.heard, peer.unanswered = self._clock.monotonic(), 0
