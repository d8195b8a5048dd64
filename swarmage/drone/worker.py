"""Workers: pykka actors that perform tasks.

From: local_queue.  To: execution, then finalize through the drone's mailbox.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import types
from collections.abc import Callable, Generator, Mapping
from queue import Empty, SimpleQueue
from typing import Any, ClassVar

import pykka

from swarmage.abilities import Ability, abilities_of
from swarmage.drone.cell import starting
from swarmage.drone.execution import Arguments, execute, failure_of, last_words, outcome_of
from swarmage.drone.helping import Helping
from swarmage.drone.isolation import check_isolation, check_kind
from swarmage.drone.limit import seconds_for, timed_out
from swarmage.drone.messages import EXPIRED
from swarmage.drone.run import Run
from swarmage.drone.sending import answer
from swarmage.drone.supervision.watching import Watching
from swarmage.drone.worker_inbox import WorkerInbox
from swarmage.errors import AbilityError, NotEncodable, TaskTimeout
from swarmage.outcome import Failed, Failure, Outcome, Rejected, Skipped, Succeeded

MOST_CONCURRENCY = 1000


class Worker(Helping, Watching):
    """Performs one task at a time, in its own thread.

    Subclass it, declare what it is able to do with `ability`, and give the class to a `Drone`, `swarmage up` or
    `swarmage drone`. Each actor of the class is an instance of its own; what it keeps on ``self`` lives as long as it.

    Made directly, with a login and a mapping of abilities, it is the ancestor's Worker: see `work`.

    Attributes:
        concurrency: how many actors of this class each drone starts.
        isolation: where tasks are performed: in a "thread" of the drone, or each actor in a "process" of its own.
        memory_limit: bytes of memory that such a process may take before it is killed, or None for no limit.
        recycle_tasks: tasks after which such a process is replaced by a fresh one, or None.
        recycle_growth: bytes by which such a process may grow from its first task on before it is replaced, or None.
    """

    concurrency: ClassVar[int] = 1
    isolation: ClassVar[str] = "thread"
    memory_limit: ClassVar[int | None] = None
    recycle_tasks: ClassVar[int | None] = None
    recycle_growth: ClassVar[int | None] = None
    abilities: ClassVar[Mapping[str, Ability[..., Any]]] = types.MappingProxyType({})
    most_concurrency: ClassVar[int] = MOST_CONCURRENCY
    has_hard_limit: ClassVar[bool] = False
    on_loop: ClassVar[bool] = False  # one actor performs `concurrency` tasks at once, on the cell's event loop

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name = cls.__qualname__
        if type(cls.concurrency) is not int or not 1 <= cls.concurrency <= cls.most_concurrency:
            raise AbilityError(f"{name}.concurrency must be 1 to {cls.most_concurrency}, not {cls.concurrency!r}")
        check_isolation(cls)
        cls.abilities = types.MappingProxyType(abilities_of(cls))
        for one in cls.abilities.values():
            check_kind(name, one, on_loop=cls.on_loop)
            cls.has_hard_limit |= one.hard_timeout is not None

    def __init__(
        self,
        *,
        ability: Mapping[str, Callable[..., Any]] | None = None,
        url: str | None = None,
        hostname: str | None = None,
        port: int | None = None,
        login: str = "",
        passcode: str = "",
        concurrency: int = 1,
    ) -> None:
        super().__init__(starting.get())
        self._arguments = {name: Arguments(one) for name, one in self.abilities.items()}
        self._methods = {name: one.__get__(self, type(self)) for name, one in self.abilities.items()}
        self._connection = {"url": url, "hostname": hostname, "port": port, "login": login, "passcode": passcode}
        self._terminated: SimpleQueue[None] = (
            SimpleQueue()
        )  # its put is safe in a signal handler, an Event's set is not
        own = enumerate((ability or {}).items())
        self._own: dict[str, Any] = {
            f"ability_{i}": Ability(function, name, bound=False) for i, (name, function) in own
        }
        self._own["concurrency"] = concurrency

    def work(self) -> None:
        """Perform tasks in this process until SIGTERM, SIGINT or `terminate`; tasks begun are finished first.

        Raises:
            BusUnreachable: no bus answers at the address given.
            LoginRefused: the bus does not take the login and passcode.
            AbilityError: there is nothing this worker is able to do.
        """
        from swarmage.drone.drone import Drone  # noqa: PLC0415 - which starts workers; here a worker starts it

        worker_class = type(type(self).__name__, (type(self),), self._own)
        drone = Drone.start(workers=[worker_class], **self._connection)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self.terminate())
        try:
            while drone.is_alive():
                with contextlib.suppress(Empty):
                    self._terminated.get(timeout=0.5)
                    break
        finally:
            drone.stop()

    def terminate(self) -> None:
        """End `work`, from any thread."""
        self._terminated.put(None)

    def _resize(self, slots: int) -> None:
        """Perform so many tasks at once from now on, if this is a worker that performs several."""

    def _let_go(self, *, at_once: bool = False) -> None:
        """Stop when what is being performed is done, or ended at once if it can be; safe on a worker that is gone."""
        with contextlib.suppress(pykka.ActorDeadError):
            self.actor_ref.stop(block=False)

    @property
    def _gone(self) -> bool:
        """Whether nothing is left of it."""
        return self._life.over.is_set()

    def wait_until_gone(self) -> None:
        """Return when nothing is left of it that would outlive the drone: threads do not."""

    def _give_up(self) -> None:
        """Hand in what a dead worker was performing, for nobody else will. Called by the drone."""
        run = self._run
        if run is not None:
            self._end(run, Failed(Failure("WorkerDied", "the worker died while it performed this")))

    def _overrun(self, run: Run) -> None:
        """Hand in what has overrun its hard limit, for its thread may never come back. Called by the drone."""
        seconds = self.abilities[run.task.task_class].hard_timeout
        message = f"longer than its hard_timeout of {seconds:g} s"
        self._end(run, Failed(Failure(TaskTimeout.__name__, message), TaskTimeout))

    # what pykka calls

    def _create_actor_inbox(self) -> Any:  # type: ignore[override]  # a static method at pykka's, but called on self
        if self._cell is None:
            return pykka.ThreadingActor._create_actor_inbox()
        return WorkerInbox(self._cell.mailbox, self.abilities)

    def _actor_loop_setup(self) -> None:
        try:
            self.on_start()
        except BaseException as error:  # noqa: BLE001 - who started it says so, in one line
            self._life.fail(error)
            self._retire()
        else:
            self._life.begin()

    def _retire(self) -> None:
        self.actor_stopped.set()
        pykka.ActorRegistry.unregister(self.actor_ref)

    def _handle_receive(self, message: Any) -> Any:
        if type(message) is not Run:
            return super()._handle_receive(message)
        try:
            self._perform(message)
        except BaseException as error:  # noqa: BLE001 - not even the stack may be deep enough for our own lines
            self._end(message, Failed(last_words(error)))
        self._depth = 0
        while self._deferred:
            self.actor_inbox.put(self._deferred.pop(0))
        return None

    def _actor_loop_teardown(self) -> None:
        inbox = self.actor_inbox
        if isinstance(inbox, WorkerInbox):
            inbox.close()
        super()._actor_loop_teardown()

    # performing

    def _perform(self, run: Run) -> None:
        """Perform one task and hand it to the drone with its outcome."""
        cell = self._cell
        assert cell is not None
        ability = self.abilities[run.task.task_class]
        seconds = self._seconds_of(ability)
        if run.task.deadline is not None:
            seconds = seconds_for(run.task, seconds, cell.clock)
        waiting = self._run
        outer = self._limit.begin(seconds, cell.clock, run)
        started = run.began = cell.clock.monotonic()
        if ability.hard_timeout is not None:
            run.must_end = started + ability.hard_timeout
        self._run = run
        try:
            outcome = self._outcome(run)
            self._limit.suspend()
        except BaseException as error:  # noqa: BLE001 - a limit that strikes behind the task's last line, or no stack left
            outcome = Failed(last_words(error))
        self._run = None
        run.seconds = cell.clock.monotonic() - started
        self._end(run, outcome)
        self._limit.run = waiting
        self._limit.resume(outer)  # last, so that no limit of the task that waits strikes before this run is handed in

    @staticmethod
    def _seconds_of(ability: Ability[..., Any]) -> float | None:
        """Return after how many seconds the limit strikes."""
        return ability.timeout

    def _outcome(self, run: Run) -> Outcome:
        task, cell = run.task, self._cell
        assert cell is not None
        if run.local is not None and run.pointless:
            return Skipped()
        if task.deadline is not None and cell.clock.wall() >= task.deadline:
            return EXPIRED
        if task.acknowledge and run.local is None:
            self.acknowledge()
        name = task.task_class
        outcome = execute(task, self._arguments[name], self._methods[name], local=run.local is not None)
        if type(outcome) is Succeeded and type(outcome.result) is types.GeneratorType:
            outcome = self._respond_all(outcome.result)
        if type(outcome) is Failed and outcome.raised is TaskTimeout:
            return timed_out(outcome, task, self.abilities[name], cell.clock)
        return outcome if task.originator is None else answer(run, outcome, cell.wire)

    def _respond_all(self, parts: Generator[Any, None, Any]) -> Outcome:
        """Perform an ability that is a generator: what it yields are responses, what it returns is the result."""
        try:
            while True:
                self.respond(next(parts))
        except StopIteration as end:
            return Succeeded(end.value)
        except NotEncodable as error:
            return Rejected("result", failure_of(error))
        except BaseException as error:  # noqa: BLE001 - as in `execute`
            return outcome_of(error)
