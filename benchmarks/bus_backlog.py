"""What messages that wait cost: memory, the time to start with them, and the rate at which they leave.

Each backlog gets a server of its own with an empty disk. It is filled, stopped, and started again, so that all that
is drained comes from the disk, of small backlogs as of large ones. What is drained is counted from SUBSCRIBE to the
receipt behind the last ACK. Of small backlogs there are several, each in a queue of its own, drained one after another,
so that the clock has something to measure.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from benchmarks import bus_rates
from benchmarks.bus_report import MIB, Sample
from benchmarks.servers import Server
from swarmage.bench.process_cost import cost_at_rest

QUEUE = "/queue/bench.backlog"
SMALLEST = 1_000
_BODY = 1024
_DRAINED_AT_LEAST = 50_000
_RELATIVE = "rate of 1,000 waiting"


def ask(server: Server, waiting: int) -> Sample:
    """Start an empty server, let it have so many messages waiting, and see it restart and drain."""
    server.start()
    server.wait().close()
    bus_rates.warm_up(server)
    queues = [f"{QUEUE}.{number}" for number in range(max(1, _DRAINED_AT_LEAST // waiting))]
    for queue in queues:
        bus_rates.send(server, _BODY, waiting, queue)
    filled = cost_at_rest(server.pid).rss_bytes
    server.stop()
    first = _restart(server, queues[-1])
    restarted = cost_at_rest(server.pid).rss_bytes
    seconds, cpu = _drain(server, waiting, queues)
    drained = waiting * len(queues)
    return Sample(
        bus=server.name,
        question="backlog",
        load=f"{waiting:,} waiting",
        scale=waiting,
        figures={
            "MiB filled": filled / MIB,
            "MiB restarted": restarted / MIB,
            "s to first delivery": first,
            "drained/s": drained / seconds,
            "CPU µs/message": cpu / drained * 1e6,
        },
        raw={
            "queues": len(queues),
            "seconds": seconds,
            "cpu_seconds": cpu,
        },
    )


def compare(samples: Sequence[Sample]) -> list[Sample]:
    """Add to each sample its rate as a part of the rate with 1,000 waiting, on the same bus in the same run."""
    rates = {(each.bus, each.run): each.figures["drained/s"] for each in samples if each.scale == SMALLEST}
    return [
        replace(each, figures=each.figures | {_RELATIVE: each.figures["drained/s"] / rates[each.bus, each.run]})
        if (each.bus, each.run) in rates
        else each
        for each in samples
    ]


def _restart(server: Server, queue: str) -> float:
    """Return the seconds from the start of the process until it delivered a message."""
    started = time.perf_counter()
    server.start()
    with server.wait() as raw:
        raw.subscribe(queue, "prefetch-count:1\n")
        raw.read_frames()
        return time.perf_counter() - started


def _drain(server: Server, waiting: int, queues: Sequence[str]) -> tuple[float, float]:
    """Return the seconds and the CPU seconds in which all these queues were drained."""
    before = cost_at_rest(server.pid)
    seconds = sum(bus_rates.deliver(server, _BODY, waiting, queue) for queue in queues)
    return seconds, cost_at_rest(server.pid).since(before).cpu_seconds
