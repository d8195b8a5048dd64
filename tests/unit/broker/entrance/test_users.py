from __future__ import annotations

from pathlib import Path

import pytest

from swarmage.broker.entrance.users import Hash, User, UserFile, hash_passcode, read_users, users_as_text
from swarmage.errors import ConfigError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users.json"


def write(path: Path, text: str, mode: int = 0o600) -> None:
    path.write_text(text)
    path.chmod(mode)


def test_a_hash_recognises_its_passcode_and_no_other() -> None:
    found = hash_passcode("wörd")
    assert found.fits("wörd")
    assert not found.fits("word")
    assert "wörd" not in repr(found)


def test_the_same_passcode_has_another_hash_each_time() -> None:
    assert hash_passcode("word").scrypt != hash_passcode("word").scrypt


def test_users_survive_their_file(path: Path) -> None:
    users = {"ann": User(passcode=Hash(n=4, r=1, p=1, salt="00", scrypt="11"), send=("/queue/a",), subscribe=())}
    write(path, users_as_text(users))
    assert read_users(path) == users


def test_parameters_stand_beside_the_hash_and_count() -> None:
    strong = hash_passcode("word")
    assert (strong.n, strong.r, strong.p) == (16384, 8, 1)
    weaker = Hash(n=8, r=8, p=1, salt=strong.salt, scrypt=strong.scrypt)
    assert not weaker.fits("word")


@pytest.mark.parametrize(("n", "salt"), [(3, "00"), (4, "no hex"), (1 << 20, "00")])
def test_a_hash_that_cannot_be_computed_fits_nothing(n: int, salt: str) -> None:
    assert not Hash(n=n, r=1 << 10, p=1, salt=salt, scrypt="").fits("word")


def test_no_file_is_no_users(path: Path) -> None:
    assert read_users(path) == {}


def test_a_file_that_others_can_read_is_refused(path: Path) -> None:
    write(path, "{}", 0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_users(path)


@pytest.mark.parametrize("text", ["", "[]", '{"ann": {}}', '{"ann": "word"}'])
def test_a_file_that_is_none_is_named(path: Path, text: str) -> None:
    write(path, text)
    with pytest.raises(ConfigError, match=str(path)):
        read_users(path)


def test_a_file_that_breaks_while_the_bus_runs_changes_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(path, users_as_text({"ann": User(passcode=hash_passcode("word"))}))
    file = UserFile(path)
    assert not file.refresh()
    write(path, "{")
    assert not file.refresh()
    assert list(file.users) == ["ann"]
    assert str(path) in caplog.text
    write(path, "{}")
    assert file.refresh()
    assert file.users == {}
