"""What a Worker is able to perform: functions bound to the name of a task class."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from types import SimpleNamespace
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, get_type_hints, overload

from swarmage.errors import AbilityError, ConfigError
from swarmage.retry import RetryPolicy
from swarmage.task import check_task_class

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
        policy: when a failed task is tried again.
        bound: whether the function takes the Worker as its first parameter.
        awaited: whether it is a coroutine function or an async generator, which an AsyncWorker performs.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        task_class: str,
        *,
        timeout: float | None = None,
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
        if timeout is not None and not timeout > 0:
            raise AbilityError(f"ability {task_class}: timeout must be more than 0 seconds, not {timeout!r}")
        self.function = function
        self.awaited = is_async(function)
        self.timeout = timeout
        self.policy = policy or DEFAULT_POLICY
        self.bound = bound
        self._signature: inspect.Signature | None = None
        self._hints: Mapping[str, Any] = {}

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Ability[P, R]: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Callable[P, R]: ...
    def __get__(self, instance: object | None, owner: type | None = None) -> Ability[P, R] | Callable[P, R]:
        if instance is None:
            return self
        method: Callable[P, R] = self.function.__get__(instance, owner) if self.bound else self.function
        return method

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
        self._hints = _resolved(self.function)
        self._signature = signature


def is_async(function: Callable[..., Any]) -> bool:
    """Say whether a function is a coroutine function or an async generator."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def unresolved_hints(ability: Ability[..., Any]) -> list[str]:
    """Return the parameters whose annotation names something that does not exist at run time."""
    return sorted(set(getattr(ability.function, "__annotations__", {})) - set(ability.hints))


def _resolved(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations that can be resolved; a name that exists for the type checker only costs just its own."""
    found: dict[str, Any] = {}
    names = getattr(inspect.unwrap(function), "__globals__", {})
    for name, annotation in getattr(function, "__annotations__", {}).items():
        # an annotation may be any expression, and raise anything; what it does not tell, it does not tell
        with contextlib.suppress(Exception):
            found |= get_type_hints(SimpleNamespace(__annotations__={name: annotation}), names)
    return found


def check_kind(owner: str, ability: Ability[..., Any], *, on_loop: bool) -> None:
    """Refuse an ability that its Worker cannot perform: a coroutine in a thread, or a plain function on an event loop.

    Raises:
        AbilityError: names the class and the method, and says what to do.
    """
    if ability.awaited == on_loop:
        return
    name = f"{owner}.{getattr(ability.function, '__name__', repr(ability.function))}"
    if ability.awaited:
        raise AbilityError(
            f"ability {ability.task_class}: {name} is async, which needs an event loop: make {owner} an AsyncWorker,"
            " or the method a plain def"
        )
    raise AbilityError(
        f"ability {ability.task_class}: {name} is a plain def, which would hold up the event loop of an AsyncWorker:"
        f" make it an async def, or {owner} a Worker"
    )


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


def ability(
    task_class: str,
    *,
    timeout: float | None = None,
    retries: int = DEFAULT_POLICY.retries,
    backoff: float = DEFAULT_POLICY.first,
    longest_backoff: float = DEFAULT_POLICY.longest,
    jitter: float = DEFAULT_POLICY.jitter,
) -> Declaration:
    """Declare a method of a Worker as able to perform a task class.

    Args:
        task_class: the name by which tasks are routed, such as ``text.census``.
        timeout: seconds one attempt may take; None = no limit.
        retries: how many more times a failed task is tried.
        backoff: seconds before the first retry; doubled with each further one.
        longest_backoff: seconds; no wait is longer.
        jitter: share of the wait by which it is spread, 0 to 1.

    Raises:
        AbilityError: when the class is defined, naming the ability and the field that is wrong.
    """

    def declare(function: Callable[..., Any]) -> Any:
        try:
            policy = RetryPolicy(retries=retries, first=backoff, longest=max(backoff, longest_backoff), jitter=jitter)
        except (ConfigError, TypeError) as error:
            raise AbilityError(f"ability {task_class}: {error}") from None
        kind = AsyncAbility if is_async(function) else Ability
        return kind(function, task_class, timeout=timeout, policy=policy)

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
