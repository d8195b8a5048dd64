"""What docs/bus.md says of the bus on its own, shown with real processes, disks and signals."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from processes import DEADLINE, WORKERS, Home, Run, Start

pytestmark = pytest.mark.acceptance

BUS_PAGE = WORKERS.parents[2] / "docs" / "bus.md"
BODY = b"x" * 200_000


class Client:
    """A socket that speaks STOMP 1.2."""

    def __init__(self, home: Home) -> None:
        url = urlsplit(home.url)
        self._socket = socket.create_connection((url.hostname, url.port), DEADLINE)
        self._read = b""
        self.send(f"CONNECT\naccept-version:1.2\nhost:/\nlogin:{url.username}\npasscode:{url.password}\n\n")
        assert self.frame().startswith(b"CONNECTED")

    def send(self, head: str, body: bytes = b"") -> None:
        self._socket.sendall(head.encode() + body + b"\0")

    def close(self) -> None:
        self._socket.close()

    def frame(self) -> bytes:
        """Return the next frame, nothing when the bus has ended the connection."""
        while b"\0" not in self._read:
            try:
                data = self._socket.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                return b""
            self._read += data
        frame, _, self._read = self._read.partition(b"\0")
        return frame.lstrip(b"\n")

    def put(self, body: bytes, queue: str = "a") -> bytes:
        """Send and return what the bus says to it."""
        self.send(f"SEND\ndestination:/queue/{queue}\nreceipt:1\ncontent-length:{len(body)}\n\n", body)
        return self.frame()

    def take_all(self, queue: str = "a") -> Iterator[bytes]:
        """Yield the bodies of what waits, each of them acked and the ack confirmed before the next one."""
        self.send(f"SUBSCRIBE\ndestination:/queue/{queue}\nid:1\nack:client-individual\nprefetch-count:1\n\n")
        while True:
            frame = self.frame()
            if frame.startswith(b"RECEIPT"):
                continue
            number = re.search(rb"^ack:(\d+)$", frame, re.MULTILINE)
            assert number, frame[:200]
            self.send(f"ACK\nid:{number[1].decode()}\nreceipt:acked\n\n")
            yield frame.partition(b"\n\n")[2]


Connect = Callable[[], Client]


@pytest.fixture
def connect(home: Home) -> Iterator[Connect]:
    clients: list[Client] = []

    def connect() -> Client:
        clients.append(Client(home))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MB."""
    there = tmp_path / "disk"
    there.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", there], capture_output=True, check=False, timeout=DEADLINE
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield there
    subprocess.run(["umount", "--lazy", there], check=True, timeout=DEADLINE)


def test_a_full_disk_refuses_messages_takes_acks_and_recovers_without_a_restart(
    start: Start, connect: Connect, small_disk: Path
) -> None:
    bus = start("bus", "--data", str(small_disk / "bus"), "--log-format", "json")
    bus.wait_for_line("^ready")
    assert (small_disk / "bus" / "reserve").exists()
    (small_disk / "others").write_bytes(b"x" * 8_000_000)
    sent, answer = 0, b""
    while not answer.startswith(b"ERROR"):
        sender = connect()
        while (answer := sender.put(BODY)).startswith(b"RECEIPT"):
            sent += 1
    assert b"full" in answer
    bus.wait_for_line('"event": "disk_full"')
    assert not (small_disk / "bus" / "reserve").exists()
    reader = connect().take_all()
    for _ in range(5):
        assert next(reader) == BODY
    (small_disk / "others").unlink()
    bus.wait_for_line('"event": "disk_has_room"')
    assert connect().put(BODY).startswith(b"RECEIPT")
    for _ in range(sent - 5 + 1):
        assert next(reader) == BODY
    bus.send_signal(signal.SIGTERM)
    assert bus.exit_code() == 0


