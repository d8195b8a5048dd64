"""Which dialect a bus speaks."""

from __future__ import annotations

from swarmage.bus.dialects.dialect import Dialect
from swarmage.bus.dialects.embedded import EmbeddedDialect
from swarmage.errors import BusRefused


def dialect_of(server: str) -> Dialect:
    """Return the dialect of a bus by the ``server`` header of its CONNECTED frame.

    Raises:
        BusRefused: it is a bus that this version does not know.
    """
    if server.partition("/")[0] == "swarmage":
        return EmbeddedDialect()
    raise BusRefused(
        f"the bus there calls itself {server or 'nothing'!r}; this version works with swarmage's own bus only,"
        " start one with `swarmage up` or `swarmage bus`"
    )
