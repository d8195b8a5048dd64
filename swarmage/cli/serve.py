"""``up``, ``bus`` and ``drone``: the commands that stay."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import replace
from pathlib import Path

import click

from swarmage.cli.arguments import parse_concurrency
from swarmage.cli.bus_options import keeping_options, log_option
from swarmage.home import find_home, record_address
from swarmage.keyring import load_ring
from swarmage.settings import Address
from swarmage.supervisor.bus_plan import BusPlan, Listening, plan_bus
from swarmage.supervisor.keeping import Keeping
from swarmage.supervisor.logs import log_to_stderr
from swarmage.supervisor.occupied import occupied
from swarmage.supervisor.sign_of_life import SignOfLife
from swarmage.supervisor.signals import stop_signals
from swarmage.supervisor.supervisor import Supervisor

_processes = click.option(
    "-p", "--processes", type=click.IntRange(min=1), default=1, show_default=True, help="How many drone processes."
)
_concurrency = click.option(
    "-c", "--concurrency", multiple=True, metavar="CLASS=N", help="How many actors of a Worker class in each drone."
)
_reload = click.option("--reload", is_flag=True, help="Start the drones anew when a source file of theirs changes.")
_alive = click.option(
    "--alive-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Touch FILE every 5 seconds while all is ready and lives, for probes; it is gone at the end.",
)

_listen = click.option("--listen", metavar="HOST:PORT", help="Where to listen; by default where it did before.")
_tls = click.option("--tls", is_flag=True, help="Encrypt, with the certificate of `swarmage keys tls`.")
_cert = click.option("--cert", type=click.Path(path_type=Path), metavar="FILE", help="A certificate of your own.")
_key = click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="The file of its key.")


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@_processes
@_concurrency
@_reload
@_listen
@_tls
@_cert
@_key
@_alive
@keeping_options
@log_option
def up(  # noqa: PLR0913 - one for each option
    targets: tuple[str, ...],
    processes: int,
    concurrency: tuple[str, ...],
    listen: str | None,
    *,
    reload: bool,
    tls: bool,
    cert: Path | None,
    key: Path | None,
    alive_file: Path | None,
    keeping: Keeping,
) -> None:
    """Run the embedded bus and, for the TARGETs, drones, on this machine.

    A TARGET is a module or package of Workers, module:Class, where the Class is a Worker or a Supervisor with children,
    or a path such as actors/text.py, looked up from the current directory. Without one only the bus runs. What dies is
    started again. The first Ctrl-C or SIGTERM lets running tasks finish, the second does not. State is kept in the
    folder .swarmage, or SWARMAGE_HOME. Other machines can reach the bus only where it is told to listen, and only with
    TLS; see `swarmage keys tls --help`.
    With --reload the drones are replaced one after another when a source file of theirs changes; they stay as they
    are when the new source is wrong.

    \b
    Example:
      swarmage up actors -p 2
      swarmage up actors --reload
    """
    log_to_stderr("swarmage")
    plan = replace(_plan(Listening(command="up", at=listen, tls=tls, cert=cert, key=key)), keeping=keeping)
    supervisor = Supervisor(
        list(targets),
        processes,
        concurrency=parse_concurrency(concurrency),
        bus=plan,
        reload=reload,
        sign=SignOfLife(alive_file),
        announce=click.echo,
    )
    with _occupy(plan, "swarmage up"):
        _exit(supervisor)


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@_processes
@_concurrency
@_reload
@_alive
def drone(
    targets: tuple[str, ...], processes: int, concurrency: tuple[str, ...], *, reload: bool, alive_file: Path | None
) -> None:
    """Run drone processes for the TARGETs on the bus that SWARMAGE_URL names, and keep them alive.

    A TARGET is a module or package of Workers, module:Class, where the Class is a Worker or a Supervisor with children,
    or a path such as actors/text.py, looked up from the current directory. Without SWARMAGE_URL it is the bus that was
    started here; where it names several, with spaces between them, each has as many drone processes. The first Ctrl-C
    or SIGTERM lets running tasks finish, the second does not.

    \b
    Example:
      swarmage drone actors.text:Census -p 2 -c Census=8
    """
    log_to_stderr("swarmage")
    supervisor = Supervisor(
        list(targets),
        processes,
        concurrency=parse_concurrency(concurrency),
        reload=reload,
        sign=SignOfLife(alive_file),
        announce=click.echo,
    )
    _exit(supervisor)


@click.command()
@_listen
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Where to keep messages.")
@_tls
@_cert
@_key
@_alive
@keeping_options
@log_option
@click.option("--check", "operation", flag_value="check", help="Run no bus: show what its file holds, and if sound.")
@click.option("--repair", "operation", flag_value="repair", help="Run no bus: save what can be read of a damaged file.")
@click.option("--compact", "operation", flag_value="compact", help="Run no bus: make its file smaller.")
@click.option("--json", "json_wanted", is_flag=True, help="With the three above: print JSON.")
def bus(  # noqa: PLR0913 - one for each option
    listen: str | None,
    data: Path | None,
    *,
    tls: bool,
    cert: Path | None,
    key: Path | None,
    alive_file: Path | None,
    keeping: Keeping,
    operation: str | None,
    json_wanted: bool,
) -> None:
    """Run only the embedded bus, in this very process.

    Any STOMP 1.0, 1.1 or 1.2 client may use it. Its first user is the login and passcode of SWARMAGE_URL when that is
    set; else one is made, and recorded with the address in the folder .swarmage (or SWARMAGE_HOME) for the commands
    that are run here later. Where other machines can reach it, it takes TLS; see `swarmage keys tls --help`.

    \b
    Example:
      swarmage bus --listen 127.0.0.1:61613
      swarmage bus --check
    """
    if operation is not None:
        # Imported here, as nobody needs it every day.
        from swarmage.cli.bus_file import run  # noqa: PLC0415

        click.get_current_context().exit(run(operation, data or _home() / "bus", json_wanted=json_wanted))
    log_to_stderr("swarmage")
    plan = replace(_plan(Listening(at=listen, tls=tls, cert=cert, key=key), data), keeping=keeping)
    home = _home()
    sign = SignOfLife(alive_file)

    def ready(address: Address) -> None:
        record_address(home, address)
        sign.ready()
        click.echo(f"ready: bus {address}, home {home}")

    with _occupy(plan, "swarmage bus"), closing(sign), ExitStack() as signals:
        sign.prepare()

        def stop_when(stop: Callable[[], None]) -> None:
            signals.enter_context(stop_signals(stop))

        # Imported here, as only this command runs a bus in its own process.
        from swarmage.supervisor.embedded_bus import serve_bus  # noqa: PLC0415

        asyncio.run(
            serve_bus(
                plan, on_ready=ready, stop_when=stop_when, beat=sign.beat, every=sign.every, stopping=sign.stopping
            )
        )


def _plan(listening: Listening, data: Path | None = None) -> BusPlan:
    home = _home()
    load_ring(create=True)
    return plan_bus(home, url=os.environ.get("SWARMAGE_URL"), listening=listening, data=data)


def _occupy(plan: BusPlan, command: str) -> AbstractContextManager[None]:
    return nullcontext() if plan.keeping.durability == "memory" else occupied(Path(plan.data), command)


def _home() -> Path:
    home = find_home(create=True)
    assert home is not None
    return home.absolute()


def _exit(supervisor: Supervisor) -> None:
    click.get_current_context().exit(supervisor.run())
