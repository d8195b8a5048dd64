"""Where the bus is: one frozen value, checked when it is built."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from swarmage.errors import ConfigError

_MACHINES = re.compile(r"([^/?#]*)(.*)", re.DOTALL)
_NEXT_URL = re.compile(r"\s+(?=[A-Za-z]+://)")
DEFAULT_PORT = 61613
"""The port IANA lists for STOMP, and the one the ancestors used."""

OPTIONS = {
    "queues": ("quorum", "classic"),
    "dialect": ("embedded", "rabbitmq", "activemq", "artemis"),
    "management": (),
}
"""What may stand behind the ``?`` of a URL, with the values that each may have; none for what is a URL itself."""

HEART_BEAT, SILENCE = 4.0, 60.0

NUMBERS = {
    "heartbeat": (HEART_BEAT, 0.1, 60.0, "seconds"),
    "silence": (SILENCE, 0.0, 86400.0, "seconds"),
    "ahead": (0, 0, 1000, "tasks"),
}
"""What may stand there besides: by default, at least, and at most, and of what it is a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a bus listens and who we are there.

    Attributes:
        host: name or address of the machine.
        port: TCP port.
        login: user name, empty for none.
        passcode: the user's passcode; never printed.
        vhost: what STOMP calls ``host``: the virtual host on RabbitMQ, ignored by other buses.
        source: where the address was found, for messages.
        tls: whether the connection is encrypted and the bus shows a certificate: ``stomps://``.
        memory: whether it is a bus inside this process, as tests have it, called ``host``: ``memory://``.
        others: hosts and ports of the other machines of the same bus, any of which will do.
        queues: the kind of queues on RabbitMQ: ``quorum``, ``classic``, or empty for quorum.
        dialect: what kind of bus it is, whatever it calls itself; empty for what it says.
        heartbeat: seconds between signs of life that both sides offer; 2.5 of them in silence end the connection.
        ahead: tasks of each class that a drone takes besides what its workers can perform at once, on a bus to which it
            cannot give them back.
        silence: seconds without a task of a class until a drone makes sure that none waits; 0 for never.
        management: URL of RabbitMQ's management API, empty for where it usually is on the bus's machines.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    login: str = ""
    passcode: str = field(default="", repr=False)
    vhost: str = "/"
    source: str = field(default="", compare=False)
    tls: bool = False
    memory: bool = False
    others: tuple[tuple[str, int], ...] = ()
    queues: str = ""
    dialect: str = ""
    heartbeat: float = HEART_BEAT
    silence: float = SILENCE
    ahead: int = 0
    management: str = ""

    def __post_init__(self) -> None:
        for host, port in self.machines:
            if not host:
                raise ConfigError("the bus's address has no host; write stomp://login:passcode@host:port/vhost")
            if not 0 <= port <= 65535:
                raise ConfigError(f"the bus's port {port} is not between 0 and 65535")
        for name in ("login", "passcode", "vhost"):
            if any(end in getattr(self, name) for end in "\r\n\0"):  # STOMP 1.2: CONNECT's headers are not escaped
                raise ConfigError(f"the bus's {name} must not hold line ends or NUL")
        self._check_options()

    def _check_options(self) -> None:
        for name, values in OPTIONS.items():
            if values and getattr(self, name) not in ("", *values):
                known = " or ".join(f"{name}={value}" for value in values)
                raise ConfigError(f"the bus's URL says {name}={getattr(self, name)}; there is {known}")
        for name, (_, least, most, unit) in NUMBERS.items():
            if not least <= getattr(self, name) <= most:
                raise ConfigError(
                    f"the bus's URL says {name}={getattr(self, name):g}; it is in {unit}, from {least:g} to {most:g}"
                )
        if self.management:
            _check_management(self.management)

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read ``stomp://login:passcode@host:port/vhost``, or ``stomps://`` for TLS.

        Several machines of one bus are separated by commas: ``stomp://…@one:61613,two:61613,three/vhost``. Options
        stand behind a ``?``: ``?queues=classic&dialect=rabbitmq``.

        Raises:
            ConfigError: the URL is something else, or several; the message does not repeat its passcode.
        """
        if len(split_urls(url)) > 1:
            raise ConfigError(
                f"the URL names {len(split_urls(url))} buses where only one can be meant: a Client takes several, and"
                " `swarmage drone`; a bus itself and a Drone take one, give it as url=… or in a SWARMAGE_URL of its own"
            )
        try:
            # Apart from the rest, for which several machines with brackets around one are no host.
            scheme, there, rest = url.partition("://")
            netloc, tail = _MACHINES.fullmatch(rest).groups() if there else ("", "")  # type: ignore[union-attr]
            parts = urlsplit(f"{scheme}://one{tail}" if there else url)
            who, _, where = netloc.rpartition("@")
            machines = [urlsplit(f"//{machine}") for machine in where.split(",")]
            ports = [DEFAULT_PORT if machine.port is None else machine.port for machine in machines]
        except ValueError:  # whose text would repeat part of the passcode
            raise ConfigError(
                f"the bus's URL cannot be read; {_FORM}, with / ? # : @ in them as %2F %3F %23 %3A %40"
            ) from None
        if parts.scheme not in {"stomp", "stomps", "memory"}:
            raise ConfigError(f"the bus's URL starts with {parts.scheme or 'nothing'}:, not with stomp:; {_FORM}")
        hosts = [machine.hostname or "" for machine in machines]
        if not all(hosts):
            raise ConfigError(f"the bus's URL names no host{' between two commas' * (len(hosts) > 1)}; {_FORM}")
        login, _, passcode = who.partition(":")
        return cls(
            host=hosts[0],
            port=ports[0],
            login=unquote(login),
            passcode=unquote(passcode),
            vhost=unquote(parts.path[1:]) or "/",
            tls=parts.scheme == "stomps",
            memory=parts.scheme == "memory",
            others=tuple(zip(hosts[1:], ports[1:], strict=True)),
            **_options(parts.query),
        )

    @property
    def machines(self) -> tuple[tuple[str, int], ...]:
        """Hosts and ports of all its machines."""
        return ((self.host, self.port), *self.others)

    def machine(self, number: int) -> Address:
        """Return one of its machines, counted from 0 and round and round, with all else as it is here."""
        host, port = self.machines[number % len(self.machines)]
        return replace(self, host=host, port=port, others=()) if self.others else self

    @property
    def url(self) -> str:
        """The address as a URL, passcode included: for files of mode 0600 and the environment only."""
        return self._format(quote(self.passcode, safe=""))

    def __str__(self) -> str:
        return self._format("***")

    def _format(self, passcode: str) -> str:
        if self.memory:
            return f"memory://{self.host}"
        who = f"{quote(self.login, safe='')}:{passcode}@" if self.login else ""
        where = ",".join(f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in self.machines)
        vhost = "" if self.vhost == "/" else "/" + quote(self.vhost, safe="")
        scheme = "stomps" if self.tls else "stomp"
        said = [f"{name}={quote(getattr(self, name), ':/[]')}" for name in OPTIONS if getattr(self, name)]
        for name, (usual, *_) in NUMBERS.items():
            if getattr(self, name) != usual:
                said.append(f"{name}={getattr(self, name):g}")
        return f"{scheme}://{who}{where}{vhost}{'?' if said else ''}{'&'.join(said)}"


def split_urls(text: str) -> list[str]:
    """Return the URLs of several buses, which are separated by spaces; each is still to be parsed."""
    return _NEXT_URL.split(text.strip())


_FORM = "write stomp://login:passcode@host:port/vhost"


def _options(query: str) -> dict[str, Any]:
    given = parse_qsl(query, keep_blank_values=True)
    for name, value in given:
        if name not in OPTIONS and name not in NUMBERS:
            known = ", ".join((*OPTIONS, *NUMBERS))
            raise ConfigError(f"the bus's URL has an option {name!r}; there is {known}")
        if not value:
            raise ConfigError(f"the option {name} of the bus's URL cannot be empty; leave it out")
    return {name: _number(name, value) if name in NUMBERS else value for name, value in given}


def _number(name: str, text: str) -> float:
    usual, *_, unit = NUMBERS[name]
    try:
        return type(usual)(text)
    except ValueError:
        raise ConfigError(f"the bus's URL says {name}={text}, which is no number of {unit}") from None


def _check_management(url: str) -> None:
    """Raise a ConfigError unless it is a URL to ask; it is not repeated, for it might hold a passcode."""
    try:
        parts = urlsplit(url)
        right = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        right = False
    if not right or parts.username is not None or parts.query or parts.fragment or not url.isprintable():
        raise ConfigError(
            "management= in the bus's URL is not like http://host:15672 or https://host:15671; the login there is that"
            " of the bus"
        )
