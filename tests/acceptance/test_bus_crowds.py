"""A bus with many connections, many destinations, and a consumer that does not read: what it costs."""

from __future__ import annotations

import resource
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from processes import DEADLINE, Home, Start, Started

pytestmark = pytest.mark.acceptance

MANY = 1_000


@pytest.fixture(autouse=True)
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY + 200
    assert hard == resource.RLIM_INFINITY or hard >= wanted, "this test needs 1,200 open files: raise ulimit -Hn"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Client:
    """A socket that speaks STOMP 1.2 and can tell only how many frames came."""

    def __init__(self, home: Home) -> None:
        url = urlsplit(home.url)
        self.socket = socket.create_connection((url.hostname, url.port), DEADLINE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(f"CONNECT\naccept-version:1.2\nhost:/\nlogin:{url.username}\npasscode:{url.password}\n\n\0".encode())
        assert self.read(1).startswith(b"CONNECTED")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self, frames: int) -> bytes:
        """Read until so many frames are there; none of them may hold NUL but at its end."""
        read = bytearray()
        seen = 0
        while seen < frames:
            data = self.socket.recv(1 << 20)
            assert data, "the bus closed"
            seen += data.count(b"\0")
            read += data
        return bytes(read)

    def close(self) -> None:
        self.socket.close()


def resident(process: Started) -> int:
    """Return the bytes of memory a process takes."""
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) * 1024
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(process.pid)], capture_output=True, text=True, check=True)
    return int(told.stdout) * 1024


@pytest.fixture
def bus(start: Start) -> Started:
    process = start("bus")
    process.wait_for_line("^ready")
    return process


def test_a_thousand_idle_connections_are_cheap_and_hold_up_nobody(bus: Started, home: Home) -> None:
    clients = [Client(home)]
    clients[0].send(b"SUBSCRIBE\ndestination:/queue/a\nid:1\n\n\0")
    before, began = resident(bus), time.monotonic()
    clients += [Client(home) for _ in range(MANY - 1)]
    took, grown = time.monotonic() - began, resident(bus) - before
    print(f"{took:.2f} s to connect, {grown // MANY} bytes a connection")
    assert took < 40
    assert grown < MANY * 60_000
    began = time.monotonic()
    for _ in range(50):
        clients[-1].send(b"SEND\ndestination:/queue/a\n\nx\0")
        clients[0].read(1)
    assert time.monotonic() - began < 5
    for client in clients:
        client.close()
    Client(home).close()


def test_ten_thousand_destinations_that_are_used_once_leave_nothing_behind(bus: Started, home: Home) -> None:
    client = Client(home)

    def use(first: int, count: int) -> None:
        for start in range(first, first + count, 500):
            numbers = range(start, start + 500)
            client.send(b"".join(b"SEND\ndestination:/queue/once.%d\nreceipt:r\n\nx\0" % n for n in numbers))
            client.read(500)
            client.send(b"".join(b"SUBSCRIBE\ndestination:/queue/once.%d\nid:%d\n\n\0" % (n, n) for n in numbers))
            client.read(500)
            client.send(b"".join(b"UNSUBSCRIBE\nid:%d\nreceipt:r\n\n\0" % n for n in numbers))
            client.read(500)

    use(0, 2_000)
    before = resident(bus)
    use(2_000, 10_000)
    grown = resident(bus) - before
    print(f"{grown} bytes for 10,000 destinations")
    assert grown < 30_000_000  # until the next sweep
    deadline = time.monotonic() + DEADLINE
    while True:
        client.send(b"SEND\ndestination:/bus/statistics\nreply-to:/temp-queue/s\n\n\0")
        if b'"queues":[]' in client.read(1):
            break
        assert time.monotonic() < deadline, "the bus does not forget them"
    client.close()
    bus.clean_up()
    with sqlite3.connect(home.folder / "bus" / "bus.db") as file:
        [(left,)] = file.execute("SELECT count(*) FROM destination").fetchall()
    file.close()
    assert left <= 2_000


def test_a_consumer_that_stops_reading_grows_no_memory_and_slows_nobody(bus: Started, home: Home) -> None:
    stuck, sender, other = Client(home), Client(home), Client(home)
    stuck.send(b"SUBSCRIBE\ndestination:/queue/a\nid:1\n\n\0")
    other.send(b"SUBSCRIBE\ndestination:/queue/b\nid:1\n\n\0")
    message = b"SEND\ndestination:/queue/a\nreceipt:r\n\n" + b"x" * 20_000 + b"\0"

    def send(count: int) -> None:
        for _ in range(count // 50):
            sender.send(message * 50)
            sender.read(50)

    send(1_000)
    before = resident(bus)
    send(6_000)
    grown = resident(bus) - before
    print(f"{grown} bytes for a backlog of 120 MB")
    assert grown < 40_000_000
    began = time.monotonic()
    for _ in range(100):
        sender.send(b"SEND\ndestination:/queue/b\n\nx\0")
        other.read(1)
    assert time.monotonic() - began < 5
    read = 0
    while read < 7_000 * 20_000:  # it reads again, and gets everything
        read += len(stuck.socket.recv(1 << 20))
    for client in (stuck, sender, other):
        client.close()
