"""The handle of a local task.

From: performing.  To: your program.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from swarmage.drone.run import Local
from swarmage.errors import TaskFailed
from swarmage.outcome import Crashed, Discarded, Failed, Rejected, Succeeded
from swarmage.wire.codec import Carried

if TYPE_CHECKING:
    from swarmage.drone.performing import Performing

LOCAL_TIMEOUT = 3600.0
"""Seconds; every wait has a deadline, also when nobody named one."""


class LocalTask:
    """The handle of a local task: wait with `result` in a thread, with ``await`` in a coroutine."""

    def __init__(self, worker: Performing, local: Local) -> None:
        self._worker = worker
        self._local = local

    def result(self, timeout: float = LOCAL_TIMEOUT) -> Any:
        """Return what the local task returned.

        The worker that waits performs other local tasks meanwhile, so that a cell in which everybody waits goes on.

        Raises:
            TaskFailed: it failed, and with it the tree, so that it is no use going on; after `try_local` it is yours
                to go on or to let it through.
            DeadlineExceeded: it has not ended in `timeout` seconds.
            SwarmageError: called in the event loop of an AsyncWorker, which it would hold up; await the handle there.
        """
        self._worker._wait_for(self._local, timeout)
        return self._opened()

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait in a coroutine of an AsyncWorker, for an hour at most; see `wait`."""
        return self.wait().__await__()

    async def wait(self, timeout: float = LOCAL_TIMEOUT) -> Any:
        """Return what the local task returned, in a coroutine of an AsyncWorker.

        The task that waits leaves its slot to others meanwhile, so that a cell in which everybody waits goes on.

        Raises:
            TaskFailed: it failed, and with it the tree, so that it is no use going on; after `try_local` it is yours
                to go on or to let it through.
            DeadlineExceeded: it has not ended in `timeout` seconds.
            SwarmageError: called in a Worker that is not an AsyncWorker; use `result` there.
        """
        await self._worker._await(self._local, timeout)
        return self._opened()

    def _opened(self) -> Any:
        ending = self._local.outcome
        match ending:
            case Succeeded(result):
                return result.open() if type(result) is Carried else result
            case Failed(failure) | Rejected(_, failure) | Discarded(failure) | Crashed(failure):
                error = TaskFailed(failure.kind, failure.message, failure.traceback)
                error.ending = ending
                raise error
            case _:
                raise TaskFailed("Skipped", f"local task {self._local.task_class} was not begun: its tree has failed")
