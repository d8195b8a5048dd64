"""``keys``: what the state folder holds to keep others out, and how to open the bus to those who may come in."""

from __future__ import annotations

import hashlib
import secrets
import ssl
import sys
from pathlib import Path
from typing import Any

import click

from swarmage.broker.entrance.rights import EVERYTHING
from swarmage.broker.entrance.users import User, hash_passcode, read_users, users_as_text
from swarmage.cli.rotation import rotate
from swarmage.cli.text import as_json, columns, printable
from swarmage.errors import ConfigError
from swarmage.home import CA, CERTIFICATE, CERTIFICATE_KEY, USERS, find_home, write_secret
from swarmage.keyring import load_ring

SHORTEST_PASSCODE = 8
_json = click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")


@click.group()
def keys() -> None:
    """Show and make what keeps others out: the signing key, certificates, and the users of the bus.

    All of it is kept in the folder .swarmage, or SWARMAGE_HOME, in files that only you can read.

    \b
    Example:
      swarmage keys tls bus.example
      swarmage keys user add ann
    """


keys.add_command(rotate)


@keys.command()
@_json
def show(*, json_wanted: bool) -> None:
    """Show the ids of the signing keys, the certificates and the users; no secret is printed.

    A folder reads what comes from another one if it accepts the key that signs there. See `swarmage keys rotate`.

    \b
    Example:
      swarmage keys show
    """
    home = _home()
    users = sorted(read_users(home / USERS))
    signs, *accepted = load_ring(create=True).ids
    found = {
        "home": str(home),
        "signing_key": signs,
        "accepted_keys": accepted,
        "certificate": _certificate(home / CERTIFICATE),
        "ca": _certificate(home / CA),
        "users": users,
    }
    if json_wanted:
        click.echo(as_json(found))
        return
    click.echo(printable(f"home:         {found['home']}"))
    click.echo(f"signing key:  id {signs}")
    if accepted:
        click.echo(f"accepted:     id {', '.join(accepted)}")
    for name, path in (("certificate", home / CERTIFICATE), ("ca", home / CA)):
        click.echo(printable(f"{name + ':':<14}{_in_words(found[name], path)}"))
    click.echo(printable(f"users:        {', '.join(users) or 'none but the first'}"))


@keys.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def tls(names: tuple[str, ...]) -> None:
    """Make a certificate for the bus, for the NAMEs and addresses by which other machines know this one.

    It is signed by a CA that is made at the first time and used again later. Give its certificate, the file ca.pem, to
    the other machines. This machine's own names for itself, such as localhost, are added.

    \b
    Example:
      swarmage keys tls bus.example 192.0.2.7
      swarmage bus --listen 0.0.0.0:61613 --tls
    """
    from swarmage.cli.certificates import make_certificate  # noqa: PLC0415 - an optional dependency

    home = _home()
    make_certificate(home, names)
    click.echo(f"made {home / CERTIFICATE} and {home / CERTIFICATE_KEY}")
    click.echo(f"{'fingerprint:':<14}{_fingerprint(home / CERTIFICATE)}")
    click.echo(f"for the others: {home / CA}, in their .swarmage folder or named by SWARMAGE_CA_FILE")


@keys.group()
def user() -> None:
    """Add, list and remove users of the bus; one that runs takes note at the next login.

    \b
    Example:
      swarmage keys user list
    """


@user.command()
@click.argument("name")
@click.option("--send", multiple=True, metavar="PREFIX", help="What it may send to; without either option, all.")
@click.option("--subscribe", multiple=True, metavar="PREFIX", help="What it may subscribe to.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the passcode from standard input; make none.")
def add(name: str, send: tuple[str, ...], subscribe: tuple[str, ...], *, from_stdin: bool) -> None:
    """Add the user NAME, or give it a new passcode and new rights; a passcode that is made is printed this once.

    A PREFIX is how the destinations begin, such as /queue/mail. Both options may be repeated.

    \b
    Example:
      swarmage keys user add shop --send /queue/orders --subscribe /topic/news.
    """
    if not name or not name.isprintable():
        raise ConfigError("a user's name must be printable and not empty")
    for prefix in (*send, *subscribe):
        if not prefix.startswith("/"):
            raise ConfigError(f"{prefix!r} does not begin like a destination; write /queue/{prefix} or /topic/{prefix}")
    passcode = sys.stdin.readline().rstrip("\r\n") if from_stdin else secrets.token_urlsafe()
    if len(passcode) < SHORTEST_PASSCODE:
        raise ConfigError(f"a passcode must have {SHORTEST_PASSCODE} characters or more")
    path = _home() / USERS
    users = read_users(path)
    everything = () if send or subscribe else EVERYTHING
    users[name] = User(passcode=hash_passcode(passcode), send=send or everything, subscribe=subscribe or everything)
    write_secret(path, users_as_text(users))
    click.echo(f"{name} may send to {_listed(users[name].send)} and subscribe to {_listed(users[name].subscribe)}")
    if not from_stdin:
        click.echo(f"passcode: {passcode}")


@user.command("list")
@_json
def list_(*, json_wanted: bool) -> None:
    """List the users and what they may do, without the first one, whom SWARMAGE_URL names.

    \b
    Example:
      swarmage keys user list --json
    """
    users = sorted(read_users(_home() / USERS).items())
    if json_wanted:
        click.echo(as_json([{"name": name, "send": each.send, "subscribe": each.subscribe} for name, each in users]))
    elif not users:
        click.echo("no users but the first")
    else:
        rows = [[name, _listed(each.send), _listed(each.subscribe)] for name, each in users]
        click.echo(columns(("USER", "MAY SEND TO", "MAY SUBSCRIBE TO"), rows))


@user.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove the user NAME; connections it has open stay until they end.

    \b
    Example:
      swarmage keys user remove shop
    """
    path = _home() / USERS
    users = read_users(path)
    if users.pop(name, None) is None:
        raise ConfigError(f"there is no user {name!r}; see `swarmage keys user list`")
    write_secret(path, users_as_text(users))
    click.echo(f"removed {name}")


def _home() -> Path:
    home = find_home(create=True)
    assert home is not None
    return home.absolute()


def _listed(prefixes: tuple[str, ...]) -> str:
    return "everything" if prefixes == EVERYTHING else ", ".join(prefixes) or "nothing"


def _fingerprint(path: Path) -> str:
    try:
        der = ssl.PEM_cert_to_DER_cert(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is no certificate: {error}") from error
    return f"SHA256 {hashlib.sha256(der).digest().hex(':')}"


def _certificate(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    found: dict[str, Any] = {"fingerprint": _fingerprint(path)}
    try:
        from swarmage.cli.certificates import describe  # noqa: PLC0415 - an optional dependency
    except ConfigError:
        return found  # what is inside it cannot be told without
    said = describe(path)
    days = (said.begins.date().isoformat(), said.ends.date().isoformat())
    return {**found, "names": said.names, "begins": days[0], "ends": days[1]}


def _in_words(certificate: Any, path: Path) -> str:
    if certificate is None:
        return "none; see `swarmage keys tls --help`"
    words = f"{path.name}, {certificate['fingerprint']}"
    if "ends" in certificate:
        names = f", for {', '.join(certificate['names'])}" if certificate["names"] else ""
        words += f"{names}, from {certificate['begins']} to {certificate['ends']}"
    return words
