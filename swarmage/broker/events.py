"""What a log line tells a program besides its text."""

from __future__ import annotations

from typing import Any


def event(name: str, **fields: Any) -> dict[str, Any]:
    """Return what a call of the log takes as ``extra``, so that ``--log-format json`` has a name and fields to show."""
    return {"event": name, "fields": fields}
