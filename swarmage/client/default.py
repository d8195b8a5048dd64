"""The client of this process, for what inserts tasks without being given one.

From: keyed.  To: client.
"""

from __future__ import annotations

import os
import threading

from swarmage.client.client import Client

Place = tuple[str | None, str | None]

_clients: dict[Place, Client] = {}
_lock = threading.Lock()


def _place() -> Place:
    return os.environ.get("SWARMAGE_URL"), os.environ.get("SWARMAGE_HOME")


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
