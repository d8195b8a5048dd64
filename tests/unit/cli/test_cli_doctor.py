from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarmage.cli import doctor as module
from swarmage.client.doctor.check import Check
from swarmage.errors import BusUnreachable
from swarmage.settings import Address

from .fake_client import run

OK = Check("connect", "ok", "let in", "")
BAD = Check("delay", "error", "it came \x1b[31m at once", 'schedulerSupport="true"')
UNSEEN = Check("clock", "unknown", "the bus does not tell", "look there")
URL = "stomp://ann:s3cret@here"


def finding(monkeypatch: pytest.MonkeyPatch, *checks: Check) -> list[Address]:
    asked: list[Address] = []

    def examine(address: Address) -> Iterator[Check]:
        asked.append(address)
        yield from checks

    monkeypatch.setattr(module, "examine", examine)
    return asked


def test_each_check_is_a_line_with_what_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    finding(monkeypatch, OK, UNSEEN, BAD)
    result = run("doctor", URL)
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines() if line]
    assert lines == [
        ["ok", "connect           let in"],
        ["unknown", "clock             the bus does not tell"],
        ["change:", "look there"],
        ["error", "delay             it came \\x1b[31m at once"],
        ["change:", 'schedulerSupport="true"'],
        ["1", "ok, 1 unknown, 1 error"],
    ]


def test_an_error_is_an_exit_code_and_a_warning_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    finding(monkeypatch, OK, BAD)
    assert run("doctor", URL).exit_code == run("doctor", URL, "--json").exit_code == 1
    finding(monkeypatch, OK, UNSEEN, BAD._replace(state="warning"))
    assert run("doctor", URL).exit_code == 0


def test_json_has_the_bus_without_passcode_and_all_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    finding(monkeypatch, OK, UNSEEN)
    result = run("doctor", URL, "--json")
    assert json.loads(result.stdout) == {
        "bus": "stomp://ann:***@here:61613",
        "checks": [
            {"name": "connect", "state": "ok", "seen": "let in", "advice": ""},
            {"name": "clock", "state": "unknown", "seen": "the bus does not tell", "advice": "look there"},
        ],
    }
    assert "s3cret" not in result.output


def test_the_bus_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = finding(monkeypatch, OK)
    monkeypatch.setenv("SWARMAGE_URL", "stomp://there")
    assert run("doctor").exit_code == 0
    assert asked[0].host == "there"


def test_no_bus_and_a_wrong_url_have_exit_codes_of_their_own(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    def examine(_: Address) -> Iterator[Check]:
        raise BusUnreachable("nobody there")
        yield

    monkeypatch.setattr(module, "examine", examine)
    assert run("doctor", URL).exit_code == 3
    result = run("doctor", "http://here")
    assert result.exit_code == 2
    assert "not with stomp" in result.stderr
    assert run("doctor", URL, URL).exit_code == 2
