"""What can happen to one TCP connection on its way: the faults, and a passage that has them.

From: fault_proxy.  To: the network.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

READ_BYTES = 64 * 1024
MOST_HELD = 1024 * 1024
"""Bytes that are on their way in one direction; who sends more waits, as with any slow network."""
PACED = 0.02
"""Seconds that one piece of a limited direction stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to the bytes of one direction. Without any of it they pass.

    Attributes:
        delay: seconds that each byte takes longer; as many as wanted are on their way meanwhile.
        bytes_per_second: how many pass at most.
        piece: how many are written at once: each piece is a read of its own for who waits for it.
        split_at: counted from the connection's first byte, where a piece ends besides.
        pause: seconds between two pieces.
        stall: nothing passes and nothing is lost: it goes on when the fault is over.
        black_hole: all is taken and nothing passes, neither a byte nor the end of the connection. What was swallowed is
            missing, so that the connection stays one for good; a new one leads nowhere from the start.
        cut_after: the connection is reset when so many have passed, counted from its first.
        change: what passes instead of each piece, for what no network does by itself.
    """

    delay: float = 0.0
    bytes_per_second: float | None = None
    piece: int | None = None
    split_at: tuple[int, ...] = ()
    pause: float = 0.002
    stall: bool = False
    black_hole: bool = False
    cut_after: int | None = None
    change: Callable[[bytes], bytes] | None = None


PASS = Fault()
"""No fault at all."""


class _Cut(Exception):
    """The connection is to be reset now."""


class Way:
    """One direction of a passage. The proxy's loop owns it; other threads only look.

    Attributes:
        fault: what happens here.
        passed: bytes that have left it.
        swallowed: bytes that a black hole has taken.
    """

    def __init__(self, fault: Fault, source: socket.socket, target: socket.socket | None) -> None:
        self.fault = fault
        self.passed = self.swallowed = 0
        self._source, self._target = source, target
        self._held: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._ended = False
        self._stirred = asyncio.Event()

    def set(self, fault: Fault) -> None:
        """Let another fault happen from now on, also to what is on its way."""
        self.fault = fault
        self._stirred.set()

    async def take(self) -> None:
        """Take what comes until it ends."""
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(self._source, READ_BYTES):
            self._held.append((loop.time(), data))
            self._size += len(data)
            self._stirred.set()
            while self._size > MOST_HELD:
                await self._stir()
        self._ended = True
        self._stirred.set()

    async def give(self) -> None:
        """Pass on what was taken, and its end."""
        loop = asyncio.get_running_loop()
        if self.fault.cut_after == 0:
            raise _Cut
        while True:
            while not self._held and not self._ended:
                await self._stir()
            if not self._held:
                break
            arrived, data = self._held[0]
            fault = self.fault
            left = arrived + fault.delay - loop.time()
            if fault.stall or left > 0:
                await self._stir(None if fault.stall else left)
                continue
            size = self._size_of_next(fault, len(data))
            self._held.popleft()
            if size < len(data):
                self._held.appendleft((arrived, data[size:]))
            self._size -= size
            self._stirred.set()
            await self._pass(fault, data[:size])
        if not self.swallowed and self._target is not None:
            with contextlib.suppress(OSError):  # it may have ended first
                self._target.shutdown(socket.SHUT_WR)

    def _size_of_next(self, fault: Fault, size: int) -> int:
        ends = [end - self.passed for end in (*fault.split_at, fault.cut_after) if end is not None]
        size = min([size, *(end for end in ends if end > 0)])
        if fault.piece is not None:
            size = min(size, fault.piece)
        if fault.bytes_per_second is not None:
            size = min(size, int(fault.bytes_per_second * PACED))
        return max(1, size)

    async def _pass(self, fault: Fault, data: bytes) -> None:
        if fault.black_hole or self.swallowed or self._target is None:
            self.swallowed += len(data)
            return
        written = data if fault.change is None else fault.change(data)
        await asyncio.get_running_loop().sock_sendall(self._target, written)
        self.passed += len(data)
        if fault.cut_after is not None and self.passed >= fault.cut_after:
            raise _Cut
        if fault.bytes_per_second is not None:
            await asyncio.sleep(len(data) / fault.bytes_per_second)
        elif fault.piece is not None or self.passed in fault.split_at:
            await asyncio.sleep(fault.pause)

    async def _stir(self, timeout: float | None = None) -> None:
        """Wait until something has changed here, or for so many seconds."""
        self._stirred.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stirred.wait(), timeout)


class Passage:
    """One connection through the proxy, from its accept to its end.

    Attributes:
        up: what goes to the bus.
        down: what comes from it.
    """

    def __init__(self, near: socket.socket, far: socket.socket | None, up: Fault, down: Fault) -> None:
        self.up = Way(up, near, far)
        self.down = Way(down, far or near, near)
        self._near, self._far = near, far
        self._hard = False
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Pass on in both directions until both have ended, or one is reset."""
        self._task = asyncio.current_task()
        ways = [self.up, self.down] if self._far is not None else [self.up]
        try:
            async with asyncio.TaskGroup() as group:
                for way in ways:
                    group.create_task(way.take())
                    group.create_task(way.give())
        except* (OSError, _Cut):  # one side has reset it: so is the other
            self._hard = True
        finally:
            self._close()

    def reset(self) -> None:
        """End it on both sides with a TCP reset."""
        self._hard = True
        self.close()

    def close(self) -> None:
        """End it on both sides, whatever is on its way."""
        if self._task is not None:
            self._task.cancel()

    def _close(self) -> None:
        for sock in (self._near, self._far):
            if sock is None:
                continue
            if self._hard:  # no wait for what is unsent, and a reset instead of an end
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
