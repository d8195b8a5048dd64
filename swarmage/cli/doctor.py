"""``doctor``: what the bus does, whatever it says it does, and what to change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import click

from swarmage.cli.exit_codes import FAILED
from swarmage.cli.text import as_json, printable
from swarmage.client.doctor.check import Check
from swarmage.client.doctor.examination import examine
from swarmage.home import resolve_address

_WIDTH = 18


@click.command()
@click.argument("url", required=False)
@click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object with the bus and all checks.")
def doctor(url: str | None, *, json_wanted: bool) -> None:
    """Try what the bus at URL does, say what is wrong with it, and what to change.

    It connects, sends, takes, loses connections and waits, all in a queue of its own, for about ten seconds. Each check
    is ok, a warning, an error, or unknown where the bus does not show it. The bus is that of SWARMAGE_URL, else the one
    that was started here; a URL with a passcode is seen by who lists the processes, SWARMAGE_URL is not.

    Exit codes: 0 no error, 1 an error was found, 2 usage, 3 no bus.

    \b
    Example:
      swarmage doctor
      swarmage doctor --json
    """
    address = resolve_address(url)
    checks = examine(address)
    if json_wanted:
        found = list(checks)
        click.echo(as_json({"bus": str(address), "checks": [check._asdict() for check in found]}))
    else:
        found = list(_told(checks))
        counts = Counter(check.state for check in found)
        click.echo("\n" + ", ".join(f"{count} {state}" for state, count in counts.items()))
    if any(check.state == "error" for check in found):
        raise click.exceptions.Exit(FAILED)


def _told(checks: Iterable[Check]) -> Iterable[Check]:
    """Print each check as soon as it is done."""
    for check in checks:
        click.echo(printable(f"{check.state:<9}{check.name:<{_WIDTH}}{check.seen}"))
        if check.advice and check.state != "ok":
            click.echo(printable(f"{'':<9}{'':<{_WIDTH}}change: {check.advice}"))
        yield check
