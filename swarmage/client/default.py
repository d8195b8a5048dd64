"""The client of this process, for what inserts tasks without being given one.

From: keyed.  To: client.
"""

from __future__ import annotations

import os
import threading

from swarmage.client.client import Client

Place = tuple[str | None, ...]

_NAMES = ("SWARMAGE_URL", "SWARMAGE_HOME", "SWARMAGE_KEY_FILE")
_clients: dict[Place, Client] = {}
_lock = threading.Lock()


def _place() -> Place:
    return tuple(map(os.environ.get, _NAMES))


def _forget() -> None:
    """Know of no client: after a fork they are the parent's, and who held the lock is not there."""
    global _lock  # noqa: PLW0603 - the old one may be held for ever
    _lock = threading.Lock()
    _clients.clear()


os.register_at_fork(after_in_child=_forget)


def default_client() -> Client:
    """Return the client for the bus that ``Client()`` would find now, made on first use; it lives as long as we do.

    Raises:
        ConfigError: no bus is known, or there is no signing key.
    """
    place = _place()
    with _lock:
        client = _clients.get(place)
        if client is None:
            client = _clients[place] = Client()
        return client


def close_default_client() -> None:
    """Close the client that `default_client` would return, if it was made; the next one who asks gets a new one."""
    with _lock:
        client = _clients.pop(_place(), None)
    if client is not None:
        client.close()
