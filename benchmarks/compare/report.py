"""The tables and plots of a comparison, and the page they stand in."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.compare import environments
from benchmarks.compare.environments import NotInstalled
from benchmarks.compare.peers import EMBEDDED, LIMITS, PEERS, Peer
from benchmarks.compare.programs.serving import BULK, LOOSE, ONE
from benchmarks.compare.records import DRAIN, LATENCIES, Comparison
from benchmarks.pages import replaced, table
from swarmage.bench.samples import short

MARKED = "figures"
PLOTS = {"comparison-rates.svg": "tasks a second", "comparison-latency.svg": "latency"}
_PLOT = Path(__file__).parent / "programs" / "plot.py"
_PLOT_SECONDS = 120.0
_RATES = (BULK, ONE, LOOSE, DRAIN)


def tables(found: Comparison) -> str:
    """Return everything that is known of a run as Markdown."""
    machine = ", ".join(f"{name} {value}" for name, value in found.machine.items())
    versions = ", ".join(f"{name} {version}" for name, version in sorted(found.versions.items(), key=_folded))
    parts = [
        f"{machine}. {versions}. Medians of {found.plan['rounds']:.0f}, {found.plan['tasks']:.0f} tasks a round;"
        f" Redis with `appendfsync {found.plan['redis_fsync']}`.",
        "Tasks a second, with the lowest and the highest:",
        _rates(found),
        "How long after its insert was due a task began, in milliseconds, at"
        f" {found.plan['rate']:.0f} tasks a second, medians of the rounds:",
        _latencies(found),
        f"swarmage on {EMBEDDED} as a multiple of each of them, by medians:",
        _ratios(found),
        "Each figure as a part of what bare sockets or statements do on the same bus:",
        _shares(found),
    ]
    parts += [f"{title} failed in this run, so figures of it are missing." for title in found.failures]
    return "\n\n".join(parts) + "\n"


def write(found: Comparison, folder: Path, page: Path, cache: Path) -> None:
    """Draw the plots into a folder, beside the samples, and put the tables into the page.

    Raises:
        NotInstalled: matplotlib is not here and cannot be installed.
        ValueError: the page has no place for them.
    """
    _plot(folder, cache)
    images = "\n".join(f"![{what}]({folder.name}/{name})\n" for name, what in PLOTS.items())
    page.write_text(replaced(page.read_text(), MARKED, f"{tables(found)}\n{images}"))


def _plot(folder: Path, cache: Path) -> None:
    """Have the plots drawn by a Python that has matplotlib: this one, or else one made for it."""
    python = sys.executable
    if importlib.util.find_spec("matplotlib") is None:
        environments.make(cache / "plot", environments.PLOT)
        python = str(cache / "plot" / "bin" / "python")
    done = subprocess.run(
        [python, str(_PLOT), str(folder / "comparison.json"), *[str(folder / name) for name in PLOTS]],
        capture_output=True,
        text=True,
        timeout=_PLOT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise NotInstalled(f"the plots could not be drawn:\n{done.stderr[-2000:]}")


def _rates(found: Comparison) -> str:
    rows = []
    for peer in _there(found, (*PEERS, *LIMITS)):
        values = [found.values(peer.name, peer.bus, question) for question in _RATES]
        rows.append([peer.title, *[_spread(each) for each in values]])
    return table(["", *[_heading(question) for question in _RATES]], rows)


def _latencies(found: Comparison) -> str:
    rows = [
        [peer.title, *[_number(found.median(peer.name, peer.bus, name)) for name in LATENCIES]]
        for peer in _there(found, PEERS)
    ]
    return table(["", *LATENCIES], rows)


def _ratios(found: Comparison) -> str:
    """Compare the best way to insert, the drain and the latency; of the last, below 1 is sooner."""
    ours = PEERS[0]
    rows = []
    for peer in _there(found, PEERS[1:]):
        pairs = [
            (_best(found, ours), _best(found, peer)),
            *[
                (found.median(ours.name, ours.bus, question), found.median(peer.name, peer.bus, question))
                for question in (ONE, DRAIN, LATENCIES[0], LATENCIES[2])
            ],
        ]
        rows.append([peer.title, *[_ratio(mine, theirs) for mine, theirs in pairs]])
    return table(["", "insert, the best way", _heading(ONE), "drain", "latency p50", "latency p99"], rows)


def _shares(found: Comparison) -> str:
    limits = {limit.bus: limit for limit in LIMITS}
    rows = []
    for peer in _there(found, PEERS):
        limit = limits[peer.bus]
        pairs = [
            (_best(found, peer), _best(found, limit)),
            *[
                (found.median(peer.name, peer.bus, question), found.median(limit.name, limit.bus, question))
                for question in (ONE, DRAIN)
            ],
        ]
        rows.append([peer.title, *[_ratio(theirs, most) for theirs, most in pairs]])
    return table(["", "insert, the best way", _heading(ONE), "drain"], rows)


def _best(found: Comparison, peer: Peer) -> float | None:
    """Return the rate of the fastest way to insert that is confirmed."""
    rates = [found.median(peer.name, peer.bus, way) for way in (BULK, ONE)]
    return max((rate for rate in rates if rate is not None), default=None)


def _there(found: Comparison, peers: Iterable[Peer]) -> list[Peer]:
    known = {(record.name, record.bus) for record in found.records}
    return [peer for peer in peers if (peer.name, peer.bus) in known]


def _heading(question: str) -> str:
    return question if question == DRAIN else f"insert {question}"


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    middle = _number(sorted(values)[len(values) // 2])
    return middle if len(values) == 1 else f"{middle} ({short(min(values))} to {short(max(values))})"


def _number(value: float | None) -> str:
    return "" if value is None else short(value)


def _ratio(mine: float | None, theirs: float | None) -> str:
    return "" if not mine or not theirs else short(mine / theirs)


def _folded(pair: tuple[str, str]) -> str:
    return pair[0].lower()
