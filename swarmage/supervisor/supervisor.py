"""The process above the drones: keeps them alive, and ends them in good order."""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import msgspec

from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.drone.supervision.declared import Supervising
from swarmage.errors import ConfigError, SwarmageError
from swarmage.home import find_home, record_address, resolve_addresses
from swarmage.keyring import load_ring
from swarmage.supervisor import protocol
from swarmage.supervisor.bus_plan import BusPlan
from swarmage.supervisor.child_process import ChildExited, ChildProcess, ChildSaid, DeadlinePassed, Event, StopAsked
from swarmage.supervisor.ending import Ending
from swarmage.supervisor.launcher import Launcher
from swarmage.supervisor.protocol import BusSpec, Ready, Report
from swarmage.supervisor.reloading import Reloading
from swarmage.supervisor.sign_of_life import SignOfLife
from swarmage.supervisor.signals import stop_signals
from swarmage.supervisor.slot import Slot, bus_slots, drone_slots, is_hopeless, slots_on
from swarmage.supervisor.targets import target_of
from swarmage.supervisor.vigil import Vigil
from swarmage.supervisor.waiting import next_event

log = logging.getLogger(__name__)


class Supervisor(Supervising):
    """Keeps drone processes alive, and the embedded bus with them when it has a plan for one.

    A subclass declares what is kept alive inside of each of them, a tree of actors: see `Supervising`. It is a TARGET
    like ``site:Site``, and an instance of it launches just that: ``Site(processes=2).run()``.

    One loop takes everything that happens from one queue: what children report, that they exit, signals, and restarts
    that are due. The first SIGTERM or SIGINT drains: the drones finish what they run, then the bus leaves. The second
    one aborts. Nothing is left behind.
    """

    command: Sequence[str] = (sys.executable, "-m", "swarmage.supervisor.child")
    patience = protocol.GRACE_SECONDS + protocol.MARGIN_SECONDS
    """Seconds a child has to drain before it is killed."""

    def __init__(  # noqa: PLR0913 - settings
        self,
        targets: Sequence[str] | None = None,
        processes: int = 1,
        url: str | None = None,
        concurrency: Mapping[str, int] | None = None,
        *,
        bus: BusPlan | None = None,
        reload: bool = False,
        sign: SignOfLife | None = None,
        announce: Callable[[str], None] = log.info,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Check the settings; nothing starts before `run`.

        Args:
            targets: where the Workers are: modules, packages, ``module:Class`` or paths, from the current directory;
                by default the class itself, where it declares children.
            processes: how many drone processes on each bus.
            url: the bus, or several with spaces between; by default SWARMAGE_URL, or the bus that was started here.
            concurrency: how many actors of a Worker class in each drone, by class name.
            bus: run the embedded bus like this too, and the drones on it.
            reload: replace the drones when a source file of theirs changes.
            sign: what those who watch are given; by default systemd alone, if it has started this process.
            announce: told in one line of each child that is ready, and when all of them are.
            clock: where time comes from.

        Raises:
            ConfigError: there is nothing to do.
        """
        targets = target_of(type(self)) if targets is None else targets
        self._rng = random.Random()  # noqa: S311 - spreads restarts, keeps no secret
        self._bus = bus_slots(bus, self._rng)
        self._drones = drone_slots(targets, processes, concurrency or {}, self._rng, reload=reload)
        if not self._slots():
            raise ConfigError("a supervisor needs at least one TARGET: a module or package of Workers")
        self._url = url
        self._plan = bus
        self._announce = announce
        self._clock = clock
        self._events: SimpleQueue[Event] = SimpleQueue()  # its put is safe in a signal handler
        self._launcher: Launcher | None = None
        self._said_ready = False
        self._stopping = False
        self._ending = Ending((self._drones, self._bus), clock, self.patience)  # the bus last: drones acknowledge to it
        self._reloading = Reloading(self._drones, self._launch, clock, self.patience)
        self._vigil = Vigil(self._slots(), sign or SignOfLife(), clock)
        self._error: SwarmageError | None = None

    def stop(self) -> None:
        """Ask `run` to drain and return; asked again, to abort. Safe from any thread and in a signal handler."""
        self._events.put(StopAsked())

    def run(self) -> int:
        """Run until stopped; return 0, or 1 when something had to be killed.

        Raises:
            ConfigError: a setting, key or TARGET is wrong.
            BusError: a drone could not boot for want of the bus, or the bus itself could not.
        """
        self._launcher = self._prepare()
        with stop_signals(self.stop):
            try:
                self._start_all(self._bus or self._drones)
                while not self._stopping or any(slot.processes for slot in self._slots()):
                    self._handle(next_event(self._events, self._due(), self._clock))
            finally:
                self._ending.leave_nothing_behind()
                self._launcher.close()
                self._vigil.sign.close()
        if self._error is not None:
            raise self._error
        return 1 if self._ending.aborted else 0

    def _prepare(self) -> Launcher:
        home = find_home(create=True)
        assert home is not None
        self._home: Path = home.absolute()
        load_ring(create=True)
        self._vigil.sign.prepare()
        addresses = (self._plan.address,) if self._plan else resolve_addresses(self._url)
        self._address, *self._others = addresses
        self._drones[:] = slots_on(addresses, self._drones, self._rng)
        return Launcher(self.command, self._home, self._events)

    def _due(self) -> list[float | None]:
        due = (self._ending.kill_at, self._reloading.look_at, self._vigil.look_at)
        return [*due, *(slot.restart_at for slot in self._slots())]

    def _handle(self, event: Event) -> None:
        match event:
            case ChildSaid(child, report):
                for slot in self._slots_of(child):
                    self._on_report(slot, child, report)
            case ChildExited(child, code):
                for slot in self._slots_of(child):
                    self._on_exit(slot, child, code)
            case StopAsked():
                self._on_stop()
            case DeadlinePassed():
                self._on_deadline()

    def _slots_of(self, child: ChildProcess) -> list[Slot]:
        return [slot for slot in self._slots() if child in slot.processes]

    def _on_report(self, slot: Slot, child: ChildProcess, report: Report) -> None:
        if child is not slot.process:
            self._reloading.on_report(slot, child, report)
            return
        self._vigil.heard(slot)
        if isinstance(report, Ready):
            self._on_ready(slot, report)
        else:
            slot.on_report(report)

    def _on_ready(self, slot: Slot, report: Ready) -> None:
        self._reloading.watch(report.files)
        slot.became_ready()
        if isinstance(slot.spec, BusSpec):
            self._on_bus_ready(slot, slot.spec, report)
        else:
            self._announce(f"{slot.spec.name} ready: {', '.join(report.task_classes)}")
        if all(slot.is_ready for slot in self._slots()) and not self._said_ready:
            self._said_ready = True
            self._vigil.ready()
            self._announce(f"ready: bus {' '.join(map(str, (self._address, *self._others)))}, home {self._home}")

    def _on_bus_ready(self, slot: Slot, spec: BusSpec, report: Ready) -> None:
        self._address = replace(self._address, port=report.port)
        record_address(self._home, self._address)
        slot.spec = msgspec.structs.replace(spec, ports=(report.port,))  # the drones look for it here from now on
        self._announce(f"{spec.name} ready: {self._address}")
        if not self._stopping:
            self._start_all([drone for drone in self._drones if drone.may_start])

    def _on_exit(self, slot: Slot, child: ChildProcess, code: int) -> None:
        if child is not slot.process:
            self._reloading.on_exit(slot, child)
        else:
            slot.ended()
            if not (self._stopping or slot.drained):
                self._on_loss(slot, code)
            elif not self._stopping:
                log.info("%s was drained; it starts again with its supervisor", slot.spec.name)
                if all(each.drained for each in self._slots()):
                    self._begin_to_stop()  # nothing is left to keep alive
        if self._stopping:
            self._ending.drain_next()

    def _on_loss(self, slot: Slot, code: int) -> None:
        if slot.failure and self._stops_all(slot, slot.failure.as_error()):
            self._error = slot.failure.as_error()
            self._begin_to_stop()
            return
        restart = slot.plan_restart(self._clock.monotonic())
        log.warning("%s %s; starts again in %.1f s", slot.spec.name, slot.end(code), restart.delay)
        if restart.alarm:
            log.error("ALARM: %s ends again and again; look at what it logged", slot.spec.name)

    def _stops_all(self, slot: Slot, error: SwarmageError) -> bool:
        """Tell whether a child that could not boot will not do so the next time either."""
        alike = self._bus if slot in self._bus else self._drones
        return is_hopeless(alike, error, bus_comes=bool(self._bus) and slot in self._drones)

    def _on_stop(self) -> None:
        if self._stopping:
            log.warning("aborting")
            self._ending.kill(self._slots())
        else:
            log.info("draining; once more to abort")
            self._begin_to_stop()

    def _begin_to_stop(self) -> None:
        self._stopping = True
        self._vigil.sign.stopping()
        for slot in self._slots():
            slot.restart_at = None
        self._reloading.stop()
        self._ending.drain_next()

    def _on_deadline(self) -> None:
        now = self._clock.monotonic()
        self._start_all([slot for slot in self._slots() if slot.restart_at is not None and slot.restart_at <= now])
        self._ending.kill_late(now)
        self._reloading.look(now)
        self._vigil.look(now, stopping=self._stopping)

    def _start_all(self, slots: Sequence[Slot]) -> None:
        for slot in slots:
            slot.started(self._launch(slot), self._clock.monotonic())

    def _launch(self, slot: Slot) -> ChildProcess:
        assert self._launcher is not None
        process = self._launcher.launch(slot.spec, slot.address or self._address)
        log.info("%s started, pid %d", slot.spec.name, process.pid)
        return process

    def _slots(self) -> list[Slot]:
        return self._drones + self._bus
