from __future__ import annotations

from typing import Any

import pytest

from swarmage.cli.redact import redacted


@pytest.mark.parametrize(
    "name", ["password", "db_password", "PASSCODE", "access-token", "token2", "client.secret", "api_key", "apikey"]
)
def test_what_has_a_secret_name_is_not_shown(name: str) -> None:
    assert redacted({name: "hunter2"}) == {name: "***"}
    assert redacted({"a": [1, {"b": ({name: ["hunter2"]},)}]}) == {"a": [1, {"b": [{name: "***"}]}]}


@pytest.mark.parametrize("name", ["max_tokens", "secretary", "key", "passed", "api", 5])
def test_other_names_are(name: Any) -> None:
    assert redacted({name: "seen"}) == {name: "seen"}


@pytest.mark.parametrize("value", [None, "password", 1.5, [1, "a"], {}, {"a": None}])
def test_what_has_no_secret_stays_as_it_is(value: Any) -> None:
    assert redacted(value) == value


def test_what_is_shown_is_a_copy() -> None:
    kwargs = {"password": "hunter2"}
    redacted(kwargs)
    assert kwargs == {"password": "hunter2"}
