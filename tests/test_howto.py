"""The examples of docs/howto run, and print what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs/howto").glob("*.md"))
DEADLINE = 60.0
BUS = """\
import asyncio, os, sys, threading
from swarmage.broker.server import BusServer
server = BusServer(host="127.0.0.1", port=0, data=None, users={"reader": "secret"})
ready = threading.Event()
async def serve():
    await server.start()
    ready.set()
    await server.serve()
threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
assert ready.wait(10)
os.environ["SWARMAGE_URL"] = f"stomp://reader:secret@127.0.0.1:{server.port}"
"""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.acceptance
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_print_what_it_says(page: Path, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text("\n".join(blocks(page, "python")))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SWARMAGE_")}
    environment |= {"PYTHONPATH": str(ROOT), "SWARMAGE_HOME": str(tmp_path / "home")}
    (tmp_path / "home").mkdir(mode=0o700)
    run = f"{BUS}import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
    result = subprocess.run(
        [sys.executable, "-c", run],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "".join(blocks(page, "text"))
