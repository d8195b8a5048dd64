"""Workers in processes of their own, in a module that these processes can import."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

from swarmage.abilities import ability
from swarmage.drone.worker import Worker
from swarmage.task import Task


class Picky:
    """An argument whose class ends the process that makes one."""

    def __init__(self, code: int) -> None:
        os._exit(code)


class Boxed(Worker):
    isolation = "process"

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    @ability("pid", retries=0, crashes=1)
    def pid(self) -> tuple[int, int]:
        self.seen += 1
        return os.getpid(), self.seen

    @ability("quick", retries=0, crashes=1)
    def quick(self, code: int = 0, fifo: str = "") -> int:
        """Return at once, but for the one that is to crash, and the one that is to be held."""
        if code:
            os._exit(code)
        if fifo:
            Path(fifo).read_text()
        return os.getpid()

    @ability("environment")
    def environment(self) -> list[str]:
        return [name for name in os.environ if name.startswith("SWARMAGE_")]

    @ability("tell")
    def tell(self) -> Generator[str, None, str]:
        self.progress(1, 2, "half")
        self.respond("zero")
        yield "one"
        logging.getLogger("boxed").warning("said in the process")
        return "two"

    @ability("fail", retries=0, crashes=1)
    def fail(self) -> None:
        self.insert("leaf", 1)
        raise ValueError("half \ud800 a character")

    @ability("leave", retries=0, crashes=1)
    def leave_hard(self, code: int) -> None:
        self.insert("leaf", 1)
        os._exit(code)

    @ability("signal", retries=0, crashes=1)
    def signal(self, number: int) -> None:
        os.kill(os.getpid(), number)
        signal.pause()

    @ability("fault", retries=0, crashes=1)
    def fault(self) -> None:
        ctypes.string_at(0)

    @ability("picky", retries=0, crashes=1)
    def picky(self, value: int) -> None:
        Picky(value)

    @ability("loop", timeout=0.3, retries=0, crashes=1)
    def loop(self) -> None:
        while True:
            pass

    @ability("wait", timeout=0.3, retries=0, crashes=1)
    def wait(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        ctypes.PyDLL(None).pause()  # which keeps the interpreter's lock: no other thread of the process runs

    @ability("hold", retries=0, crashes=1)
    def hold(self, fifo: str) -> int:
        Path(fifo).read_text()
        return os.getpid()

    @ability("unpicklable", retries=0, crashes=1)
    def unpicklable(self) -> Any:
        return threading.Lock()

    @ability("ids", retries=0, crashes=1)
    def ids(self) -> list[str]:
        inserted = [self.insert("leaf", 1), self.insert_task(Task(task_class="leaf", id="mine", args=[2]))]
        return [*inserted, self.local("own_id").result(5)]

    @ability("own_id")
    def own_id(self) -> str:
        return self.task.id

    @ability("split", retries=0, crashes=1)
    def split(self, depth: int) -> list[Any]:
        """Ask for the same again, here or in the thread, until the depth is reached."""
        if not depth:
            return [os.getpid()]
        return [os.getpid(), *self.local("pass_back", (depth - 1,)).result(10)]

    @ability("sum_of", retries=0, crashes=1)
    def sum_of(self, count: int) -> int:
        return sum(each.result(10) for each in [self.local("leaf", number) for number in range(count)])

    @ability("wait_for_a_crash", retries=0, crashes=1)
    def wait_for_a_crash(self) -> Any:
        return self.local("leave", 3).result(10)

    @ability("be_patient", retries=0, crashes=1)
    def be_patient(self, ledger: str, fifo: str) -> int:
        self.insert("nobody.takes")
        self.local("insert_one").result(10)
        held = self.local("hold_in_thread", fifo)
        with Path(ledger).open("a") as file:
            file.write(f"{os.getpid()}\n")
        held.result(10)
        return os.getpid()

    @ability("late", retries=0, crashes=1)
    def late(self, fifo: str) -> str:
        try:
            self.local("hold_in_thread", fifo).result(0.05)
        except TimeoutError as error:
            Path(fifo).write_text("go on")
            return type(error).__name__
        return "in time"


class Threaded(Worker):
    concurrency = 2

    @ability("leaf")
    def leaf(self, number: int) -> int:
        return number

    @ability("pass_back", retries=0, crashes=1)
    def pass_back(self, depth: tuple[int]) -> list[Any]:
        assert type(depth) is tuple  # local arguments come as they were
        return [os.getpid(), *self.local("split", *depth).result(10)]

    @ability("insert_one", retries=0, crashes=1)
    def insert_one(self) -> None:
        self.insert("nobody.takes")

    @ability("crash_by_local", retries=0, crashes=1)
    def crash_by_local(self) -> None:
        self.local("leave", 3).result(10)

    @ability("hold_in_thread", retries=0, crashes=1)
    def hold_in_thread(self, fifo: str) -> None:
        Path(fifo).read_text()


class BadInit(Worker):
    isolation = "process"

    def __init__(self) -> None:
        raise ValueError("no luck")

    @ability("bad")
    def bad(self) -> None:
        pass


class BadStart(BadInit):
    def __init__(self) -> None:
        Worker.__init__(self)

    def on_start(self) -> None:
        raise ValueError("no luck")


class HardStart(BadStart):
    def on_start(self) -> None:
        os._exit(4)


class NeverStart(BadStart):
    def on_start(self) -> None:
        signal.pause()
