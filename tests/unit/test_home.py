from __future__ import annotations

import stat
from pathlib import Path

import pytest

from swarmage.errors import ConfigError
from swarmage.home import (
    find_home,
    follow_address,
    record_address,
    resolve_address,
    resolve_addresses,
    write_secret,
)
from swarmage.settings import Address


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SWARMAGE_HOME", "SWARMAGE_URL", "SWARMAGE_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_nearest_folder_upwards_is_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".swarmage").mkdir()
    (tmp_path / "a" / ".swarmage").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b" / "c")
    assert find_home() == tmp_path / "a" / ".swarmage"


def test_a_file_of_that_name_is_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".swarmage").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".swarmage").write_text("not a folder")
    monkeypatch.chdir(tmp_path / "a")
    assert find_home() == tmp_path / ".swarmage"


def test_without_a_folder_nothing_is_made_unless_asked_for(tmp_path: Path) -> None:
    assert find_home() is None
    assert list(tmp_path.iterdir()) == []
    assert find_home(create=True) == tmp_path / ".swarmage"
    assert mode_of(tmp_path / ".swarmage") == 0o700


def test_the_environment_names_the_home_before_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".swarmage").mkdir()
    monkeypatch.setenv("SWARMAGE_HOME", str(tmp_path / "deep" / "er"))
    assert find_home() == tmp_path / "deep" / "er"
    assert mode_of(tmp_path / "deep" / "er") == 0o700


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SWARMAGE_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(ConfigError, match="file/home"):
        find_home()


def test_an_address_is_looked_for_in_three_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="SWARMAGE_URL"):
        resolve_address()
    (tmp_path / ".swarmage").mkdir()
    with pytest.raises(ConfigError, match="swarmage up"):
        resolve_address()
    recorded = Address(port=1, login="ann", passcode="s3cret")
    record_address(tmp_path / ".swarmage", recorded)
    assert resolve_address() == recorded
    monkeypatch.setenv("SWARMAGE_URL", "stomp://bus:2")
    assert resolve_address().port == 2
    assert resolve_address("stomp://bus:3").port == 3


def test_several_addresses_are_found_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".swarmage").mkdir()
    record_address(tmp_path / ".swarmage", Address(port=1))
    assert [address.port for address in resolve_addresses()] == [1]
    assert [address.port for address in resolve_addresses("")] == [1]
    monkeypatch.setenv("SWARMAGE_URL", " stomp://ann:p%20w@bus:2/v \t stomps://bus:3 ")
    assert [(address.port, address.tls, address.source) for address in resolve_addresses()] == [
        (2, False, "SWARMAGE_URL"),
        (3, True, "SWARMAGE_URL"),
    ]
    assert [address.port for address in resolve_addresses(["stomp://bus:4", "stomp://bus:5,other:6"])] == [4, 5]
    with pytest.raises(ConfigError, match="names 2 buses"):
        resolve_address()


@pytest.mark.parametrize(
    ("urls", "says"),
    [([], "empty"), (["stomp://a", "http://b"], "http"), ("stomp://a stomp://a:61613", "named twice")],
)
def test_a_list_of_buses_that_makes_no_sense_is_refused(urls: list[str] | str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        resolve_addresses(urls)


def test_the_recorded_address_is_for_its_owner_only(tmp_path: Path) -> None:
    record_address(tmp_path, Address(login="ann", passcode="s3cret"))
    assert mode_of(tmp_path / "url") == 0o600


def test_a_secret_replaces_the_old_one_whole_or_stays_out(tmp_path: Path) -> None:
    write_secret(tmp_path / "x", "old")
    (tmp_path / "x").chmod(0o644)
    write_secret(tmp_path / "x", "lost", replace=False)
    assert (tmp_path / "x").read_text() == "old"
    write_secret(tmp_path / "x", "new")
    assert ((tmp_path / "x").read_text(), mode_of(tmp_path / "x")) == ("new", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_secret_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere/x cannot be written"):
        write_secret(tmp_path / "nowhere" / "x", "text")


def test_the_address_of_a_folder_is_looked_up_again_and_says_where_it_is_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SWARMAGE_URL", raising=False)
    monkeypatch.setenv("SWARMAGE_HOME", str(tmp_path))
    record_address(tmp_path, Address(port=1111))
    address = resolve_address()
    assert address.source == str(tmp_path / "url")
    follow = follow_address(address)
    record_address(tmp_path, Address(port=2222))
    assert follow().port == 2222
    (tmp_path / "url").unlink()
    assert follow() == address
    assert follow_address(Address(port=3333))().port == 3333
