"""What the doctor found out."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "warning", "error", "unknown"]


class Check(NamedTuple):
    """One thing that was looked at.

    Attributes:
        name: what it was; set by who runs the probe.
        state: ``ok``; ``warning``: it works, but not as well or as safely as it should; ``error``: swarmage cannot keep
            its promise on this bus; ``unknown``: the bus does not show it.
        seen: what was seen.
        advice: the line to write or the command to run; empty where all is well.
    """

    name: str
    state: State
    seen: str
    advice: str = ""


def ok(seen: str) -> Check:
    """Return that all is well."""
    return Check("", "ok", seen)


def warning(seen: str, advice: str) -> Check:
    """Return that something should be better."""
    return Check("", "warning", seen, advice)


def error(seen: str, advice: str) -> Check:
    """Return that something must be better."""
    return Check("", "error", seen, advice)


def unknown(seen: str, advice: str) -> Check:
    """Return that it cannot be seen from here."""
    return Check("", "unknown", seen, advice)