def test_a_failed_write_stops_the_bus_with_one_line_that_names_file_and_reason(
    home: Home, connect: Connect, tmp_path: Path
) -> None:
    limited = (
        "import resource, sys; from swarmage.cli.main import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)); sys.argv[0] = 'swarmage'; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", limited, "bus", "--data", str(tmp_path / "bus")],
        env=home.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready")
        client = connect()
        with contextlib.suppress(ConnectionError):
            while client.put(BODY).startswith(b"RECEIPT"):
                pass
        _, told = process.communicate(timeout=DEADLINE)
        assert process.returncode == 3
        [line] = [line for line in told.splitlines() if line.startswith("swarmage:")]
        assert f"the bus cannot write {tmp_path / 'bus' / 'bus.db'}: disk I/O error" in line
    finally:
        process.kill()
        process.wait(DEADLINE)


def test_every_receipt_is_kept_when_the_bus_is_stopped_in_the_middle(start: Start, connect: Connect) -> None:
    bus = start("bus")
    bus.wait_for_line("^ready")
    client = connect()
    frames = [f"SEND\ndestination:/queue/a\nreceipt:{number}\n\n{number}\0" for number in range(3_000)]
    client.send("".join(frames)[:-1])
    client.frame()
    bus.send_signal(signal.SIGTERM)
    confirmed = 1
    while client.frame().startswith(b"RECEIPT"):
        confirmed += 1
    assert bus.exit_code() == 0
    start("bus").wait_for_line("^ready")
    reader = connect().take_all()
    assert [int(next(reader)) for _ in range(confirmed)] == [*range(confirmed)]


@pytest.mark.parametrize("durability", ["disk", "os"])
def test_what_has_a_receipt_outlives_a_kill(start: Start, run: Run, connect: Connect, durability: str) -> None:
    bus = start("bus", "--durability", durability)
    bus.wait_for_line(f"durability {durability}")
    bus.wait_for_line("^ready")
    assert connect().put(b"kept").startswith(b"RECEIPT")
    assert f"durability {durability}" in run("status").stdout
    bus.send_signal(signal.SIGKILL)
    bus.exit_code()
    start("bus", "--durability", durability).wait_for_line("^ready")
    assert next(connect().take_all()) == b"kept"


def test_memory_is_said_to_be_no_more_than_that(start: Start, run: Run, home: Home) -> None:
    bus = start("up", "--durability", "memory")
    bus.wait_for_line("messages in memory only, durability memory")
    bus.wait_for_line("^ready")
    assert json.loads(run("status", "--json").stdout)["bus"]["durability"] == "memory"
    assert not (home.folder / "bus").exists()


def test_a_full_queue_is_named(start: Start, connect: Connect) -> None:
    start("up", "--max-queue-messages", "2").wait_for_line("^ready")
    client = connect()
    assert client.put(b"1").startswith(b"RECEIPT")
    assert client.put(b"2").startswith(b"RECEIPT")
    answer = client.put(b"3")
    assert answer.startswith(b"ERROR")
    assert b"the queue /queue/a is full" in answer


def test_a_message_that_fails_too_often_is_a_dead_letter(start: Start, connect: Connect) -> None:
    bus = start("up", "--max-deliveries", "9", "--max-deliveries", "/queue/a=1", "--log-format", "json")
    bus.wait_for_line("^ready")
    client = connect()
    assert client.put(b"bad").startswith(b"RECEIPT")
    client.send("SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\n\n")
    assert client.frame().startswith(b"MESSAGE")
    client.close()
    bus.wait_for_line('"event": "dead_lettered"')
    reader = connect()
    reader.send("SUBSCRIBE\nid:1\ndestination:/queue/DLQ.a\n\n")
    assert b"\nreason:delivered 1 time without an ack\n" in reader.frame()


def test_the_log_is_json_line_by_line(start: Start, connect: Connect) -> None:
    bus = start("up", "ledger", "--log-format", "json")
    bus.wait_for_line("^ready: ")
    stranger = connect()
    stranger.send("NONSENSE\n\n")
    assert stranger.frame().startswith(b"ERROR")
    lost = connect()
    lost.close()
    bus.wait_for_line('"event": "connection_lost"')
    bus.send_signal(signal.SIGTERM)
    assert bus.exit_code() == 0
    lines = [json.loads(line) for line in bus.output.splitlines() if line.startswith("{")]
    assert all({"time", "level", "event", "fields"} <= line.keys() for line in lines)
    events = {line["event"]: line for line in lines}
    assert {"started", "refused", "connection_lost", "stopped"} <= events.keys()
    assert events["started"]["fields"]["durability"] == "disk"
    assert events["refused"]["fields"]["reason"] == "unknown command NONSENSE"
    assert {line["process"] for line in lines} >= {"bus", "swarmage"}


