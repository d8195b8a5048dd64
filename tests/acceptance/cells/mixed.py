"""Workers of all three kinds that pass one another local tasks, in a module that processes can import."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from swarmage.abilities import ability
from swarmage.drone.coroutines.async_worker import AsyncWorker
from swarmage.drone.worker import Worker
from swarmage.errors import TaskFailed


class Same:
    """A value that JSON cannot say."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return type(other) is Same and other.number == self.number

    __hash__ = None  # type: ignore[assignment]


class InProcess(Worker):
    isolation = "process"

    @ability("process.down", retries=0, crashes=1)
    def down(self, way: list[str]) -> list[Any]:
        rest = self.local(f"{way[0]}.down", way[1:]).result(10) if way else []
        return [("process", os.getpid()), *rest]

    @ability("process.same", retries=0, crashes=1)
    def same(self, value: Same) -> Same:
        assert type(value) is Same
        return Same(value.number + 1)

    @ability("process.ask", retries=0, crashes=1)
    def ask(self, numbers: list[int]) -> list[int]:
        asked = [self.local("async.same", Same(number)) for number in numbers]
        return [one.result(10).number for one in asked]

    @ability("process.fail", retries=0, crashes=1)
    def fail(self, code: int = 0) -> None:
        if code:
            os._exit(code)
        raise ValueError("in the process")

    @ability("process.catch", retries=0, crashes=1)
    def catch(self) -> str:
        try:
            self.local("async.fail").result(10)
        except TaskFailed as error:
            return error.kind
        return "nothing"

    @ability("process.hold", retries=0, crashes=1)
    def hold(self, fifo: str) -> int:
        self.checkpoint()
        Path(fifo).read_text()
        return os.getpid()

    @ability("process.quick", retries=0, crashes=1)
    def quick(self, fifo: str = "") -> int:
        if fifo:
            Path(fifo).read_text()
        return os.getpid()

    @ability("process.wait", retries=0, crashes=1)
    def wait(self, fifo: str) -> None:
        self.insert("nobody.takes")
        self.local("thread.hold", fifo).result(10)

    @ability("process.say", retries=0, crashes=1)
    def say(self, fifo: str) -> str:
        """Respond, at once and later, here and in local tasks."""
        self.respond("first", at_once=True)
        self.acknowledge()
        Path(fifo).read_text()
        self.respond("second")
        self.respond("third", at_once=True)
        self.local("thread.say").result(10)
        return "end"

    @ability("process.slow", timeout=300, retries=0, crashes=1)
    def slow(self, fifo: str) -> None:
        Path(fifo).read_text()


class OnLoop(AsyncWorker):
    @ability("async.down", retries=0, crashes=1)
    async def down(self, way: list[str]) -> list[Any]:
        rest = await self.local(f"{way[0]}.down", way[1:]) if way else []
        return [("async", os.getpid()), *rest]

    @ability("async.same", retries=0, crashes=1)
    async def same(self, value: Same) -> Same:
        assert type(value) is Same
        return Same(value.number + 1)

    @ability("async.ask", retries=0, crashes=1)
    async def ask(self, numbers: list[int]) -> list[int]:
        asked = [self.local("process.same", Same(number)) for number in numbers]
        return [(await one).number for one in asked]

    @ability("async.fail", retries=0, crashes=1)
    async def fail(self) -> None:
        raise ValueError("on the loop")

    @ability("async.catch", retries=0, crashes=1)
    async def catch(self, code: int) -> str:
        try:
            await self.local("process.fail", code).wait(10)
        except TaskFailed as error:
            return error.kind
        return "nothing"


class InThread(Worker):
    @ability("thread.down", retries=0, crashes=1)
    def down(self, way: list[str]) -> list[Any]:
        rest = self.local(f"{way[0]}.down", way[1:]).result(10) if way else []
        return [("thread", os.getpid()), *rest]

    @ability("thread.hold", retries=0, crashes=1)
    def hold(self, fifo: str) -> None:
        Path(fifo).read_text()

    @ability("thread.say", retries=0, crashes=1)
    def say(self) -> None:
        self.respond("fourth")

    say_all = ability("thread.say_all", retries=0, crashes=1)(InProcess.say.function)

    @ability("thread.give", retries=0, crashes=1)
    def give(self, fifo: str) -> None:
        self.insert("nobody.takes")
        self.local("process.hold", fifo).result(10)
