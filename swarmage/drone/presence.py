"""Who is there: a drone's answer to a roll call."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import Any

from swarmage.bus.bus import Bus
from swarmage.bus.delivery import Delivery
from swarmage.drone.cell import Cell
from swarmage.drone.messages import Letter, RollCall
from swarmage.drone.worker import Worker
from swarmage.errors import BusError, WireError
from swarmage.wire.names import is_reply_destination
from swarmage.wire.signing import HEADER


class Presence:
    """Hears roll calls in the reading thread, answers them in the drone's."""

    def __init__(self, name: str, cell: Cell, bus: Bus) -> None:
        self._name = name
        self._cell = cell
        self._bus = bus
        self._started = cell.clock.wall()

    def receive(self, deliveries: list[Delivery]) -> None:
        """Pass signed roll calls on to the drone; nothing else on the control topic concerns it."""
        for delivery in deliveries:
            headers = delivery.headers
            try:
                note = self._cell.wire.read_note(headers["destination"], delivery.body, headers.get(HEADER))
            except WireError:
                continue  # anybody may say anything on a topic; who does not sign is not answered
            match note:
                case {"say": "roll call", "reply_to": str(reply_to)} if is_reply_destination(reply_to):
                    self._cell.mailbox.put(Letter(RollCall(reply_to)))

    def answer(self, call: RollCall, workers: Iterable[Worker]) -> None:
        """Say who is here and what they do."""
        note = {
            "id": self._name,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "started": round(self._started, 3),
            "holding": self._cell.mailbox.open_trees,
            "workers": [_describe(worker) for worker in workers],
        }
        try:
            connection = self._bus.connection(0)
            connection.write(self._bus.send_frame(self._cell.wire.note(call.reply_to, note)))
        except BusError:
            return  # who asked asks again


def _describe(worker: Worker) -> dict[str, Any]:
    run = next(iter(worker.current_runs), None)
    return {
        "name": type(worker).__qualname__,
        "abilities": sorted(worker.abilities),
        "state": "idle" if run is None else "busy",
        "task": None if run is None else run.tree.task.id,
        "task_class": None if run is None else run.task.task_class,
    }
