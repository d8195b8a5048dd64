from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from swarmage import errors
from swarmage.cli.exit_codes import exit_code_of
from swarmage.cli.main import COMMANDS
from swarmage.cli.progress_bar import progress_bar
from swarmage.client.heard import Progress
from swarmage.task import Task

from .fake_client import FakeClient, FakeLetter, run

QUEUE = {
    "name": "q", "task_class": "some.thing", "waiting": 3, "in_flight": 1, "delayed": 0, "consumers": 1, "rate_in": 2.5,
    "rate_out": 0.4,
}  # fmt: skip
DRONE = {
    "id": "here-1",
    "pid": 17,
    "host": "here\x1b",
    "started": 0.0,
    "workers": [{"name": "Some", "abilities": ["some.thing"], "state": "idle", "task": None}],
}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.TaskFailed("ValueError", "bad"), 1),
        (errors.NotEncodable("bad"), 1),
        (errors.SwarmageError("bad"), 1),
        (errors.ConfigError("bad"), 2),
        (errors.TargetError("bad"), 2),
        (errors.BusUnreachable("bad"), 3),
        (errors.LoginRefused("bad"), 3),
        (errors.BusFailed("bad"), 3),
        (errors.InsertTimeout("bad"), 4),
        (errors.ReplyTimeout("bad"), 4),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: errors.SwarmageError, code: int) -> None:
    assert exit_code_of(error) == code


def test_an_expected_error_is_one_line_and_an_exit_code(client: FakeClient) -> None:
    client.connect_error = errors.BusUnreachable("no bus\x1b[2J at stomp://ann:***@here:1")
    result = run("status")
    assert result.exit_code == 3
    assert result.stderr == "swarmage: no bus\\x1b[2J at stomp://ann:***@here:1\n"
    assert result.stdout == ""


def test_ctrl_c_is_130_and_says_that_the_task_stays(client: FakeClient) -> None:
    client.outcome = KeyboardInterrupt()
    result = run("send", "some.thing", "--wait")
    assert (result.exit_code, result.stdout) == (130, "")
    assert client.tasks[0].id in result.stderr


def test_send_prints_responses_before_the_result(client: FakeClient) -> None:
    client.responses, client.outcome = ["a", 2], None
    assert run("send", "some.thing", "--wait").stdout == '"a"\n2\n'
    client.outcome = "end"
    assert run("send", "some.thing", "--wait").stdout == '"a"\n2\n"end"\n'
    found = json.loads(run("send", "some.thing", "--wait", "--json").stdout)
    assert (found["responses"], found["result"]) == (["a", 2], "end")


