"""The command ``swarmage``: which commands there are, and how each of them ends."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import click

from swarmage.cli.exit_codes import INTERRUPTED, exit_code_of
from swarmage.cli.text import printable
from swarmage.errors import SwarmageError, TaskFailed


class Place(NamedTuple):
    """Where a command is defined, and its line in the overview."""

    module: str
    attribute: str
    summary: str


# A command's module is imported when it is used: `swarmage --help` and `swarmage send` need not wait for the others.
COMMANDS = {
    "up": Place("serve", "up", "Run the bus and drones on this machine."),
    "bus": Place("serve", "bus", "Run only the bus."),
    "drone": Place("serve", "drone", "Run drones on a bus that runs elsewhere."),
    "send": Place("send", "send", "Insert a task, and wait for its result if you like."),
    "status": Place("status", "status", "Show the bus, its queues and the drones."),
    "top": Place("top", "top", "Show queues, drones and workers live."),
    "doctor": Place("doctor", "doctor", "Try what the bus does, and say what to change."),
    "cancel": Place("control", "cancel", "Cancel tasks that wait or run."),
    "pause": Place("control", "pause", "Have no drone begin tasks of a class."),
    "resume": Place("control", "resume", "Have them begin again."),
    "concurrency": Place("control", "concurrency", "Change the number of workers in each drone."),
    "drain": Place("control", "drain", "Have one drone finish and leave."),
    "stack": Place("control", "stack", "Show where in its code a drone is."),
    "keys": Place("keys", "keys", "Show and make keys, certificates and users of the bus."),
    "bench": Place("bench", "bench", "Measure how fast this machine inserts and performs tasks."),
    "dead": Place("dead", "dead", "List, show, retry and drop dead letters."),
    "chaos": Place("chaos", "chaos", "Kill what runs, and see that no task is lost."),
}


class Commands(click.Group):
    """The commands, and the one place that turns what swarmage raises into a line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        place = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"swarmage.cli.{place.module}"), place.attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.summary) for name, place in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; no expected error becomes a traceback."""
        try:
            return super().invoke(ctx)
        except SwarmageError as error:
            # The remote traceback stays with the dead letter: `swarmage dead show` and --json have it.
            text = f"{error.kind}: {error.message}" if isinstance(error, TaskFailed) else str(error) or error.__doc__
            click.echo(f"swarmage: {printable(str(text))}", err=True)
            ctx.exit(exit_code_of(error))
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="swarmage")
def commands() -> None:
    """Run tasks in the background: a durable STOMP message bus, and drones whose Workers perform what is on it.

    Exit codes: 0 ok, 1 failed task, 2 usage or settings, 3 no bus, 4 timed out, 130 Ctrl-C.

    \b
    Example:
      swarmage up actors                 in one terminal
      swarmage send text.census . --wait in another
    """


def main() -> None:
    """Run the command line and exit with its code."""
    commands(prog_name="swarmage")
