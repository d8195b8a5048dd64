"""Performing one task: every ending is an outcome.

From: worker.  To: finalize.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from typing import Any, get_origin

from swarmage.abilities import Ability
from swarmage.errors import (
    Discard,
    NotEncodable,
    Reject,
    Retry,
    TaskFailed,
    TaskTimeout,
    TreeTooLarge,
    Unreadable,
)
from swarmage.outcome import NOTHING, Crashed, Discarded, Failed, Failure, Outcome, Rejected, Succeeded, describe
from swarmage.task import Task
from swarmage.wire import codec

_UNCHECKED = (Parameter.empty, Any, object)
_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class Arguments:
    """Fits a task's arguments to the parameters of one ability."""

    def __init__(self, ability: Ability[..., Any]) -> None:
        self._signature = ability.signature
        parameters = list(self._signature.parameters.values())
        self._hints = {p.name: ability.hints.get(p.name, Parameter.empty) for p in parameters}
        self._kinds = [self._hints[p.name] for p in parameters]
        # what an argument has to be to pass as it is, without asking for each task anew
        self._exact = [None if k in _UNCHECKED else k if get_origin(k) is None else Parameter for k in self._kinds]
        plain = all(p.kind in _BY_POSITION for p in parameters)
        self._most = len(parameters) if plain else -1  # -1: the quick way is not for this signature
        self._least = sum(1 for p in parameters if p.default is Parameter.empty)

    def fit(self, task: Task) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Return the arguments as the ability's annotations want them.

        Raises:
            Unreadable: they do not fit; the message names the parameter.
        """
        if task.pickled is not None:
            args, kwargs = _opened(task.pickled)
            self._bind(args, kwargs)
            return args, kwargs  # they come as the sender's own objects: nothing to convert
        if not task.kwargs and self._least <= len(task.args) <= self._most:
            return self._convert_all(task.args), {}
        bound = self._bind(task.args, task.kwargs)
        for name, value in bound.arguments.items():
            bound.arguments[name] = self._convert_parameter(name, value)
        return bound.args, bound.kwargs

    def check_local(self, task: Task) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Return a local task's arguments, which are the very objects unless they come from another process.

        Raises:
            Unreadable: the ability has no such parameters.
        """
        if task.pickled is not None:
            return self.fit(task)
        if task.kwargs or not self._least <= len(task.args) <= self._most:
            self._bind(task.args, task.kwargs)
        return task.args, task.kwargs

    def _bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        try:
            return self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise Unreadable(f"{error}; the parameters are {self._signature}") from None

    def _convert_all(self, args: Sequence[Any]) -> Sequence[Any]:
        for arg, exact in zip(args, self._exact, strict=False):
            if exact is not None and type(arg) is not exact:
                break
        else:
            return args
        names = list(self._hints)
        return [self._convert(names[index], value, self._kinds[index]) for index, value in enumerate(args)]

    def _convert_parameter(self, name: str, value: Any) -> Any:
        kind = self._hints[name]
        match self._signature.parameters[name].kind:
            case Parameter.VAR_POSITIONAL:
                return tuple(self._convert(name, item, kind) for item in value)
            case Parameter.VAR_KEYWORD:
                return {key: self._convert(key, item, kind) for key, item in value.items()}
            case _:
                return self._convert(name, value, kind)

    @staticmethod
    def _convert(name: str, value: Any, kind: Any) -> Any:
        if kind in _UNCHECKED:
            return value
        try:
            return codec.convert(value, kind)
        except Unreadable as error:
            raise Unreadable(f"argument {name}: {error}") from None


def execute(task: Task, arguments: Arguments, method: Callable[..., Any], *, local: bool) -> Outcome:
    """Perform the task; whatever happens in it ends here as an outcome."""
    try:
        args, kwargs = arguments.check_local(task) if local else arguments.fit(task)
    except TaskTimeout as error:
        return outcome_of(error)
    except Unreadable as error:
        return Rejected("arguments", Failure("ArgumentError", f"{task.task_class}: {error}"))
    except BaseException as error:  # noqa: BLE001 - the classes that annotations name are user code
        return Rejected("arguments", failure_of(error))
    try:
        result = method(*args, **kwargs)
        return NOTHING if result is None else Succeeded(result)
    except NotEncodable as error:  # what it wanted to pass on will be no smaller next time
        return Rejected("arguments", failure_of(error))
    except BaseException as error:  # noqa: BLE001 - pykka would stop every actor of the process on SystemExit
        return outcome_of(error)


def outcome_of(error: BaseException) -> Outcome:
    """Return how a task ends that lets this exception through."""
    failure = failure_of(error)
    match error:
        case Discard():
            return Discarded(failure)
        case Reject():
            return Rejected(error.reason, failure)
        case TreeTooLarge():
            return Rejected("failed", failure)
        case Retry():
            return Failed(failure, Retry, error.delay)
        case TaskFailed() if isinstance(error.ending, Failed | Rejected | Discarded | Crashed):
            return error.ending
    return Failed(failure, type(error))


def failure_of(error: BaseException) -> Failure:
    """Return what can be said of an exception, even one whose own text cannot be had."""
    # the first frame is `execute` above, which tells a user nothing
    return describe(error, error.__traceback__.tb_next if error.__traceback__ is not None else None)


def last_words(error: BaseException) -> Failure:
    """Return as much of an exception as can be said with hardly any stack left."""
    return Failure(type(error).__qualname__, "it struck outside of the task's own lines: is the recursion too deep?")


def _opened(pickled: bytes) -> tuple[Sequence[Any], Mapping[str, Any]]:
    match codec.unpickle(pickled):
        case (list() | tuple() as args, dict() as kwargs):
            return args, kwargs
        case _:
            raise Unreadable("the pickled value is not a pair of arguments by position and by name")
