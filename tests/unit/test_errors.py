from __future__ import annotations

import pickle

import pytest

from swarmage import errors
from swarmage.errors import ConfigError, RemoteError, Retry, SwarmageError, TaskFailed, TaskTimeout, Verdict

ALL = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, SwarmageError) and value is not SwarmageError
]


def made(kind: type[SwarmageError]) -> SwarmageError:
    return kind(reason="boo") if issubclass(kind, Verdict) else kind("boo")


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_one_except_clause_catches_everything_swarmage_raises(kind: type[SwarmageError]) -> None:
    error = kind("ValueError", "boo") if issubclass(kind, RemoteError) else made(kind)
    with pytest.raises(SwarmageError, match="boo"):
        raise error


@pytest.mark.parametrize("name", ["InsertTimeout", "ReplyTimeout", "TaskTimeout"])
def test_a_missed_deadline_is_a_timeout_error_of_the_language_too(name: str) -> None:
    assert issubclass(getattr(errors, name), TimeoutError)


def test_a_failed_task_carries_its_error_and_remote_traceback() -> None:
    error = TaskFailed("ValueError", "no such colour", 'File "paint.py", line 3\nValueError: no such colour\n')
    assert (error.kind, error.message) == ("ValueError", "no such colour")
    assert str(error).startswith("ValueError: no such colour\n\nRemote traceback:\nFile")
    assert "paint.py" in error.traceback


def test_a_failure_without_traceback_is_one_line() -> None:
    assert str(TaskFailed("Expired", "too late")) == "Expired: too late"


def test_a_task_timeout_says_what_it_is_when_raised_as_a_bare_class() -> None:
    assert "timeout of its ability" in str(TaskTimeout())


@pytest.mark.parametrize(
    "kind", [kind for kind in ALL if not issubclass(kind, RemoteError)], ids=lambda kind: kind.__name__
)
def test_errors_can_cross_processes(kind: type[SwarmageError]) -> None:
    again = pickle.loads(pickle.dumps(made(kind)))
    assert (type(again), str(again)) == (kind, "boo")


def test_a_failed_task_can_cross_processes_with_all_it_carries() -> None:
    again = pickle.loads(pickle.dumps(TaskFailed("ValueError", "boo", "line 3")))
    assert (again.kind, again.message, again.traceback) == ("ValueError", "boo", "line 3")


def test_a_retry_can_cross_processes_with_its_delay() -> None:
    again = pickle.loads(pickle.dumps(Retry(2.5, "busy")))
    assert (again.delay, again.reason) == (2.5, "busy")


@pytest.mark.parametrize("delay", [-1.0, float("nan"), float("inf")])
def test_a_retry_with_a_delay_that_makes_no_sense_is_refused(delay: float) -> None:
    with pytest.raises(ConfigError, match="delay of a Retry"):
        Retry(delay)
