from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from swarmage.cli.top import render

from .fake_client import FakeClient, FakeLetter, run

LOST = {"url": "stomp://two:61613", "error": "no bus answers"}
QUEUE = {"name": "q", "task_class": "some.thing", "waiting": 3, "in_flight": 1, "delayed": 0, "consumers": 1}
BUSY = {
    "name": "Some",
    "abilities": ["some.thing"],
    "state": "busy",
    "task": "one\x1b[2J",
    "task_class": "some.thing",
    "since": 1_700_000_000.0,
    "seconds": 61.5,
}
DRONE = {"id": "here-1", "pid": 17, "host": "here", "started": 0.0, "workers": [BUSY]}


@pytest.mark.parametrize(
    ("argv", "asked", "said", "json_said"),
    [
        (["cancel", "a", "b"], (("a", "b"), 86400.0), "cancelled 2, for 1 d", {"cancelled": ["a", "b"], "keep": 86400}),
        (["cancel", "a", "--keep", "90"], (("a",), 90.0), "cancelled 1, for 1 min 30 s", None),
        (["pause", "some.thing"], ("pause", "some.thing"), "paused some.thing", {"paused": "some.thing"}),
        (["resume", "some.thing"], ("resume", "some.thing"), "resumed some.thing", {"resumed": "some.thing"}),
        (["concurrency", "Some", "8"], ("Some", 8), "Some: 8 in each drone", {"worker": "Some", "concurrency": 8}),
        (["concurrency", "Some", "default"], ("Some", None), "Some: default in each drone", None),
    ],
)
def test_what_is_ordered_is_said(client: FakeClient, argv: list[str], asked: Any, said: str, json_said: Any) -> None:
    assert run(*argv).stdout == f"{said}\n"
    assert client.asked == [asked]
    if json_said is not None:
        assert json.loads(run(*argv, "--json").stdout) == json_said


@pytest.mark.parametrize(
    "argv", [["cancel"], ["pause"], ["cancel", "a", "--keep", "0"], ["concurrency", "Some", "-1"], ["drain"], ["stack"]]
)
def test_what_makes_no_sense_is_2(client: FakeClient, argv: list[str]) -> None:
    assert run(*argv).exit_code == 2
    assert client.asked == []


def test_concurrency_wants_a_number_or_the_word_default(client: FakeClient) -> None:
    result = run("concurrency", "Some", "many")
    assert (result.exit_code, client.asked) == (2, [])
    assert "'many'" in result.stderr


def test_drain_says_who_leaves_and_what_it_holds(client: FakeClient) -> None:
    client.answer = {"id": "here-1", "pid": 17, "host": "here", "holding": 3}
    assert run("drain", "17").stdout == "here-1 (pid 17 on here) leaves, tasks left to finish: 3\n"
    assert json.loads(run("drain", "17", "--json").stdout) == client.answer


def test_stack_shows_workers_and_threads(client: FakeClient) -> None:
    threads = [{"name": "bus", "stack": "  File bus.py\x1b[2J\n"}]
    client.answer = {**DRONE, "workers": [{**BUSY, "stack": "  File a.py, line 3\n"}], "threads": threads}
    text = run("stack", "17").stdout
    assert "worker Some: some.thing one\\x1b[2J for 61.5 s\n  File a.py, line 3\n" in text
    assert text.endswith("thread bus\n  File bus.py\\x1b[2J\n")
    client.answer["workers"] = []
    assert "no worker performs anything now" in run("stack", "17").stdout


def test_status_shows_what_is_paused_ordered_and_cancelled(client: FakeClient) -> None:
    client.state |= {"queues": [QUEUE], "drones": [DRONE], "paused": ["some.thing", "other"], "cancelled": 2}
    client.state["concurrency"] = {"Some": 8}
    text = run("status").stdout
    assert text.splitlines()[3].split()[-1] == "paused"
    assert "busy   1 min 1 s" in text
    assert text.endswith("\n\npaused: some.thing\npaused: other\nconcurrency: Some=8\ncancelled tasks: 2\n")


def rendered(*given: Any) -> str:
    console = Console(width=160, file=io.StringIO())
    with console.capture() as captured:
        console.print(render(*given))
    return captured.get()


def test_top_says_which_of_several_buses_does_not_answer(client: FakeClient) -> None:
    assert "does not answer" not in rendered({**client.state, "buses": [client.state["bus"]]}, None, 0.0)
    both = {**client.state, "bus": {"url": "one two", "messages_in": 1}, "buses": [client.state["bus"], LOST]}
    text = " ".join(rendered(both, None, 0.0).split())
    assert "bus one two, 0 drones, stomp://two:61613 does not answer" in text


def test_top_shows_rates_from_the_second_look_on(client: FakeClient) -> None:
    first = {**client.state, "queues": [QUEUE], "drones": [DRONE]}
    first["bus"] = {**first["bus"], "messages_in": 100, "messages_out": 50}
    text = rendered(first, None, 0.0)
    assert "messages/s" not in text
    assert "61.5 s" in text
    assert "\x1b" not in text
    second = {**first, "queues": [{**QUEUE, "waiting": 23}], "paused": ["some.thing"]}
    second["bus"] = {**first["bus"], "messages_in": 300, "messages_out": 50}
    text = rendered(second, first, 2.0)
    assert "100 messages/s in, 0 messages/s out, paused: some.thing" in text
    assert "+10" in text


def test_top_without_a_terminal_prints_once(client: FakeClient) -> None:
    client.state |= {"queues": [QUEUE], "drones": [DRONE]}
    assert "some.thing" in run("top").stdout
    assert json.loads(run("top", "--json").stdout) == client.state


def test_an_abbreviated_dead_letter_is_found_and_an_ambiguous_one_refused(client: FakeClient) -> None:
    client.letters = [FakeLetter(id="abc-1"), FakeLetter(id="abd-2"), FakeLetter(id="ab")]
    assert "abc-1" in run("dead", "show", "abc").stdout
    assert run("dead", "retry", "abd", "abc").stdout == "retried 2\n"
    assert run("dead", "retry", "ab").stdout == "retried 1\n"  # whole ids come first
    result = run("dead", "drop", "a")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "3 dead letters begin with a: abc-1, abd-2, ab" in result.stderr
    assert run("dead", "show", "").exit_code == 2
