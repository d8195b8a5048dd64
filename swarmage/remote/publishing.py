"""Publishing an actor under a name, for remote references.

From: bus.  To: letters; and the other way round.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
from queue import Empty, SimpleQueue
from typing import Any

from swarmage.bus.bus import Bus
from swarmage.bus.connection import Connection
from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
from swarmage.errors import BusError, NotEncodable, WireError
from swarmage.outcome import Failure
from swarmage.remote.letters import Asked, Letter, Ref, actor_of, attributes, check_path, check_ref
from swarmage.wire.envelope import Wire
from swarmage.wire.names import actor_destination
from swarmage.wire.requests import Answer, Request, read_request, write_answer
from swarmage.wire.signing import HEADER

logger = logging.getLogger("swarmage.remote")

LOOK = 0.25
"""Seconds between two looks whether the actor has stopped: pykka tells nobody."""
MOST_SESSIONS = 10_000
"""Askers that are known; the one that has been silent longest is forgotten, and asks for a session again."""
MOST_OPEN = 10_000
"""Requests that an actor may leave unanswered before further ones are refused."""
BATCH = 100
"""Answers that are written at once."""
GOODBYE = 2.0
"""Seconds that `stop` waits until the last answers are out."""

_numbers = itertools.count(1)


class Session:
    """What a publisher knows of one asker: the session's name, and the number of the latest request."""

    __slots__ = ("last", "name")

    def __init__(self) -> None:
        self.name = secrets.token_hex(8)
        self.last = 0


