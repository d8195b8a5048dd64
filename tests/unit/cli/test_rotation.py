from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from swarmage.keyring import key_id, load_ring

from ..fakes import KEY, OTHER_KEY
from .fake_client import run

OLD = key_id(KEY)


def add() -> str:
    """Add a key, and return its id."""
    found = re.match(r"added (\w{8}), which is accepted", run("keys", "rotate", "add").stdout)
    assert found
    return found[1]


def held() -> list[str]:
    shown = json.loads(run("keys", "show", "--json").stdout)
    return [shown["signing_key"], *shown["accepted_keys"]]


@pytest.mark.usefixtures("home")
def test_a_key_is_changed_in_three_steps() -> None:
    assert held() == [OLD]
    new = add()
    assert held() == [OLD, new]
    assert run("keys", "rotate", "activate", new).exit_code == 0
    assert held() == [new, OLD]
    assert run("keys", "rotate", "retire", OLD).exit_code == 0
    assert held() == [new]


def test_each_step_says_what_to_do_next_and_shows_no_key(home: Path) -> None:
    said = run("keys", "rotate", "add").stdout
    new = load_ring().ids[1]
    assert f"next: copy {home}/key to all other machines" in said
    assert said.endswith(f"then: swarmage keys rotate activate {new}\n")
    said += run("keys", "rotate", "activate", new).stdout
    assert said.endswith(f": swarmage keys rotate retire {OLD}\n")
    assert f"accepted:     id {OLD}" in run("keys", "show").stdout
    keys = load_ring().keys
    said += run("keys", "rotate", "retire", OLD).stdout
    assert not [key for key in keys if key.hex() in said]


def test_the_file_stays_with_its_owner_alone(home: Path) -> None:
    add()
    assert stat.S_IMODE((home / "key").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["key"]


@pytest.mark.usefixtures("home")
def test_a_second_rotation_waits_for_the_end_of_the_first() -> None:
    new = add()
    again = run("keys", "rotate", "add")
    assert again.exit_code == 2
    assert "swarmage keys rotate activate" in again.stderr
    assert held() == [OLD, new]


@pytest.mark.usefixtures("home")
def test_activating_twice_does_no_harm() -> None:
    new = add()
    run("keys", "rotate", "activate", new)
    assert run("keys", "rotate", "activate", new).stdout == f"{new} signs already\n"
    assert held() == [new, OLD]


@pytest.mark.usefixtures("home")
def test_the_key_that_signs_is_not_retired() -> None:
    new = add()
    refused = run("keys", "rotate", "retire", OLD)
    assert refused.exit_code == 2
    assert "activate another one first" in refused.stderr
    assert held() == [OLD, new]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("step", ["activate", "retire"])
def test_a_key_that_is_not_there_is_named(step: str) -> None:
    refused = run("keys", "rotate", step, key_id(OTHER_KEY))
    assert refused.exit_code == 2
    assert f"no key with the id '{key_id(OTHER_KEY)}'; it has {OLD}" in refused.stderr


def test_the_file_that_is_named_is_the_one_that_changes(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = tmp_path / "swarm.key"
    named.write_text(OTHER_KEY.hex())
    named.chmod(0o600)
    monkeypatch.setenv("SWARMAGE_KEY_FILE", str(named))
    add()
    assert named.read_text().startswith(OTHER_KEY.hex())
    assert len(named.read_text().split()) == 2
    assert (home / "key").read_text() == KEY.hex()


@pytest.mark.parametrize("command", ["rotate", "rotate add", "rotate activate", "rotate retire"])
def test_every_step_shows_an_example(command: str) -> None:
    assert "Example:\n" in run("keys", *command.split(), "--help").stdout
