"""How long a durable message takes between two bare sockets at a steady rate: until confirmed, and until delivered.

The schedule is fixed beforehand, and each time counts from when the message should have left. A bus that halts for a
while is charged with everything that waited meanwhile, not with one slow message.
"""

from __future__ import annotations

import re
import selectors
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from swarmage.bench.raw_socket import PREFETCH, RawSocket, frame
from swarmage.settings import Address

_CONFIRMED = re.compile(rb"\nreceipt-id:(\d+)\n")
_DELIVERED = re.compile(rb"\n\n(\d{10})x")
_LEAD_SECONDS = 0.1
_SLOWEST_SECONDS = 30.0


def times(address: Address, queue: str, body: int, rate: int, count: int) -> tuple[list[float], list[float]]:
    """Return for each message the seconds from its place in the schedule to its RECEIPT and to its MESSAGE.

    Args:
        address: where the bus listens.
        queue: a destination that is empty.
        body: of a message, in bytes; 11 or more.
        rate: messages a second that are offered.
        count: how many of them.
    """
    return offer(address, [_numbered(queue, body, number) for number in range(count)], rate, queue)


def offer(
    address: Address, frames: Sequence[bytes], rate: int, queue: str, headers: str = f"prefetch-count:{PREFETCH}\n"
) -> tuple[list[float], list[float]]:
    """Do the same with messages of one's own.

    Args:
        address: where the bus listens.
        frames: the messages; each asks for the receipt, and has the body, that begin with its number.
        rate: how many of them a second.
        queue: where they go.
        headers: of SUBSCRIBE, besides those of every one.
    """
    with RawSocket(address) as sender, RawSocket(address) as receiver, ThreadPoolExecutor(1) as thread:
        receiver.subscribe(queue, headers)
        started = time.perf_counter() + _LEAD_SECONDS
        due = [started + number / rate for number in range(len(frames))]
        offering = thread.submit(_offer, sender, frames, due)
        confirmed, delivered = _watch(sender, receiver, due)
        offering.result()
        receiver.leave()
    return confirmed, delivered


def _numbered(queue: str, body: int, number: int) -> bytes:
    made = frame(queue, b"%010d" % number + b"x" * (body - 10))
    return made.replace(b"SEND\n", b"SEND\nreceipt:%d\n" % number, 1)


def _offer(sender: RawSocket, frames: Sequence[bytes], due: Sequence[float]) -> None:
    """Send each frame when it is due, or at once where that is over."""
    for each, when in zip(frames, due, strict=True):
        wait = when - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        sender.write(each)


def _watch(sender: RawSocket, receiver: RawSocket, due: Sequence[float]) -> tuple[list[float], list[float]]:
    """Note when each answer comes, and acknowledge what is delivered."""
    confirmed, delivered = [-1.0] * len(due), [-1.0] * len(due)
    missing = 2 * len(due)
    patterns = {sender: (_CONFIRMED, confirmed), receiver: (_DELIVERED, delivered)}
    with selectors.DefaultSelector() as selector:
        for raw in patterns:
            selector.register(raw, selectors.EVENT_READ, raw)
        while missing:
            ready = selector.select(_SLOWEST_SECONDS)
            if not ready:
                raise TimeoutError(f"{missing} answers did not come within {_SLOWEST_SECONDS:.0f} s")
            for key, _ in ready:
                pattern, times = patterns[key.data]
                frames = key.data.read_frames()
                now = time.perf_counter()
                for number in map(int, pattern.findall(frames)):
                    missing -= times[number] < 0
                    times[number] = now - due[number]
                if key.data is receiver:
                    receiver.acknowledge(frames)
    return confirmed, delivered
