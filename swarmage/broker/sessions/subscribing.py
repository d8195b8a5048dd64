"""SUBSCRIBE and UNSUBSCRIBE.

From: commands.  To: queue, topics.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from swarmage.broker.entrance.rights import check_subscribe
from swarmage.broker.queues.durable import NAME_HEADERS, Durable, name_in
from swarmage.broker.queues.message import Message
from swarmage.broker.queues.queue import Queue
from swarmage.broker.queues.release import drop
from swarmage.broker.queues.router import QUEUE, REPLY, TEMPORARY, TOPIC
from swarmage.broker.queues.subscription import DEFAULT_PREFETCH, UNLIMITED, Subscription
from swarmage.broker.queues.values import VALUE
from swarmage.broker.refused import Refused
from swarmage.broker.sessions.encoding import encode
from swarmage.broker.sessions.frames import Frame
from swarmage.broker.sessions.sending import whole

if TYPE_CHECKING:
    from swarmage.broker.hub import Hub
    from swarmage.broker.sessions.session import Session

_MODES = {"auto", "client", "client-individual"}


def subscribe(session: Session, frame: Frame) -> None:
    """Start a subscription, or a look at what a queue holds with ``browser:true``.

    Raises:
        Refused: a header is missing or wrong, or there are too many subscriptions.
    """
    headers = frame.headers
    destination = headers.get("destination")
    if not destination:
        raise Refused("SUBSCRIBE needs a destination header")
    key = _key(session, frame, "SUBSCRIBE")
    if key in session.subscriptions:
        raise Refused(f"there is a subscription {key!r} already")
    mode = headers.get("ack", "auto")
    if mode not in _MODES:
        raise Refused(f"unknown ack mode {mode!r}; there are auto, client and client-individual")
    if headers.get("browser") == "true":
        _browse(session, key, headers, destination)
    else:
        attach(
            session, key, destination,
            name=headers.get("id", ""), mode=mode, prefetch=_prefetch(headers),
            durable=name_in(headers), exclusive=_exclusive(headers),
        )  # fmt: skip


def attach(
    session: Session,
    key: str,
    destination: str,
    *,
    name: str,
    mode: str,
    prefetch: int,
    durable: str | None = None,
    exclusive: bool = False,
) -> Subscription:
    """Let the session take from a destination, or wait until it may have it to itself.

    From a topic it takes what was stored for it too, if it has a durable name.

    Raises:
        Refused: there are too many subscriptions, or the destination cannot be subscribed to.
    """
    _check_room(session)
    full, queue = _find(session, destination)
    if exclusive and not full.startswith(QUEUE):
        raise Refused(f"{destination[:200]} cannot be exclusive; only a /queue/ can")
    if durable is not None and full.startswith(TOPIC):
        queue = session.hub.records.durables.share(session, durable, full)
        full = queue.name
    return _start(session, queue, key, name=name, destination=full, mode=mode, prefetch=prefetch, exclusive=exclusive)


def _check_room(session: Session) -> None:
    if len(session.subscriptions) >= session.hub.limits.subscriptions:
        raise Refused(f"more than {session.hub.limits.subscriptions} subscriptions")


def _start(
    session: Session, queue: Queue, key: str, *, name: str, destination: str, mode: str, prefetch: int,
    exclusive: bool = False,
) -> Subscription:  # fmt: skip
    prefix = b"MESSAGE\n"
    if name:
        prefix = encode("MESSAGE", {"subscription": name}, version=session.version)[:-2]
    subscription = Subscription(
        session, queue, name=name, destination=destination, mode=mode, prefetch=prefetch, prefix=prefix
    )
    subscription.exclusive = exclusive
    session.subscriptions[key] = subscription
    if destination.startswith(TOPIC):
        session.hub.router.topics.add(subscription)
    queue.join(subscription)
    return subscription


def _find(session: Session, destination: str) -> tuple[str, Queue]:
    router = session.hub.router
    if destination.startswith(TEMPORARY):
        return destination, router.temporary(session, destination)
    if destination.startswith(REPLY):
        raise Refused("a reply queue belongs to the connection that made it")
    full = router.resolve(session, destination)
    check_subscribe(session, full)
    if full.startswith(VALUE):
        raise Refused(f"{destination[:200]} is a value, which can only be looked at: SUBSCRIBE with browser:true")
    if full.startswith(TOPIC):
        return full, Queue(full, session)
    return full, router.queue(full)


def _prefetch(headers: dict[str, str]) -> int:
    name = "prefetch-count" if "prefetch-count" in headers else "activemq.prefetchSize"
    if name not in headers:
        return DEFAULT_PREFETCH
    return whole(headers, name) or UNLIMITED


def _exclusive(headers: dict[str, str]) -> bool:
    return "true" in (headers.get("exclusive"), headers.get("activemq.exclusive"))


def _browse(session: Session, key: str, headers: dict[str, str], destination: str) -> None:
    """Show what is there through a private queue of copies, so that a slow reader is waited for as always."""
    _check_room(session)
    hub = session.hub
    full = hub.router.resolve(session, destination)
    if not full.startswith((QUEUE, VALUE)):
        raise Refused("only queues and values can be browsed")
    check_subscribe(session, full)
    snapshot = Queue(full, session)
    start = partial(
        _start, session, snapshot, key, name=headers.get("id", ""), destination=full, mode="auto", prefetch=UNLIMITED
    )
    if full.startswith(VALUE):
        # Not before all that was sent earlier is durable, by whomever: who is given a task after an ack has to see the
        # value that came with that ack.
        hub.journal.after(partial(_show_value, start(), destination))
        hub.wake()
        return
    shown = hub.router.queue(full)
    in_flight = [
        m for each in hub.sessions.values() for m in each.unacked.values() if m.holder and m.holder.queue is shown
    ]
    delayed = [message for message in hub.router.delayed() if message.destination == full]
    for message in [*shown.waiting, *in_flight, *delayed]:
        copy = message.copy(message.id)
        copy.count = message.count
        snapshot.put(copy)
    for lane in shown.waiting.lanes:  # what is in the store alone is read from there as the browser reads
        snapshot.waiting.leave_in_store(lane.priority, lane.paged, lane.last)
    _put_end(hub, snapshot, destination)
    start()


def _show_value(subscription: Subscription, destination: str) -> None:
    if subscription not in subscription.session.subscriptions.values():
        return  # it has ended meanwhile
    snapshot, hub = subscription.queue, subscription.session.hub
    hub.router.values.show(snapshot.name, snapshot.waiting)
    _put_end(hub, snapshot, destination)
    hub.mark(snapshot)


def _put_end(hub: Hub, snapshot: Queue, destination: str) -> None:
    end = encode("MESSAGE", {"destination": destination, "browser": "end", "content-length": "0"})
    last = Message(hub.next_number(), snapshot.name, end[len(b"MESSAGE\n") : -1], b"")
    last.priority = -1
    snapshot.put(last)


def unsubscribe(session: Session, frame: Frame) -> None:
    """End a subscription; what it delivered can still be acknowledged.

    One that names a durable subscription ends that, and what waits for it is dropped.

    Raises:
        Refused: there is no such subscription, or others take from the durable one.
    """
    name = name_in(frame.headers)
    durable = session.hub.records.durables.get(session.entry.login, name) if name is not None else None
    if durable is not None:
        _end_durable(session, durable)
        return
    if any(header in frame.headers for header in NAME_HEADERS):
        raise Refused(f"you have no durable subscription {name!r}")
    key = _key(session, frame, "UNSUBSCRIBE")
    subscription = session.subscriptions.pop(key, None)
    if subscription is None:
        raise Refused(f"there is no subscription {key!r}")
    drop(session, subscription)


def _end_durable(session: Session, durable: Durable) -> None:
    own = {key: each for key, each in session.subscriptions.items() if each.queue is durable.queue}
    others = durable.queue.consumers - len(own)
    if others:
        raise Refused(f"{others} other subscriptions take from {durable.row.name!r}; it ends when they have left")
    for key, subscription in own.items():
        del session.subscriptions[key]
        drop(session, subscription)
    session.hub.records.durables.end(durable)


def _key(session: Session, frame: Frame, command: str) -> str:
    """Return what the client calls the subscription; 1.0 may name it by its destination alone."""
    name = frame.headers.get("id")
    if name:
        return name
    destination = frame.headers.get("destination")
    if session.version != "1.0" or not destination:
        raise Refused(f"{command} needs an id header")
    return f"to {destination}"
