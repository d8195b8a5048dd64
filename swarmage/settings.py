"""Where the bus is: one frozen value, checked when it is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from swarmage.errors import ConfigError

DEFAULT_PORT = 61613
"""The port IANA lists for STOMP, and the one the ancestors used."""


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
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    login: str = ""
    passcode: str = field(default="", repr=False)
    vhost: str = "/"
    source: str = field(default="", compare=False)
    tls: bool = False
    memory: bool = False

    def __post_init__(self) -> None:
        if not self.host:
            raise ConfigError("the bus's address has no host; write stomp://login:passcode@host:port/vhost")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"the bus's port {self.port} is not between 0 and 65535")
        for name in ("login", "passcode", "vhost"):
            if any(end in getattr(self, name) for end in "\r\n\0"):  # STOMP 1.2: CONNECT's headers are not escaped
                raise ConfigError(f"the bus's {name} must not hold line ends or NUL")

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read ``stomp://login:passcode@host:port/vhost``, or ``stomps://`` for TLS.

        Raises:
            ConfigError: the URL is something else; the message does not repeat its passcode.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:  # whose text would repeat part of the passcode
            raise ConfigError(
                f"the bus's URL cannot be read; {_FORM}, with / ? # : @ in them as %2F %3F %23 %3A %40"
            ) from None
        if parts.scheme not in {"stomp", "stomps", "memory"}:
            raise ConfigError(f"the bus's URL starts with {parts.scheme or 'nothing'}:, not with stomp:; {_FORM}")
        if not parts.hostname:
            raise ConfigError(f"the bus's URL names no host; {_FORM}")
        return cls(
            host=parts.hostname,
            port=DEFAULT_PORT if port is None else port,
            login=unquote(parts.username or ""),
            passcode=unquote(parts.password or ""),
            vhost=unquote(parts.path[1:]) or "/",
            tls=parts.scheme == "stomps",
            memory=parts.scheme == "memory",
        )

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
        host = f"[{self.host}]" if ":" in self.host else self.host
        vhost = "" if self.vhost == "/" else "/" + quote(self.vhost, safe="")
        scheme = "stomps" if self.tls else "stomp"
        return f"{scheme}://{who}{host}:{self.port}{vhost}"


_FORM = "write stomp://login:passcode@host:port/vhost"
