"""One connection's state: what it subscribed to, what it holds, what is to be written to it.

From: connection (bytes).  To: commands, and back to the connection.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from swarmage.broker.entrance.entry import Entry
from swarmage.broker.entrance.login import log_in
from swarmage.broker.entrance.pulse import Pulse
from swarmage.broker.events import event
from swarmage.broker.queues.message import Message
from swarmage.broker.queues.release import release
from swarmage.broker.queues.subscription import UNLIMITED, Subscription
from swarmage.broker.refused import Refused
from swarmage.broker.sessions.ack_runs import settle_run
from swarmage.broker.sessions.commands import COMMANDS
from swarmage.broker.sessions.encoding import error, receipt
from swarmage.broker.sessions.frames import Frame, FrameParser
from swarmage.broker.sessions.sink import Sink
from swarmage.broker.sessions.subscribing import attach
from swarmage.broker.sessions.transactions import Transactions

if TYPE_CHECKING:
    from swarmage.broker.hub import Hub

log = logging.getLogger("swarmage.bus")


class State(Enum):
    """How far a connection is."""

    LOGIN = 1
    OPEN = 2
    LEAVING = 3
    CLOSED = 4


_LOGIN, _OPEN, _LEAVING, _CLOSED = State  # not looked up in the class for every frame


class Session:
    """One connection.

    Attributes:
        id: unique among all runs of the bus; part of the names of its temporary queues.
        peer: who it is, for the log.
        version: of STOMP, as agreed.
        subscriptions: by the client's id.
        unacked: messages it holds, in order of their delivery.
        transactions: those that are open.
        temporary: full names of its temporary queues.
        choked: whether its subscriptions pause because it reads more slowly than it is written to.
        held: whether its bytes are left in the socket because the disk is behind, so that its silence means nothing.
        pulse: heart-beats.
        entry: the login, and what it allows.
    """

    def __init__(self, hub: Hub, sink: Sink, name: str, peer: str) -> None:
        self.hub = hub
        self.id = name
        self.peer = peer
        self.version = "1.0"
        self.state = State.LOGIN
        self.parser = FrameParser(hub.limits)
        self.subscriptions: dict[str, Subscription] = {}
        self.unacked: dict[int, Message] = {}
        self.transactions = Transactions(hub.limits)
        self.temporary: list[str] = []
        self.choked = False
        self.held = False
        self.pulse = Pulse(hub.clock.monotonic())
        self.entry = Entry(self)
        self._frame: Frame | None = None
        self._sink = sink
        self._paused = False
        self._closing = False
        self._output, self._output_size = list[bytes](), 0
        self._output_limit = hub.limits.output_bytes

    def receive(self, data: bytes) -> None:
        """Handle what the client sent."""
        self.pulse.received = self.hub.clock.monotonic()
        if self.state is _LEAVING or self.state is _CLOSED or self.entry.keeps(data):
            return
        self.take(self.parser.feed(settle_run(self, data)))

    def take(self, frames: Iterator[Frame]) -> None:
        """Handle frames, until the session is over or its login takes time."""
        self.hub.journal.speaker = self
        try:
            for frame in frames:
                self._frame = frame
                self._handle(frame)
                self._frame = None
                if self.state is not _OPEN:
                    self.entry.keep(frames)
                    break
        except Refused as refusal:
            self.refuse(refusal)

    def open(self, version: str) -> None:
        """Begin to take other frames than CONNECT."""
        self.version = version
        self.parser.log_in(version)
        self.state = State.OPEN
        self.hub.crowd.logged_in(self)

    def _handle(self, frame: Frame) -> None:
        if self.state is _LOGIN:
            log_in(self, frame)
            return
        command = COMMANDS.get(frame.command)
        if command is None:
            raise Refused(f"unknown command {frame.command[:40]}")
        if frame.body and frame.command != "SEND":
            raise Refused(f"a {frame.command} frame has no body")
        wanted = frame.headers.get("receipt")
        if wanted is None or frame.command == "DISCONNECT":
            command(self, frame)
            return
        journal = self.hub.journal
        before = journal.changes
        command(self, frame)
        confirmation = receipt(wanted, self.version, plain=frame.plain is not None)
        if journal.changes == before:
            self.write(confirmation)
        else:
            journal.confirm(self, confirmation)

    def write(self, data: bytes) -> None:
        """Have the bytes written at the end of this turn."""
        if self.state is _CLOSED:
            return
        if not self._output:
            self.hub.talks(self)
        self._output.append(data)
        self._output_size += len(data)
        if self._output_size > self._output_limit:
            self.choked = True

    def flush(self) -> None:
        """Write what was collected in one piece."""
        if self._output:
            self.pulse.sent = self.hub.clock.monotonic()
            output, self._output, self._output_size = b"".join(self._output), [], 0
            self._sink.write(output)
        if self._closing:
            self._closing = False
            self._sink.finish()
        elif self.choked and not self._paused:
            self._unchoke()

    def pause(self) -> None:
        """Hand out nothing until `resume`, since the client does not read."""
        self._paused = self.choked = True

    def resume(self) -> None:
        """Hand out again."""
        self._paused = False
        self._unchoke()

    def _unchoke(self) -> None:
        self.choked = False
        for subscription in self.subscriptions.values():
            subscription.wake()

    def refuse(self, refusal: Refused, *, counted: bool = True) -> None:
        """Answer with ERROR, which names the frame at hand if there is one, and end the connection."""
        if self.state is State.CLOSED:
            return
        fields = event("refused", peer=self.peer, reason=str(refusal))
        log.warning("%s: refused: %r", self.peer, str(refusal), extra=fields)
        self.write(error(refusal, self._frame, self.version))
        self._end(counted=counted)

    def leave(self, wanted: str | None) -> None:
        """Begin a graceful end: give everything back, confirm once all earlier work is durable, close."""
        self.state = State.LEAVING
        release(self, counted=False)
        journal = self.hub.journal
        if wanted is not None:
            journal.confirm(self, receipt(wanted, self.version))
        journal.after(partial(self._end, counted=False))
        self.hub.wake()

    @property
    def leaving(self) -> bool:
        """Whether the client said DISCONNECT and waits for the last receipts."""
        return self.state is State.LEAVING

    def lost(self) -> None:
        """Take note that the connection is gone."""
        if self.state is State.CLOSED:
            return
        if self.state is State.OPEN:
            fields = event("connection_lost", peer=self.peer, given_back=len(self.unacked))
            log.info("%s: connection lost, %d messages given back", self.peer, len(self.unacked), extra=fields)
        self._output = []
        self._end(counted=self.state is not State.LEAVING)

    def close(self) -> None:
        """End the connection because the bus stops: no fault of what was delivered."""
        if self.state is not State.CLOSED:
            self._end(counted=False)

    def make_room(self) -> None:
        """End the connection, which has not logged in, because another one needs its place."""
        self.refuse(Refused("all connections are taken, and this one had not logged in yet"))

    def broke(self) -> None:
        """End the connection because it cannot be written to."""
        log.exception("%s: cannot be written to, closed", self.peer, extra=event("broken", peer=self.peer))
        self.lost()
        self._closing = False  # there is nothing to wait for
        with contextlib.suppress(Exception):
            self._sink.abort()

    def _end(self, *, counted: bool) -> None:
        release(self, counted=counted)
        self.entry.close()
        self.state = State.CLOSED
        self.hub.sessions.pop(self.id, None)
        self.hub.crowd.leave(self)
        if not self._closing:
            self._closing = True
            self.hub.talks(self)

    def reply_to(self, destination: str) -> str:
        """Return how others call this ``/temp-queue/NAME``, and let its messages come here, as RabbitMQ does."""
        queue = self.hub.router.temporary(self, destination)
        if not queue.consumers and destination not in self.subscriptions:
            attach(self, destination, destination, name=destination, mode="auto", prefetch=UNLIMITED)
        return queue.name

    def tick(self, now: float, *, forgiving: bool) -> None:
        """Send a heart-beat when one is due, and end a connection that is silent for too long."""
        if self.state is State.LOGIN:
            self.entry.tick(now)
        elif self.state is State.OPEN and not (forgiving or self.held) and (silence := self.pulse.silent_for(now)):
            self.refuse(Refused(f"no sign of life for {silence:.1f} s"))
        elif self.pulse.beat_due(now):
            self.write(b"\n")
