"""What is to be done: a task and where it stands."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from swarmage.errors import ConfigError

MAX_TASK_CLASS = 200
MAX_KEY = 200
PRIORITIES = range(10)
DEFAULT_PRIORITY = 4
LONGEST_DELAY = 10 * 365 * 86400.0

_TASK_CLASS = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_checked: set[str] = set()  # names seen to be good: a drone reads the same few for ever
_MOST_CHECKED = 10_000


def check_task_class(name: object) -> str:
    """Return the name, if every bus can carry it as part of a destination.

    Raises:
        ConfigError: it is not words of letters, digits, ``_`` and ``-`` joined by dots.
    """
    if not isinstance(name, str) or len(name) > MAX_TASK_CLASS or not _TASK_CLASS.fullmatch(name):
        raise ConfigError(
            f"task class {name!r} must be words of letters, digits, _ and - joined by dots,"
            f" at most {MAX_TASK_CLASS} characters, such as text.census"
        )
    if len(_checked) < _MOST_CHECKED:
        _checked.add(name)
    return name


def check_key(task_class: str, key: object) -> str:
    """Return the key, if it is one, and the name of a task class that tasks of a key may have.

    Raises:
        ConfigError: it is no text of 1 to `MAX_KEY` characters, or the task class is one word.
    """
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY:
        shown = f"{len(key)} characters" if isinstance(key, str) else repr(key)[:100]
        raise ConfigError(f"the key of a task {task_class} must be a text of 1 to {MAX_KEY} characters, not {shown}")
    try:
        key.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"the key of a task {task_class} holds half characters: {key[:100]!r}") from None
    if "." not in task_class:
        raise ConfigError(
            f"a task of class {task_class!r} cannot have the key {key[:100]!r}: the tasks of a KeyedWorker are called"
            " after its kind and what it does, such as account.deposit"
        )
    return key


_ids: list[str] = []
os.register_at_fork(after_in_child=_ids.clear)  # or parent and child would hand out the same ones


def new_id() -> str:
    """Return a random UUID (RFC 9562, version 4) at a third of the cost of `uuid.uuid4`, which asks the system anew."""
    while True:
        try:
            return _ids.pop()
        except IndexError:
            digits = os.urandom(16 * 256).hex()
            _ids.extend(_uuid4(digits[start : start + 32]) for start in range(0, len(digits), 32))


def _uuid4(digits: str) -> str:
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"task_class": "class"}):
    """One thing to be done, by whoever has the ability. Its JSON is the body on the wire.

    Attributes:
        task_class: the name by which the task is routed.
        args: arguments by position.
        kwargs: arguments by name.
        id: the task's identity; the same over all attempts.
        delay: seconds before it may begin.
        priority: 0 to 9, higher first; 4 where nobody said otherwise.
        expires: seconds after the insert from which it is not begun any more but goes to the dead letters.
        attempt: 1 at first, one more with each retry.
        issued: when it was first inserted, seconds since the epoch; 0 until then.
        originator: the destination that wants replies, if anybody does.
        acknowledge: whether the originator wants to hear at once when a worker begins.
        key: which of the actors of a KeyedWorker performs it, None for a task that any worker may perform.
        parent: identity of the task that inserted this one.
        traceparent: W3C trace context, carried as it came.
        retries: how many more times it is tried after a failure, instead of what its ability says.
        backoff: seconds before the first retry, instead of what its ability says.
        deadline: from when on it is not begun any more, and stopped where it runs: seconds since the epoch. What it
            inserts and passes on has the same one, or an earlier one of its own.
        crashes: how often what performed it died of it.
        suspect: a drone was lost while it was there, so it is performed alone.
        losses: how often a drone may have been lost while it was there, on a bus that does not count deliveries.
        pickled: on the wire only, the arguments by cloudpickle where JSON cannot carry them.
    """

    task_class: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = {}
    id: str = msgspec.field(default_factory=new_id)
    delay: float = 0.0
    priority: int | None = None
    expires: float | None = None
    attempt: int = 1
    issued: float = 0.0
    originator: str | None = None
    acknowledge: bool = False
    key: str | None = None
    parent: str | None = None
    traceparent: str | None = None
    retries: int | None = None
    backoff: float | None = None
    deadline: float | None = None
    crashes: Annotated[int, msgspec.Meta(ge=0)] = 0
    suspect: bool = False
    losses: int = 0
    pickled: bytes | None = None

    def __post_init__(self) -> None:
        if self.task_class not in _checked:
            check_task_class(self.task_class)
        if type(self.args) not in (list, tuple) or self.kwargs or type(self.kwargs) is not dict:
            self._check_arguments()
        if not 0 <= self.delay <= LONGEST_DELAY:
            raise ConfigError(f"delay of task {self.task_class} must be between 0 seconds and ten years: {self.delay}")
        if self.priority is not None and self.priority not in PRIORITIES:
            raise ConfigError(f"priority of task {self.task_class} must be 0 to 9: {self.priority}")
        if self.expires is not None and not self.expires > 0:
            raise ConfigError(f"expires of task {self.task_class} must be more than 0 seconds: {self.expires}")
        if self.retries is not None or self.backoff is not None or self.deadline is not None:
            self._check_policy()
        if self.key is not None:
            check_key(self.task_class, self.key)
        if not self.id or len(self.id) > MAX_TASK_CLASS:
            raise ConfigError(f"id of task {self.task_class} must have 1 to {MAX_TASK_CLASS} characters")

    def _check_policy(self) -> None:
        retries, backoff, deadline = self.retries, self.backoff, self.deadline
        if retries is not None and (type(retries) is not int or retries < 0):
            raise ConfigError(f"retries of task {self.task_class} must be a whole number, 0 or more: {retries!r}")
        if backoff is not None and not 0 <= backoff <= LONGEST_DELAY / 2:
            raise ConfigError(f"backoff of task {self.task_class} must be between 0 seconds and five years: {backoff}")
        if deadline is not None and not 0 < deadline < math.inf:
            raise ConfigError(f"deadline of task {self.task_class} must be in seconds since the epoch: {deadline}")

    def _check_arguments(self) -> None:
        if isinstance(self.args, str | bytes) or not isinstance(self.args, Sequence):
            raise ConfigError(f"args of task {self.task_class} must be a list or tuple, not {type(self.args).__name__}")
        if not isinstance(self.kwargs, Mapping) or not all(isinstance(name, str) for name in self.kwargs):
            raise ConfigError(f"kwargs of task {self.task_class} must be a mapping of names to values")
