"""The child's end of the pipes to its parent."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable

from swarmage.supervisor.protocol import GRACE_SECONDS, MARGIN_SECONDS, Beat, Report, encode


class ParentLink:
    """Reports to the parent, and learns from it when to stop.

    The parent's pipes are moved away from stdin and stdout first, so that neither a print in a task nor a program that
    a task starts can disturb them.
    """

    def __init__(self) -> None:
        self._lifeline = os.dup(0)
        self._reports = os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(line_buffering=True)
        # Ctrl-C and the end of a terminal reach the whole process group, but it is the parent who decides.
        # Not SIG_IGN: programs that tasks start would inherit that.
        signal.signal(signal.SIGINT, _leave_it_to_the_parent)
        signal.signal(signal.SIGHUP, _leave_it_to_the_parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGHUP})

    def report(self, report: Report) -> None:
        """Tell the parent; a parent that is gone is noticed elsewhere."""
        try:
            os.write(self._reports, encode(report).encode() + b"\n")
        except BrokenPipeError:
            return

    def beat(self) -> None:
        """Tell the parent that this child lives; a parent that reads nothing any more does not hold it up."""
        poll = select.poll()
        poll.register(self._reports, select.POLLOUT)
        if poll.poll(0):
            self.report(Beat())

    def on_stop(self, drain: Callable[[], None]) -> None:
        """Call ``drain`` on each SIGTERM and when the parent is gone, from a signal handler or from another thread.

        A child whose parent is gone leaves hard when draining takes longer than it may.
        """
        signal.signal(signal.SIGTERM, lambda _signal, _frame: drain())
        threading.Thread(target=self._outlive_parent, args=(drain,), name="lifeline", daemon=True).start()

    def _outlive_parent(self, drain: Callable[[], None]) -> None:
        while os.read(self._lifeline, 1024):
            pass
        drain()
        threading.Event().wait(GRACE_SECONDS + MARGIN_SECONDS)
        os._exit(1)


def _leave_it_to_the_parent(_number: int, _frame: object) -> None:
    """Do nothing."""
