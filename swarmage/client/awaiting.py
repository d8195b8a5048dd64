"""Waiting for a reply in a coroutine: the reading thread tells the loop.

From: reply.  To: your program.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from swarmage.client.heard import Heard


async def news(heard: Heard, timeout: float) -> AsyncGenerator[None, None]:
    """Return at once, and then at each piece of news; end when none has come for ``timeout`` seconds.

    Raises:
        SwarmageError: nothing will come any more.
    """
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()

    def tell() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(changed.set)

    heard.listen(tell)
    try:
        while True:
            yield
            if heard.lost is not None:
                raise heard.lost
            try:
                async with asyncio.timeout(timeout):
                    await changed.wait()
            except TimeoutError:
                return
            changed.clear()
    finally:
        heard.ignore(tell)