def test_a_file_is_checked_repaired_and_compacted(start: Start, run: Run, home: Home, connect: Connect) -> None:
    bus = start("bus")
    bus.wait_for_line("^ready")
    assert run("bus", "--check").returncode == 2  # in use
    client = connect()
    for number in range(3):
        assert client.put(b"body %d" % number).startswith(b"RECEIPT")
    bus.send_signal(signal.SIGTERM)
    assert bus.exit_code() == 0
    sound = run("bus", "--check", "--json")
    assert sound.returncode == 0
    found = json.loads(sound.stdout)
    assert [(queue["name"], queue["waiting"], queue["priorities"]) for queue in found["queues"]] == [
        ("/queue/a", 3, {"4": 3})
    ]
    file = home.folder / "bus" / "bus.db"
    file.write_bytes(file.read_bytes().replace(b"body 1", b"bady 1"))
    damaged = run("bus", "--check")
    assert damaged.returncode == 1
    assert "1 messages are not as they were written" in damaged.stdout
    assert f"damaged; run: swarmage bus --repair --data {file.parent}" in damaged.stdout
    repaired = run("bus", "--repair")
    assert repaired.returncode == 0
    assert "saved 2 messages" in repaired.stdout
    assert len(list(file.parent.glob("bus.db.damaged-*"))) == 1
    assert run("bus", "--check").returncode == 0
    compacted = run("bus", "--compact")
    assert compacted.returncode == 0
    assert "bytes before" in compacted.stdout
    start("bus").wait_for_line("^ready")
    reader = connect().take_all()
    assert [next(reader), next(reader)] == [b"body 0", b"body 2"]


def test_a_damaged_message_is_set_aside_by_a_bus_that_runs(start: Start, home: Home, connect: Connect) -> None:
    bus = start("bus")
    bus.wait_for_line("^ready")
    client = connect()
    for number in range(3):
        client.put(b"body %d" % number)
    bus.send_signal(signal.SIGTERM)
    assert bus.exit_code() == 0
    file = home.folder / "bus" / "bus.db"
    file.write_bytes(file.read_bytes().replace(b"body 1", b"bady 1"))
    bus = start("bus")
    bus.wait_for_line("^ready")
    reader = connect().take_all()
    assert [next(reader), next(reader)] == [b"body 0", b"body 2"]
    bus.wait_for_line("message .* of /queue/a is damaged: its checksum does not fit")
    assert next(connect().take_all("DLQ.damaged")).endswith(b"bady 1")


