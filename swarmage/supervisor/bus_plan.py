"""How the embedded bus is to run: who its first user is, where it listens, where it keeps its messages."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from swarmage.errors import ConfigError
from swarmage.settings import DEFAULT_PORT, Address

FIRST_LOGIN = "swarm"
LOOPBACK = "127.0.0.1"
ANY_PORT = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BusPlan:
    """How to start the bus.

    Attributes:
        address: host, login and passcode; its port is not looked at.
        ports: tried in this order; 0 = any free one.
        data: the folder its messages are kept in.
    """

    address: Address
    ports: tuple[int, ...]
    data: str


def plan_bus(home: Path, *, url: str | None, listen: str | None = None, data: Path | None = None) -> BusPlan:
    """Decide where the bus listens and who its first user is.

    Args:
        home: the state folder; the address recorded in there is used again.
        url: names the first user and the one place to listen at, when set.
        listen: ``host:port``, stronger than both.
        data: where messages are kept; by default in the state folder.

    Raises:
        ConfigError: one of them cannot be read, or the URL names nobody.
    """
    folder = str((data or home / "bus").absolute())
    if url:
        address = Address.parse(url)
        if not (address.login and address.passcode):
            raise ConfigError("SWARMAGE_URL names no login and passcode for the bus to take as its first user")
        ports: tuple[int, ...] = (address.port,)
    else:
        recorded = _recorded(home / "url")
        address = recorded or Address(login=FIRST_LOGIN, passcode=secrets.token_urlsafe())
        address = replace(address, host=LOOPBACK)
        ports = (address.port, DEFAULT_PORT, ANY_PORT)
    if listen:
        host, port = _host_and_port(listen)
        address, ports = replace(address, host=host), (port,)
    return BusPlan(address=address, ports=ports, data=folder)


def _recorded(path: Path) -> Address | None:
    try:
        address = Address.parse(path.read_text(encoding="utf-8", errors="replace").strip())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}; remove the file to have it made anew") from error
    return address if address.login and address.passcode else None


def _host_and_port(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()):
        raise ConfigError(f"{listen!r} is not HOST:PORT, such as {LOOPBACK}:{DEFAULT_PORT}")
    address = Address(host=host.removeprefix("[").removesuffix("]"), port=int(port))
    return address.host, address.port
