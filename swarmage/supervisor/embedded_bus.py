"""The embedded bus as a process runs it, from its start until it is asked to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from swarmage.broker.entrance.tls import server_context
from swarmage.broker.server import BusServer
from swarmage.settings import Address
from swarmage.supervisor.bus_plan import BusPlan


async def serve_bus(
    plan: BusPlan,
    *,
    on_ready: Callable[[Address], None],
    stop_when: Callable[[Callable[[], None]], None],
    beat: Callable[[], None],
    every: float,
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Run the bus until it is stopped.

    Args:
        plan: how.
        on_ready: called with the bus's address when it listens.
        stop_when: called with what stops the bus, safe to call from any thread and from a signal handler.
        beat: called by the bus's event loop while that turns.
        every: seconds from one such call to the next.
        stopping: called by the event loop when the bus has been asked to stop.

    Raises:
        ConfigError: it cannot start.
        BusFailed: it cannot keep its promise any longer.
    """
    address = plan.address
    host = plan.host or address.host
    server = BusServer(
        host=host,
        port=_free_port(host, plan.ports),
        data=Path(plan.data) if plan.keeping.durability != "memory" else None,
        users={address.login: address.passcode},
        tls=server_context(Path(plan.cert), Path(plan.key)) if plan.cert else None,
        users_file=Path(plan.users) if plan.users else None,
        limits=plan.keeping.limits,
        durability=plan.keeping.durability,
    )
    await server.start()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.stop()
        with contextlib.suppress(RuntimeError):  # the loop is closed: the bus has stopped already
            loop.call_soon_threadsafe(stopping)

    stop_when(stop)
    on_ready(replace(address, port=server.port))
    beating = asyncio.create_task(_go_on_beating(beat, every))
    try:
        await server.serve()
    finally:
        beating.cancel()


async def _go_on_beating(beat: Callable[[], None], every: float) -> None:
    while True:
        await asyncio.sleep(every)
        beat()


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
