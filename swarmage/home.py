"""The state folder ``.swarmage/``: the bus's data, the generated login and passcode, the signing keys, certificates.

Who needs it finds it the same way: ``SWARMAGE_HOME``, else the nearest ``.swarmage/`` upwards from the current
directory. ``up``, ``bus`` and ``drone`` make it when it is not there.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from swarmage.errors import ConfigError
from swarmage.settings import Address, split_urls

FOLDER = ".swarmage"
CA, CA_KEY = "ca.pem", "ca.key"
CERTIFICATE, CERTIFICATE_KEY = "tls.pem", "tls.key"
USERS = "users.json"
"""Names of files in the state folder: who signs for the bus, the bus's own certificate, and its users."""


def find_home(*, create: bool = False) -> Path | None:
    """Return the state folder, or None where there is none and ``create`` is false.

    Raises:
        ConfigError: it should be made here, and cannot be.
    """
    named = os.environ.get("SWARMAGE_HOME")
    if named:
        return _make(Path(named))
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FOLDER).is_dir():
            return folder / FOLDER
    return _make(here / FOLDER) if create else None


def _make(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the state folder {folder} cannot be made: {error.strerror}; set SWARMAGE_HOME") from error
    return folder


def resolve_address(url: str | None = None) -> Address:
    """Return the bus's address: ``url``, else ``SWARMAGE_URL``, else the bus that was started in the state folder.

    Raises:
        ConfigError: none of the three names a bus, or the one that does cannot be read.
    """
    if url:
        return Address.parse(url)
    if named := os.environ.get("SWARMAGE_URL"):
        return replace(Address.parse(named), source="SWARMAGE_URL")
    home = find_home()
    if home is None:
        raise ConfigError(
            f"no bus is known here: SWARMAGE_URL and SWARMAGE_HOME are not set, and neither {Path.cwd()} nor a folder"
            " above it has a .swarmage folder; start a bus with `swarmage up` or `swarmage bus`"
        )
    return read_address(home)


def resolve_addresses(urls: Sequence[str] | str | None = None) -> tuple[Address, ...]:
    """Return the addresses of several buses, as `resolve_address` finds one.

    Args:
        urls: a URL for each, or one text in which they are separated by spaces, as SWARMAGE_URL has them.

    Raises:
        ConfigError: none is named, one cannot be read, or one is named twice.
    """
    texts, source = [urls] if isinstance(urls, str) else urls, ""
    if not urls:
        if urls is not None and not isinstance(urls, str):
            raise ConfigError("the list of the buses' URLs is empty; leave it out for the bus of SWARMAGE_URL")
        named = os.environ.get("SWARMAGE_URL")
        if not named:
            return (resolve_address(),)
        texts, source = [named], "SWARMAGE_URL"
    found = [Address.parse(url) for text in texts or () for url in split_urls(text)]
    for number, address in enumerate(found):
        if address in found[:number]:
            raise ConfigError(f"the bus {address} is named twice")
    return tuple(replace(address, source=source) for address in found)


def read_address(home: Path) -> Address:
    """Return where the bus that was started last in a state folder listens.

    Raises:
        ConfigError: none was.
    """
    path = home / "url"
    try:
        return replace(Address.parse(path.read_text().strip()), source=str(path))
    except OSError:
        raise ConfigError(
            f"no bus was started in {home} yet: start one with `swarmage up` or `swarmage bus`, or set SWARMAGE_URL"
        ) from None


def follow_address(address: Address) -> Callable[[], Address]:
    """Return what to ask before each connect: a bus that comes back in its folder may have got another port."""

    def follow() -> Address:
        try:
            return read_address(Path(address.source).parent) if address.source.endswith("url") else address
        except ConfigError:
            return address

    return follow


def record_address(home: Path, address: Address) -> None:
    """Write down where the bus of this folder listens, for clients started here later."""
    write_secret(home / "url", address.url + "\n")


def find_ca() -> Path | None:
    """Return whom to trust to sign for the bus: SWARMAGE_CA_FILE, else the state folder's CA, else None: the system."""
    named = os.environ.get("SWARMAGE_CA_FILE")
    if named:
        return Path(named)
    home = find_home()
    return home / CA if home is not None and (home / CA).exists() else None


def write_secret(path: Path, text: str, *, replace: bool = True) -> None:
    """Write a file of mode 0600 whole or not at all, also over a loss of power; without ``replace``, the first wins."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            try:
                os.link(draft, path)  # link refuses an existing name: two processes agree on one key
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        _sync_names(path.parent)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def _sync_names(folder: Path) -> None:
    """Have the disk know which name stands for which file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
