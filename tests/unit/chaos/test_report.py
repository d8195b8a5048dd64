"""What is said of a run."""

from __future__ import annotations

import json
from pathlib import Path

from swarmage.chaos.report import as_dict, as_lines, timeline
from tests.unit.chaos.runs import Run


def test_the_timeline_of_a_lost_task_has_all_that_is_known_of_it_in_order() -> None:
    run = Run("plain", "chain")
    run.insert()
    run.write(2.0, "begun", "r.1", "step-0", 1, "thread", pid=44)
    run.write(2.1, "done", "r.1", "step-0", 1, "thread", pid=44)
    run.strike(2.5)
    run.strike(90.0, "kill -9 of the bus, 6")  # long after
    assert timeline(run.result, 1) == [
        "    0.500 s  attempted by client 7",
        "    0.600 s  confirmed by client 7",
        "    1.500 s  begun step-0, attempt 1, thread of 44",
        "    1.600 s  done step-0, attempt 1, thread of 44",
        "    2.000 s  ** kill -9 of drone 5",
        "           never: step-1, step-2",
    ]


def test_people_and_scripts_are_told_the_same(tmp_path: Path) -> None:
    run = Run("plain", "plain")
    run.insert()
    run.perform(0)
    text = "\n".join(as_lines(run.result))
    assert "  ok         1\n  lost       1\n" in text
    assert "timeline of task 1, plain:" in text
    told = json.loads(json.dumps(as_dict(run.result, tmp_path)))
    assert (told["seed"], told["ok"], told["lost"], told["good"]) == (1, 1, 1, False)
    assert told["timelines"]["1"][-1].strip() == "never: done"
    assert told["folder"] == str(tmp_path)
