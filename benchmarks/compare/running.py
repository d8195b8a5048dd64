"""Running the program of a peer: an order is one line of JSON, its answer another."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).parent / "programs"
PACKAGE = "benchmarks.compare.programs"
ROOT = PROGRAMS.parents[2]
ANSWER_SECONDS = 150.0
"""Longer than a program's own deadlines, so that it can say what went wrong."""
_STOP_SECONDS = 40.0


class PeerFailed(Exception):
    """A program ended, said nothing in time, or answered that an order failed."""


class Running:
    """The program of one peer, while the block runs; nothing of its session is left afterwards.

    Attributes:
        versions: of what it uses.
        ways: how it inserts.
    """

    def __init__(self, interpreter: str, program: str, environment: Mapping[str, str], log: Path) -> None:
        self._name = program
        self._log = log
        what = ["-m", f"{PACKAGE}.{program[:-3]}"] if program.endswith(".py") else [str(PROGRAMS / program)]
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [interpreter, *what],
                cwd=ROOT,
                env={**os.environ, **environment, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self._kept = b""
        try:
            hello = self._read()
            self.versions: dict[str, str] = hello["versions"]
            self.ways: list[str] = hello["ways"]
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)
        finally:
            self._process.stdout.close()
            with contextlib.suppress(ProcessLookupError):  # as it should be: it has left nothing that it started
                os.killpg(self._process.pid, signal.SIGKILL)

    def order(self, order: str, **more: Any) -> dict[str, Any]:
        """Give an order and return its answer.

        Raises:
            PeerFailed: there is none in time, or it says that the order failed.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"order": order, **more}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise PeerFailed(f"{self._name} has ended; it said:\n{self._said()}") from None
        answer = self._read()
        if "error" in answer:
            raise PeerFailed(f"{self._name}, {order} {more}: {answer['error']}")
        return answer

    def _read(self) -> dict[str, Any]:
        """Return the next line that is an object; whatever else a peer prints is passed over."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            line = self._next_line(deadline)
            try:
                answer = json.loads(line)
            except ValueError:
                continue
            if isinstance(answer, dict):
                return answer

    def _next_line(self, deadline: float) -> bytes:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._kept:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise PeerFailed(f"{self._name} said nothing for {ANSWER_SECONDS:.0f} s:\n{self._said()}")
                data = os.read(self._process.stdout.fileno(), 65_536)
                if not data:
                    raise PeerFailed(f"{self._name} has ended; it said:\n{self._said()}")
                self._kept += data
        line, _, self._kept = self._kept.partition(b"\n")
        return line

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]
