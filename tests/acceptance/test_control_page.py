"""The commands of docs/howto/control.md, as they stand there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from processes import Home, Run, Start

pytestmark = pytest.mark.acceptance

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "control.md"

WORKERS = """
from swarmage import Worker, ability

class Census(Worker):
    @ability("text.census")
    def census(self, path: str) -> None: ...
"""


def test_the_commands_of_the_page_run(start: Start, run: Run, home: Home, tmp_path: Path) -> None:
    shown = re.findall(r"^\$ swarmage (.+)$", PAGE.read_text(), re.MULTILINE)
    [reload] = [words for words in map(shlex.split, shown) if "--reload" in words]
    (tmp_path / "text_workers.py").write_text(WORKERS)
    environment = {**home.environment, "PYTHONPATH": f"{home.environment['PYTHONPATH']}:{tmp_path}"}
    up = start(*reload, env=environment)
    up.wait_for_line("^ready")
    drone = json.loads(run("status", "--json").stdout)["drones"][0]["id"]
    said: dict[str, str] = {}
    task = ""
    for line in shown:
        words = shlex.split(line.replace("$TASK", task).replace("$DRONE", drone))
        if words == reload:
            continue
        result = run(*words)
        assert result.returncode == 0, (line, result.stderr)
        said.setdefault(words[0], result.stdout)
        task = task or result.stdout.strip()
    assert list(said) == ["send", "cancel", "pause", "status", "resume", "concurrency", "top", "stack", "drain"]
    assert re.search(r"text.census .* paused", said["status"])
    assert drone in said["stack"]
    up.wait_for_line("drone-1 was drained")
