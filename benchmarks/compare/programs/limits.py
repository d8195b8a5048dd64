"""What would be possible on each bus: the fewest bytes and statements that insert and take what must not be lost."""

from __future__ import annotations

import json
import socket
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from benchmarks.compare.programs.serving import BULK, ONE, QUEUE, URL
from swarmage.bench.raw_socket import RawSocket, task_frame
from swarmage.settings import Address

BODY = "x" * 10  # a number has about as many digits
_BATCH = 100
_SECONDS = 90.0

Question = Callable[[int], float]


def stomp() -> dict[str, Question]:
    address, destination = Address.parse(URL), f"/queue/{QUEUE}"
    frame = task_frame(destination, BODY)

    def bulk(tasks: int) -> float:
        with RawSocket(address, deadline=_SECONDS) as raw:
            return raw.send_all(frame, tasks)

    def one(tasks: int) -> float:
        with RawSocket(address, deadline=_SECONDS) as raw:
            return raw.send_confirmed(frame, tasks, 1)

    def drain(tasks: int) -> float:
        with RawSocket(address, deadline=_SECONDS) as raw:
            return raw.receive_all(destination, tasks)

    return {BULK: bulk, ONE: one, "drain": drain}


class RawRedis:
    """A socket that writes commands and counts answers."""

    def __init__(self) -> None:
        parts = urlsplit(URL)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        self._socket.close()

    def ask(self, commands: list[tuple[bytes, ...]]) -> None:
        """Send commands that are answered with one line each, and wait for all answers."""
        self._socket.sendall(b"".join(map(_command, commands)))
        left = len(commands)
        kept = b""
        while left > 0:
            data = self._socket.recv(262_144)
            if not data:
                raise ConnectionError("Redis closed the connection")
            kept += data
            left = len(commands) - _answers(kept)


def _command(words: tuple[bytes, ...]) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


def _answers(data: bytes) -> int:
    """Return how many whole answers there are: of numbers a line, of strings two."""
    if b"-ERR" in data:
        raise ConnectionError(f"Redis refused: {data[:300]!r}")
    *lines, _ = data.split(b"\r\n")
    return len(lines) - sum(line.startswith(b"$") for line in lines)


def redis() -> dict[str, Question]:
    queue, held = QUEUE.encode(), QUEUE.encode() + b".held"
    task = json.dumps({"id": "0" * 32, "name": "noop", "args": [BODY]}).encode()

    def timed(commands: list[tuple[bytes, ...]], batch: int) -> float:
        with closing(RawRedis()) as raw:
            started = time.perf_counter()
            for first in range(0, len(commands), batch):
                raw.ask(commands[first : first + batch])
            return time.perf_counter() - started

    take = (b"LMOVE", queue, held, b"RIGHT", b"LEFT")
    return {
        BULK: lambda tasks: timed([(b"LPUSH", queue, task)] * tasks, _BATCH),
        ONE: lambda tasks: timed([(b"LPUSH", queue, task)] * tasks, 1),
        "drain": lambda tasks: timed([take, (b"LREM", held, b"1", task)] * tasks, 2 * _BATCH),
    }


def sqlite() -> dict[str, Question]:
    # One connection for all questions: with the last one the log is removed, and syncing one that grows takes longer.
    base = sqlite3.connect(URL, isolation_level=None, timeout=_SECONDS)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = FULL")
    base.execute("CREATE TABLE IF NOT EXISTS raw (id INTEGER PRIMARY KEY, body BLOB)")

    def timed(statement: str, tasks: int, values: tuple[Any, ...] = ()) -> float:
        started = time.perf_counter()
        for _ in range(tasks):
            base.execute(statement, values).fetchall()
        return time.perf_counter() - started

    insert = "INSERT INTO raw (body) VALUES (?)"
    take = "DELETE FROM raw WHERE id = (SELECT min(id) FROM raw) RETURNING body"
    return {
        ONE: lambda tasks: timed(insert, tasks, (b"x" * 300,)),
        "drain": lambda tasks: timed(take, tasks),
    }


def main() -> None:
    questions = stomp() if URL.startswith("stomp") else redis() if URL.startswith("redis") else sqlite()
    print(json.dumps({"versions": {}, "ways": [way for way in questions if way != "drain"]}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        name = order.get("way", order["order"])
        try:
            answer: dict[str, Any] = {"seconds": questions[name](order["tasks"]), "tasks": order["tasks"]}
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
