"""A Worker in processes of its own that writes down what it has performed."""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path

from swarmage import Worker, ability


class Boxes(Worker):
    isolation = "process"
    concurrency = 2

    @ability("boxes.write", retries=20, backoff=0.01, longest_backoff=0.1)
    def write(self, path: str, seconds: float = 0.0) -> None:
        threading.Event().wait(seconds)
        self.line(path, self.task.id)

    @ability("boxes.tree", retries=20, backoff=0.01, longest_backoff=0.1)
    def tree(self, path: str, leaves: int) -> int:
        """Have each leaf write a line, every other one in a thread, then insert one task more."""
        parts = [self.local(("boxes.write", "boxes.write_in_thread")[number % 2], path) for number in range(leaves)]
        for part in parts:
            part.result()
        self.insert("boxes.write", path)
        return leaves

    @ability("boxes.hold")
    def hold(self, fifo: str) -> int:
        """Run until somebody writes to the named pipe."""
        print(f"holding {fifo}")
        Path(fifo).read_text()
        return os.getpid()

    @ability("boxes.spin")
    def spin(self) -> None:
        print(f"spinning {os.getpid()}")
        while True:
            pass

    @ability("boxes.grip")
    def grip(self) -> None:
        """Wait in C with the interpreter's lock held, so that no other thread of this process runs."""
        print(f"gripping {os.getpid()}")
        while True:
            ctypes.PyDLL(None).pause()

    @staticmethod
    def line(path: str, text: str) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, f"{text}\n".encode())
        finally:
            os.close(handle)


class Threads(Worker):
    @ability("boxes.write_in_thread")
    def write_in_thread(self, path: str) -> None:
        Boxes.line(path, self.task.id)
