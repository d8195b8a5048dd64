"""An AsyncWorker whose tasks take their time, and write down when they begin and when they end."""

from __future__ import annotations

import asyncio

from ledger import Bookkeeper

from swarmage import AsyncWorker, ability


class Sleeper(AsyncWorker):
    @ability("sleeper.doze", crashes=None)  # else a thousand that are lost together run alone, one after another
    async def doze(self, path: str, seconds: float) -> None:
        Bookkeeper.line(f"{path}.begun", self.task.id)
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, over.set)
        await over.wait()
        Bookkeeper.line(path, self.task.id)
