"""A child that is the embedded bus."""

from __future__ import annotations

import asyncio
import os

from swarmage.settings import Address
from swarmage.supervisor.bus_plan import BusPlan
from swarmage.supervisor.embedded_bus import serve_bus
from swarmage.supervisor.parent_link import ParentLink
from swarmage.supervisor.protocol import BEAT_SECONDS, BusSpec, Ready


def run(spec: BusSpec, parent: ParentLink) -> None:
    """Start the bus; return when asked to stop.

    Raises:
        SwarmageError: it cannot boot, or cannot keep its promise any longer.
    """
    address = Address.parse(os.environ["SWARMAGE_URL"])
    plan = BusPlan(
        address=address,
        ports=spec.ports,
        data=spec.data,
        host=spec.host,
        cert=spec.cert,
        key=spec.key,
        users=spec.users,
        keeping=spec.keeping,
    )
    asyncio.run(
        serve_bus(
            plan,
            on_ready=lambda there: parent.report(Ready(port=there.port)),
            stop_when=parent.on_stop,
            beat=parent.beat,
            every=BEAT_SECONDS,
        )
    )
