"""Controlling what runs: cancel, pause, concurrency, drain, and what everybody does.

From: your program.  To: orders, status, and drones over the control topic.
"""

from __future__ import annotations

from typing import Any

from swarmage.bus.bus import Bus
from swarmage.client.asking import Asking
from swarmage.client.connecting import Connecting
from swarmage.client.orders import change
from swarmage.client.status import ANSWER, roll_call, status
from swarmage.client.united import united
from swarmage.errors import ConfigError, ReplyTimeout
from swarmage.task import MAX_TASK_CLASS, check_task_class
from swarmage.wire.names import CONTROL
from swarmage.wire.orders import Orders

KEEP = 24 * 3600.0
"""Seconds for which a cancellation stands: longer than a task waits where all goes well."""
MOST_WORKERS = 1000


class Control(Connecting):
    """The part of a Client for who operates a swarm. With several buses each of them is told, and asked."""

    def cancel(self, *ids: str, keep: float = KEEP) -> None:
        """Cancel tasks, wherever they are: back when the bus has that on disk.

        One that waits or is delayed is not begun, one that runs is ended, and the originator's reply fails with the
        kind ``TaskCancelled``. One that has ended stays as it ended.

        Args:
            ids: the tasks' ids.
            keep: seconds for which that stands; for a task that is delayed for longer, more than its delay.

        Raises:
            BusUnreachable: no bus answers.
            ReplyTimeout: the bus does not answer in time.
            InsertTimeout: the bus does not confirm in time; the tasks may be cancelled.
        """
        for task_id in ids:
            if not task_id or len(task_id) > MAX_TASK_CLASS:
                raise ConfigError(f"the id of a task has 1 to {MAX_TASK_CLASS} characters: {task_id!r} is none")
        if not keep > 0:
            raise ConfigError(f"a cancellation must be kept for more than 0 seconds, not {keep!r}")
        until = round(self.clock.wall() + keep, 3)
        self._change(Orders(cancelled=dict.fromkeys(ids, (until, 0.0))))

    def pause(self, task_class: str) -> None:
        """Have no drone begin tasks of a class until `resume`; what runs is finished.

        Raises:
            ConfigError: it is not the name of a task class.
            BusUnreachable: no bus answers.
            ReplyTimeout: the bus does not answer in time.
            InsertTimeout: the bus does not confirm in time; the class may be paused.
        """
        self._change(Orders(paused={check_task_class(task_class): (True, 0.0)}))

    def resume(self, task_class: str) -> None:
        """End a `pause`, and raise as it does."""
        self._change(Orders(paused={check_task_class(task_class): (False, 0.0)}))

    def concurrency(self, worker: str, count: int | None) -> None:
        """Have so many actors of a Worker class in each drone, now and in those that start later.

        Args:
            worker: the class's name.
            count: 1 to 1000; None for what the class or `-c` says.

        Raises:
            ConfigError: the name or the number is wrong.
            BusUnreachable: no bus answers.
            ReplyTimeout: the bus does not answer in time.
            InsertTimeout: the bus does not confirm in time; the change may have been made.
        """
        if not worker.isidentifier() or len(worker) > MAX_TASK_CLASS:
            raise ConfigError(f"{worker!r} is not the name of a Worker class")
        if count is not None and (type(count) is not int or not 1 <= count <= MOST_WORKERS):
            raise ConfigError(f"the concurrency of {worker} must be 1 to {MOST_WORKERS}, not {count!r}")
        self._change(Orders(concurrency={worker: (count, 0.0)}))

    def drain(self, drone: str | int) -> dict[str, Any]:
        """Have one drone take no more tasks, finish those begun, give back the rest and leave for good.

        Args:
            drone: its id or a beginning of it, or its pid, as `status` names them.

        Returns:
            What the drone answers: its ``id``, ``pid`` and ``host``, and in ``holding`` how many tasks it has.

        Raises:
            ConfigError: there is no such drone, or more than one.
            BusUnreachable: no bus answers.
            ReplyTimeout: the drone does not answer in time.
        """
        return self._ask(drone, "drain")

    def stacks(self, drone: str | int) -> dict[str, Any]:
        """Return where in its code each worker of a drone is: ``workers`` and ``threads``, each with its ``stack``.

        Takes and raises what `drain` does.
        """
        return self._ask(drone, "stacks")

    def status(self, timeout: float = 5.0) -> dict[str, Any]:
        """Return what the bus and the drones say of themselves, and the standing orders.

        ``bus``, ``queues`` and ``drones``; ``paused`` task classes; the ``concurrency`` of Worker classes, where it was
        ordered; and how many tasks are ``cancelled``. Of several buses the figures are added up, ``buses`` has each of
        them by itself, and one that does not answer has an ``error`` there.

        Args:
            timeout: seconds to wait for the bus, and for drones that are slow to answer.

        Raises:
            BusUnreachable: no bus answers.
            ReplyTimeout: the bus does not answer in time.
        """
        bus = self.connect()
        if self.several is not None:
            return united(self.several.ask(lambda each: status(each, self.wire, timeout, self.clock)))
        return status(bus, self.wire, timeout, self.clock)

    def _change(self, part: Orders) -> None:
        bus = self.connect()
        if self.several is not None:
            self.several.every(lambda each: change(each, self.wire, self.timeout, self.clock, part))
        else:
            change(bus, self.wire, self.timeout, self.clock, part)

    def _ask(self, drone: str | int, what: str) -> dict[str, Any]:
        name, bus = self._find(drone)
        with Asking(bus, min(self.timeout, ANSWER), self.clock) as asking:
            note = {"say": what, "drone": name, "reply_to": asking.answers, "issued": float(self.clock.wall())}
            asking.send(bus.send_frame(self.wire.note(CONTROL, note)))
            answers = roll_call(self.wire, asking, 1)
        if not answers:
            raise ReplyTimeout(f"the drone {name} does not answer; its log says why, if it was a refusal")
        return answers[0]

    def _find(self, drone: str | int) -> tuple[str, Bus]:
        """Return the id of a drone, and the bus it is on."""
        drones = self.status(self.timeout)["drones"]
        exact = [each for each in drones if each["id"] == drone or str(each["pid"]) == str(drone)]
        found = exact or [each for each in drones if drone and each["id"].startswith(str(drone))]
        if len(found) != 1:
            what = f"there are {len(found)} drones" if found else "there is no drone"
            raise ConfigError(f"{what} {drone!r}; `swarmage status` shows the ids and pids of those that answer")
        buses = self.several.buses if self.several is not None else [self.connect()]
        return found[0]["id"], next(bus for bus in buses if str(bus.address) == found[0].get("bus", str(bus.address)))
