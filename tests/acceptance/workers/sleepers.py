"""An AsyncWorker whose tasks take their time, and write down when they begin and when they end."""

from __future__ import annotations

import asyncio

from ledger import Bookkeeper

from swarmage import AsyncWorker, ability


class Sleeper(AsyncWorker):
    @ability("sleeper.doze")
    async def doze(self, path: str, seconds: float) -> None:
        Bookkeeper.line(f"{path}.begun", self.task.id)
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, over.set)
        await over.wait()
        Bookkeeper.line(path, self.task.id)