def test_send_says_early_that_nobody_performs_the_task(client: FakeClient) -> None:
    client.outcome = errors.ReplyTimeout("late")
    client.state["queues"] = []
    assert "waiting for one" in run("send", "some.thing", "--wait", "--timeout", "30").stderr


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), *(["dead", n] for n in ("list", "retry"))])
def test_every_command_explains_itself_with_an_example(command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    text = result.stdout.partition("Options:")[0]
    assert "Example:\n    swarmage" in text or "Example:\n      swarmage" in text
    assert len(text.split()) > 20


@pytest.mark.parametrize(
    "argv",
    [
        ["nothing"],
        ["send"],
        ["send", "some.thing", "--wiat"],
        ["send", "some.thing", "--priority", "11"],
        ["send", "some.thing", "--delay", "-1"],
        ["send", "some.thing", "--retries", "-1"],
        ["send", "some.thing", "--retries", "1.5"],
        ["send", "some.thing", "--backoff", "-1"],
        ["send", "some.thing", "--deadline", "0"],
        ["send", "some.thing", "--expires", "soon"],
        ["send", "some.thing", "--key", ""],
        ["send", "word", "--key", "alice"],
        ["send", "no good"],
        ["send", "some.thing", "a=1", "a=2"],
        ["drone"],
        ["drone", "actors", "-p", "0"],
        ["drone", "actors", "-c", "Census"],
        ["dead", "retry"],
        ["dead", "drop", "one", "--all"],
    ],
)
def test_wrong_usage_is_2(client: FakeClient, argv: list[str]) -> None:
    result = run(*argv)
    assert result.exit_code == 2
    assert client.tasks == []


def test_send_inserts_the_task_and_prints_its_id_as_json(client: FakeClient) -> None:
    result = run("send", "some.thing", "--json", "-1", "--delay", "2", "-2", "-.5", "word", "a=[3]", "--priority", "7")
    task = client.tasks[0]
    assert (task.task_class, task.args, task.kwargs) == ("some.thing", [-1, -2, "-.5", "word"], {"a": [3]})
    assert (task.delay, task.priority) == (2.0, 7)
    assert client.replies_wanted == [False]
    assert json.loads(result.stdout) == {"id": task.id}


def test_send_gives_the_task_the_policies_it_is_told(client: FakeClient) -> None:
    before = time.time()
    words = ["--retries", "0", "--backoff", ".5", "--deadline", "60", "--expires", "30", "--delay", "10"]
    assert run("send", "some.thing", *words).exit_code == 0
    [task] = client.tasks
    assert (task.retries, task.backoff, task.expires, task.delay) == (0, 0.5, 30.0, 10.0)
    assert task.deadline is not None
    assert before + 60 <= task.deadline <= time.time() + 60


def test_send_may_be_for_a_key(client: FakeClient) -> None:
    assert run("send", "account.deposit", "10", "--key", "alice").exit_code == 0
    assert [task.key for task in client.tasks] == ["alice"]


def test_send_leaves_to_the_ability_what_it_is_not_told(client: FakeClient) -> None:
    assert run("send", "some.thing").exit_code == 0
    [task] = client.tasks
    assert task == Task(task_class="some.thing", args=[], id=task.id)


@pytest.mark.parametrize("option", ["--deadline", "--expires"])
def test_a_task_that_could_never_begin_is_refused(client: FakeClient, option: str) -> None:
    result = run("send", "some.thing", "--delay", "60", option, "60")
    assert result.exit_code == 2
    assert f"{option} 60 is over before --delay 60 is" in " ".join(result.output.split())
    assert not client.tasks


def test_send_takes_words_behind_two_dashes_as_they_are(client: FakeClient) -> None:
    run("send", "some.thing", "--", "--wait", "-1")
    assert client.tasks[0].args == ["--wait", -1]


def test_a_number_behind_an_option_is_its_value(client: FakeClient) -> None:
    result = run("send", "some.thing", "--priority", "-1")
    assert result.exit_code == 2
    assert "-1 is not in the range" in result.stderr
    assert result.stderr.replace("\n", "").isprintable()


def test_send_prints_the_id(client: FakeClient) -> None:
    assert run("send", "some.thing").stdout == client.tasks[0].id + "\n"


def test_send_waits_for_the_result_and_prints_it(client: FakeClient) -> None:
    client.outcome = {"words": 3, "text": "\x1b"}
    result = run("send", "some.thing", "--wait", "--timeout", "7")
    assert client.waited == [1.0]  # a first look, after which it would say that nobody performs the task
    assert result.stdout == '{\n  "words": 3,\n  "text": "\\u001b"\n}\n'


def test_send_prints_id_and_result_as_json(client: FakeClient) -> None:
    client.outcome = [1]
    assert json.loads(run("send", "some.thing", "--wait", "--json").stdout) == {"id": client.tasks[0].id, "result": [1]}


def test_a_failed_task_is_exit_code_1_and_one_line(client: FakeClient) -> None:
    client.outcome = errors.TaskFailed("ValueError", "no", "Traceback: deep")
    result = run("send", "some.thing", "--wait")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "swarmage: ValueError: no\n")


def test_a_failed_task_has_its_traceback_in_json(client: FakeClient) -> None:
    client.outcome = errors.TaskFailed("ValueError", "no", "Traceback: deep")
    result = run("send", "some.thing", "--wait", "--json")
    assert result.exit_code == 1
    error = {"type": "ValueError", "message": "no", "traceback": "Traceback: deep"}
    assert json.loads(result.stdout) == {"id": client.tasks[0].id, "error": error}


