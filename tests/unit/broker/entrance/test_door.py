from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from swarmage.broker.entrance import door as module
from swarmage.broker.entrance.door import (
    FIRST_DELAY,
    FORGIVEN_SECONDS,
    LONGEST_DELAY,
    MOST_HELD,
    MOST_PEERS,
    MOST_PENDING,
    Admitted,
    Door,
    Rejected,
)
from swarmage.broker.entrance.users import Hash, User, UserFile, users_as_text

from ..driver import ManualClock

RIGHTS = ("/queue/a",)


class Hashes:
    """Stands in for the slow hash: a test decides when it is done."""

    def __init__(self) -> None:
        self.held: list[tuple[Callable[[], bool], Callable[[bool], None]]] = []

    def __call__(self, work: Callable[[], bool], done: Callable[[bool], None]) -> None:
        self.held.append((work, done))

    def finish(self) -> None:
        work, done = self.held.pop(0)
        done(work())


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have hashes that cost nothing; what they hash is told by their salt."""
    monkeypatch.setattr(Hash, "fits", lambda self, passcode: self.salt == passcode)
    monkeypatch.setattr(module, "hash_passcode", lambda passcode: Hash(n=1, r=1, p=1, salt="nobody's", scrypt=""))


def write(path: Path, **passcodes: str) -> Path:
    users = {
        name: User(passcode=Hash(n=1, r=1, p=1, salt=passcode, scrypt=""), send=RIGHTS)
        for name, passcode in passcodes.items()
    }
    path.write_text(users_as_text(users))
    path.chmod(0o600)
    return path


class Asked:
    """A door, and who was told what."""

    def __init__(self, path: Path | None = None, **users: str) -> None:
        self.clock = ManualClock()
        self.hashes = Hashes()
        self.told: list[Admitted | Rejected] = []
        self.door = Door(users, self.clock, UserFile(path) if path else None, self.hashes)

    def ask(self, login: str, passcode: str, host: str = "192.0.2.1") -> None:
        self.door.ask(host, login, passcode, self.told.append)

    def verdict(self) -> Admitted | Rejected:
        return self.told.pop(0)

    def delay(self) -> float:
        verdict = self.verdict()
        assert isinstance(verdict, Rejected)
        return verdict.due - self.clock.now


def test_without_users_everybody_may_come_in() -> None:
    asked = Asked()
    asked.ask("anybody", "")
    assert asked.verdict() == Admitted(None)


def test_the_first_user_may_do_everything_and_is_checked_at_once() -> None:
    asked = Asked(ann="s3cret")
    asked.ask("ann", "s3cret")
    assert asked.verdict() == Admitted(None)
    assert asked.hashes.held == []


@pytest.mark.parametrize(("login", "passcode"), [("ann", "other"), ("bob", "s3cret"), ("ann", ""), ("", "s3cret")])
def test_anybody_else_is_told_later_and_counted(login: str, passcode: str) -> None:
    asked = Asked(ann="s3cret")
    asked.ask(login, passcode)
    assert asked.delay() == FIRST_DELAY
    assert asked.door.failures == 1


@pytest.mark.usefixtures("cheap")
def test_a_user_of_the_file_gets_its_rights_after_one_slow_check(tmp_path: Path) -> None:
    asked = Asked(write(tmp_path / "users.json", bob="word"), ann="s3cret")
    asked.ask("bob", "word")
    assert asked.told == []
    asked.hashes.finish()
    verdict = asked.verdict()
    assert isinstance(verdict, Admitted)
    assert verdict.rights is not None
    assert (verdict.rights.user, verdict.rights.send) == ("bob", RIGHTS)
    asked.ask("bob", "word")
    assert asked.verdict() == verdict
    assert asked.hashes.held == []


@pytest.mark.usefixtures("cheap")
def test_a_thousand_clients_with_one_passcode_cost_one_slow_check(tmp_path: Path) -> None:
    asked = Asked(write(tmp_path / "users.json", bob="word"))
    for number in range(1000):
        asked.ask("bob", "word", f"192.0.2.{number % 250}")
    assert len(asked.hashes.held) == 1
    asked.hashes.finish()
    assert [type(verdict) for verdict in asked.told] == [Admitted] * 1000


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("login", ["bob", "nobody", "ann"])
def test_a_wrong_passcode_costs_the_same_whether_the_login_exists_or_not(tmp_path: Path, login: str) -> None:
    asked = Asked(write(tmp_path / "users.json", bob="word"), ann="s3cret")
    asked.ask(login, "nobody's" if login == "nobody" else "guess")
    assert len(asked.hashes.held) == 1
    asked.clock.now += 0.3  # the time that the check takes is part of the delay
    asked.hashes.finish()
    assert asked.delay() == pytest.approx(FIRST_DELAY - 0.3)


@pytest.mark.usefixtures("cheap")
def test_no_more_checks_are_begun_than_there_is_room_for(tmp_path: Path) -> None:
    asked = Asked(write(tmp_path / "users.json", bob="word"))
    for number in range(MOST_PENDING + 1):
        asked.ask("bob", f"guess {number}", f"192.0.2.{number}")
    assert len(asked.hashes.held) == MOST_PENDING
    assert asked.delay() < 0
    assert asked.door.failures == 0


def test_each_failure_doubles_the_delay_of_its_address_alone() -> None:
    asked = Asked(ann="s3cret")
    for expected in (0.5, 1, 2, 4, LONGEST_DELAY, LONGEST_DELAY):
        asked.ask("ann", "guess")
        assert asked.delay() == expected
    asked.ask("ann", "guess", "192.0.2.2")
    assert asked.delay() == FIRST_DELAY
    asked.ask("ann", "s3cret")
    assert asked.verdict() == Admitted(None)


def test_one_network_of_ipv6_is_one_address() -> None:
    asked = Asked(ann="s3cret")
    for expected, host in ((0.5, "2001:db8::1"), (1.0, "2001:db8::2:3"), (0.5, "2001:db8:0:1::1"), (0.5, "::1")):
        asked.ask("ann", "guess", host)
        assert asked.delay() == expected


def test_a_quiet_address_is_forgiven() -> None:
    asked = Asked(ann="s3cret")
    asked.ask("ann", "guess")
    asked.clock.now += FORGIVEN_SECONDS + FIRST_DELAY + 1
    asked.told.clear()
    asked.ask("ann", "guess")
    assert asked.delay() == FIRST_DELAY


def test_an_address_with_many_held_answers_is_turned_away_but_for_who_is_known() -> None:
    asked = Asked(ann="s3cret")
    for _ in range(MOST_HELD):
        asked.ask("ann", "guess")
    asked.told.clear()
    asked.ask("ann", "guess")
    turned_away = asked.verdict()
    assert isinstance(turned_away, Rejected)
    assert "wrong passcodes" in turned_away.reason
    assert turned_away.due == 0.0
    assert asked.door.failures == MOST_HELD + 1
    asked.ask("ann", "s3cret")
    assert asked.verdict() == Admitted(None)
    asked.clock.now += LONGEST_DELAY
    asked.ask("ann", "guess")
    assert asked.delay() == LONGEST_DELAY


def test_only_so_many_addresses_are_remembered() -> None:
    asked = Asked(ann="s3cret")
    for number in range(MOST_PEERS + 50):
        asked.ask("ann", "guess", f"10.0.{number // 250}.{number % 250}")
    assert len(asked.door._peers) == MOST_PEERS


@pytest.mark.usefixtures("cheap")
def test_a_changed_file_counts_from_the_next_login_on(tmp_path: Path) -> None:
    path = write(tmp_path / "users.json", bob="word")
    asked = Asked(path)
    asked.ask("bob", "word")
    asked.hashes.finish()
    write(path, bob="another word")
    for passcode in ("word", "another word"):
        asked.ask("bob", passcode)
        asked.hashes.finish()
    assert [type(verdict) for verdict in asked.told] == [Admitted, Rejected, Admitted]
    path.unlink()
    asked.ask("bob", "another word")
    assert isinstance(asked.told[-1], Rejected)


@pytest.mark.usefixtures("cheap")
def test_a_user_removed_during_the_check_stays_out(tmp_path: Path) -> None:
    path = write(tmp_path / "users.json", bob="word", eve="e")
    asked = Asked(path)
    asked.ask("bob", "word")
    write(path, eve="e")
    asked.ask("eve", "no")  # has the file read again
    asked.hashes.finish()
    assert isinstance(asked.verdict(), Rejected)


@pytest.mark.usefixtures("cheap")
def test_a_user_of_the_file_with_the_first_ones_name_changes_nothing_for_it(tmp_path: Path) -> None:
    asked = Asked(write(tmp_path / "users.json", ann="word"), ann="s3cret")
    asked.ask("ann", "word")
    asked.hashes.finish()
    asked.ask("ann", "s3cret")
    (limited, full) = asked.told
    assert isinstance(limited, Admitted)
    assert limited.rights is not None
    assert full == Admitted(None)


def test_no_passcode_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asked = Asked(ann="s3cret")
    asked.ask("ann\x1b[31m", "guessed-passcode")
    assert "login refused" in caplog.text
    assert "guessed-passcode" not in caplog.text
    assert "\x1b" not in caplog.text
