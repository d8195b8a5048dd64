"""docs/wire-format.md says enough: a task inserted with a socket, and its reply read, without swarmage's client."""

from __future__ import annotations

import json

import pytest
from by_hand import ByHand, header_of, key_of, signature
from processes import Home, Run, Start, eventually

pytestmark = pytest.mark.acceptance

QUEUE = "/queue/swarmage.task.ledger.write"
REPLIES = "/queue/swarmage.reply.by-hand"


def task(path: object) -> bytes:
    fields = {"class": "ledger.write", "id": "by-hand-1", "args": [str(path)], "originator": REPLIES}
    return json.dumps(fields).encode()


def test_a_hand_written_frame_inserts_a_task_and_a_subscription_reads_its_reply(
    start: Start, home: Home, tmp_path: object
) -> None:
    start("up", "ledger").wait_for_line("^ready")
    key = key_of(home)
    with ByHand(home.url) as connection:
        body = task(f"{tmp_path}/ledger")
        connection.send(QUEUE, body, signature(key, QUEUE, body))
        connection.subscribe(REPLIES)
        head, reply = connection.read()
    assert json.loads(reply) == {"id": "by-hand-1", "kind": "result"}
    assert header_of(head, "signature") == signature(key, REPLIES, reply)


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
    with ByHand(home.url) as connection:
        connection.send(QUEUE, body, signature(key_of(home), QUEUE, body) if signed == "right" else signed)

    def letters() -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(run("dead", "list", "--json").stdout)
        return found

    eventually(letters)
    assert [(letter["reason"], letter["destination"]) for letter in letters()] == [(reason, QUEUE)]