@pytest.mark.parametrize("queues", [[], [{**QUEUE, "consumers": 0}]])
def test_a_wait_in_vain_says_that_nobody_performs_the_task(client: FakeClient, queues: list[Any]) -> None:
    client.outcome = errors.ReplyTimeout("late")
    client.state["queues"] = queues
    result = run("send", "some.thing", "--wait", "--timeout", "1", "--json")
    assert result.exit_code == 4
    assert "no drone performs the task class some.thing" in result.stderr
    assert json.loads(result.stdout)["error"]["type"] == "ReplyTimeout"


def test_a_wait_in_vain_for_a_slow_task_says_where_to_look(client: FakeClient) -> None:
    client.outcome = errors.ReplyTimeout("late")
    client.state["queues"] = [QUEUE]
    result = run("send", "some.thing", "--wait", "--timeout", "1")
    assert result.exit_code == 4
    assert f"no result within 1 s; look for the task {client.tasks[0].id} in" in result.stderr


def test_a_wait_in_vain_on_a_bus_without_figures_blames_nobody(client: FakeClient) -> None:
    client.outcome = errors.ReplyTimeout("late")
    client.state["bus"] = {"url": "stomp://here:61613", "note": "no figures of queues"}
    assert "no drone performs" not in run("send", "some.thing", "--wait", "--timeout", "1").stderr


