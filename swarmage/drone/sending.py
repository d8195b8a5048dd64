"""What a task wants sent: kept with its run, and sent together with the ack of its tree.

From: worker, performing.  To: finalize.
"""

from __future__ import annotations

from swarmage.drone.execution import failure_of, outcome_of
from swarmage.drone.run import Run
from swarmage.errors import NotEncodable, TaskTimeout
from swarmage.outcome import Outcome, Rejected, Succeeded
from swarmage.wire.envelope import ReplyBody, Wire
from swarmage.wire.message import Message

MOST_SENT = 32 * 1024 * 1024
"""Bytes: half of what the embedded bus holds back for one transaction."""
SEND_OVERHEAD = 400
"""Bytes that the headers of a SEND take, at most."""


def add(run: Run, message: Message) -> None:
    """Keep a message until the run has ended.

    Raises:
        NotEncodable: with all the others it is too much for the one transaction in which they leave.
    """
    if run.sends is None:
        run.sends = []
    run.sends.append(message)
    run.size += len(message.body) + SEND_OVERHEAD
    if run.size > MOST_SENT:
        raise NotEncodable(
            f"task {run.tree.task.task_class} inserts and answers more than {MOST_SENT} bytes, too much for the one"
            " transaction in which it all leaves; insert fewer tasks, which insert the others"
        )


def answer(run: Run, outcome: Outcome, wire: Wire) -> Outcome:
    """Write the reply of a task that has succeeded, if anybody wants one.

    In the worker's thread and at once, because what an ability returned may change later, and its classes may raise
    anything while they are encoded.
    """
    task = run.task
    if type(outcome) is not Succeeded or run.local is not None or task.originator is None:
        return outcome
    try:
        last = (run.path, run.parts) if run.parts else None
        reply = ReplyBody(id=task.id, kind="result", attempt=task.attempt, value=outcome.result, place=last)
        add(run, wire.reply(task.originator, reply))
    except TaskTimeout as error:
        return outcome_of(error)
    except BaseException as error:  # noqa: BLE001 - as in `execute`
        return Rejected("result", failure_of(error))
    return outcome
