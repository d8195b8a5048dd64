"""What a Worker is able to perform: functions bound to the name of a task class."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from swarmage.annotations import resolved
from swarmage.errors import AbilityError, ConfigError
from swarmage.retry import Errors, RetryPolicy
from swarmage.task import check_task_class

if TYPE_CHECKING:
    from swarmage.keyed import KeyedAbility, KeyedWorker

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M")
W = TypeVar("W")

DEFAULT_POLICY = RetryPolicy()
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Ability(Generic[P, R]):
    """A method of a Worker together with the task class it performs.

    Read from the class it is the ability itself, which is what `Client.insert` takes; read from an instance it is the
    plain bound method.

    Attributes:
        task_class: the name by which its tasks are routed.
        function: what performs them.
        timeout: seconds one attempt may take, or None for no limit.
        hard_timeout: seconds after which what performs an attempt is ended with it, or None for never.
        policy: when a failed task is tried again.
        bound: whether the function takes the Worker as its first parameter.
        awaited: whether it is a coroutine function or an async generator, which an AsyncWorker performs.
        keyed: whether it is one of a KeyedWorker, whose tasks are each for one key.
        key: that key, once it is known.
    """

    keyed: bool = False
    key: str | None = None

    def __init__(
        self,
        function: Callable[..., Any],
        task_class: str,
        *,
        timeout: float | None = None,
        hard_timeout: float | None = None,
        policy: RetryPolicy | None = None,
        bound: bool = True,
    ) -> None:
        name = getattr(function, "__qualname__", repr(function))
        try:
            self.task_class = check_task_class(task_class)
        except ConfigError as error:
            raise AbilityError(f"ability {name}: {error}") from None
        if not callable(function):
            raise AbilityError(f"ability {task_class}: {function!r} cannot be called")
        _check_limits(f"ability {task_class} ({name})", timeout, hard_timeout)
        self.function = function
        self.awaited = is_async(function)
        self.timeout = timeout
        self.hard_timeout = hard_timeout
        self.policy = policy or DEFAULT_POLICY
        self.bound = bound
        self._signature: inspect.Signature | None = None
        self._hints: Mapping[str, Any] = {}

    @overload
    def __get__(self, instance: None, owner: type[KeyedWorker]) -> KeyedAbility[P, R]: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Ability[P, R]: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Callable[P, R]: ...
    def __get__(self, instance: object | None, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return self.function.__get__(instance, owner) if self.bound else self.function

    def __repr__(self) -> str:
        return f"<ability {self.task_class}>"

    @property
    def signature(self) -> inspect.Signature:
        """The parameters a task must fit, without ``self``."""
        if self._signature is None:
            self._read_annotations()
            assert self._signature is not None
        return self._signature

    @property
    def hints(self) -> Mapping[str, Any]:
        """The annotated types by parameter, and the returned one as ``return``; what cannot be resolved is left out.

        Resolved on first use and not when the class is defined, because an annotation may name a class defined below.
        """
        if self._signature is None:
            self._read_annotations()
        return self._hints

    def _read_annotations(self) -> None:
        try:
            signature = inspect.signature(self.function)
        except (TypeError, ValueError):  # some builtins have none: they take what comes
            catch_all = [inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)]
            catch_all.append(inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD))
            signature = inspect.Signature(catch_all)
        else:
            parameters = list(signature.parameters.values())
            if self.bound and parameters and parameters[0].kind in _BY_POSITION:
                signature = signature.replace(parameters=parameters[1:])
        self._hints = resolved(self.function)
        self._signature = signature


def _check_limits(what: str, timeout: float | None, hard_timeout: float | None) -> None:
    for field, seconds in (("timeout", timeout), ("hard_timeout", hard_timeout)):
        if seconds is not None and not (isinstance(seconds, int | float) and seconds > 0):
            raise AbilityError(f"{what}: {field} must be more than 0 seconds, not {seconds!r}")
    if hard_timeout is not None and timeout is not None and hard_timeout < timeout:
        raise AbilityError(f"{what}: hard_timeout must be no less than timeout: {hard_timeout:g} < {timeout:g}")


def is_async(function: Callable[..., Any]) -> bool:
    """Say whether a function is a coroutine function or an async generator."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


