"""``send``: insert a task, and wait for its result if asked to."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from swarmage.cli.arguments import parse_arguments
from swarmage.cli.task_options import task_options
from swarmage.cli.text import as_json
from swarmage.client.client import Client
from swarmage.client.heard import Progress
from swarmage.client.reply import DEFAULT_TIMEOUT, Reply
from swarmage.errors import ReplyTimeout, SwarmageError, TaskFailed
from swarmage.task import Task
from swarmage.wire.names import kind_of

INSERT_SECONDS = 5.0
NOTICE_SECONDS = 1.0
"""A result that is not there by then is worth a look whether anybody performs the task at all."""
ASK_SECONDS = 2.0
"""How long to ask the bus why no result came."""

_NEGATIVE = re.compile(r"-(\d|\.\d)\S*")
_SHIELD = "\0"


class WithNegativeNumbers(click.Command):
    """A command whose arguments may be numbers such as -2, which click takes for options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Shield negative numbers from click's parser; no argument from a shell can hold a NUL."""
        options = [param for param in self.params if isinstance(param, click.Option) and not param.is_flag]
        taken = {name for option in options for name in option.opts}
        shielded = [
            _SHIELD + arg if _NEGATIVE.fullmatch(arg) and before not in taken else arg
            for before, arg in zip(["", *args], args, strict=False)
        ]
        return super().parse_args(ctx, shielded)


@click.command(cls=WithNegativeNumbers)
@click.argument("task_class", metavar="CLASS")
@click.argument("words", nargs=-1, metavar="[ARG]... [NAME=VALUE]...")
@click.option("--wait", is_flag=True, help="Wait for the result and print it.")
@task_options
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Seconds to wait at most; 300 by default.",
)
@click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object.")
def send(
    task_class: str,
    words: tuple[str, ...],
    *,
    wait: bool,
    timeout: float | None,
    json_wanted: bool,
    settings: Mapping[str, Any],
) -> None:
    """Insert a task of the task class CLASS and print its id, or with --wait its result.

    An argument is JSON, else a string. NAME=VALUE is an argument by name when NAME is a Python identifier; a string
    that looks like one is written as JSON: '"a=b"'. What the ability says of retries holds where no option says
    otherwise. Exit codes: 1 the task failed, 3 no bus, 4 no result in time.

    \b
    Example:
      swarmage send text.count README.md words=true --wait --timeout 30
      swarmage send text.count README.md --retries 0 --deadline 60
      swarmage send account.deposit 10 --key alice --wait
    """
    args, kwargs = parse_arguments([word.removeprefix(_SHIELD) for word in words])
    task = Task(task_class=task_class, args=args, kwargs=kwargs, **settings)
    with Client(timeout=INSERT_SECONDS if wait or timeout is None else timeout) as client:
        reply = client.insert_task(task, reply=wait)
        if not wait:
            click.echo(as_json({"id": reply.id}) if json_wanted else reply.id)
            return
        try:
            result = _result_of(client, reply, task, timeout or DEFAULT_TIMEOUT)
        except KeyboardInterrupt:
            click.echo(f"the task {task.id} is on the bus and goes its way without you", err=True)
            raise
        except ReplyTimeout:
            error = ReplyTimeout(_why_no_result(client, task, timeout or DEFAULT_TIMEOUT))
            _print_error(json_wanted, task.id, "ReplyTimeout", str(error))
            raise error from None
        except TaskFailed as failed:
            _print_error(json_wanted, task.id, failed.kind, failed.message, failed.traceback)
            raise
    _print_result(reply, result, json_wanted=json_wanted)


def _print_result(reply: Reply[Any], result: Any, *, json_wanted: bool) -> None:
    responses = {"responses": reply.responses} if reply.responses else {}
    if json_wanted:
        click.echo(as_json({"id": reply.id, **responses, "result": result}))
        return
    for response in reply.responses:
        click.echo(as_json(response))
    if result is not None or not responses:
        click.echo(as_json(result))


def _print_error(json_wanted: bool, task_id: str, kind: str, message: str, traceback: str = "") -> None:
    if json_wanted:
        error = {"type": kind, "message": message, "traceback": traceback}
        click.echo(as_json({"id": task_id, "error": error}))


def _result_of(client: Client, reply: Reply[Any], task: Task, timeout: float) -> Any:
    if timeout > NOTICE_SECONDS:
        try:
            return reply.result(timeout=NOTICE_SECONDS)
        except ReplyTimeout:
            timeout -= NOTICE_SECONDS
        if not _is_performed(client, task):
            click.echo(f"no drone performs the task class {task.task_class} now; waiting for one", err=True)
    if not sys.stderr.isatty():
        return reply.result(timeout=timeout)
    with _progress_bar() as show:
        return reply.result(timeout=timeout, progress=show)


@contextmanager
def _progress_bar() -> Iterator[Callable[[Progress], None]]:
    # Imported here: it takes longer than the insert, and only a terminal shows it.
    from swarmage.cli.progress_bar import progress_bar  # noqa: PLC0415

    with progress_bar() as show:
        yield show


def _why_no_result(client: Client, task: Task, timeout: float) -> str:
    what = f"no result within {timeout:g} s"
    if _is_performed(client, task):
        return f"{what}; look for the task {task.id} in `swarmage status` and `swarmage dead list`"
    return (
        f"{what}: no drone performs the task class {task.task_class}, so the task {task.id} waits on the bus;"
        " start a drone with `swarmage drone TARGET`"
    )


def _is_performed(client: Client, task: Task) -> bool:
    """Tell whether some drone performs such tasks; a bus that cannot say counts as if one did."""
    name = task.task_class if task.key is None else kind_of(task.task_class)
    try:
        found = client.status(timeout=ASK_SECONDS)
    except SwarmageError:
        return True
    performed = any(queue["consumers"] for queue in found["queues"] if queue["task_class"] == name)
    return performed or "note" in found["bus"]
