"""Performing tasks in a process of its own, as the drone says over a socket.

The Worker is made here, of the user's own class, and performs tasks as it would in a thread. It has no key and no
connection to the bus: what it wants sent goes to the drone with its outcome, and the drone signs it.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import select
import signal
import socket
import sys
from typing import Any, cast

import msgspec

from swarmage.abilities import abilities_of
from swarmage.bus.bus import Bus
from swarmage.clock import SYSTEM_CLOCK
from swarmage.drone.cell import Cell, starting
from swarmage.drone.execution import failure_of, last_words
from swarmage.drone.lane import Lane
from swarmage.drone.local_queue import Mailbox
from swarmage.drone.processes.ahead import take
from swarmage.drone.run import Local, Run, Tree
from swarmage.drone.worker import Worker
from swarmage.errors import DeadlineExceeded, NotEncodable, SwarmageError
from swarmage.outcome import Failed, Outcome, Rejected, Succeeded
from swarmage.settings import Address
from swarmage.task import Task
from swarmage.wire import codec
from swarmage.wire.channel import Channel
from swarmage.wire.envelope import Wire, tellable
from swarmage.wire.message import Message
from swarmage.wire.pipe import (
    TO_CHILD,
    AtOnce,
    Ended,
    Lanes,
    Load,
    PassOn,
    Perform,
    Started,
    Stop,
    Wait,
    ended,
    outcome_of,
    unpack,
)

_tasks = msgspec.json.Decoder(Task)


class Inside(Worker):
    """What a Worker does otherwise in a process of its own. Goes before the user's class in the order of bases."""

    _channel: Channel
    _passed: dict[Local, tuple[int, Run]]  # handles of the tasks that are being performed
    _count = 0

    def begin(self, channel: Channel) -> None:
        """Take the way to the drone."""
        self._channel = channel
        self._passed = {}

    def follow(self, ahead: socket.socket) -> None:
        """Perform what the drone says, and what it gave ahead, until it says stop or is gone."""
        news = select.poll()
        for end in (self._channel, ahead):
            news.register(end, select.POLLIN)
        while True:
            given = take(ahead)
            if given is not None:
                self._perform_asked(unpack(given))
                continue
            said = self._channel.next()
            if said is None and self._channel.fileno() not in {fd for fd, _ in news.poll()}:
                continue
            match said or self._channel.receive():
                case Perform() as asked:
                    self._perform_asked(asked)
                case Lanes(names):
                    self._learn(names)
                case Stop():
                    self.on_stop()
                    return
                case _:
                    return

    def _perform_asked(self, asked: Perform) -> None:
        outer = self._run
        run = self._run = _run_of(asked)
        try:
            outcome = self._outcome(run)
        except BaseException as error:  # noqa: BLE001 - such as no stack left
            outcome = Failed(last_words(error))
        self._run = outer
        if run.steps:
            self._passed = {local: passed for local, passed in self._passed.items() if passed[1] is not run}
        said = _said(run, outcome)
        said.number = asked.number
        self._channel.send(said)

    def _learn(self, names: list[str]) -> None:
        assert self._cell is not None
        for name in names:
            self._cell.mailbox.lanes.setdefault(name, Lane())

    # what Performing asks for

    def _pass_on(self, run: Run) -> None:
        task, local = run.task, run.local
        assert local is not None
        assert run.parent is not None
        arguments = (tuple(task.args), dict(task.kwargs))
        pickled = codec.pickle(arguments, f"the arguments of local task {task.task_class}")
        self._count += 1
        self._passed[local] = (self._count, run.parent)
        run.tree.root.locals += 1
        self._channel.send(PassOn(self._count, run.path, task.task_class, pickled, local.tried))

    def _wait_for(self, local: Local, timeout: float) -> None:
        if local.outcome is not None:
            return
        if local not in self._passed:
            raise SwarmageError(f"local task {local.task_class} was passed on by a task that has ended")
        self._channel.send(Wait(self._passed[local][0], timeout))
        while True:
            match self._channel.receive():
                case Perform() as asked:
                    self._perform_asked(asked)
                case Lanes(names):
                    self._learn(names)
                case Ended() as said:
                    break
                case _:
                    os._exit(0)  # the drone is gone, and with it all that this task could come to
        if said.how == "late":
            raise DeadlineExceeded(f"local task {local.task_class} has not ended in {timeout:.1f} s")
        local.outcome = outcome_of(said)

    def _send_now(self, message: Message) -> None:
        self._channel.send(AtOnce(message))


def _run_of(asked: Perform) -> Run:
    if asked.body is not None:
        task = _tasks.decode(asked.body)
        return Run(task, _tree(task))
    assert asked.task is not None
    assert asked.root is not None
    return Run(asked.task, _tree(asked.root), asked.path, Local(asked.task.task_class))


def _tree(root: Task) -> Tree:
    return Tree(cast("Any", None), root)  # its delivery stays with the drone


def _said(run: Run, outcome: Outcome) -> Ended:
    try:
        said = ended(outcome, with_result=run.local is not None)
    except NotEncodable as error:
        return ended(Rejected("result", failure_of(error)))
    if type(outcome) is Succeeded and run.sends:
        said.sends = run.sends
    return said


def run_child(end: int, ahead: int, stacks: int) -> None:
    """Be the process of one Worker.

    Args:
        end: the file descriptor of its socket to the drone.
        ahead: that of the socket from which it takes what it was given ahead.
        stacks: that of the pipe into which it writes its stack when it gets SIGURG.
    """
    faulthandler.register(signal.SIGURG, file=stacks, all_threads=False)
    channel = Channel(socket.socket(fileno=end), TO_CHILD)
    load = channel.receive()
    if type(load) is not Load:
        return
    _log_like_the_drone(load)
    made = False
    try:
        worker = _make(load)
        worker.begin(channel)
        made = True
        worker.on_start()
    except BaseException as error:  # noqa: BLE001 - its __init__ is user code, which may call sys.exit()
        channel.send(Started(tellable(failure_of(error)), made))
        return
    channel.send(Started())
    worker.follow(socket.socket(fileno=ahead))


def _make(load: Load) -> Inside:
    given: type[Worker] = codec.unpickle(load.worker_class)
    # a class that was pickled by value had no attributes yet when it was made, and so no abilities
    given.abilities = abilities_of(given)
    names = {"__module__": given.__module__, "__qualname__": given.__qualname__, "__doc__": given.__doc__}
    worker_class = cast("type[Inside]", type(given.__name__, (Inside, given), names))
    clock = SYSTEM_CLOCK
    wire = Wire(os.urandom(32), clock)  # a key that nobody else has: the drone signs anew what this process writes
    cell = Cell(mailbox=Mailbox(clock), wire=wire, bus=Bus(Address(), clock=clock), clock=clock)
    token = starting.set(cell)
    try:
        return worker_class()
    finally:
        starting.reset(token)


def _log_like_the_drone(load: Load) -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)  # a process that is killed has said what it said
    if load.formatter is None:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(codec.unpickle(load.formatter))
    logging.basicConfig(level=load.level, handlers=[handler], force=True)
