"""A Worker that publishes itself, and a plain pykka actor that a program publishes: ``python accounts.py NAME``."""

from __future__ import annotations

import os
import sys
import threading

import pykka

import swarmage
from swarmage import Worker, ability


class Accounts(Worker):
    total = 0

    def on_start(self) -> None:
        self.publish("accounts")

    def add(self, amount: int) -> int:
        self.total += amount
        return self.total

    def pid(self) -> int:
        return os.getpid()

    def hold(self) -> None:
        print("holding", flush=True)
        threading.Event().wait()

    @ability("accounts.total")
    def read(self) -> int:
        return self.total


class Plain(pykka.ThreadingActor):
    use_daemon_thread = True

    def pid(self) -> int:
        return os.getpid()

    def hold(self) -> None:
        print("holding", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    with swarmage.publish(sys.argv[1], Plain.start()):
        print("published", flush=True)
        threading.Event().wait()
