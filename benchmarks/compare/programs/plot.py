"""Draw a comparison: ``plot.py comparison.json rates.svg latency.svg``. Needs matplotlib, and nothing of this project.

Each bar is the median of the rounds, and each dot on it one round. The axes are logarithmic.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot, ticker

WAYS = ("in bulk, confirmed", "one by one, confirmed")
COLOURS = {"in bulk, confirmed": "#4c72b0", "one by one, confirmed": "#9db7dc", "drain": "#dd8452"}
LIMIT, OURS = "#bbbbbb", "swarmage"


def main() -> None:
    samples, rates, latency = map(Path, sys.argv[1:4])
    records = json.loads(samples.read_text())["records"]
    mpl.rcParams["svg.hashsalt"] = "swarmage"  # the same figures, the same file
    mpl.rcParams["svg.fonttype"] = "none"
    _draw(records, [[*WAYS], ["drain"]], ["insert, tasks a second", "drain, tasks a second"], rates)
    _draw(records, [["p50"], ["p99"]], ["begun after, ms, half of them", "begun after, ms, 99 of 100"], latency)


def _draw(records: list[dict[str, Any]], questions: list[list[str]], titles: list[str], file: Path) -> None:
    asked = {question for part in questions for question in part}
    peers = list(dict.fromkeys((r["name"], r["bus"]) for r in records if r["question"] in asked))
    peers.sort(key=lambda peer: (peer[0] in ("raw sockets", "bare statements"), peer[0] != OURS))
    figure, panels = pyplot.subplots(1, len(questions), figsize=(13, 0.45 * len(peers) + 1.5), sharey=True)
    for panel, part, title in zip(panels, questions, titles, strict=True):
        height = 0.8 / len(part)
        for place, question in enumerate(part):
            for row, (name, bus) in enumerate(peers):
                of = (name, bus, question)
                values = [r["value"] for r in records if (r["name"], r["bus"], r["question"]) == of]
                if values:
                    at = row - 0.4 + height * (place + 0.5)
                    panel.barh(at, statistics.median(values), height, color=_colour(name, question))
                    panel.plot(values, [at] * len(values), ".", color="#333333", markersize=3)
        panel.set(title=title, xscale="log", yticks=range(len(peers)), yticklabels=[f"{n} on {b}" for n, b in peers])
        panel.set_xlim(left=_decade([r["value"] for r in records if r["question"] in part]))
        panel.xaxis.set_minor_formatter(ticker.NullFormatter())
        panel.grid(visible=True, axis="x", alpha=0.3)
        if len(part) > 1:
            handles = [pyplot.Rectangle((0, 0), 1, 1, color=COLOURS[question], label=question) for question in part]
            panel.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.08), ncol=len(part))
    panels[0].invert_yaxis()
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def _decade(values: list[float]) -> float:
    """Return the power of ten at which an axis begins, so that no bar is cut until it looks like nothing."""
    return float(10 ** math.floor(math.log10(min(values) / 2)))


def _colour(name: str, question: str) -> str:
    if name in ("raw sockets", "bare statements"):
        return LIMIT
    return COLOURS.get(question, "#55a868")


if __name__ == "__main__":
    main()
