from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from swarmage.errors import BusUnreachable, ConfigError, LoginRefused, TargetError
from swarmage.settings import Address
from swarmage.supervisor.bus_plan import BusPlan
from swarmage.supervisor.supervisor import Supervisor

from .fake_children import PRELUDE, Supervise, is_gone

pytestmark = pytest.mark.acceptance

STAYS = "ready(); stay()"


@pytest.fixture
def bus_plan(tmp_path: Path) -> BusPlan:
    address = Address(host="127.0.0.1", login="ann", passcode="secret")
    return BusPlan(address=address, ports=(4000, 0), data=str(tmp_path / "bus"))


def test_says_when_each_drone_is_ready_and_when_all_are(supervise: Supervise, tmp_path: Path) -> None:
    running = supervise(STAYS, processes=2)
    line = running.line(r"^ready: (.*)")[1]
    assert line == f"bus stomp://ann:***@127.0.0.1:4000, home {tmp_path / 'home'}"


def test_drains_every_drone_when_stopped_and_leaves_none(supervise: Supervise) -> None:
    running = supervise(STAYS)
    pid = running.drone_pid()
    running.supervisor.stop()
    assert running.end() == 0
    assert is_gone(pid)


def test_starts_a_drone_that_was_killed_again(supervise: Supervise) -> None:
    running = supervise(STAYS)
    first = running.drone_pid()
    os.kill(first, signal.SIGKILL)
    assert running.drone_pid() != first


TWO = "stomp://127.0.0.1:4000 stomp://127.0.0.1:4001"
SAYS_ITS_BUS = """
def ready_there():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    say(state="ready", task_classes=[os.environ["SWARMAGE_URL"]])
"""


def test_each_of_several_buses_has_as_many_drones(supervise: Supervise) -> None:
    running = supervise(f"{SAYS_ITS_BUS}ready_there(); stay()", processes=2, url=TWO)
    ready = [running.line(r"(drone-\d) ready: .*:(\d+)$").groups() for _ in range(4)]
    assert sorted(ready) == [("drone-1", "4000"), ("drone-2", "4000"), ("drone-3", "4001"), ("drone-4", "4001")]
    assert running.line(r"^ready: bus (.*), home")[1] == TWO


def test_a_bus_that_is_not_there_stops_nothing_while_another_is(supervise: Supervise, tmp_path: Path) -> None:
    running = supervise(
        f"""{SAYS_ITS_BUS}
if os.environ["SWARMAGE_URL"].endswith(":4000") and first_time({str(tmp_path / "first")!r}):
    say(state="failed", error="BusUnreachable", message="not yet")
    sys.exit(1)
ready_there(); stay()
""",
        url=TWO,
    )
    assert {running.line(r"drone-(\d) ready")[1] for _ in range(2)} == {"1", "2"}
    running.line("^ready: ")


def test_when_none_of_several_buses_is_there_that_is_the_error(supervise: Supervise) -> None:
    running = supervise('say(state="failed", error="BusUnreachable", message="not there"); sys.exit(1)', url=TWO)
    error = running.end()
    assert isinstance(error, BusUnreachable)
    assert str(error) == "not there"


@pytest.mark.parametrize("error", [BusUnreachable, LoginRefused, TargetError])
def test_a_drone_that_cannot_boot_stops_all_with_its_error(supervise: Supervise, error: type[Exception]) -> None:
    running = supervise(
        f"""
if spec["name"] == "drone-1":
    say(state="failed", error="{error.__name__}", message="so it is")
    sys.exit(1)
stay()
""",
        processes=2,
    )
    result = running.end()
    assert type(result) is error
    assert str(result) == "so it is"


def test_an_unknown_error_of_a_child_is_still_an_error(supervise: Supervise) -> None:
    running = supervise('say(state="failed", error="Surprise", message="so it is")')
    assert str(running.end()) == "so it is"


def test_a_boot_that_fails_after_one_that_did_not_is_tried_again(supervise: Supervise, tmp_path: Path) -> None:
    running = supervise(f"""
if first_time({str(tmp_path / "a")!r}):
    ready()
elif first_time({str(tmp_path / "b")!r}):
    say(state="failed", error="BusUnreachable", message="not now")
else:
    ready()
    stay()
""")
    running.drone_pid()
    running.drone_pid()
    running.supervisor.stop()
    assert running.end() == 0


def test_what_a_child_prints_besides_reports_does_no_harm(supervise: Supervise) -> None:
    running = supervise('print("hello"); print("{}"); sys.stdout.flush(); ready(); stay()')
    running.line("^ready")


def test_a_drone_that_does_not_drain_is_killed(supervise: Supervise, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Supervisor, "patience", 0.1)
    running = supervise("ready(then=signal.SIG_IGN); stay()")
    pid = running.drone_pid()
    running.supervisor.stop()
    assert running.end() == 1
    assert is_gone(pid)


def test_being_asked_twice_to_stop_aborts(supervise: Supervise) -> None:
    running = supervise("ready(then=signal.SIG_IGN); stay()")
    pid = running.drone_pid()
    running.supervisor.stop()
    running.supervisor.stop()
    assert running.end() == 1
    assert is_gone(pid)


