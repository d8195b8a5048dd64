"""The Worker of the load test of buses: it tells who asked when certain tasks were performed, for no other bus says."""

from __future__ import annotations

import itertools
import json
import os
import socket
import time

from swarmage import Worker, ability

MARKS, TELL_TO = "BENCH_MARKS", "BENCH_TELL_TO"


class Reporter(Worker):
    """Performs next to nothing.

    In the environment stand the numbers of the tasks that are told of, as JSON, and the datagram socket that is told.
    """

    concurrency = 8
    _marks = frozenset(json.loads(os.environ.get(MARKS, "[]")))
    _numbers = itertools.count(1)

    @ability("bench.count")
    def count(self, number: int) -> None:
        """Count the tasks of this process, and tell when some of them are performed."""
        performed = next(self._numbers)
        if performed in self._marks:
            tell([performed, time.monotonic()])

    @ability("bench.late")
    def late(self, number: int, due: float) -> None:
        """Tell how many seconds behind its place in the schedule this task begins."""
        tell([number, time.monotonic() - due])


def tell(what: list[float]) -> None:
    """Send one datagram."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(json.dumps(what).encode(), os.environ[TELL_TO])
