"""A certificate authority of the swarm's own, and the bus's certificate. The only file that knows cryptography."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.errors import ConfigError
from swarmage.home import CA, CA_KEY, CERTIFICATE, CERTIFICATE_KEY, write_secret

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as error:
    raise ConfigError("certificates need the package cryptography; run: pip install swarmage[tls]") from error

CA_DAYS = 3650
CERTIFICATE_DAYS = 397  # what browsers' makers agreed on as the longest
HERE = ("localhost", "127.0.0.1", "::1")
"""Names that every certificate of ours holds, for those who use the bus on its own machine."""
_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Described:
    """What a certificate says.

    Attributes:
        names: of the machine it is for.
        begins: when it becomes valid.
        ends: when it stops being valid.
    """

    names: tuple[str, ...]
    begins: datetime
    ends: datetime


def make_certificate(home: Path, names: Sequence[str], clock: Clock = SYSTEM_CLOCK) -> None:
    """Write the bus's certificate and key into the state folder, signed by the CA there, which is made if need be.

    Raises:
        ConfigError: a name is none, or the CA that is there cannot be read.
    """
    alternatives = [_alternative(name) for name in dict.fromkeys([*names, *HERE])]
    now = datetime.fromtimestamp(clock.wall(), UTC)
    if not ((home / CA).exists() and (home / CA_KEY).exists()):
        _make_ca(home, now)
    try:
        ca = x509.load_pem_x509_certificate((home / CA).read_bytes())
        ca_key = serialization.load_pem_private_key((home / CA_KEY).read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{home / CA} and {home / CA_KEY} cannot be used: {error}; remove both for new ones"
        ) from error
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey) or ca_key.public_key() != ca.public_key():
        raise ConfigError(f"{home / CA_KEY} is not the key of {home / CA}; remove both for new ones")
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder("swarmage bus", ca.subject, key, now, min(ca.not_valid_after_utc, now + timedelta(CERTIFICATE_DAYS)))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    _write(home / CERTIFICATE, home / CERTIFICATE_KEY, builder.sign(ca_key, hashes.SHA256()), key)


def describe(path: Path) -> Described:
    """Read what a certificate says.

    Raises:
        ConfigError: it is none.
    """
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is no certificate: {error}") from error
    names: tuple[str, ...] = ()
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            names = tuple(str(name.value) for name in extension.value)
    return Described(names, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _make_ca(home: Path, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named("swarmage CA")
    builder = (
        _builder("swarmage CA", name, key, now, now + timedelta(CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    _write(home / CA, home / CA_KEY, builder.sign(key, hashes.SHA256()), key)


def _builder(
    subject: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_named(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    labels = name.removesuffix(".").split(".")
    if not all(label and label.replace("-", "").isalnum() and label.isascii() for label in labels):
        raise ConfigError(f"{name!r} is neither a machine's name nor its address")
    return x509.DNSName(name.removesuffix("."))


def _write(cert_path: Path, key_path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_secret(key_path, secret.decode())
    write_secret(cert_path, certificate.public_bytes(pem).decode())
