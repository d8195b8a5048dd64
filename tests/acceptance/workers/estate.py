"""A supervision tree whose first actor cannot start while a file is there."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pykka

from swarmage import Supervisor, Worker, ability


class Connections(pykka.ThreadingActor):
    def on_start(self) -> None:
        if Path(os.environ["ESTATE_CLOSED"]).exists():
            raise ConnectionRefusedError("the database is closed")


class Clerk(Worker):
    concurrency = 3

    @ability("estate.write")
    def write(self, path: str, seconds: float) -> None:
        threading.Event().wait(seconds)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, f"{self.task.id}\n".encode())
        finally:
            os.close(handle)

    @ability("estate.disturb")
    def disturb(self) -> int:
        """End the connections of this drone by a message that they do not understand."""
        for ref in pykka.ActorRegistry.get_by_class(Connections):
            ref.tell(pykka.messages.ProxyCall(("nothing",), (), {}))
        return os.getpid()


class Office(Supervisor):
    children = (Connections, Clerk)
    strategy = "one_for_all"
    intensity = 2
    period = 60


class Site(Supervisor):
    children = (Office,)
    intensity = 1


if __name__ == "__main__":
    Site(processes=1, announce=print).run()
