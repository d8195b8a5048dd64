"""The bus's side of TLS, and where it is needed."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path

from swarmage.errors import ConfigError


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach what listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def server_context(cert: Path, key: Path) -> ssl.SSLContext:
    """Return what a bus with this certificate takes for TLS: version 1.2 and later.

    Raises:
        ConfigError: the files cannot be used; the message says which and why.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    for path in (cert, key):
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigError(f"the TLS file {path} cannot be read: {error.strerror}") from error
    try:
        context.load_cert_chain(cert, key, password=_no_passphrase)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise ConfigError(
            f"{cert} and {key} are not a certificate and its key without a passphrase: {reason}"
        ) from None
    return context


def _no_passphrase() -> str:
    """Answer in OpenSSL's stead, which would ask at the terminal."""
    return ""