def test_progress_is_shown_with_nothing_that_could_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_bar() as show:
        show(Progress(3, 7, "at [red]\x1b[2J"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "at [red]\\x1b[2J" in captured.err
    assert "3/7" in captured.err


def test_status_says_that_a_bus_tells_no_figures_rather_than_that_nothing_waits(client: FakeClient) -> None:
    note = "RabbitMQ tells no figures of its queues here: look at its own console"
    client.state |= {"bus": {"url": "stomp://here:61613", "server": "RabbitMQ/3.10.8", "note": note}, "drones": [DRONE]}
    output = run("status").stdout
    assert output.splitlines()[0] == "bus stomp://here:61613, server RabbitMQ/3.10.8"
    assert note in output
    assert "no tasks wait" not in output


def test_status_shows_each_of_several_buses(client: FakeClient) -> None:
    lost = {"url": "stomp://two:61613", "error": "no bus answers"}
    client.state["buses"] = [client.state["bus"], lost]
    lines = run("status").stdout.splitlines()
    assert lines[0].startswith("bus stomp://ann:***@here:61613, server swarmage/0")
    assert lines[2] == "bus stomp://two:61613 does not answer: no bus answers"


def test_status_shows_bus_queues_and_drones(client: FakeClient) -> None:
    client.state |= {"queues": [QUEUE, {**QUEUE, "task_class": "lost.one", "consumers": 0}], "drones": [DRONE]}
    lines = run("status").stdout.splitlines()
    assert lines[0] == "bus stomp://ann:***@here:61613, server swarmage/0, version 1.2, uptime 1 min 1 s"
    assert lines[2].split() == ["TASK", "CLASS", "WAITING", "IN", "FLIGHT", "DELAYED", "IN/S", "OUT/S", "DRONES"]
    assert lines[3].split() == ["some.thing", "3", "1", "0", "2.5", "0.4", "1"]
    assert lines[4].split() == ["lost.one", "3", "1", "0", "2.5", "0.4", "0", "nobody", "performs", "it"]
    assert lines[7].split() == ["here-1", "here\\x1b", "17", "Some", "idle", "some.thing"]


def test_status_leaves_out_what_a_bus_does_not_tell(client: FakeClient) -> None:
    told = {name: value for name, value in QUEUE.items() if name not in {"delayed", "rate_in", "rate_out"}}
    client.state |= {"bus": {"url": "stomp://here:61613", "expired": 2, "stored_bytes": 1000}, "queues": [told]}
    lines = run("status").stdout.splitlines()
    assert lines[:2] == ["bus stomp://here:61613", "messages: 2 expired, 1.0 kB stored"]
    assert lines[4].split() == ["some.thing", "3", "1", "0"]
    client.state["bus"] = {"url": "stomp://here:61613", "rate_in": 1.0, "rate_out": 0.5, "messages_waiting": 4}
    assert run("status").stdout.splitlines()[1] == "messages: 1.0/s in, 0.5/s out, 4 wait"
    assert "some.thing" in run("top").stdout


def test_status_counts_the_drones_of_a_kind(client: FakeClient) -> None:
    keyed = {**DRONE["workers"][0], "abilities": ["account.deposit"], "kind": "account"}
    client.state |= {"queues": [{**QUEUE, "task_class": "account"}], "drones": [{**DRONE, "workers": [keyed, keyed]}]}
    assert run("status").stdout.splitlines()[3].split() == ["account", "3", "1", "0", "2.5", "0.4", "1"]


def test_status_tells_of_the_messages_where_the_bus_does(client: FakeClient) -> None:
    client.state["bus"] |= {
        "messages_in": 9, "messages_out": 8, "messages_waiting": 3, "rate_in": 2.5, "rate_out": 0.4, "acked": 7,
        "expired": 0, "dead": 1, "unsaved_bytes": 0, "stored_bytes": 12_345_678, "disk_free_bytes": 999,
    }  # fmt: skip
    lines = run("status").stdout.splitlines()
    assert lines[0].endswith("uptime 1 min 1 s")
    assert lines[1] == "messages: 2.5/s in, 0.4/s out, 3 wait, 7 acked, 1 dead, 12.3 MB stored, 999 B free"


def test_status_of_an_empty_bus_says_so(client: FakeClient) -> None:
    assert run("status").stdout.splitlines()[1:] == ["", "no tasks wait", "", "no drones"]


def test_status_as_json_is_what_the_client_says(client: FakeClient) -> None:
    assert json.loads(run("status", "--json").stdout) == client.state


def test_dead_list_shows_each_dead_letter_in_a_line(client: FakeClient) -> None:
    assert run("dead", "list").stdout == "no dead letters\n"
    client.letters = [FakeLetter(), FakeLetter(id="two")]
    lines = run("dead", "list").stdout.splitlines()
    assert len(lines) == 3
    assert "ValueError: bad \\x1b[31m value" in lines[1]


def test_dead_list_as_json_is_an_array(client: FakeClient) -> None:
    assert json.loads(run("dead", "list", "--json").stdout) == []
    client.letters = [FakeLetter()]
    (letter,) = json.loads(run("dead", "list", "--json").stdout)
    assert (letter["id"], letter["args"], letter["traceback"]) == ("one", [1], FakeLetter().traceback)


def test_dead_show_prints_all_of_one_dead_letter(client: FakeClient) -> None:
    client.letters = [FakeLetter()]
    text = run("dead", "show", "one").stdout
    assert "died:        2023-11-14 22:13:20+00:00, " in text
    assert "args:        [1]\n" in text
    assert "kwargs" not in text
    assert text.endswith("\n\nTraceback:\n  deep \\x1b[31m\n")
    assert json.loads(run("dead", "show", "one", "--json").stdout)["id"] == "one"


def test_dead_show_of_an_unknown_id_is_2(client: FakeClient) -> None:
    result = run("dead", "show", "none")
    assert (result.exit_code, result.stderr) == (2, "swarmage: no dead letter none; see `swarmage dead list`\n")


@pytest.mark.parametrize(("command", "past"), [("retry", "retried"), ("drop", "dropped")])
def test_dead_letters_are_retried_and_dropped(client: FakeClient, command: str, past: str) -> None:
    client.letters = [FakeLetter(), FakeLetter(id="two")]
    assert run("dead", command, "one").stdout == f"{past} 1\n"
    assert run("dead", command, "--all").stdout == f"{past} 2\n"
    assert json.loads(run("dead", command, "--all", "--json").stdout) == ["one", "two"]
    missing = run("dead", command, "one", "three")
    assert (missing.exit_code, missing.stdout) == (2, f"{past} 1\n")
    assert "no dead letter three" in missing.stderr


def test_help_imports_neither_the_commands_nor_rich() -> None:
    program = (
        "import sys\nfrom swarmage.cli.main import main\nsys.argv = ['swarmage', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    print({'rich', 'swarmage.cli.serve'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.endswith("set()\n")
