"""Arguments whose names say that they are secret, before they are shown."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

SECRET = {"password", "passwd", "passcode", "passphrase", "secret", "token", "authorization", "credential", "apikey"}
"""Words. A name is secret when it has one of them, separated by what is no letter: `db_password`, not `max_tokens`."""

_WORD = re.compile(r"[a-z]+")


def redacted(value: Any) -> Any:
    """Return a copy in which ``***`` stands for what has a secret name, however deep it stands."""
    if isinstance(value, dict):
        return {name: "***" if _is_secret(name) else redacted(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(held) for held in value]
    return value


def _is_secret(name: object) -> bool:
    words = _WORD.findall(str(name).lower())
    return not SECRET.isdisjoint(words) or ("api", "key") in pairwise(words)
