"""Workers that publish themselves and ask others, in whole cells."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from swarmage.abilities import ability
from swarmage.drone.coroutines.async_worker import AsyncWorker
from swarmage.drone.worker import Worker
from swarmage.errors import ActorDead, ConfigError, TaskFailed
from swarmage.remote.ref import RemoteRef
from swarmage.testing.swarm import Swarm

from ..fakes import SECONDS


class Bank(Worker):
    total = 0

    def on_start(self) -> None:
        self.publish("bank")

    def add(self, amount: int) -> int:
        self.total += amount
        return self.total

    def fail(self) -> None:
        raise LookupError("no such account")

    @ability("bank.close")
    def close(self) -> int:
        return self.total


class Shop(Worker):
    @ability("shop.buy", retries=0)
    def buy(self, price: int) -> int:
        total: int = self.ref("bank").proxy().add(price).get(timeout=SECONDS)
        return total

    @ability("shop.steal", retries=0)
    def steal(self) -> None:
        self.ref("bank").proxy().fail().get(timeout=SECONDS)

    @ability("shop.pass")
    def pass_on(self, bank: RemoteRef) -> int:
        total: int = bank.proxy().add(1).get(timeout=SECONDS)
        return total


class Cashier(AsyncWorker):
    async def on_start(self) -> None:
        self.publish("cashier")

    async def count(self, *coins: int) -> int:
        await asyncio.to_thread(int)
        return sum(coins)

    async def on_receive(self, message: Any) -> Any:
        return [message, await self.ref("bank").proxy().add(1)]

    @ability("cashier.idle")
    async def idle(self) -> None: ...


class Apart(Worker):
    isolation = "process"

    @ability("apart.ask", retries=0)
    def ask(self) -> None:
        self.ref("bank")


def test_a_worker_publishes_itself_and_others_ask_it(swarm: Swarm) -> None:
    swarm.start(Bank)
    swarm.start(Shop)
    assert swarm.insert(Shop.buy, 3).result(timeout=SECONDS) == 3
    assert swarm.client.ref("bank").proxy().add(4).get(timeout=SECONDS) == 7
    assert swarm.insert(Bank.close).result(timeout=SECONDS) == 7


def test_what_a_published_worker_raises_is_the_failure_of_the_task_that_asked(swarm: Swarm) -> None:
    swarm.start(Bank, Shop)
    with pytest.raises(TaskFailed) as raised:
        swarm.insert(Shop.steal).result(timeout=SECONDS)
    assert (raised.value.kind, raised.value.message) == ("LookupError", "no such account")
    assert "in fail" in raised.value.traceback.splitlines()[1]


def test_a_ref_can_be_an_argument_of_a_task(swarm: Swarm) -> None:
    swarm.start(Bank, Shop)
    assert swarm.insert(Shop.pass_on, swarm.client.ref("bank")).result(timeout=SECONDS) == 1


def test_coroutines_are_published_and_await_others(swarm: Swarm) -> None:
    swarm.start(Bank, Cashier)
    cashier = swarm.client.ref("cashier")
    assert cashier.proxy().count(1, 2, 3).get(timeout=SECONDS) == 6
    assert cashier.ask("change", timeout=SECONDS) == ["change", 1]


def test_a_drone_that_is_lost_is_followed_by_the_next_one(swarm: Swarm) -> None:
    first = swarm.start(Bank)
    bank = swarm.client.ref("bank").proxy()
    assert bank.add(5).get(timeout=SECONDS) == 5
    swarm.start(Bank)
    swarm.crash_drone(first)
    assert bank.add(1).get(timeout=SECONDS) == 1  # a new actor, which knows nothing of the old one's total


def test_a_drone_that_is_stopped_tells_who_waits(swarm: Swarm) -> None:
    begun, gate = threading.Event(), threading.Event()

    class Slow(Bank):
        def wait(self) -> None:
            begun.set()
            gate.wait(SECONDS)

    drone = swarm.start(Slow)
    future = swarm.client.ref("bank").proxy().wait()
    assert begun.wait(SECONDS)
    drone.stop(timeout=SECONDS)
    with pytest.raises(ActorDead, match="stopped before it answered"):
        future.get(timeout=SECONDS)
    gate.set()


def _said_by(call: Callable[[], object]) -> str:
    try:
        call()
    except ConfigError as error:
        return str(error)
    return "it went well"


class Forking(Worker):
    @ability("forking.ask", retries=0)
    def ask(self) -> list[str]:
        bank = self.ref("bank")
        calls = [lambda: bank.ask("?"), lambda: self.ref("bank"), lambda: self.publish("forked")]
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:  # no exception may leave this block: it would perform the tasks that follow twice
            try:
                os.write(write, "\n".join(map(_said_by, calls)).encode())
            finally:
                os._exit(0)
        lines = os.read(read, 10_000).decode().splitlines() if select.select([read], [], [], SECONDS)[0] else []
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(read)
        os.close(write)
        return lines


def test_a_forked_process_is_told_that_the_connection_of_the_cell_is_not_its_own(swarm: Swarm) -> None:
    swarm.start(Bank, Forking)
    said = swarm.insert(Forking.ask).result(timeout=SECONDS * 2)
    assert ["use swarmage.ref and swarmage.publish" in line for line in said] == [True] * 3


def test_where_there_is_no_connection_that_is_told(swarm: Swarm) -> None:
    with pytest.raises(ConfigError, match=r"Shop.publish: there is no connection to the bus here"):
        Shop().publish("shop")
    swarm.start(Apart)
    with pytest.raises(TaskFailed, match=r'Apart.ref: there is no connection .* isolation = "process"'):
        swarm.insert(Apart.ask).result(timeout=SECONDS * 4)
