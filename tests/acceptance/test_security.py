"""Who may not come in stays out, and is told why in one line; who may, does so under TLS and with a passcode."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from processes import DEADLINE, WORKERS, Home, Run, Start, Started, eventually, free_port

pytestmark = pytest.mark.acceptance


@pytest.fixture
def environment(home: Home) -> dict[str, str]:
    """Return what a process finds that is told nothing but its home."""
    return {name: value for name, value in home.environment.items() if name != "SWARMAGE_URL"}


def secret_of(url: str) -> str:
    return url.partition("@")[0].rpartition(":")[2]


def recorded_url(home: Home) -> str:
    return (home.folder / "url").read_text().strip()


def encrypted(start: Start, run: Run, environment: Mapping[str, str], *argv: str) -> Started:
    assert run("keys", "tls", "bus.example", env=environment).returncode == 0
    started = start(*argv, "--listen", f"0.0.0.0:{free_port()}", "--tls", env=environment)
    started.wait_for_line("^ready: bus stomps://")
    return started


def last_line(result: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def test_a_task_goes_to_a_drone_and_back_under_tls(
    start: Start, run: Run, home: Home, environment: dict[str, str]
) -> None:
    up = encrypted(start, run, environment, "up", "steps")
    result = run("send", "steps.add", "1", "2", "--wait", env=environment)
    assert (result.returncode, result.stdout) == (0, "3\n")
    assert recorded_url(home).startswith("stomps://")
    up.press_ctrl_c()
    assert up.exit_code() == 0
    assert secret_of(recorded_url(home)) not in up.output


def test_a_drone_notices_that_the_bus_under_tls_has_gone_and_finds_the_next(
    start: Start, run: Run, home: Home, environment: dict[str, str]
) -> None:
    bus = encrypted(start, run, environment, "bus")
    drone = start("drone", "steps", env=environment)
    drone.wait_for_line("^ready")
    port = recorded_url(home).rpartition(":")[2]
    bus.clean_up()
    drone.wait_for_line("lost the connection")
    start("bus", "--listen", f"0.0.0.0:{port}", "--tls", env=environment).wait_for_line("^ready")
    result = run("send", "steps.add", "1", "2", "--wait", env=environment)
    assert (result.returncode, result.stdout) == (0, "3\n")


def test_who_is_told_to_open_the_bus_is_told_how(start: Start, run: Run, environment: dict[str, str]) -> None:
    for command in ("bus", "up"):
        result = run(command, "--listen", "0.0.0.0:0", env=environment)
        assert result.returncode == 2
        advice = last_line(result).rpartition("run: ")[2]
        assert advice == f"swarmage keys tls {socket.gethostname()} && swarmage {command} --listen 0.0.0.0:0 --tls"
    make, then = (part.split()[1:] for part in advice.split(" && "))
    assert run(*make, env=environment).returncode == 0
    start(*then, env=environment).wait_for_line("^ready")


def test_a_bus_that_cannot_be_trusted_gets_nothing(
    start: Start, run: Run, home: Home, environment: dict[str, str], tmp_path: Path
) -> None:
    bus = encrypted(start, run, environment, "bus")
    url = recorded_url(home)
    other = {**environment, "SWARMAGE_HOME": str(tmp_path / "other"), "SWARMAGE_URL": url}
    assert run("keys", "tls", "bus.example", env=other).returncode == 0
    cases = {
        "is refused": other,
        "not valid for '127.0.0.2'": {**environment, "SWARMAGE_URL": url.replace("127.0.0.1", "127.0.0.2")},
        "/nowhere/ca.pem": {**environment, "SWARMAGE_CA_FILE": "/nowhere/ca.pem"},
        "write stomps://": {**environment, "SWARMAGE_URL": url.replace("stomps:", "stomp:")},
    }
    for says, env in cases.items():
        began = time.monotonic()
        result = run("status", env=env)
        assert time.monotonic() - began < 6
        assert (result.returncode, len(result.stderr.splitlines())) == (3, 1)
        assert says in result.stderr
        assert secret_of(url) not in result.stderr
    assert secret_of(url) not in bus.output


def test_tls_with_a_plain_bus_is_told_in_one_line(
    start: Start, run: Run, home: Home, environment: dict[str, str]
) -> None:
    start("bus", "--listen", f"127.0.0.1:{free_port()}", env=environment).wait_for_line("^ready")
    url = recorded_url(home).replace("stomp:", "stomps:")
    result = run("status", env={**environment, "SWARMAGE_URL": url})
    assert result.returncode == 3
    assert "write stomp://" in last_line(result)


def test_an_idle_bus_under_tls_uses_no_cpu(start: Start, run: Run, home: Home, environment: dict[str, str]) -> None:
    up = encrypted(start, run, environment, "up", "steps")

    def cpu_ticks() -> int:
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in up.children()]
        return sum(int(each[11]) + int(each[12]) for each in fields)

    begun, before = time.monotonic(), cpu_ticks()
    eventually(lambda: time.monotonic() - begun > 3)
    assert (
        cpu_ticks() - before < 60
    )  # hundredths of a second, of two processes in three seconds; one that spins has 300


def add_user(run: Run, environment: Mapping[str, str], *argv: str) -> str:
    result = run("keys", "user", "add", *argv, env=environment)
    assert result.returncode == 0
    return result.stdout.rpartition("passcode: ")[2].strip()


def test_a_user_may_do_what_it_was_added_for_and_no_more(
    start: Start, run: Run, home: Home, environment: dict[str, str]
) -> None:
    start("up", "steps", env=environment).wait_for_line("^ready")
    rights = ("--send", "/queue/swarmage.task.steps.", "--subscribe", "/queue/swarmage.reply.")
    passcode = add_user(run, environment, "shop", *rights)  # while the bus runs
    host = recorded_url(home).partition("@")[2]
    shop = {**environment, "SWARMAGE_URL": f"stomp://shop:{passcode}@{host}"}
    result = run("send", "steps.add", "1", "2", "--wait", env=shop)
    assert (result.returncode, result.stdout) == (0, "3\n")
    refused = run("send", "other.add", env=shop)
    assert refused.returncode != 0
    assert "the user 'shop' may not send to /queue/swarmage.task.other.add" in refused.stderr
    assert run("keys", "user", "remove", "shop", env=environment).returncode == 0
    gone = run("status", env=shop)
    assert gone.returncode == 3
    assert "refuses the login" in last_line(gone)


def test_a_wrong_passcode_is_held_back_counted_and_written_nowhere(
    start: Start, run: Run, home: Home, environment: dict[str, str]
) -> None:
    bus = start("bus", env=environment)
    bus.wait_for_line("^ready")
    known = add_user(run, environment, "ann")
    url = recorded_url(home)
    host = url.partition("@")[2]
    outputs = [bus]
    for login, least in (("ann", 0.5), ("nobody", 1.0)):
        began = time.monotonic()
        result = run("status", env={**environment, "SWARMAGE_URL": f"stomp://{login}:a-wrong-guess@{host}"})
        assert time.monotonic() - began >= least
        assert result.returncode == 3
        assert "refuses the login" in last_line(result)
        assert "a-wrong-guess" not in result.stderr + result.stdout
    assert '"login_failures": 2' in run("status", "--json", env=environment).stdout
    bus.press_ctrl_c()
    assert bus.exit_code() == 0
    for secret in ("a-wrong-guess", known, secret_of(url)):
        assert not [each for each in outputs if secret in each.output]


def test_no_secret_stands_in_the_arguments_of_a_process(
    start: Start, run: Run, home: Home, environment: dict[str, str]
) -> None:
    up = encrypted(start, run, environment, "up", "steps")
    key = (home.folder / "key").read_text().strip()
    for pid in (up.pid, *up.children()):
        arguments = Path(f"/proc/{pid}/cmdline").read_text()
        assert secret_of(recorded_url(home)) not in arguments
        assert key not in arguments


def test_a_passcode_from_stdin_is_not_repeated(environment: dict[str, str]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "swarmage", "keys", "user", "add", "ann", "--stdin"],
        cwd=WORKERS,
        env=environment,
        input="a passcode of my own\n",
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert result.returncode == 0
    assert "of my own" not in result.stdout + result.stderr


def test_many_who_come_back_at_once_do_not_hold_up_the_bus(
    start: Start, run: Run, home: Home, environment: dict[str, str]
) -> None:
    start("bus", env=environment).wait_for_line("^ready")
    passcode = add_user(run, environment, "ann")
    port = int(recorded_url(home).rpartition(":")[2])
    head = f"CONNECT\naccept-version:1.2\nlogin:ann\npasscode:{passcode}\n\n\0".encode()

    def come_back(_: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as sock:
            sock.sendall(head)
            return sock.recv(100)

    began = time.monotonic()
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(come_back, range(500)))
    assert time.monotonic() - began < 10  # 500 hashes one after the other take longer
    assert {answer.partition(b"\n")[0] for answer in answers} == {b"CONNECTED"}
