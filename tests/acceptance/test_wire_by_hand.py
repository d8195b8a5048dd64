"""docs/wire-format.md says enough: a task inserted with a socket, and its reply read, without swarmage's client."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
from urllib.parse import urlsplit

import pytest
from processes import DEADLINE, Home, Run, Start, eventually

pytestmark = pytest.mark.acceptance

QUEUE = "/queue/swarmage.task.ledger.write"
REPLIES = "/queue/swarmage.reply.by-hand"


def connect(home: Home) -> socket.socket:
    url = urlsplit(home.url)
    connection = socket.create_connection((url.hostname, url.port), DEADLINE)
    login = f"CONNECT\naccept-version:1.2\nhost:/\nlogin:{url.username}\npasscode:{url.password}\n\n\0"
    connection.sendall(login.encode())
    assert read_frame(connection).startswith(b"CONNECTED")
    return connection


def read_frame(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\0"):
        one = connection.recv(1)
        assert one, "the bus closed the connection"
        data += one
    return data.lstrip(b"\n")[:-1]


def signature(home: Home, destination: str, body: bytes) -> str:
    key = bytes.fromhex((home.folder / "key").read_text())
    key_id = hashlib.sha256(b"swarmage key id\n" + key).hexdigest()[:8]
    digest = hmac.new(key, destination.encode() + b"\n" + body, "sha256").hexdigest()
    return f"v1.{key_id}.{digest}"


def send(connection: socket.socket, body: bytes, signed: str | None) -> None:
    signature_line = f"signature:{signed}\n" if signed else ""
    head = f"SEND\ndestination:{QUEUE}\n{signature_line}content-length:{len(body)}\nreceipt:1\n\n"
    connection.sendall(head.encode() + body + b"\0")
    assert read_frame(connection) == b"RECEIPT\nreceipt-id:1\n\n"


def task(path: object) -> bytes:
    fields = {"class": "ledger.write", "id": "by-hand-1", "args": [str(path)], "originator": REPLIES}
    return json.dumps(fields).encode()


def test_a_hand_written_frame_inserts_a_task_and_a_subscription_reads_its_reply(
    start: Start, home: Home, tmp_path: object
) -> None:
    start("up", "ledger").wait_for_line("^ready")
    with connect(home) as connection:
        body = task(f"{tmp_path}/ledger")
        send(connection, body, signature(home, QUEUE, body))
        connection.sendall(f"SUBSCRIBE\nid:1\ndestination:{REPLIES}\nack:auto\n\n\0".encode())
        head, _, reply = read_frame(connection).partition(b"\n\n")
    assert json.loads(reply) == {"id": "by-hand-1", "kind": "result"}
    assert f"signature:{signature(home, REPLIES, reply)}".encode() in head.split(b"\n")


@pytest.mark.parametrize(
    ("body", "signed", "reason"),
    [
        (task("/nowhere"), None, "signature"),
        (task("/nowhere"), "v1.00000000." + "0" * 64, "signature"),
        (b"not JSON", "right", "unreadable"),
        (b'{"class":"other.class","id":"x"}', "right", "unreadable"),
    ],
)
def test_a_message_that_is_no_signed_task_is_a_dead_letter_with_the_reason(
    start: Start, run: Run, home: Home, body: bytes, signed: str | None, reason: str
) -> None:
    start("up", "ledger").wait_for_line("^ready")
    with connect(home) as connection:
        send(connection, body, signature(home, QUEUE, body) if signed == "right" else signed)

    def letters() -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(run("dead", "list", "--json").stdout)
        return found

    eventually(letters)
    assert [(letter["reason"], letter["destination"]) for letter in letters()] == [(reason, QUEUE)]
