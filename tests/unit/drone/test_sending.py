from __future__ import annotations

import pytest

from swarmage.drone.run import Run, Tree
from swarmage.drone.sending import answer
from swarmage.outcome import Succeeded
from swarmage.task import Task

from ..fakes import FakeCell

ORIGINATOR = "/queue/swarmage.reply.somebody"


@pytest.mark.parametrize(("parts", "place"), [(0, None), (3, ("", 3))])
def test_a_result_tells_which_response_was_the_last(parts: int, place: tuple[str, int] | None) -> None:
    cell = FakeCell()
    task = Task(task_class="a", id="1", originator=ORIGINATOR)
    run = Run(task, Tree(cell.delivery(cell.wire.task(task), "1"), task))
    run.parts = parts
    answer(run, Succeeded("end"), cell.wire)
    assert run.sends is not None
    (message,) = run.sends
    body = cell.wire.read_reply(ORIGINATOR, message.body, message.signature)
    assert (body.kind, body.value, body.place) == ("result", "end", place)
