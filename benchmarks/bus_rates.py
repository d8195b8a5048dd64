"""How many durable messages a second, and what one costs the server: sent, delivered, both at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.bus_report import Sample, measure
from benchmarks.servers import Server
from swarmage.bench.raw_socket import RawSocket, frame

QUEUE = "/queue/bench.rates"
_WINDOW = 1000
_WINDOW_BYTES = 4 << 20
_WARM_UP = 2000


def send(server: Server, body: int, count: int, queue: str = QUEUE) -> float:
    """Send so many messages, each confirmed when it is on disk; return the seconds."""
    with RawSocket(server.address) as raw:
        return raw.send_confirmed(_frame(queue, body), count, _window(body))


def deliver(server: Server, body: int, count: int, queue: str = QUEUE) -> float:
    """Take and acknowledge what `send` left; return the seconds."""
    with RawSocket(server.address) as raw:
        return raw.receive_all(queue, count)


def both(server: Server, body: int, count: int, queue: str = QUEUE) -> float:
    """Do both at once with two sockets; return the seconds until all is confirmed, delivered and acknowledged."""
    with RawSocket(server.address) as sender, RawSocket(server.address) as receiver, ThreadPoolExecutor(1) as thread:
        started = time.perf_counter()
        sending = thread.submit(sender.send_confirmed, _frame(queue, body), count, _window(body))
        receiver.receive_all(queue, count)
        sending.result()
        return time.perf_counter() - started


QUESTIONS: dict[str, Callable[[Server, int, int], float]] = {"send": send, "deliver": deliver, "both at once": both}


def ask(server: Server, body: int, count: int) -> Iterator[Sample]:
    """Ask the three questions with bodies of so many bytes; `deliver` takes what `send` left."""
    for name, question in QUESTIONS.items():
        work = lambda question=question: question(server, body, count)  # noqa: E731
        yield measure(server, name, size(body), body, count, work)


def warm_up(server: Server) -> None:
    """Let the server make its files and fill its caches before anything counts."""
    send(server, 1024, _WARM_UP)
    deliver(server, 1024, _WARM_UP)


def size(body: int) -> str:
    """Write a number of bytes for people."""
    return f"{body >> 10} KB" if body >= 1024 else f"{body} B"


def _frame(queue: str, body: int) -> bytes:
    return frame(queue, os.urandom(body // 2).hex().encode())


def _window(body: int) -> int:
    return max(1, min(_WINDOW, _WINDOW_BYTES // body))
