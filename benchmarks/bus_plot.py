"""Cost against backlog and connections, as a drawing. Needs matplotlib, which the extra ``bench`` brings."""

from __future__ import annotations

import importlib
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.bus_report import Sample

PANELS = {
    "backlog": ("CPU µs/message", "drained/s", "s to first delivery", "MiB restarted"),
    "connections": ("CPU µs/message", "both at once/s", "CPU ms/s, all idle", "MiB"),
}


def load() -> Any:
    """Import matplotlib and return its pyplot, for files only.

    Raises:
        ImportError: it is not installed.
    """
    importlib.import_module("matplotlib").use("svg")
    return importlib.import_module("matplotlib.pyplot")


def plot(samples: Sequence[Sample], file: Path) -> None:
    """Draw a row of panels for each question that was asked, each bus as a line through its medians."""
    pyplot = load()
    questions = [question for question in PANELS if any(each.question == question for each in samples)]
    width = max(len(PANELS[question]) for question in questions)
    figure, axes = pyplot.subplots(len(questions), width, figsize=(4 * width, 3.4 * len(questions)), squeeze=False)
    for row, question in zip(axes, questions, strict=True):
        for panel, name in zip(row, PANELS[question], strict=True):
            _panel(panel, [each for each in samples if each.question == question], name)
            panel.set(title=name, xlabel="waiting" if question == "backlog" else "idle connections", xscale="log")
            panel.set_ylim(bottom=0)
            panel.grid(visible=True, alpha=0.3)
        row[0].legend()
    figure.tight_layout()
    figure.savefig(file)
    pyplot.close(figure)


def _panel(panel: Any, samples: Sequence[Sample], name: str) -> None:
    for bus in dict.fromkeys(each.bus for each in samples):
        values: dict[int, list[float]] = {}
        for each in samples:
            if each.bus == bus:
                values.setdefault(each.scale, []).append(each.figures[name])
        panel.plot(list(values), [statistics.median(each) for each in values.values()], marker="o", label=bus)
