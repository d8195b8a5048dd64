"""Performing one task as a coroutine: every ending is an outcome.

From: async_worker.  To: finalize.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from types import AsyncGeneratorType
from typing import Any

from swarmage.abilities import Ability
from swarmage.drone.cell import Cell
from swarmage.drone.coroutines.async_slot import STRIKE_AGAIN, Slot, current
from swarmage.drone.execution import Arguments, execute, failure_of, last_words, outcome_of
from swarmage.drone.limit import seconds_for, timed_out
from swarmage.drone.messages import EXPIRED
from swarmage.drone.sending import answer
from swarmage.errors import NotEncodable, TaskTimeout
from swarmage.outcome import Failed, Failure, Outcome, Rejected, Skipped, Succeeded


async def perform(
    slot: Slot, arguments: Arguments, method: Callable[..., Any], ability: Ability[..., Any], cell: Cell
) -> None:
    """Perform the task of a slot and vacate it; whatever happens in it ends here as an outcome.

    Args:
        slot: where it is performed.
        arguments: fits them to the ability.
        method: the ability, bound.
        ability: has the limits of its time.
        cell: has the time, and writes its reply.
    """
    slot.begun = True
    current.set(slot)
    run = slot.run
    run.began = cell.clock.monotonic()
    outcome: Outcome
    try:
        outcome = await _outcome(slot, arguments, method, ability, cell)
    except BaseException as error:  # noqa: BLE001 - not even the stack may be deep enough for our own lines
        outcome = Failed(last_words(error))
    slot.unlimit()
    run.seconds = cell.clock.monotonic() - run.began
    slot.worker._vacate(slot, outcome)


async def _outcome(
    slot: Slot, arguments: Arguments, method: Callable[..., Any], ability: Ability[..., Any], cell: Cell
) -> Outcome:
    run, task = slot.run, slot.run.task
    local = run.local is not None
    if run.pointless:
        return Skipped()
    if task.deadline is not None and cell.clock.wall() >= task.deadline:
        return EXPIRED
    if task.acknowledge and not local:
        slot.worker.acknowledge()
    _limit(slot, ability, cell)
    outcome = execute(task, arguments, method, local=local)
    if type(outcome) is Succeeded:
        outcome = await _awaited(outcome.result, slot)
    if type(outcome) is Failed and outcome.raised is TaskTimeout:
        return timed_out(outcome, task, ability, cell.clock)
    return answer(run, outcome, cell.wire)


def _limit(slot: Slot, ability: Ability[..., Any], cell: Cell) -> None:
    """Set the limits: where there is only a hard one, the task is cancelled then, and has a second to end in."""
    run, hard = slot.run, ability.hard_timeout
    seconds = hard if ability.timeout is None else ability.timeout
    if run.task.deadline is not None:
        seconds = seconds_for(run.task, seconds, cell.clock)
    if seconds is not None:
        slot.limit(seconds, run.began)
        if hard is not None:
            run.must_end = run.began + max(hard, seconds + STRIKE_AGAIN)


async def _awaited(performed: Any, slot: Slot) -> Outcome:
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
        if slot.struck:
            return Failed(Failure(TaskTimeout.__name__, failure.message, failure.traceback), TaskTimeout)
        return Failed(failure, asyncio.CancelledError)
    except NotEncodable as error:
        return Rejected(reason, failure_of(error))
    except BaseException as error:  # noqa: BLE001 - asyncio would end the loop on SystemExit
        return outcome_of(error)


async def _respond_all(parts: AsyncGenerator[Any, Any], slot: Slot) -> None:
    async with contextlib.aclosing(parts):
        async for part in parts:
            slot.worker.respond(part)