def test_the_bus_boots_first_and_leaves_last(supervise: Supervise, bus_plan: BusPlan, tmp_path: Path) -> None:
    record = tmp_path / "record"
    running = supervise(
        f"""
def note(what):
    with open({str(record)!r}, "a") as file:
        print(what, spec["kind"], file=file)

def leave(*_):
    note("leave")
    sys.exit(0)

note("boot")
ready(then=leave)
stay()
""",
        bus=bus_plan,
    )
    running.line("^ready")
    running.supervisor.stop()
    assert running.end() == 0
    assert record.read_text().splitlines() == ["boot bus", "boot drone", "leave drone", "leave bus"]


def test_drones_and_clients_learn_where_the_bus_listens(
    supervise: Supervise, bus_plan: BusPlan, tmp_path: Path
) -> None:
    running = supervise(
        'ready() if is_bus else say(state="ready", task_classes=[os.environ["SWARMAGE_URL"]])\nstay()',
        bus=bus_plan,
    )
    assert running.line("drone-1 ready: (.*)")[1] == "stomp://ann:secret@127.0.0.1:4711"
    assert running.line("^ready: (.*), home")[1] == "bus stomp://ann:***@127.0.0.1:4711"
    assert (tmp_path / "home" / "url").read_text().strip() == "stomp://ann:secret@127.0.0.1:4711"


def test_a_bus_comes_back_at_the_port_it_had(supervise: Supervise, bus_plan: BusPlan, tmp_path: Path) -> None:
    record = tmp_path / "ports"
    running = supervise(
        f"""
with open({str(record)!r}, "a") as file:
    print(spec["ports"], file=file)
ready()
if not first_time({str(tmp_path / "a")!r}):
    stay()
""",
        targets=[],
        bus=bus_plan,
    )
    running.line("bus ready")
    running.line("bus ready")
    assert record.read_text().splitlines() == ["[4000, 0]", "[4711]"]


def test_a_drone_that_misses_our_own_bus_is_tried_again(
    supervise: Supervise, bus_plan: BusPlan, tmp_path: Path
) -> None:
    running = supervise(
        f"""
if is_bus or not first_time({str(tmp_path / "a")!r}):
    ready()
    stay()
say(state="failed", error="BusUnreachable", message="not yet")
""",
        bus=bus_plan,
    )
    running.line("^ready")


def test_a_bus_that_cannot_boot_stops_all(supervise: Supervise, bus_plan: BusPlan) -> None:
    running = supervise('say(state="failed", error="ConfigError", message="taken")', bus=bus_plan)
    result = running.end()
    assert isinstance(result, ConfigError)
    assert str(result) == "taken"


def test_nothing_is_left_behind_when_the_supervisor_itself_fails(supervise: Supervise) -> None:
    pids: list[int] = []

    def announce(line: str) -> None:
        pids.append(int(line.partition("pid=")[2]))
        raise ZeroDivisionError

    running = supervise(STAYS, announce=announce)
    assert isinstance(running.end(), ZeroDivisionError)
    assert is_gone(pids[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_drains(number: signal.Signals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SWARMAGE_HOME", str(tmp_path))
    before = signal.getsignal(number)

    def announce(line: str) -> None:
        if line.startswith("ready"):
            signal.raise_signal(number)

    supervisor = Supervisor(["some_target"], url="stomp://127.0.0.1:4000", announce=announce)
    supervisor.command = (sys.executable, "-I", "-S", "-c", PRELUDE + STAYS)
    assert supervisor.run() == 0
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("settings", [{"targets": []}, {"targets": "actors"}, {"targets": ["actors"], "processes": 0}])
def test_a_supervisor_with_nothing_to_do_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Supervisor(**settings)


def test_a_supervisor_that_knows_no_bus_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SWARMAGE_HOME", str(tmp_path))
    monkeypatch.delenv("SWARMAGE_URL", raising=False)
    with pytest.raises(ConfigError, match="SWARMAGE_URL"):
        Supervisor(["actors"]).run()


@pytest.mark.parametrize(
    ("report", "code", "says"),
    [
        (
            'say(state="alone", task="poison 1")',
            7,
            "exited with 7 while it performed only poison 1; starts again in 0.0 s",
        ),
        (
            'say(state="overran", task="slow 2")',
            75,
            "exited with 75 for the hard limit of slow 2; starts again in 0.0 s",
        ),
        (
            'say(state="alone", task="poison 1"); say(state="alone", task="")',
            7,
            "exited with 7; starts again in 0.",
        ),
    ],
)
def test_a_drone_that_died_of_a_task_names_it_and_starts_again_at_once(
    supervise: Supervise, tmp_path: Path, caplog: pytest.LogCaptureFixture, report: str, code: int, says: str
) -> None:
    running = supervise(
        f"""
ready()
if first_time({str(tmp_path / "marker")!r}):
    {report}
    sys.exit({code})
stay()
"""
    )
    running.drone_pid()
    running.drone_pid()
    assert f"drone-1 {says}" in caplog.text
