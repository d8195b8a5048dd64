"""How long a durable message takes at a steady rate: until it is confirmed, and until it is delivered.

The schedule is fixed beforehand, and each time counts from when the message should have left. A server that halts for
a while is charged with everything that waited meanwhile, not with one slow message.
"""

from __future__ import annotations

import statistics

from benchmarks.bus_report import Sample
from benchmarks.servers import Server
from swarmage.bench import raw_latency
from swarmage.bench.process_cost import cost_at_rest

QUEUE = "/queue/bench.latency"
_BODY = 1024


def ask(server: Server, rate: int, seconds: float) -> Sample:
    """Send ``rate`` messages of 1 KB a second for so long; the first tenth is for warming up and does not count."""
    count = int(rate * seconds)
    before = cost_at_rest(server.pid)
    confirmed, delivered = raw_latency.times(server.address, QUEUE, _BODY, rate, count)
    used = cost_at_rest(server.pid).since(before)
    counted = slice(count // 10, None)
    figures: dict[str, float] = {}
    for name, times in (("confirmed", confirmed[counted]), ("delivered", delivered[counted])):
        hundredths = statistics.quantiles(times, n=100)
        figures |= {f"{name} p50 ms": hundredths[49] * 1e3, f"{name} p99 ms": hundredths[98] * 1e3}
    figures |= {"CPU µs/message": used.cpu_seconds / count * 1e6, "disk B/message": used.written_bytes / count}
    return Sample(
        bus=server.name,
        question="latency",
        load=f"1 KB, {rate:,}/s",
        scale=rate,
        figures=figures,
        raw={
            "messages": count,
            "cpu_seconds": used.cpu_seconds,
            "written_bytes": used.written_bytes,
            "confirmed_us": [round(each * 1e6) for each in confirmed],
            "delivered_us": [round(each * 1e6) for each in delivered],
        },
    )
