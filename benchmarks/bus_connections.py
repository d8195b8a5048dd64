"""What connections cost that do nothing.

Each is logged in, subscribed to a queue of its own, and wants a sign of life from the server every second. The two
sockets that work are besides.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from benchmarks import bus_rates
from benchmarks.bus_report import MIB, Sample, measure
from benchmarks.servers import Server
from swarmage.bench.process_cost import cost_at_rest, cost_of
from swarmage.bench.raw_socket import RawSocket

MOST = 998
"""With the two that work, as many as the embedded bus takes."""

_BODY = 1024
_IDLE_SECONDS = 3.0


def ask(server: Server, numbers: Sequence[int], messages: int) -> Iterator[Sample]:
    """Open more and more connections, which stay idle; yield what it is like with each of these numbers."""
    server.start()
    server.wait().close()
    bus_rates.warm_up(server)
    with ExitStack() as idle:
        there = 0
        for number in numbers:
            opening = time.perf_counter()
            for each in range(there, number):
                raw = idle.enter_context(RawSocket(server.address, beats="0,1000"))
                raw.subscribe(f"/queue/bench.idle.{each}")
            opened = (time.perf_counter() - opening) / max(1, number - there)
            there = number
            yield _measure(server, number, messages, opened)
    server.stop()


def _measure(server: Server, number: int, messages: int, opened: float) -> Sample:
    before = cost_at_rest(server.pid)
    time.sleep(_IDLE_SECONDS)
    rest = cost_of(server.pid).since(before)
    load = f"{number:,} idle"
    sample = measure(
        server, "connections", load, number, messages, lambda: bus_rates.both(server, _BODY, messages)
    )  # fmt: skip
    figures = {
        "ms to open one": opened * 1e3,
        "MiB": rest.rss_bytes / MIB,
        "CPU ms/s, all idle": rest.cpu_seconds / _IDLE_SECONDS * 1e3,
        "both at once/s": sample.figures["messages/s"],
        "CPU µs/message": sample.figures["CPU µs/message"],
    }
    return replace(sample, figures=figures, raw=sample.raw | {"idle_cpu_seconds": rest.cpu_seconds})
