"""What docs/howto/ shows is run: each block of Python of a page in turn, in one module, and then its tests.

Each page has a process and a bus of its own; SWARMAGE_URL and SWARMAGE_HOME name it, as they would for a reader.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from unit.conftest import EmbeddedBus, embedded_bus, home

__all__ = ["embedded_bus", "home"]  # fixtures
ROOT = Path(__file__).parent.parent
ELSEWHERE = {"control", "docker", "kubernetes", "systemd"}
"""Pages of commands alone, which tests/acceptance runs, as far as they can be run."""
PAGES = [page for page in sorted((ROOT / "docs" / "howto").glob("*.md")) if page.stem not in ELSEWHERE]
SECONDS = 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_shows(page: Path, tmp_path: Path, home: Path, embedded_bus: EmbeddedBus) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks
    module = tmp_path / "test_page.py"
    module.write_text("\n".join(blocks), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", str(module)]
    if "def test_" not in module.read_text(encoding="utf-8"):
        command = [sys.executable, str(module)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "SWARMAGE_HOME": str(home)}
    if '"swarmage", "up"' not in module.read_text(encoding="utf-8"):  # which starts a bus at that address itself
        environment["SWARMAGE_URL"] = embedded_bus.url
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
