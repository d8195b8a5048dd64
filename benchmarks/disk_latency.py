"""How long a durable write takes at a steady rate with nothing but a file: what no bus on this disk can better.

The schedule is that of `bus_latency`. What is due is written in one go and synced; meanwhile the next ones become due.
The file is as large as it will be from the beginning, as a log that is used again is.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

from benchmarks.bus_report import EMBEDDED, Sample

_BODY = 1024
_FILE_BYTES = 16 * 1024 * 1024
_LEAD_SECONDS = 0.1


def ask(folder: Path, rate: int, seconds: float) -> Sample:
    """Write ``rate`` messages of 1 KB a second for so long; the first tenth does not count."""
    count = int(rate * seconds)
    path = folder / "disk_latency"
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(file, bytes(_FILE_BYTES))
        os.fsync(file)
        times = _run(file, rate, count)[count // 10 :]
    finally:
        os.close(file)
        path.unlink()
    hundredths = statistics.quantiles(times, n=100)
    return Sample(
        bus=EMBEDDED,
        question="latency",
        load=f"1 KB, {rate:,}/s, the disk alone",
        scale=rate,
        figures={"synced p50 ms": hundredths[49] * 1e3, "synced p99 ms": hundredths[98] * 1e3},
        raw={"messages": count, "synced_us": [round(each * 1e6) for each in times]},
    )


def _run(file: int, rate: int, count: int) -> list[float]:
    """Return for each message the seconds from its place in the schedule until it was on disk."""
    body, done, at = b"x" * _BODY, 0, 0
    times: list[float] = []
    started = time.perf_counter() + _LEAD_SECONDS
    while done < count:
        wait = started + done / rate - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        due = min(count, int((time.perf_counter() - started) * rate) + 1)
        at = 0 if at + (due - done) * _BODY > _FILE_BYTES else at
        at += os.pwrite(file, body * (due - done), at)
        os.fdatasync(file)
        now = time.perf_counter()
        times += [now - started - number / rate for number in range(done, due)]
        done = due
    return times
