"""How the embedded bus is to run: who its first user is, where it listens, where it keeps its messages."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path

from swarmage.broker.entrance.tls import is_loopback, server_context
from swarmage.errors import ConfigError
from swarmage.home import CERTIFICATE, CERTIFICATE_KEY, USERS
from swarmage.settings import DEFAULT_PORT, Address
from swarmage.supervisor.keeping import Keeping

FIRST_LOGIN = "swarm"
LOOPBACK = "127.0.0.1"
ANY_PORT = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BusPlan:
    """How to start the bus.

    Attributes:
        address: what its users on this machine are told: host, login, passcode, TLS; its port is not looked at.
        ports: tried in this order; 0 = any free one.
        data: the folder its messages are kept in.
        host: where it listens, if that is not the address's host.
        cert: the file of its certificate, with TLS.
        key: the file of the certificate's key.
        users: the file of further users.
        keeping: what its receipts mean, and how much it takes.
    """

    address: Address
    ports: tuple[int, ...]
    data: str
    host: str = ""
    cert: str = ""
    key: str = ""
    users: str = ""
    keeping: Keeping = field(default_factory=Keeping)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """What the command line says of where and how to listen.

    Attributes:
        command: the command, for the advice on how to mend it.
        at: ``host:port``, None where it did before.
        tls: whether TLS is wanted.
        cert: the file of a certificate of one's own.
        key: the file of its key.
    """

    command: str = "bus"
    at: str | None = None
    tls: bool = False
    cert: Path | None = None
    key: Path | None = None


def plan_bus(home: Path, *, url: str | None, listening: Listening | None = None, data: Path | None = None) -> BusPlan:
    """Decide where the bus listens and who its first user is.

    Args:
        home: the state folder; the address recorded in there is used again.
        url: names the first user and the one place to listen at, when set.
        listening: what the command line says, stronger than both.
        data: where messages are kept; by default in the state folder.

    Raises:
        ConfigError: one of them cannot be read, the URL names nobody, or others could reach a bus without TLS.
    """
    listening = listening or Listening()
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
    if listening.at:
        host, port = _host_and_port(listening.at)
        address, ports = replace(address, host=host), (port,)
    tls = listening.tls or bool(listening.cert or listening.key) or (bool(url) and address.tls)
    cert, key = _certificate(home, listening, address.host) if tls else ("", "")
    if not tls and not is_loopback(address.host):
        raise ConfigError(
            f"the bus opens {address.host} to other machines only with TLS;"
            f" run: {_mend(home, listening, address.host, ports[0])}"
        )
    return BusPlan(
        address=replace(address, host=_reached_at(address.host), tls=tls),
        ports=ports,
        data=folder,
        host=address.host,
        cert=cert,
        key=key,
        users=str((home / USERS).absolute()),
    )


def _certificate(home: Path, listening: Listening, host: str) -> tuple[str, str]:
    """Return the files of the certificate and of its key, which can be used."""
    cert, key = listening.cert, listening.key
    if bool(cert) != bool(key):
        raise ConfigError("--cert and --key belong together: the files of a certificate and of its key")
    if cert is None or key is None:
        cert, key = home / CERTIFICATE, home / CERTIFICATE_KEY
        if not cert.exists():
            raise ConfigError(f"there is no certificate in {home}; run: swarmage keys tls {_name_of(host)}")
    server_context(cert, key)
    return str(cert.absolute()), str(key.absolute())


def _mend(home: Path, listening: Listening, host: str, port: int) -> str:
    at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    start = f"swarmage {listening.command} --listen {at} --tls"
    if (home / CERTIFICATE).exists():
        return start
    return f"swarmage keys tls {_name_of(host)} && {start}"


def _name_of(host: str) -> str:
    """Return by what name others may know a machine that listens there."""
    return socket.gethostname() if _is_wildcard(host) or is_loopback(host) else host


def _reached_at(host: str) -> str:
    """Return where those on this machine find a bus that listens there."""
    if not _is_wildcard(host):
        return host
    return "::1" if ":" in host else LOOPBACK


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


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
