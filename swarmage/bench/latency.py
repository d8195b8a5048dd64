"""How long a task takes at a steady rate: from its insert until a worker begins it, and until its result is back.

The schedule is fixed beforehand, and each time counts from when the task should have been inserted: what falls behind
is charged with all of its delay. The threads that insert wait for the result of one before they insert their next.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from swarmage.bench import raw_latency
from swarmage.bench.place import Place
from swarmage.bench.samples import Sample, percentile
from swarmage.bench.throughput import RAW_SOCKETS

HUNDREDTHS = (50, 95, 99)
BEGIN = "bench.begin"
_ORIGINATORS = 16
_LEAD_SECONDS = 0.1
_BODY = 300  # what such a task has on the wire


def ask(place: Place, queue: str, rate: int, seconds: float) -> Iterator[Sample]:
    """Insert ``rate`` tasks a second for so long; the first tenth does not count."""
    count = max(2, int(rate * seconds))
    _, raw = raw_latency.times(place.swarm.address, queue, _BODY, rate, count)
    begun, answered = _times(place, rate, count)
    counted = slice(count // 10, None)
    for question, times, limits in (
        ("insert to start", begun, raw),
        ("insert to result", answered, None),
    ):
        for hundredth in HUNDREDTHS:
            yield Sample(
                question=f"{question}, p{hundredth}",
                load=f"{rate:,}/s offered",
                unit="ms",
                value=percentile(times[counted], hundredth) * 1e3,
                limit=percentile(limits[counted], hundredth) * 1e3 if limits else None,
                by=RAW_SOCKETS if limits else "",
            )


def _times(place: Place, rate: int, count: int) -> tuple[list[float], list[float]]:
    """Return for each task the seconds from its place in the schedule until it began, and until its result was here."""
    place.client.insert(BEGIN).result(timeout=place.seconds_left)
    started = time.monotonic() + _LEAD_SECONDS
    due = [started + number / rate for number in range(count)]
    originators = min(_ORIGINATORS, count)
    with ThreadPoolExecutor(originators) as threads:
        parts = [threads.submit(_originate, place, due[first::originators]) for first in range(originators)]
        found = sorted(chain.from_iterable(part.result() for part in parts))
    return [begun - when for when, begun, _ in found], [answered - when for when, _, answered in found]


def _originate(place: Place, due: Sequence[float]) -> list[tuple[float, float, float]]:
    """Insert a task whenever one is due; return when it was due, when it began and when its result was here."""
    found = []
    for when in due:
        wait = when - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        begun = place.client.insert(BEGIN).result(timeout=max(0.001, place.seconds_left))
        found.append((when, begun, time.monotonic()))
    return found
