"""Everything that swarmage raises, in one tree.

SwarmageError
    ConfigError              a setting, URL or file is wrong; the message says which and what to do
        TargetError          a TARGET cannot be imported or holds no Workers
        AbilityError         a Worker's ability is declared wrongly
    BusError                 the message bus
        BusUnreachable       nobody answers there
        LoginRefused         the bus does not take this login and passcode
        TlsFailed            the bus is not who it should be, or one of the two sides speaks no TLS
        ConnectionLost       the connection ended before the bus confirmed
        BusRefused           the bus answered with an ERROR frame
        BusFailed            the embedded bus cannot keep its promise any longer and stops
    WireError                a message or a value
        NotEncodable         a value that neither JSON nor cloudpickle can carry
        Unreadable           a message that is not what docs/wire-format.md says
        BadSignature         a message that is not signed, or not by a key held here
    DeadlineExceeded         a wait reached its deadline
        InsertTimeout        the bus did not confirm an insert in time
        ReplyTimeout         no reply came in time
        TaskTimeout          a task took longer than its ability allows; raised inside the task
    TaskCancelled            somebody cancelled the task; raised inside the task
    RemoteError              something raised elsewhere; carries the remote traceback
        TaskFailed           a task ended in the dead letters
    ActorDead                an actor elsewhere is gone, or the connection to it; what it was asked may have been done
        ActorUnknown         nobody publishes an actor of that name; nothing was asked of anybody
    WorkerCrashed            the process of a worker ended while it performed a task
    MemoryLimitExceeded      the process of a worker took more memory than it may
    TreeTooLarge             a task passes on more local tasks than one tree may have
    Verdict                  raised by a task to say how it is to end
        Retry                again, later
        Discard              not again, and no dead letter
        Reject               not again: straight to the dead letters
"""

from __future__ import annotations

import math

__all__ = [
    "AbilityError",
    "ActorDead",
    "ActorUnknown",
    "BadSignature",
    "BusError",
    "BusFailed",
    "BusRefused",
    "BusUnreachable",
    "ConfigError",
    "ConnectionLost",
    "DeadlineExceeded",
    "Discard",
    "InsertTimeout",
    "LoginRefused",
    "MemoryLimitExceeded",
    "NotEncodable",
    "Reject",
    "RemoteError",
    "ReplyTimeout",
    "Retry",
    "SwarmageError",
    "TargetError",
    "TaskCancelled",
    "TaskFailed",
    "TaskTimeout",
    "TlsFailed",
    "TreeTooLarge",
    "Unreadable",
    "Verdict",
    "WireError",
    "WorkerCrashed",
]


class SwarmageError(Exception):
    """The root of everything that swarmage raises."""


class ConfigError(SwarmageError):
    """A setting, URL or file is wrong."""


class TargetError(ConfigError):
    """A TARGET cannot be imported or holds no Workers."""


class AbilityError(ConfigError):
    """A Worker's ability is declared wrongly."""


class BusError(SwarmageError):
    """The message bus could not do what was asked."""


class BusUnreachable(BusError):
    """Nobody answers at the bus's address."""


class LoginRefused(BusError):
    """The bus does not take this login and passcode."""


class TlsFailed(BusError):
    """The bus is not who it should be, or one of the two sides speaks no TLS."""


class ConnectionLost(BusError):
    """The connection ended before the bus confirmed."""


class BusRefused(BusError):
    """The bus answered with an ERROR frame."""


class BusFailed(BusError):
    """The embedded bus cannot keep its promise any longer and stops."""


class WireError(SwarmageError):
    """A message or a value does not fit the wire."""


class NotEncodable(WireError):
    """A value that neither JSON nor cloudpickle can carry."""


class Unreadable(WireError):
    """A message that is not what docs/wire-format.md says."""


class BadSignature(WireError):
    """A message that is not signed, or not by a key held here."""


class DeadlineExceeded(SwarmageError, TimeoutError):
    """A wait reached its deadline."""


class InsertTimeout(DeadlineExceeded):
    """The bus did not confirm an insert in time."""


class ReplyTimeout(DeadlineExceeded):
    """No reply came in time."""


class TaskTimeout(DeadlineExceeded):
    """A task took longer than its ability allows; raised inside the task."""

    def __init__(self, message: str = "the task took longer than the timeout of its ability allows") -> None:
        super().__init__(message)


class TaskCancelled(SwarmageError):
    """Somebody cancelled the task; raised inside the task."""

    def __init__(self, message: str = "the task was cancelled") -> None:
        super().__init__(message)


class RemoteError(SwarmageError):
    """Something raised elsewhere: an actor that was asked by a remote reference, or a task.

    Attributes:
        kind: the name of the remote exception's type, such as ``ValueError``.
        message: the remote exception's text.
        traceback: the remote traceback as text, empty where there was none.
    """

    def __init__(self, kind: str, message: str, traceback: str = "") -> None:
        super().__init__(kind, message, traceback)
        self.kind = kind
        self.message = message
        self.traceback = traceback

    def __str__(self) -> str:
        remote = f"\n\nRemote traceback:\n{self.traceback}" if self.traceback else ""
        return f"{self.kind}: {self.message}{remote}"


class TaskFailed(RemoteError):
    """A task ended in the dead letters, or was cancelled, which makes its kind ``TaskCancelled``."""

    ending: object = None  # of a local task: its outcome, which is that of the task that lets this through


class ActorDead(SwarmageError):
    """An actor elsewhere is gone, or the connection to it: what it was asked may have been done or not."""


class ActorUnknown(ActorDead):
    """Nobody publishes an actor of that name: nothing was asked of anybody."""


class WorkerCrashed(SwarmageError):
    """The process of a worker ended while it performed a task; the kind of that task's failure."""


class MemoryLimitExceeded(SwarmageError):
    """The process of a worker took more memory than it may; the kind of the failure of the task it performed."""


class TreeTooLarge(SwarmageError):
    """A task passes on more local tasks than one tree may have."""


class Verdict(SwarmageError):
    """Raised by a task to say how it is to end; in a local task it speaks for the whole tree.

    Nothing that the task inserted leaves.

    Attributes:
        reason: why, in your words.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Retry(Verdict):
    """Again, later: an attempt like one that failed, whatever `retry_on` and `give_up_on` say of errors.

    Attributes:
        delay: seconds until then; None for what the ability's policy says.
    """

    def __init__(self, delay: float | None = None, reason: str = "") -> None:
        if delay is not None and not 0 <= delay < math.inf:
            raise ConfigError(f"the delay of a Retry must be 0 seconds or more, not {delay!r}")
        super().__init__(reason or "the task asked to be tried again")
        self.delay = delay

    def __reduce__(self) -> tuple[type[Retry], tuple[float | None, str]]:
        return Retry, (self.delay, self.reason)


class Discard(Verdict):
    """Not again, and no dead letter: the task is of no use any more. Its originator gets an error."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or "the task said that it is of no use any more")


class Reject(Verdict):
    """Not again: straight to the dead letters, with this reason."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or "rejected")
