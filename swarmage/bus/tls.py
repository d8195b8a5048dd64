"""A socket under TLS that one thread may read while another writes.

ssl.SSLSocket may not be used like that: OpenSSL's calls on one connection must not overlap, and Python lets go of its
own lock during them (docs/decisions). Here OpenSSL works on memory alone, which takes microseconds under a lock of
ours, and the waiting is done on the plain socket outside of it.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import BusUnreachable, TlsFailed
from swarmage.home import find_ca
from swarmage.settings import Address

logger = logging.getLogger(__name__)

READ_BYTES = 1 << 18
_RECORD_BYTES = 1 << 14


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return what we ask of the bus: TLS 1.2 or later, a certificate for its name, signed by whom we trust.

    Args:
        ca_file: whom to trust, None for whom the system trusts.

    Raises:
        TlsFailed: the file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TlsFailed(f"the CA's certificate {ca_file} cannot be read: {reason}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # so that reading never has to write
    return context


class TlsSocket:
    """As much of a socket as stomp.py and we use."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._socket = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._lock = threading.Lock()  # of the three above; never held while waiting for the network
        self._write_lock = threading.Lock()  # keeps records in their order on the way from memory to the network

    def handshake(self, remaining: Callable[[], float]) -> None:
        """Agree on keys and check the certificate.

        Args:
            remaining: tells how many seconds are left.

        Raises:
            TimeoutError: nobody answers in time.
            ssl.SSLError: the other side speaks no TLS, or is not who it should be.
            OSError: the connection broke.
        """
        while True:
            try:
                self._tls.do_handshake()
                wants = False
            except ssl.SSLWantReadError:
                wants = True
            except ssl.SSLError:
                with contextlib.suppress(OSError):  # it is told why, but need not listen
                    self._socket.sendall(self._outgoing.read())
                raise
            self._socket.settimeout(max(0.001, remaining()))
            self._socket.sendall(self._outgoing.read())
            if not wants:
                self._socket.settimeout(None)
                return
            self._take(self._socket.recv(READ_BYTES))

    def _take(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def recv(self, size: int) -> bytes:
        """Return what has come, waiting for something; nothing when the connection has ended.

        An end without TLS's own goodbye is an end like any other: frames tell by themselves whether they are whole.
        What OpenSSL would like to write meanwhile (a new key) goes ahead of the next write.
        """
        while True:
            with self._lock:
                data, ended = self._decrypt(size)
            if data or ended:
                return data
            received = self._socket.recv(READ_BYTES)
            with self._lock:
                self._take(received)

    def _decrypt(self, size: int) -> tuple[bytes, bool]:
        """Return all that is there, and whether it was the last; one record after the other, as OpenSSL hands out."""
        parts: list[bytes] = []
        total = 0
        try:
            while total < size:
                part = self._tls.read(min(size - total, _RECORD_BYTES))
                if not part:
                    return b"".join(parts), True
                parts.append(part)
                total += len(part)
        except ssl.SSLWantReadError:
            return b"".join(parts), False
        except ssl.SSLError as error:
            logger.debug("the TLS connection has ended: %s", error)
            return b"".join(parts), True
        return b"".join(parts), False

    def sendall(self, data: bytes) -> None:
        """Write all of it."""
        rest = memoryview(data)
        with self._write_lock:
            with self._lock:
                while rest:
                    rest = rest[self._tls.write(rest) :]
                encrypted = self._outgoing.read()
            self._socket.sendall(encrypted)

    def shutdown(self, how: int) -> None:
        """Say goodbye if that can be done without waiting, and end the connection in both directions."""
        if self._write_lock.acquire(blocking=False):
            try:
                with self._lock, contextlib.suppress(ssl.SSLError):
                    self._tls.unwrap()
                with contextlib.suppress(OSError):
                    self._socket.send(self._outgoing.read(), socket.MSG_DONTWAIT)
            finally:
                self._write_lock.release()
        self._socket.shutdown(how)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def getsockname(self) -> tuple[object, ...]:
        """Return our end's address."""
        name: tuple[object, ...] = self._socket.getsockname()
        return name


def encrypt(plain: socket.socket, address: Address, timeout: float) -> TlsSocket:
    """Put TLS around a fresh connection to the bus; the plain socket is closed when that fails.

    Raises:
        TlsFailed: the bus is not who it should be, or speaks no TLS.
        BusUnreachable: it does not answer in time, or the connection broke.
    """
    deadline = SYSTEM_CLOCK.monotonic() + timeout
    ca_file = find_ca()
    try:
        encrypted = TlsSocket(plain, client_context(ca_file), address.host)
        encrypted.handshake(lambda: deadline - SYSTEM_CLOCK.monotonic())
    except (OSError, ValueError, TlsFailed) as error:
        plain.close()
        if isinstance(error, TlsFailed):
            raise
        raise _explain(error, address, ca_file) from None
    return encrypted


def speaks_tls(address: Address, timeout: float) -> bool:
    """Tell whether TLS is spoken where a plain connection was ended without a word; nothing secret is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((address.host, address.port), timeout) as plain, context.wrap_socket(plain):
            return True
    except OSError:
        return False


def _explain(error: OSError | ValueError, address: Address, ca_file: Path | None) -> BusUnreachable | TlsFailed:
    """Say in our words why a handshake failed; what may be otherwise the next time is a bus out of reach."""
    match error:
        case ssl.SSLCertVerificationError():
            trusted = str(ca_file) if ca_file else "what the system trusts, for want of ca.pem and SWARMAGE_CA_FILE"
            return TlsFailed(
                f"the certificate of the bus at {address} is refused: {error.verify_message.rstrip('.')};"
                f" it was measured by {trusted}"
            )
        case ssl.SSLError() if error.reason in {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"}:
            return TlsFailed(f"what listens at {address} speaks no TLS; for a plain one write stomp:// in its URL")
        case TimeoutError():
            return BusUnreachable(f"what listens at {address} does not answer in TLS")
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():  # which of the two depends on the version of OpenSSL
            return BusUnreachable(f"the bus at {address} ended the connection before TLS was agreed on")
        case OSError() if not isinstance(error, ssl.SSLError):
            return BusUnreachable(f"the bus at {address} ended the connection before TLS was agreed on")
        case _:  # also a host that no certificate can name
            return TlsFailed(f"no TLS with the bus at {address}: {getattr(error, 'reason', None) or error}")
