"""Runs of plain ACKs, settled without a frame for each: they are most of what a receiver sends.

From: session.  To: journal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swarmage.broker.sessions.session import Session

_BEFORE, _BEHIND = b"ACK\nid:", b"\n\n\0"
_RUN = re.compile(rb"(?:ACK\nid:[0-9]{1,18}\n\n\0)+")
_NUMBER = re.compile(rb"[0-9]+")


def settle_run(session: Session, data: bytes) -> bytes:
    """Settle what the ACKs at the beginning of the data name, and return the rest.

    The rest begins with the first frame that is anything else than a plain ACK of STOMP 1.2 for one message held here.
    """
    run = _RUN.match(data) if session.version == "1.2" and session.parser.between_frames else None
    if run is None:
        return data
    journal, unacked = session.hub.journal, session.unacked
    journal.speaker = session
    numbers = _NUMBER.findall(data, 0, run.end())
    for place, number in enumerate(numbers):
        message = unacked.get(int(number))
        holder = message.holder if message is not None else None
        if message is None or holder is None or holder.cumulative:
            return data[sum(len(_BEFORE) + len(each) + len(_BEHIND) for each in numbers[:place]) :]
        holder.settled(message)
        journal.remove(message)
    return data[run.end() :]
