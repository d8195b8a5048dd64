"""The ancestors' synopsis, in Python: its lines run as they stand, in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import DEADLINE, Home, Run, Start, eventually

pytestmark = pytest.mark.acceptance

CLIENT = """
from swarmage import Client, Task

client = Client(hostname="{host}", port={port}, login="foo", passcode="bar")
client.insert_task(Task(task_class="do_something_interesting", args=[1, 2]))
"""

WORKER = """
from swarmage import Worker

worker = Worker(hostname="{host}", port={port}, login="foo", passcode="bar",
                ability={{"do_something_interesting": lambda a, b: open({path!r}, "a").write(f"{{a + b}}\\n")}})
worker.work()                                    # one cell in this process, until terminated
"""


def environment(home: Home) -> dict[str, str]:
    return {name: value for name, value in home.environment.items() if name != "SWARMAGE_URL"}


def test_a_client_inserts_and_a_worker_performs_until_it_is_terminated(
    start: Start, run: Run, home: Home, tmp_path: Path
) -> None:
    home.environment["SWARMAGE_URL"] = home.url.replace("tester:secret", "foo:bar")
    start("bus").wait_for_line("^ready")
    result = tmp_path / "result"
    port = home.url.rpartition(":")[2]
    client = CLIENT.format(host="127.0.0.1", port=port)
    worker = WORKER.format(host="127.0.0.1", port=port, path=str(result))
    subprocess.run([sys.executable, "-c", client], env=environment(home), check=True, timeout=DEADLINE)
    process = subprocess.Popen([sys.executable, "-c", worker], env=environment(home))
    try:
        eventually(lambda: result.exists() and result.read_text() == "3\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
    finally:
        process.kill()
        process.wait(DEADLINE)
    assert run("send", "do_something_interesting", "1", "2", "--wait", "--timeout", "0.5").returncode == 4


def test_the_synopsis_says_clearly_what_is_wrong_when_the_passcode_is(start: Start, home: Home) -> None:
    start("bus").wait_for_line("^ready")
    client = CLIENT.format(host="127.0.0.1", port=home.url.rpartition(":")[2])
    failed = subprocess.run(
        [sys.executable, "-c", client],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert failed.returncode == 1
    assert "swarmage.errors.LoginRefused" in failed.stderr.splitlines()[-1]
    assert "stomp.exception" not in failed.stderr
    assert "bar" not in failed.stderr.splitlines()[-1]
