"""What a type checker makes of a user's program: `mypy tests/typed` is part of the checks."""

from __future__ import annotations

from typing import Any, assert_type

from swarmage import Client, Reply, Worker, ability


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
