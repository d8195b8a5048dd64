"""Programs of Spread::Queue's manual, ported line by line, in processes of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from processes import DEADLINE, Home, Start, is_gone

pytestmark = pytest.mark.acceptance

WORKER = """
from swarmage.spread_queue import Worker

def mycallback(worker, originator, input):
    if input == "bad code":
        raise ValueError(input)
    worker.respond(originator, {"response": "I heard you!"})

worker = Worker(queue="myqueue", callback=mycallback)
worker.run()
"""

SENDER = """
import json
from swarmage.errors import TaskFailed
from swarmage.spread_queue import Sender

sender = Sender()  # SPREAD_QUEUE
try:
    sender.rpc("bad code", 20)
except TaskFailed as error:
    print(json.dumps(error.kind))
sender.submit({"name": "value"})
print(json.dumps(sender.receive(20)))
print(json.dumps(sender.rpc({"name": "value"}, 20)))
"""


def ask(home: Home) -> list[object]:
    """Run the sender's program, and return what it printed."""
    asked = subprocess.run(
        [sys.executable, "-c", SENDER],
        env={**home.environment, "SPREAD_QUEUE": "myqueue"},
        capture_output=True,
        text=True,
        timeout=60 + DEADLINE,
        check=True,
    )
    return [json.loads(line) for line in asked.stdout.splitlines()]


def test_a_worker_responds_survives_bad_code_and_finds_a_restarted_bus(start: Start, home: Home) -> None:
    bus = start("bus")
    bus.wait_for_line("^ready")
    worker = subprocess.Popen([sys.executable, "-c", WORKER], env=home.environment, stderr=subprocess.DEVNULL)
    heard = [{"response": "I heard you!"}] * 2
    try:
        assert ask(home) == ["ValueError", *heard]
        bus.send_signal(signal.SIGKILL)
        bus.exit_code()
        start("bus").wait_for_line("^ready")
        assert ask(home) == ["ValueError", *heard]
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(DEADLINE) == 0
    finally:
        worker.kill()
        worker.wait(DEADLINE)
    assert is_gone(worker.pid)
