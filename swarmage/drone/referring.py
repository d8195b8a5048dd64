"""Actors elsewhere, for workers: by the connection of their cell.

From: worker.  To: remote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swarmage.drone.cell import Cell
from swarmage.errors import ConfigError
from swarmage.remote.ref import RemoteRef
from swarmage.remote.remote import Remote

if TYPE_CHECKING:
    from swarmage.remote.publishing import Publication


class Referring:
    """The part of a Worker that speaks with actors of other cells and programs."""

    _cell: Cell | None
    actor_ref: Any

    def publish(self, name: str) -> Publication:
        """Have remote references of a name reach this worker, until it stops; call it in `on_start`.

        Of several workers that publish a name, in whichever cells, one gets all requests; the next takes over when it
        is gone. A request waits while a task is performed.

        Raises:
            ConfigError: it is not a name, or this worker has no connection to the bus.
        """
        return self._connected("publish").publish(name, self.actor_ref)

    def ref(self, name: str) -> RemoteRef:
        """Return a reference to the actor that any cell or program on the bus publishes under a name.

        Raises:
            ConfigError: it is not a name, or this worker has no connection to the bus.
        """
        return self._connected("ref").ref(name)

    def _connected(self, what: str) -> Remote:
        if self._cell is None or self._cell.remote is None:
            raise ConfigError(
                f"{type(self).__qualname__}.{what}: there is no connection to the bus here; a Drone gives one to the"
                ' workers it starts, but for those with isolation = "process", which have none'
            )
        return self._cell.remote