class AsyncAbility(Ability[P, R], Generic[P, R, M]):
    """An ability that is a coroutine function or an async generator: its reply is what is awaited, or None.

    It differs for type checkers alone: read from an instance it is the method as it was written.
    """

    @overload  # type: ignore[override]  # a call of the method is awaited, an insert of the ability has the result
    def __get__(self, instance: None, owner: type | None = None) -> AsyncAbility[P, R, M]: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Callable[P, M]: ...
    def __get__(self, instance: object | None, owner: type | None = None) -> Any:
        return super().__get__(instance, owner)


class Declaration(Protocol):
    """What `ability` returns: it makes an ability of a method."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[W, P], Coroutine[Any, Any, R]], /
    ) -> AsyncAbility[P, R, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[W, P], AsyncIterator[R]], /
    ) -> AsyncAbility[P, None, AsyncIterator[R]]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[W, P], R], /) -> Ability[P, R]: ...


def ability(  # noqa: PLR0913 - keyword-only settings
    task_class: str,
    *,
    timeout: float | None = None,
    hard_timeout: float | None = None,
    retries: int = DEFAULT_POLICY.retries,
    backoff: float = DEFAULT_POLICY.first,
    longest_backoff: float = DEFAULT_POLICY.longest,
    jitter: float = DEFAULT_POLICY.jitter,
    strategy: str = DEFAULT_POLICY.strategy,
    retry_on: Errors = DEFAULT_POLICY.retry_on,
    give_up_on: Errors = DEFAULT_POLICY.give_up_on,
    give_up_after: float | None = None,
    crashes: int | None = DEFAULT_POLICY.crashes,
) -> Declaration:
    """Declare a method of a Worker as able to perform a task class.

    Args:
        task_class: the name by which tasks are routed, such as ``text.census``.
        timeout: seconds one attempt may take; None = no limit. Then `TaskTimeout` is raised in it.
        hard_timeout: seconds after which an attempt that goes on nevertheless is ended with what performs it; in a
            thread that is the whole drone process, which another one replaces. None = never.
        retries: how many more times a failed task is tried.
        backoff: seconds before the first retry.
        longest_backoff: seconds; no wait is longer.
        jitter: share of the wait by which it is spread, 0 to 1.
        strategy: how the wait grows: ``exponential``, doubled each time; ``linear``; ``constant``.
        retry_on: types of errors worth another attempt, and their subclasses; all unless said.
        give_up_on: types of errors that are not, whatever `retry_on` says.
        give_up_after: seconds since the insert after which nothing is tried again; None = no limit.
        crashes: how often what performs the task may die of it before it is a dead letter; None = any number.

    Raises:
        AbilityError: when the class is defined, naming the ability and the field that is wrong.
    """

    def declare(function: Callable[..., Any]) -> Any:
        try:
            policy = RetryPolicy(
                retries=retries,
                first=backoff,
                longest=max(backoff, longest_backoff),
                jitter=jitter,
                strategy=strategy,
                retry_on=retry_on,
                give_up_on=give_up_on,
                give_up_after=give_up_after,
                crashes=crashes,
            )
        except (ConfigError, TypeError) as error:
            name = getattr(function, "__qualname__", repr(function))
            raise AbilityError(f"ability {task_class} ({name}): {error}") from None
        kind = AsyncAbility if is_async(function) else Ability
        return kind(function, task_class, timeout=timeout, hard_timeout=hard_timeout, policy=policy)

    return declare


def abilities_of(owner: type) -> dict[str, Ability[..., Any]]:
    """Return the abilities a class declares or inherits, by task class.

    Raises:
        AbilityError: two methods of the class perform the same task class.
    """
    attributes: dict[str, Any] = {}
    for base in reversed(owner.__mro__):
        attributes.update(vars(base))
    found: dict[str, Ability[..., Any]] = {}
    for value in attributes.values():
        if not isinstance(value, Ability):
            continue
        if value.task_class in found:
            raise AbilityError(f"{owner.__qualname__}: two methods perform the task class {value.task_class}")
        found[value.task_class] = value
    return found
