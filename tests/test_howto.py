"""What docs/howto shows runs: the Python of each page, from top to bottom, on a bus of its own."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
from unit.conftest import EmbeddedBus, embedded_bus, home

__all__ = ["embedded_bus", "home"]  # fixtures
PAGES = sorted((Path(__file__).resolve().parent.parent / "docs" / "howto").glob("*.md"))


def python_of(page: Path) -> str:
    """Return the page with all that is not Python left empty, so that an error names its line on the page."""
    lines, inside = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        fence = line.startswith("```")
        inside = line == "```python" if fence else inside
        lines.append(line if inside and not fence else "")
    return "\n".join(lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_of_a_page_does_what_the_page_says(
    page: Path, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWARMAGE_URL", embedded_bus.url)
    module = types.ModuleType(page.stem.replace("-", "_"))
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where annotations are looked up
    exec(compile(python_of(page), str(page), "exec"), vars(module))
