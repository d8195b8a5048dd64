"""From an ability and its arguments to a task."""

from __future__ import annotations

from typing import Any

import pytest

from swarmage.abilities import Ability
from swarmage.errors import ConfigError
from swarmage.inserting import class_of, task_of


def test_a_name_and_an_ability_make_the_same_task() -> None:
    one = Ability(len, "text.count", bound=False)
    for asked in (one, "text.count"):
        task = task_of(asked, ("a",), {"b": 1})
        assert (task.task_class, task.args, task.kwargs, task.key) == ("text.count", ("a",), {"b": 1}, None)
    assert class_of(one) == class_of("text.count") == "text.count"


def test_an_ability_of_a_key_makes_a_task_of_that_key() -> None:
    one = Ability(len, "text.count", bound=False)
    one.keyed, one.key = True, "a"
    assert task_of(one, (), {}).key == "a"
    one.key = None
    with pytest.raises(ConfigError, match="len is an ability of a KeyedWorker: its tasks are for one key each"):
        task_of(one, (), {})


@pytest.mark.parametrize("wrong", [None, 7, len])
def test_anything_else_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="insert takes an ability or the name of a task class, not"):
        task_of(wrong, (), {})
