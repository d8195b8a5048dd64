"""The signing key is changed while everything runs, and no task is lost by it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from by_hand import ByHand, header_of, key_of, signature
from processes import DEADLINE, Home, Run, Start, eventually

from swarmage import Client

pytestmark = pytest.mark.acceptance

QUEUE = "/queue/swarmage.task.steps.touch"
NOBODYS = "/queue/swarmage.task.nobody.does"

Rotate = Callable[..., None]


@pytest.fixture
def rotate(run: Run) -> Rotate:
    """Do one step of a rotation."""

    def rotate(*step: str) -> None:
        result = run("keys", "rotate", *step)
        assert result.returncode == 0, result.stderr

    return rotate


def ids(run: Run) -> list[str]:
    found = json.loads(run("keys", "show", "--json").stdout)
    return [found["signing_key"], *found["accepted_keys"]]


def signs(client: Client, watcher: ByHand) -> str:
    """Return the id of the key with which a client signs."""
    client.insert("nobody.does", reply=False)
    head, _ = watcher.read()
    return header_of(head, "signature").split(".")[1]


def test_all_that_runs_goes_over_to_another_key_and_what_waits_is_performed(
    start: Start, run: Run, home: Home, client: Client, rotate: Rotate
) -> None:
    start("bus").wait_for_line("^ready")
    waiting = [client.insert("steps.add", number, 1) for number in range(50)]  # signed before the rotation
    with ByHand(home.url) as watcher:
        watcher.subscribe(NOBODYS)
        old = signs(client, watcher)
        rotate("add")
        [_, new] = ids(run)
        rotate("activate", new)
        drone = start("drone", "steps")
        drone.wait_for_line("^ready")
        assert [reply.result(timeout=DEADLINE) for reply in waiting] == list(range(1, 51))
        eventually(lambda: signs(client, watcher) == new)  # although nobody has told this process
        rotate("retire", old)
        drone.wait_for_line(f"has changed: the key {new} signs now, of {new}$")
        assert client.insert("steps.add", 1, 2).result(timeout=DEADLINE) == 3


def test_a_task_signed_with_a_retired_key_is_a_dead_letter_that_says_so_until_the_key_is_put_back(
    start: Start, run: Run, home: Home, rotate: Rotate, tmp_path: Path
) -> None:
    up = start("up", "steps")
    up.wait_for_line("^ready")
    old = key_of(home)
    [old_id] = ids(run)
    body = json.dumps({"class": "steps.touch", "id": "late", "args": [str(tmp_path / "done")]}).encode()
    rotate("add")
    [_, new_id] = ids(run)
    rotate("activate", new_id)
    rotate("retire", old_id)
    up.wait_for_line(f"has changed: the key {new_id} signs now, of {new_id}$")
    with ByHand(home.url) as late:
        late.send(QUEUE, body, signature(old, QUEUE, body))
    eventually(lambda: json.loads(run("dead", "list", "--json").stdout))
    [letter] = json.loads(run("dead", "list", "--json").stdout)
    assert letter["reason"] == "signature"
    assert f"v1.{old_id}" in letter["message"]
    assert f"v1.{new_id}: was that key retired" in letter["message"]
    assert not (tmp_path / "done").exists()
    with (home.folder / "key").open("a") as file:
        file.write(f"{old.hex()}\n")
    assert run("dead", "retry", "--all").stdout == "retried 1\n"
    eventually((tmp_path / "done").exists)


def test_a_drone_of_another_machine_knows_a_new_key_from_the_moment_its_file_has_it(
    start: Start, run: Run, home: Home, rotate: Rotate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start("bus").wait_for_line("^ready")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text((home.folder / "key").read_text())
    elsewhere.chmod(0o600)
    drone = start("drone", "steps", env={**home.environment, "SWARMAGE_KEY_FILE": str(elsewhere)})
    drone.wait_for_line("^ready")
    rotate("add")
    [old, new] = ids(run)
    rotate("activate", new)
    monkeypatch.setenv("SWARMAGE_HOME", str(home.folder))
    with Client(home.url) as client:  # it signs with the new key, and accepts the old one, which the drone signs with
        Path(shutil.copy(home.folder / "key", tmp_path / "copy")).replace(elsewhere)
        assert client.insert("steps.add", 1, 2).result(timeout=DEADLINE) == 3
    drone.wait_for_line(f"has changed: the key {new} signs now, of {new}, {old}$")
