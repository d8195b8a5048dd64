"""``keys rotate``: changing the signing key while everything runs."""

from __future__ import annotations

import click

from swarmage.cli.text import printable
from swarmage.errors import ConfigError
from swarmage.keyring import KeyRing, key_id, load_ring, new_key


@click.group()
def rotate() -> None:
    """Change the signing key in three steps, while everything runs: add, activate, retire.

    Each step changes the key file, SWARMAGE_KEY_FILE or the one in the folder .swarmage, and says what to do before the
    next one. A process that has a connection to the bus takes a changed file within some seconds.

    \b
    Example:
      swarmage keys rotate add
      swarmage keys rotate activate 0a1b2c3d
      swarmage keys rotate retire 9f8e7d6c
    """


@rotate.command()
def add() -> None:
    """Make a new key, which is accepted from now on and does not sign yet.

    \b
    Example:
      swarmage keys rotate add
    """
    ring = load_ring()
    if len(ring.keys) > 1:
        raise ConfigError(
            f"there are {len(ring.keys)} keys, {', '.join(ring.ids)}, and the first one signs: go on with"
            " `swarmage keys rotate activate`, or `swarmage keys rotate retire` one that is not needed any more"
        )
    key = new_key()
    ring.write((*ring.keys, key))
    click.echo(f"added {key_id(key)}, which is accepted; {ring.ids[0]} signs as before")
    _copy(ring)
    click.echo(f"then: swarmage keys rotate activate {key_id(key)}")


@rotate.command()
@click.argument("id_", metavar="ID")
def activate(id_: str) -> None:
    """Let the key ID sign from now on; the one that did is still accepted.

    Only when all machines accept it: what it signs is a dead letter elsewhere.

    \b
    Example:
      swarmage keys rotate activate 0a1b2c3d
    """
    ring = load_ring()
    key = _key_of(ring, id_)
    if key == ring.keys[0]:
        click.echo(f"{id_} signs already")
        return
    ring.write((key, *(each for each in ring.keys if each != key)))
    click.echo(f"{id_} signs now; accepted as before: {', '.join(ring.ids[1:])}")
    _copy(ring)
    for old in ring.ids[1:]:
        click.echo(f"then, when nothing waits that {old} signed: swarmage keys rotate retire {old}")


@rotate.command()
@click.argument("id_", metavar="ID")
def retire(id_: str) -> None:
    """Accept the key ID no more: what it signed and still waits becomes a dead letter.

    It is gone for good, so see first what may still be signed by it: docs/security.md, "Change the key".

    \b
    Example:
      swarmage keys rotate retire 9f8e7d6c
    """
    ring = load_ring()
    key = _key_of(ring, id_)
    if key == ring.keys[0]:
        raise ConfigError(f"{id_} is the key that signs: activate another one first, see `swarmage keys rotate --help`")
    ring.write([each for each in ring.keys if each != key])
    click.echo(f"{id_} is not accepted any more; {ring.ids[0]} signs")
    _copy(ring)


def _key_of(ring: KeyRing, id_: str) -> bytes:
    for key in ring.keys:
        if key_id(key) == id_:
            return key
    raise ConfigError(f"{ring.path} has no key with the id {id_!r}; it has {', '.join(ring.ids)}")


def _copy(ring: KeyRing) -> None:
    click.echo(printable(f"next: copy {ring.path} to all other machines, where `swarmage keys show` tells its ids"))