class Publication:
    """An actor that remote references reach by a name, until it stops or `stop` is called.

    Of several publications of one name one gets all requests; the next takes over when it ends. The reading thread
    takes requests in and puts them into the actor's inbox; a thread of its own writes the answers, so that the network
    never holds up the actor.

    Attributes:
        name: what it is published as.
    """

    def __init__(self, name: str, ref: Ref, bus: Bus, wire: Wire) -> None:
        check_ref(ref)
        self.name = name
        self._destination = actor_destination(name)
        self._ref = ref
        self._bus = bus
        self._wire = wire
        self._id = f"actor.{name}#{next(_numbers)}"
        self._connection: Connection | None = None  # the reading thread's, as is the next
        self._sessions: dict[str, Session] = {}
        self._open: set[Asked] = set()
        self._outbox: SimpleQueue[tuple[str, Answer] | None] = SimpleQueue()
        self._stopping = False
        self._sender = threading.Thread(target=self._send, name=f"actor {name}", daemon=True)

    def __repr__(self) -> str:
        return f"<publication of {self._ref} as {self.name}>"

    def __enter__(self) -> Publication:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def ended(self) -> bool:
        """Whether it takes no more requests."""
        return self._stopping

    def start(self) -> None:
        """Take requests from now on."""
        self._bus.subscribe(
            Subscription(id=self._id, destination=self._destination, receive=self._receive, ack="auto", exclusive=True)
        )
        self._sender.start()

    def stop(self) -> None:
        """Take no more requests, and tell who still waits for an answer that none will come; safe twice."""
        self.end()
        if threading.current_thread() is not self._sender and self._sender.is_alive():
            self._sender.join(GOODBYE)

    def is_of(self, ref: Ref) -> bool:
        """Say whether it is this actor that is published."""
        return self._ref is ref

    def end(self) -> None:
        """Do what `stop` does, and do not wait until the last answers are out."""
        if self._stopping:
            return
        self._stopping = True
        self._bus.unsubscribe(self._id)
        while self._open:
            try:
                asked = next(iter(self._open))
            except (StopIteration, RuntimeError):  # the actor has just answered one
                continue
            self._finish(asked, Answer(say="dead", number=asked.number))
        self._outbox.put(None)

    # the reading thread

    def _receive(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.connection is not self._connection:
                # what came on the last one may have been lost on its way: who asked learns it by the new session
                self._connection = delivery.connection
                self._sessions.clear()
            signature = delivery.headers.get(HEADER)
            try:
                request = read_request(self._wire, self._destination, delivery.body, signature)
            except WireError as error:
                logger.warning("a request to the actor %s is ignored: %s", self.name, error)
                continue
            if request.say == "ping":
                self._greet(request)
            else:
                self._take(request)

    def _greet(self, request: Request) -> None:
        if self._stopping or self._ref.actor_stopped.is_set():
            return  # silence lets the next one take over, or who asks give up
        session = self._sessions.pop(request.reply_to, None) or Session()
        self._sessions[request.reply_to] = session  # as the latest
        while len(self._sessions) > MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._answer(request, Answer(say="here", number=request.number, session=session.name))

    def _take(self, request: Request) -> None:
        session = self._sessions.get(request.reply_to)
        if session is None or not secrets.compare_digest(session.name.encode(), request.session.encode()):
            self._answer(request, Answer(say="stale", number=request.number))
            return
        if request.number <= session.last:
            logger.warning("a request to the actor %s is refused: it is a copy", self.name)
            return
        session.last = request.number
        actor = actor_of(self._ref)
        stopped = self._ref.actor_stopped
        if self._stopping or actor is None or stopped.is_set():
            self._answer(request, Answer(say="dead", number=request.number))
            return
        try:
            if request.say == "look":
                self._answer(request, Answer(say="value", number=request.number, value=attributes(actor)))
                return
            if request.say != "message":
                check_path(actor, request.path)
        except AttributeError as error:
            self._refuse(request, "AttributeError", str(error))
            return
        if len(self._open) >= MOST_OPEN:
            self._refuse(request, "Overloaded", f"{self.name} has {MOST_OPEN} requests to answer; ask later")
            return
        asked = None if request.told else Asked(request, stopped, self._finish)
        if asked is not None:
            self._open.add(asked)
        self._ref.actor_inbox.put(Letter(request, stopped, asked))  # type: ignore[arg-type]  # pykka wants its own class

    def _refuse(self, request: Request, kind: str, message: str) -> None:
        logger.warning("a request to the actor %s is refused: %s", self.name, message)
        self._answer(request, Answer(say="error", number=request.number, failure=Failure(kind, message)))

    def _answer(self, request: Request, answer: Answer) -> None:
        if not request.told or answer.say == "stale":
            self._outbox.put((request.reply_to, answer))

    # any thread, mostly the actor's

    def _finish(self, asked: Asked, answer: Answer) -> None:
        """Answer once, whoever comes first: the actor, or its end."""
        try:
            self._open.remove(asked)
        except KeyError:
            return
        self._outbox.put((asked.reply_to, answer))

    # the thread that writes

    def _send(self) -> None:
        """Write answers, and see when the actor has stopped."""
        while True:
            if self._ref.actor_stopped.is_set():
                self.end()
            try:
                first = self._outbox.get(timeout=LOOK)
            except Empty:
                continue
            batch = [first]
            while len(batch) < BATCH and not self._outbox.empty():
                batch.append(self._outbox.get())
            self._write([each for each in batch if each is not None])
            if None in batch:
                return

    def _write(self, answers: list[tuple[str, Answer]]) -> None:
        frames = [self._bus.send_frame(self._message(reply_to, answer)) for reply_to, answer in answers]
        if not frames:
            return
        try:
            self._bus.connection(0).write(*frames)
        except BusError as error:  # who asked learns by its next ping that this is in doubt
            logger.debug("%d answers of the actor %s are lost: %s", len(frames), self.name, error)

    def _message(self, reply_to: str, answer: Answer) -> Any:
        try:
            return write_answer(self._wire, reply_to, answer)
        except NotEncodable as error:
            failure = Failure(type(error).__name__, str(error))
            return write_answer(self._wire, reply_to, Answer(say="error", number=answer.number, failure=failure))
