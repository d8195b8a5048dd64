from __future__ import annotations

import logging
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from queue import SimpleQueue

import pytest

from swarmage.errors import ConfigError
from swarmage.home import write_secret
from swarmage.keyring import KeyRing, key_id, load_ring

from .fakes import KEY, OTHER_KEY, SECONDS

THIRD_KEY = bytes(range(100, 132))
KEYS = (KEY, OTHER_KEY, THIRD_KEY)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SWARMAGE_HOME", "SWARMAGE_URL", "SWARMAGE_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key file, with one key."""
    path = tmp_path / "swarm.key"
    write_keys(path, KEY)
    monkeypatch.setenv("SWARMAGE_KEY_FILE", str(path))
    return path


def write_keys(path: Path, *keys: bytes) -> None:
    write_secret(path, "".join(f"{key.hex()}\n" for key in keys))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    ring = load_ring(create=True)
    assert [len(key) for key in ring.keys] == [32]
    assert load_ring().keys == ring.keys
    assert mode_of(tmp_path / ".swarmage" / "key") == 0o600
    assert [path.name for path in (tmp_path / ".swarmage").iterdir()] == ["key"]


def test_two_homes_have_two_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = load_ring(create=True)
    monkeypatch.setenv("SWARMAGE_HOME", str(tmp_path / "other"))
    assert load_ring().keys != ring.keys


def test_a_client_far_from_any_home_is_told_and_litters_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SWARMAGE_KEY_FILE"):
        load_ring()
    assert list(tmp_path.iterdir()) == []


def test_a_named_key_file_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_ring(create=True)
    write_secret(tmp_path / "swarm.key", KEY.hex() + "\n")
    monkeypatch.setenv("SWARMAGE_KEY_FILE", str(tmp_path / "swarm.key"))
    assert load_ring().keys == (KEY,)


def test_a_named_key_file_that_is_missing_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMAGE_KEY_FILE", str(tmp_path / "missing"))
    with pytest.raises(ConfigError, match="missing cannot be read"):
        load_ring(create=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "00" * 31, "00" * 33, "ü" * 64])
def test_a_damaged_key_is_refused_and_never_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / ".swarmage").mkdir()
    write_secret(tmp_path / ".swarmage" / "key", text)
    with pytest.raises(ConfigError, match="32 bytes") as caught:
        load_ring(create=True)
    assert not text or text not in str(caught.value)
    assert (tmp_path / ".swarmage" / "key").read_text() == text


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o666])
def test_a_key_that_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    load_ring(create=True)
    (tmp_path / ".swarmage" / "key").chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_ring()


@pytest.mark.parametrize(("owner", "mode", "taken"), [
    (0, 0o400, True), (0, 0o440, True), (0, 0o640, True), (0, 0o444, False), (0, 0o460, False), (0, 0o660, False),
    (1, 0o400, True), (1, 0o440, False), (1, 0o640, False),
])  # fmt: skip
def test_the_group_may_read_a_named_key_file_only_if_root_has_put_it_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, mode: int, taken: bool
) -> None:
    path = tmp_path / "swarm.key"
    write_secret(path, KEY.hex() + "\n")
    path.chmod(mode)
    monkeypatch.setenv("SWARMAGE_KEY_FILE", str(path))
    real = Path.stat

    def stat_of_owner(self: Path, **options: bool) -> os.stat_result:
        found = list(real(self, **options))
        found[stat.ST_UID] = owner if self == path else found[stat.ST_UID]
        return os.stat_result(found)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", stat_of_owner)
        if taken:
            assert load_ring().keys == (KEY,)
        else:
            with pytest.raises(ConfigError, match=f"mode {mode:o}.; run: chmod 600"):
                load_ring()


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    (tmp_path / ".swarmage").mkdir()
    start, keys = threading.Barrier(16), SimpleQueue[tuple[bytes, ...]]()

    def load() -> None:
        start.wait(SECONDS)
        keys.put(load_ring().keys)

    threads = [threading.Thread(target=load) for _ in range(16)]
    for thread in threads:
        thread.start()
    assert len({keys.get(timeout=SECONDS) for _ in threads}) == 1
    for thread in threads:
        thread.join(SECONDS)
    assert [path.name for path in (tmp_path / ".swarmage").iterdir()] == ["key"]


def test_a_file_of_several_lines_is_a_ring_whose_first_key_signs(path: Path) -> None:
    write_keys(path, *KEYS)
    assert load_ring().keys == KEYS
    assert load_ring().ids == [key_id(key) for key in KEYS]


def test_empty_lines_spaces_and_a_key_that_comes_twice_do_not_matter(path: Path) -> None:
    write_secret(path, f"\n  {KEY.hex().upper()}\r\n\n{OTHER_KEY.hex()}\n{KEY.hex()}\n")
    assert load_ring().keys == (KEY, OTHER_KEY)


def test_one_key_that_is_broken_into_lines_is_still_one(path: Path) -> None:
    write_secret(path, f"{KEY.hex()[:60]}\n{KEY.hex()[60:]}\n")  # as xxd -p writes it
    assert load_ring().keys == (KEY,)


@pytest.mark.parametrize("second", ["00" * 31, "00" * 33, "# the old one", "00" * 64])
def test_a_ring_with_a_line_that_is_no_key_is_refused_whole(path: Path, second: str) -> None:
    write_secret(path, f"{KEY.hex()}\n{second}\n")
    with pytest.raises(ConfigError, match="32 bytes") as caught:
        load_ring()
    assert KEY.hex() not in str(caught.value)


def test_a_look_takes_what_has_come_into_the_file(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ring = load_ring()
    assert ring.look() is ring.look() is ring.keys
    write_keys(path, OTHER_KEY, KEY)
    with caplog.at_level(logging.INFO):
        assert ring.look() == (OTHER_KEY, KEY)
    assert f"{key_id(OTHER_KEY)} signs now" in caplog.text
    assert not [key for key in KEYS if key.hex() in caplog.text]


def test_a_file_that_has_not_changed_is_not_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = load_ring()
    reads: list[Path] = []
    monkeypatch.setattr(Path, "read_text", lambda self, **_: reads.append(self) or KEY.hex())
    for _ in range(3):
        ring.look()
    assert reads == []
    path.touch()
    ring.look()
    assert reads == [path]


@pytest.mark.parametrize("text", ["", "half a copy", None])
def test_a_file_that_is_no_good_for_a_while_changes_nothing_and_is_told_once(
    path: Path, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    ring = load_ring()
    if text is None:
        path.unlink()
    else:
        write_secret(path, text)
    for _ in range(3):
        assert ring.look() == (KEY,)
    assert len(caplog.records) == 1
    assert str(path) in caplog.text
    write_keys(path, OTHER_KEY)
    assert ring.look() == (OTHER_KEY,)


def test_a_file_that_others_may_read_by_now_is_not_taken(path: Path) -> None:
    ring = load_ring()
    write_keys(path, OTHER_KEY)
    path.chmod(0o644)
    assert ring.look() == (KEY,)


def test_a_ring_of_no_file_stays_as_it_is() -> None:
    ring = KeyRing(KEYS)
    assert ring.look() is ring.keys == KEYS


def test_other_keys_are_written_for_the_owner_alone_and_a_link_stays_one(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.key"
    link.symlink_to(path)
    ring = KeyRing((), link)
    ring.read()
    ring.write(KEYS)
    assert link.is_symlink()
    assert mode_of(path) == 0o600
    assert load_ring().keys == ring.keys == KEYS


def test_a_key_file_that_its_group_may_read_is_changed_where_it_came_from(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = load_ring()
    path.chmod(0o640)
    with pytest.raises(ConfigError, match=r"not yours alone \(mode 640\)"):
        ring.write(KEYS)
    path.chmod(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(ConfigError, match="not yours alone"):
        ring.write(KEYS)
    assert path.read_text() == KEY.hex() + "\n"


KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from swarmage.keyring import load_ring

calls = 0

def dies(real):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call

ring = load_ring()
for name in ("open", "fsync", "close"):
    setattr(os, name, dies(getattr(os, name)))
Path.replace = dies(Path.replace)
ring.write([bytes(32), *ring.keys])
print(calls)
"""


@pytest.mark.parametrize("step", range(1, 7))
def test_who_is_killed_while_it_writes_leaves_the_one_ring_or_the_other(path: Path, step: int) -> None:
    """Steps: make the draft, sync it, put it in place, open the folder, sync that, close it."""
    argv = [sys.executable, "-c", KILLED_WHILE_WRITING, str(step)]
    killed = subprocess.run(argv, capture_output=True, timeout=30, check=False)
    assert killed.returncode == -signal.SIGKILL, killed
    assert load_ring().keys == ((KEY,) if step <= 3 else (OTHER_KEY, KEY))
    assert {mode_of(each) for each in path.parent.iterdir()} == {0o600}
