"""Spread::Queue's Sender: messages to one queue, and what comes back of any of them.

From: your program, through spread_queue.  To: client.
"""

from __future__ import annotations

import os
from queue import Empty, SimpleQueue
from typing import Any

from swarmage.client.client import Client
from swarmage.client.reply import Reply
from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import ConfigError
from swarmage.task import Task

TIMEOUT = 5.0
"""Seconds that `Sender.receive` and `Sender.rpc` wait when nobody says otherwise."""


class Sender:
    """Sends messages to one queue, and receives what comes back.

    Attributes:
        queue: its name.
    """

    def __init__(self, queue: str | None = None, **bus: Any) -> None:
        """Take the settings; it connects at the first message.

        Args:
            queue: the queue's name; SPREAD_QUEUE when it is not given.
            bus: ``url``, or ``hostname``, ``port``, ``login`` and ``passcode``, as for `swarmage.Client`.

        Raises:
            ConfigError: there is no queue, or no bus is known.
        """
        self.queue = queue_name(queue)
        self._client = Client(**bus)
        self._news: SimpleQueue[str] = SimpleQueue()
        self._pending: dict[str, Reply[Any]] = {}

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the bus."""
        self._client.close()

    def submit(self, input: Any) -> str:  # noqa: A002 - the ancestor's word
        """Send a message, back when the bus has it on disk; return its id.

        Raises:
            BusUnreachable: no bus answers.
            NotEncodable: the message cannot be carried.
        """
        return self._submit(input).id

    def receive(self, timeout: float = TIMEOUT) -> Any:
        """Return the next response to anything submitted, None when none comes in ``timeout`` seconds.

        Raises:
            TaskFailed: a callback raised; the message is a dead letter.
        """
        return self._receive(None, timeout)

    def rpc(self, input: Any, timeout: float = TIMEOUT) -> Any:  # noqa: A002 - the ancestor's word
        """Send a message and return the first response to it, None when none comes in ``timeout`` seconds.

        Raises:
            TaskFailed: the callback raised; the message is a dead letter.
        """
        return self._receive(self._submit(input), timeout)

    def status(self) -> dict[str, Any]:
        """Return what the bus says of the queue, as `Client.status` has it, and the workers that take from it."""
        status = self._client.status()
        figures: dict[str, Any] = next((one for one in status["queues"] if one["task_class"] == self.queue), {})
        everybody = [worker for drone in status["drones"] for worker in drone["workers"]]
        able = [worker for worker in everybody if self.queue in worker["abilities"]]
        return {**figures, "queue": self.queue, "workers": able}

    def _submit(self, input: Any) -> Reply[Any]:  # noqa: A002
        reply = self._client.insert_task(Task(task_class=self.queue, args=[input]))
        self._pending[reply.id] = reply
        reply.heard.listen(lambda: self._news.put(reply.id))
        self._news.put(reply.id)  # what came before we listened
        return reply

    def _receive(self, wanted: Reply[Any] | None, timeout: float) -> Any:
        deadline = SYSTEM_CLOCK.monotonic() + timeout
        others = []
        try:
            while True:
                id_ = self._news.get(timeout=max(0.0, deadline - SYSTEM_CLOCK.monotonic()))
                if wanted is not None and id_ != wanted.id:
                    others.append(id_)
                else:
                    for response in self._next_of(id_):
                        return response
        except Empty:
            return None
        finally:
            for id_ in others:
                self._news.put(id_)

    def _next_of(self, id_: str) -> tuple[Any, ...]:
        """Return the next response to one message, if there is one."""
        reply = self._pending.get(id_)
        if reply is None:
            return ()
        heard = reply.heard
        with heard.changed:
            ended = heard.end is not None
            if heard.parts:
                if ended or len(heard.parts) > 1:
                    self._news.put(id_)  # to be looked at again
                return (heard.parts.popleft(),)
        if not ended:
            return ()
        del self._pending[id_]
        result = reply.result(0)
        return () if result is None else (result,)


def queue_name(queue: str | None) -> str:
    """Return the name that is given, or that of SPREAD_QUEUE.

    Raises:
        ConfigError: there is neither.
    """
    name = queue or os.environ.get("SPREAD_QUEUE")
    if not name:
        raise ConfigError("a queue name is required: give queue=… or set SPREAD_QUEUE")
    return name
