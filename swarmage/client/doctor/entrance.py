"""Who gets into the bus, who may listen on the way, and what is signed: connect, logins, encryption, signing key."""

from __future__ import annotations

import secrets
from dataclasses import replace

from swarmage.bus.connection import Connection
from swarmage.client.doctor.bench import ANSWER, Bench
from swarmage.client.doctor.check import Check, error, ok, warning
from swarmage.errors import BusError, ConfigError
from swarmage.keyring import load_ring

_NO_GUEST = {
    "embedded": "swarmage keys user add NAME    and start the bus with a passcode",
    "RabbitMQ": "rabbitmqctl delete_user guest",
    "ActiveMQ": (
        'in activemq.xml: <plugins><simpleAuthenticationPlugin anonymousAccessAllowed="false"><users>'
        '<authenticationUser username="…" password="…" groups="users"/></users></simpleAuthenticationPlugin></plugins>'
    ),
}
_TLS = {
    "embedded": "swarmage keys tls HOST && swarmage bus --listen 0.0.0.0:61613 --tls    and stomps:// in the URL",
    "RabbitMQ": (
        "in rabbitmq.conf: stomp.listeners.ssl.1 = 61614, ssl_options.cacertfile, ssl_options.certfile and"
        " ssl_options.keyfile; and stomps:// in the URL"
    ),
    "ActiveMQ": (
        'in activemq.xml: a <sslContext keyStore="…" keyStorePassword="…"/> and a transportConnector'
        ' uri="stomp+nio+ssl://0.0.0.0:61614"; and stomps:// in the URL'
    ),
}


def connect(bench: Bench) -> Check:
    """Tell how the connection came about, which is there already."""
    login = f"as {bench.bus.address.login!r}" if bench.bus.address.login else "without a login"
    return ok(f"{bench.bus.address} lets us in {login}, after {bench.connect_seconds * 1000:.1f} ms")


def logins(bench: Bench) -> Check:
    """Try to come in as guests do, and if that works, as anybody."""
    advice = _NO_GUEST[bench.bus.dialect.name]
    if bench.bus.address.memory:
        return ok("nobody else can reach a bus inside one process")
    if not _lets_in(bench, "guest", "guest"):
        return ok("guest/guest is refused")
    if _lets_in(bench, secrets.token_hex(8), secrets.token_hex(8)):
        return error("the bus lets everybody in, whatever login and passcode they say", advice)
    return warning("guest/guest is let in, a login that everybody knows", advice)


def _lets_in(bench: Bench, login: str, passcode: str) -> bool:
    address = replace(bench.bus.address.machine(0), login=login, passcode=passcode, source="")
    connection = Connection(address, bench.clock, lambda _, __: None, lambda _: None)
    try:
        connection.open(ANSWER)
    except BusError:
        return False
    finally:
        connection.close()
    return True


def encryption(bench: Bench) -> Check:
    """See whether what we say can be read on the way."""
    if bench.bus.address.tls:
        return ok("TLS, and the certificate is that of its machine")
    if bench.bus.address.memory or bench.is_near:
        return ok("plain STOMP, which does not leave this machine")
    return warning(
        "plain STOMP to another machine: passcode and tasks can be read on the way", _TLS[bench.bus.dialect.name]
    )


def signing_key(bench: Bench) -> Check:
    """See whether there is a key to sign tasks with."""
    try:
        ring = load_ring()
    except ConfigError as failure:
        return error(str(failure), "copy the key file of the swarm here, mode 0600, and name it in SWARMAGE_KEY_FILE")
    return ok(f"there, and {ring.ids[0]} signs: all drones and clients must accept a key with this id")
