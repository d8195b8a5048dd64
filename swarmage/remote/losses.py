"""Why no answer will come, in words that say what may have been done and what to do next."""

from __future__ import annotations

from swarmage.bus.bus import Bus
from swarmage.errors import ActorDead, ActorUnknown, BusError, BusUnreachable, ConnectionLost, SwarmageError


def silent(name: str, bus: Bus, seconds: float, *, known: bool) -> SwarmageError:
    """Return why an actor has not answered pings.

    Args:
        name: its name.
        bus: the bus it should be on.
        seconds: how long it was silent.
        known: whether it had answered before.
    """
    try:
        bus.connection(0)
    except BusError as error:
        return BusUnreachable(f"the actor {name} cannot be asked: {error}")
    if known:
        return ActorDead(
            f"the actor {name} is gone: its process has given no sign of life for {seconds:.2g} s; what it was asked"
            " may have been done. Ask again when it, or another one of that name, is published"
        )
    return ActorUnknown(
        f"nobody publishes an actor {name!r} on the bus at {bus.address}: no answer within {seconds:.2g} s. A Worker"
        f" publishes itself with self.publish({name!r}), any other pykka actor is published with"
        f" swarmage.publish({name!r}, actor_ref); does that process run, and with the same key?"
    )


def replaced(name: str) -> SwarmageError:
    """Return what is told when another publisher answers than the one that was asked."""
    return ActorDead(
        f"the actor {name} that was asked is gone, or was cut off from the bus; what it was asked may have been done."
        " Ask again: it, or another one of that name, answers now"
    )


def cut_off(name: str) -> SwarmageError:
    """Return what is told when the connection was lost on which an actor was asked."""
    return ConnectionLost(
        f"the connection to the bus was lost while the actor {name} was asked; what it was asked may have been done,"
        " and is not sent again. Ask again if that does no harm"
    )


def closed(name: str) -> SwarmageError:
    """Return what is told when who asked has closed the connection."""
    return ConnectionLost(f"the client by which the actor {name} was asked was closed; it may do what it was asked")
