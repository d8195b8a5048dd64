"""Logs of the processes that stay: to stderr, one line per event."""

from __future__ import annotations

import logging
import sys


def log_to_stderr(name: str) -> None:
    """Set up logging for this process, under the name that it goes by."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format=f"%(asctime)s {name}[%(process)d] %(levelname)s %(message)s",
    )
    # It warns of each attempt to connect; what came of them is ours to say, once.
    logging.getLogger("stomp.py").setLevel(logging.CRITICAL)