def test_the_example_of_the_page_runs_as_it_stands(start: Start, home: Home, tmp_path: Path) -> None:
    page = BUS_PAGE.read_text()
    [example] = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    [told] = re.findall(r"SWARMAGE_URL=(\S+)", page)
    assert urlsplit(told).username == "shop"
    environment = {**home.environment, "SWARMAGE_URL": home.url.replace("tester:secret", "shop:s3cret")}
    start("bus", env=environment).wait_for_line("^ready")
    port = urlsplit(home.url).port
    done = subprocess.run(
        [sys.executable, "-c", example.replace("61613", str(port))],
        env={"PATH": os.environ["PATH"]},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert done.stdout.splitlines() == ["on disk: order-1", "got: two apples"], done.stderr
    assert done.returncode == 0


def like(told: Any, page: Any) -> bool:
    """Tell whether an answer has the form that the page shows: the same names, and values of the same kind."""
    if isinstance(page, dict):
        return told.keys() == page.keys() and all(like(told[name], page[name]) for name in page)
    if isinstance(page, list):
        return bool(told) and all(like(each, page[0]) for each in told)
    return isinstance(told, type(page)) or (isinstance(page, float) and isinstance(told, int))


def test_the_administration_of_the_page_answers_as_it_says(start: Start, home: Home, connect: Connect) -> None:
    start("bus").wait_for_line("^ready")
    page = BUS_PAGE.read_text().partition("## Administration")[2].partition("## Operation")[0]
    admin, other = connect(), connect()

    def ask(destination: str, body: str) -> Any:
        admin.send(f"SEND\ndestination:{destination}\nreply-to:/temp-queue/answers\n\n", body.encode())
        return json.loads(admin.frame().partition(b"\n\n")[2])

    for queue, count in (("DLQ.orders", 2), ("orders", 3), ("mail", 1)):
        for _ in range(count):
            assert other.put(b"x", queue).startswith(b"RECEIPT")
    other.send("SUBSCRIBE\ndestination:/queue/mail\nid:1\nack:client-individual\n\n")
    assert other.frame().startswith(b"MESSAGE")
    other.send("SUBSCRIBE\ndestination:/topic/news\nid:2\nreceipt:r\n\n")
    assert other.frame().startswith(b"RECEIPT")
    figures, connections = (json.loads(each) for each in re.findall(r"^```json\n(.*?)^```$", page, re.M | re.S))
    told = ask("/bus/statistics", '{"queue": "orders"}')
    assert like(told, figures)
    assert [(queue["name"], queue["waiting"]) for queue in told["queues"]] == [("/queue/orders", 3)]
    assert ask("/bus/statistics", "")["bus"]["messages_waiting"] == 5
    all_of_them = ask("/bus/connections", "{}")["ok"]
    [victim] = [each["id"] for each in all_of_them if each["unacked"]]
    [shown] = connections["ok"]
    [one] = ask("/bus/connections", json.dumps({"connection": victim}))["ok"]
    for each in one["subscriptions"]:
        each["prefetch"] = each["prefetch"] or 0
    assert like(one, shown)
    asked = 0
    for block in re.findall(r"^```text\n(.*?)^```$", page, re.M | re.S):
        lines = iter(block.replace(shown["id"], victim).splitlines())
        for request, answer in zip(lines, lines, strict=True):
            asked += 1
            assert ask(*request.split(" ", 1)) == json.loads(answer)
    assert asked == 4
    assert b"an administrator ended this connection" in other.frame()
    assert other.frame() == b""


def test_a_kill_in_the_middle_of_a_move_loses_and_doubles_nothing(start: Start, connect: Connect) -> None:
    count = 30_000
    bus = start("bus")
    bus.wait_for_line("^ready")
    sender, watcher = connect(), connect()
    sender.send("".join(f"SEND\ndestination:/queue/a\n\n{number}\0" for number in range(count))[:-1])
    assert sender.put(b"last", "other").startswith(b"RECEIPT")

    def waiting() -> dict[str, int]:
        watcher.send("SEND\ndestination:/bus/statistics\nreply-to:/temp-queue/s\n\n")
        queues = json.loads(watcher.frame().partition(b"\n\n")[2])["queues"]
        return {queue["name"]: queue["waiting"] for queue in queues}

    assert waiting() == {"/queue/a": count, "/queue/other": 1}
    sender.send("SEND\ndestination:/bus/move\nreply-to:/temp-queue/r\n\n", b'{"from": "a", "to": "b"}')
    while not waiting().get("/queue/b"):
        pass
    bus.send_signal(signal.SIGKILL)
    bus.exit_code()
    start("bus").wait_for_line("^ready")
    watcher = connect()
    there = waiting()
    assert there["/queue/b"] >= 1
    assert there["/queue/b"] + there.get("/queue/a", 0) == count
    reader = connect()
    for queue in ("a", "b"):
        reader.send(f"SUBSCRIBE\ndestination:/queue/{queue}\nid:{queue}\n\n")
    bodies = [reader.frame().partition(b"\n\n")[2] for _ in range(count)]
    assert sorted(map(int, bodies)) == [*range(count)]


def test_the_options_of_the_page_are_all_options_there_are(run: Run) -> None:
    shown = set(re.findall(r"--[a-z][a-z-]*", run("bus", "--help").stdout)) - {"--help"}
    named = set(re.findall(r"--[a-z][a-z-]*", BUS_PAGE.read_text()))
    assert named <= shown
    assert {"--check", "--repair", "--compact", "--durability", "--log-format", "--max-bytes"} <= named
