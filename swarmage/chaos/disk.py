"""Faults of the bus's disk: it is full, or it fails to sync."""

from __future__ import annotations

import random
import shutil
import subprocess
from functools import cache

from swarmage.chaos.processes import LOOK_SECONDS, Process
from swarmage.chaos.small_disk import fill
from swarmage.chaos.stage import GRACE_SECONDS, Stage, soon
from swarmage.clock import SYSTEM_CLOCK

LONGEST_FULL = 2.0
"""Seconds it stays full, at most."""
FILLER = "filler"
_FAILING = ("--inject=fdatasync:error=EIO", "--inject=fsync:error=EIO", "--trace=fsync,fdatasync")


@cache
def no_strace() -> str:
    """Return why no system call can be made to fail; empty when one can."""
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not installed, which makes a sync fail"
    tried = subprocess.run([strace, *_FAILING, "true"], capture_output=True, text=True, check=False)  # noqa: S603
    return "" if tried.returncode == 0 else f"strace does not work: {tried.stderr.strip()}"


def fill_up(stage: Stage, dice: random.Random) -> str:
    """Fill the disk of the bus, and make room again later."""
    filler = stage.cast.data / FILLER
    fill(filler)
    seconds = dice.uniform(0.2, LONGEST_FULL)
    stage.later(seconds, lambda: filler.unlink(missing_ok=True))
    return f"the disk of the bus is full for {seconds:.1f} s"


def fail_to_sync(stage: Stage, dice: random.Random) -> str:
    """Have each sync of the bus fail: it must stop, and confirm nothing that it might not have."""
    bus = stage.bus
    strace = shutil.which("strace")
    assert strace is not None
    with (stage.cast.folder / "strace.log").open("ab") as log:
        command = [strace, "-f", *_FAILING, "-p", str(bus.pid)]
        tracer = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # noqa: S603
    end = SYSTEM_CLOCK.monotonic() + GRACE_SECONDS
    stage.later(LOOK_SECONDS, lambda: _follow(stage, dice, bus, tracer, end))
    return f"every sync of the bus fails, {bus.pid}"


def _follow(stage: Stage, dice: random.Random, bus: Process, tracer: subprocess.Popen[bytes], end: float) -> None:
    """Wait until the bus has stopped."""
    if bus.running and SYSTEM_CLOCK.monotonic() < end:
        stage.later(LOOK_SECONDS, lambda: _follow(stage, dice, bus, tracer, end))
        return
    if bus.running:
        stage.ledger.write("stuck", f"the bus, {bus.pid}, {GRACE_SECONDS:.0f} s after a failed sync")
    tracer.kill()
    tracer.wait(30)
    bus.kill()
    stage.ledger.write("struck", "disk-error", f"the bus has exited with {bus.wait(0.0)}")
    stage.later(soon(dice), stage.cast.start_bus)
