"""What scripts/demo does once .venv is there: up, send, look, stop; every step can fail, and then so does the demo."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SWARMAGE = Path(sys.executable).with_name("swarmage")
BOOT_SECONDS = 60
STOP_SECONDS = 45
DOT_SECONDS = 10


class DemoFailed(Exception):
    """A step did not do what it should."""


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        print("usage: scripts/demo [PATH]   a folder of text; by default Python's own standard library")
        return 0 if sys.argv[1:2] in (["-h"], ["--help"]) else 2
    path = Path(sys.argv[1] if len(sys.argv) == 2 else sysconfig.get_paths()["stdlib"]).absolute()
    with tempfile.TemporaryDirectory(prefix="swarmage-demo-") as folder:
        environment = {**os.environ, "SWARMAGE_HOME": str(Path(folder) / "home")}
        try:
            demo(path, environment, Path(folder) / "log")
        except DemoFailed as failure:
            print(f"\nerror: {failure}", file=sys.stderr)
            print_log(Path(folder) / "log")
            return 1
        except KeyboardInterrupt:
            print("\ninterrupted, everything is stopped", file=sys.stderr)
            return 130
    return 0


def demo(path: Path, environment: dict[str, str], log: Path) -> None:
    with swarm(environment, log) as process:
        began = time.monotonic()
        answer = command(environment, "send", "text.census", str(path), "--wait", "--json")
        seconds = time.monotonic() - began
        left_behind = count_left_behind(environment)
    if process.returncode != 0:
        raise DemoFailed(f"swarmage up ended with exit code {process.returncode} after SIGTERM")
    show(path, answer["result"], seconds)
    if left_behind:
        raise DemoFailed(f"left behind on the bus: {left_behind}")
    print("   left behind   nothing: no task waits, none is a dead letter, every process has ended")


@contextlib.contextmanager
def swarm(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[str]]:
    """Run `swarmage up` while the block runs, out of reach of a Ctrl-C that is for the demo."""
    arguments = ["up", "actors", "-p", "2"]
    announce(arguments)
    with log.open("w") as errors:
        process = subprocess.Popen(
            [SWARMAGE, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    try:
        wait_until_ready(process)
        yield process
    except BaseException:
        with contextlib.suppress(DemoFailed):  # the first thing that went wrong is the one to tell
            stop(process, environment)
        raise
    stop(process, environment)


def wait_until_ready(process: subprocess.Popen[str]) -> None:
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            print(f"   {line}", end="", flush=True)
            if line.startswith("ready"):
                ready.set()

    threading.Thread(target=read, daemon=True).start()
    deadline = time.monotonic() + BOOT_SECONDS
    while not ready.wait(0.1):
        if process.poll() is not None:
            raise DemoFailed(f"swarmage up ended with exit code {process.returncode} before it was ready")
        if time.monotonic() > deadline:
            raise DemoFailed(f"swarmage up was not ready within {BOOT_SECONDS} s")


def stop(process: subprocess.Popen[str], environment: dict[str, str]) -> None:
    print("\n   stopping it with SIGTERM", flush=True)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        raise DemoFailed(f"swarmage up did not stop within {STOP_SECONDS} s of SIGTERM") from None
    finally:
        left = processes_of(environment["SWARMAGE_HOME"])
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
    if left:
        raise DemoFailed(f"swarmage up left processes behind: {left}")


def processes_of(home: str) -> list[int]:
    """Return the processes that belong to this state folder; a fresh one, so they were started here."""
    mark, found = f"SWARMAGE_HOME={home}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def command(environment: dict[str, str], *arguments: str) -> Any:
    """Run a swarmage command that prints JSON; its progress bar, on stderr, is for whoever watches."""
    announce(arguments)
    process = subprocess.Popen(
        [SWARMAGE, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    began = time.monotonic()
    try:
        while True:
            try:
                output, _ = process.communicate(timeout=DOT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if not sys.stderr.isatty():
                    print(f"   {time.monotonic() - began:.0f} s", flush=True)
    finally:
        process.kill()
    if process.returncode != 0:
        raise DemoFailed(f"swarmage {arguments[0]} ended with exit code {process.returncode}")
    return json.loads(output)


def count_left_behind(environment: dict[str, str]) -> str:
    """Return what still stands on the bus, in words; nothing when everything was done."""
    status = command(environment, "status", "--json")
    waiting = {
        queue["task_class"] or queue["name"]: number
        for queue in status["queues"]
        if (number := queue["waiting"] + queue["in_flight"] + queue["delayed"])
    }
    dead = len(command(environment, "dead", "list", "--json"))
    return ", ".join([f"{number} in {name}" for name, number in waiting.items()] + ([f"{dead} dead"] if dead else []))


def show(path: Path, report: dict[str, Any], seconds: float) -> None:
    looked_at = report["files"] + report["skipped"]
    print(f"\n== counted {path}")
    print(f"   files         {report['files']:,} (and {report['skipped']:,} skipped: not UTF-8 text)")
    print(f"   lines         {report['lines']:,}")
    print(f"   words         {report['words']:,}")
    print("   most frequent " + ", ".join(f"{word} {count:,}" for word, count in report["top"]))
    print(f"   time          {seconds:.1f} s, {looked_at / seconds:,.0f} files/s")


def announce(arguments: list[str] | tuple[str, ...]) -> None:
    print(f"\n$ swarmage {shlex.join(arguments)}", flush=True)


def print_log(log: Path) -> None:
    if log.exists():
        lines = log.read_text(errors="replace").splitlines()[-20:]
        print("the last lines of swarmage up:", *lines, sep="\n   ", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
