"""A client without a bus, for the commands of the CLI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from click.testing import CliRunner, Result

from swarmage.cli.main import commands
from swarmage.task import Task


@dataclass
class FakeLetter:
    id: str = "one"
    task_class: str = "some.thing"
    reason: str = "failed"
    kind: str = "ValueError"
    message: str = "bad \x1b[31m value"
    traceback: str = "Traceback:\n  deep \x1b[31m\n"
    attempts: int = 4
    died: float = 1_700_000_000.0
    host: str = "here"
    destination: str = "/queue/swarmage.task.some.thing"
    args: list[Any] | None = field(default_factory=lambda: [1])
    kwargs: dict[str, Any] | None = field(default_factory=dict)


class FakeClient:
    """Stands for the class and for its only instance; what it raises and returns is set by the test."""

    def __init__(self) -> None:
        self.connect_error: BaseException | None = None
        self.outcome: Any = None
        self.responses: list[Any] = []
        self.tasks: list[Task] = []
        self.replies_wanted: list[bool] = []
        self.waited: list[float | None] = []
        self.letters: list[FakeLetter] = []
        self.asked: list[Any] = []
        self.answer: Any = None
        self.state: Any = {
            "bus": {"url": "stomp://ann:***@here:61613", "server": "swarmage/0", "version": "1.2", "uptime": 61},
            "queues": [],
            "drones": [],
        }

    def __call__(self, **_: Any) -> FakeClient:
        return self

    def __enter__(self) -> FakeClient:
        if self.connect_error is not None:
            raise self.connect_error
        return self

    def __exit__(self, *_: object) -> None: ...

    def insert_task(self, task: Task, *, reply: bool = True) -> FakeReply:
        self.tasks.append(task)
        self.replies_wanted.append(reply)
        return FakeReply(self, task.id)

    def status(self, timeout: float) -> Any:
        return self.state

    def cancel(self, *ids: str, keep: float) -> None:
        self.asked.append((ids, keep))

    def pause(self, task_class: str) -> None:
        self.asked.append(("pause", task_class))

    def resume(self, task_class: str) -> None:
        self.asked.append(("resume", task_class))

    def concurrency(self, worker: str, count: int | None) -> None:
        self.asked.append((worker, count))

    def drain(self, drone: str) -> Any:
        self.asked.append(("drain", drone))
        return self.answer

    def stacks(self, drone: str) -> Any:
        self.asked.append(("stacks", drone))
        return self.answer


@dataclass
class FakeReply:
    client: FakeClient
    id: str
    task_class: str = "some.thing"

    @property
    def responses(self) -> list[Any]:
        return self.client.responses

    def result(self, timeout: float | None = None, progress: Any = None) -> Any:
        self.client.waited.append(timeout)
        if isinstance(self.client.outcome, BaseException):
            raise self.client.outcome
        return self.client.outcome


@dataclass
class FakeDeadLetters:
    client: FakeClient

    def all(self) -> list[FakeLetter]:
        return self.client.letters

    def retry(self, ids: Sequence[str]) -> list[str]:
        return [letter.id for letter in self.client.letters if letter.id in ids]

    drop = retry


def run(*argv: str) -> Result:
    """Run a command as the shell would; an exception that would show a traceback fails the test."""
    result = CliRunner().invoke(commands, argv, prog_name="swarmage")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
