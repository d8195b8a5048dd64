"""Performing one task as a coroutine: every ending is an outcome.

From: async_worker.  To: finalize.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from types import AsyncGeneratorType
from typing import Any

from swarmage.drone.async_slot import Slot, current
from swarmage.drone.cell import Cell
from swarmage.drone.execution import Arguments, execute, failure_of, last_words
from swarmage.drone.sending import answer
from swarmage.errors import NotEncodable, TaskTimeout
from swarmage.outcome import Failed, Failure, Outcome, Rejected, Skipped, Succeeded


async def perform(
    slot: Slot, arguments: Arguments, method: Callable[..., Any], seconds: float | None, cell: Cell
) -> None:
    """Perform the task of a slot and vacate it; whatever happens in it ends here as an outcome.

    Args:
        slot: where it is performed.
        arguments: fits them to the ability.
        method: the ability, bound.
        seconds: how long it may take.
        cell: has the time, and writes its reply.
    """
    slot.begun = True
    current.set(slot)
    run = slot.run
    local = run.local is not None
    started = run.began = cell.clock.monotonic()
    outcome: Outcome
    try:
        if run.pointless:
            outcome = Skipped()
        else:
            if run.task.acknowledge and not local:
                slot.worker.acknowledge()
            if seconds is not None:
                slot.limit(seconds)
            outcome = execute(run.task, arguments, method, local=local)
            if type(outcome) is Succeeded:
                outcome = await _awaited(outcome.result, slot, seconds)
            outcome = answer(run, outcome, cell.wire)
    except BaseException as error:  # noqa: BLE001 - not even the stack may be deep enough for our own lines
        outcome = Failed(last_words(error))
    slot.unlimit()
    run.seconds = cell.clock.monotonic() - started
    slot.worker.vacate(slot, outcome)


async def _awaited(performed: Any, slot: Slot, seconds: float | None) -> Outcome:
    """Return what came of a coroutine or an async generator."""
    reason = "arguments"  # what it wanted to pass on will be no smaller next time
    try:
        if isinstance(performed, AsyncGeneratorType):
            reason = "result"
            await _respond_all(performed, slot)
            return Succeeded(None)
        return Succeeded(await performed)
    except asyncio.CancelledError as error:
        failure = failure_of(error)
        return Failed(_too_long(failure, seconds) if slot.struck else failure)
    except NotEncodable as error:
        return Rejected(reason, failure_of(error))
    except BaseException as error:  # noqa: BLE001 - asyncio would end the loop on SystemExit
        return Failed(failure_of(error))


async def _respond_all(parts: AsyncGenerator[Any, Any], slot: Slot) -> None:
    async with contextlib.aclosing(parts):
        async for part in parts:
            slot.worker.respond(part)


def _too_long(failure: Failure, seconds: float | None) -> Failure:
    limit = f"longer than its timeout of {seconds:g} s"
    return Failure(TaskTimeout.__name__, limit, failure.traceback)
