"""The embedded bus as a process runs it, from its start until it is asked to stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from swarmage.broker.server import BusServer
from swarmage.settings import Address
from swarmage.supervisor.bus_plan import BusPlan


async def serve_bus(
    plan: BusPlan, *, on_ready: Callable[[Address], None], stop_when: Callable[[Callable[[], None]], None]
) -> None:
    """Run the bus until it is stopped.

    Args:
        plan: how.
        on_ready: called with the bus's address when it listens.
        stop_when: called with what stops the bus, safe to call from any thread and from a signal handler.

    Raises:
        ConfigError: it cannot start.
        BusFailed: it cannot keep its promise any longer.
    """
    address = plan.address
    server = BusServer(
        host=address.host,
        port=_free_port(address.host, plan.ports),
        data=Path(plan.data),
        users={address.login: address.passcode},
    )
    await server.start()
    loop = asyncio.get_running_loop()
    stop_when(lambda: None if loop.is_closed() else server.stop())
    on_ready(replace(address, port=server.port))
    await server.serve()


def _free_port(host: str, ports: tuple[int, ...]) -> int:
    """Return the first port nobody listens on, or the last one: there the bus itself says what is wrong."""
    for port in ports[:-1]:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    return ports[-1]
