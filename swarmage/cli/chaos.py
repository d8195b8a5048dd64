"""``chaos``: see for oneself what faults do to tasks."""

from __future__ import annotations

import random
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import click

from swarmage.chaos.driver import Driver, Result, new_script
from swarmage.chaos.faults import choose
from swarmage.chaos.processes import check_machine
from swarmage.chaos.report import as_dict, as_lines
from swarmage.cli.exit_codes import FAILED
from swarmage.cli.text import as_json
from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import SwarmageError


@click.command()
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Play this run; by default one like no other.")
@click.option("--tasks", type=click.IntRange(min=1), default=10_000, show_default=True, metavar="N", help="How many.")
@click.option(
    "--faults", metavar="LIST", help="Their names, separated by commas; by default all that can be done here."
)
@click.option("--minutes", type=click.FloatRange(min=0), metavar="M", help="Go on with the next seeds for so long.")
@click.option("--url", metavar="URL", help="Use this bus; by default an embedded one is started for the run.")
@click.option("--keep", is_flag=True, help="Keep the folder of the run, with its logs.")
@click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object for each run.")
def chaos(
    *,
    seed: int | None,
    tasks: int,
    faults: str | None,
    minutes: float | None,
    url: str | None,
    keep: bool,
    json_wanted: bool,
) -> None:
    """Insert tasks while faults happen, then drain and count: ok, lost, duplicated, recovered, unexpected.

    Processes are killed, stopped and restarted, messages are forged, tasks crash and hang. A seed plays the same tasks
    and the same faults again, though never at the very same moments. The folder of a run in which something was lost
    is kept. Exit codes: 0 nothing was lost, 1 something was.

    \b
    Example:
      swarmage chaos --seed 7 --tasks 2000
      swarmage chaos --faults drone,bus --minutes 10
    """
    check_machine()
    names, left_out = choose(faults, own_bus=url is None)
    say = (lambda _: None) if json_wanted else click.echo
    for line in left_out:
        say(f"left out of the mix: {line}")
    number = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    end = SYSTEM_CLOCK.monotonic() + 60 * (minutes or 0)
    good = True
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that everybody is ended then, too
    while True:
        good = _run(number, tasks, names, url, keep=keep, json_wanted=json_wanted, say=say) and good
        if SYSTEM_CLOCK.monotonic() >= end:
            break
        number += 1
    click.get_current_context().exit(0 if good else FAILED)


def _run(
    seed: int, tasks: int, faults: tuple[str, ...], url: str | None, *, keep: bool, json_wanted: bool, say: Any
) -> bool:
    folder = Path(tempfile.mkdtemp(prefix="swarmage-chaos-"))
    kept = True
    say(f"seed {seed}: in {folder}")
    try:
        result: Result = Driver(new_script(seed, tasks, faults, keyed=url is None), folder, url, say).run()
        kept = keep or not result.findings.good
        if json_wanted:
            click.echo(as_json(as_dict(result, folder if kept else None), indent=None))
        else:
            for line in as_lines(result):
                click.echo(line)
            if kept:
                click.echo(f"kept: {folder}")
    except (KeyboardInterrupt, SwarmageError):
        kept = keep
        raise
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
    return result.findings.good
