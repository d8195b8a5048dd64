"""What a type checker makes of a user's program: `mypy tests/typed` is part of the checks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, assert_type

import pykka

from swarmage import AsyncWorker, Client, Drone, KeyedWorker, Reply, Supervisor, Watching, Worker, ability


class Census(Worker):
    concurrency = 4

    @ability("text.census", timeout=60, retries=5)
    def census(self, path: str, *, deep: bool = False) -> dict[str, int]:
        assert_type(self.count(path), int)
        self.local(Census.count, path)
        return {path: 1}

    @ability("text.count")
    def count(self, path: str) -> int:
        return len(path)


class Encoder(Worker):
    isolation = "process"
    memory_limit = 500_000_000
    recycle_tasks = 100

    @ability("video.encode", timeout=60)
    def encode(self, path: str) -> int:
        return len(path)


def in_a_process(client: Client) -> Reply[int]:
    return client.insert(Encoder.encode, "a")


def by_ability(client: Client) -> dict[str, int]:
    reply = client.insert(Census.census, "/usr/share/doc", deep=True)
    assert_type(reply, Reply[dict[str, int]])
    client.insert(Census.census, 5)  # type: ignore[call-overload]  # the ability takes a str
    client.insert(Census.census, "/", shallow=True)  # type: ignore[call-arg]  # and has no such parameter
    return reply.result(timeout=30)


def by_name(client: Client) -> None:
    assert_type(client.insert("text.census", "/usr/share/doc"), Reply[Any])
    assert_type(client.insert_many(Census.count, ["a", "b"]), list[Reply[int]])


async def awaited(client: Client) -> None:
    assert_type(await client.insert(Census.count, "a"), int)


class Fetch(AsyncWorker):
    concurrency = 2000

    async def on_start(self) -> None:  # type: ignore[override]  # pykka's own hook is a plain def
        self.agent = "swarmage"

    @ability("web.fetch", timeout=10)
    async def fetch(self, url: str) -> str:
        assert_type(await self.again(url), str)
        await self.local(Fetch.again, url)
        return url

    @ability("web.again")
    async def again(self, url: str) -> str:
        return url

    @ability("web.lines")
    async def lines(self, url: str) -> AsyncIterator[str]:
        yield url


def by_coroutine(client: Client) -> None:
    assert_type(client.insert(Fetch.fetch, "x"), Reply[str])
    assert_type(client.insert_many(Fetch.fetch, ["x"]), list[Reply[str]])
    assert_type(client.insert(Fetch.lines, "x"), Reply[None])
    client.insert(Fetch.fetch, 5)  # type: ignore[call-overload]  # the ability takes a str


class Connections(Watching):
    def on_death(self, ref: pykka.ActorRef[Any], reason: BaseException | None) -> None:
        self.watch(ref)


class Inner(Supervisor):
    children = [Encoder, Fetch]  # noqa: RUF012 - as people write it
    strategy = "one_for_all"


class Site(Supervisor):
    children = [Connections, Census, Inner]  # noqa: RUF012 - as above
    intensity = 5
    period = 60


def with_a_tree() -> None:
    assert_type(Site(processes=2).run(), int)
    assert_type(Drone.start(workers=[Site, Census]), pykka.ActorRef[Drone])


class Account(KeyedWorker):
    idle = 60.0

    @ability("account.deposit")
    def deposit(self, amount: int) -> int:
        return amount


def keyed(client: Client) -> None:
    assert_type(Account["alice"].deposit(10), Reply[int])
    assert_type(client.insert(Account["alice"].deposit, 10), Reply[int])
    assert_type(client.insert_many(Account["alice"].deposit, [10]), list[Reply[int]])
    Account["alice"].deposit("ten")  # type: ignore[arg-type]
