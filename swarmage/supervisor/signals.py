"""Signals that ask a process to stop, turned into a call that only enqueues."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def stop_signals(ask: Callable[[], None]) -> Iterator[None]:
    """Call ``ask`` for each SIGTERM, SIGINT or SIGHUP, and put the handlers from before back at the end.

    Outside the main thread Python delivers no signals; there this does nothing. SIGHUP stays ignored under nohup.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[signal.Signals, Any] = {}
    try:
        for number in STOP_SIGNALS:
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            before[number] = signal.signal(number, lambda _number, _frame: ask())
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
