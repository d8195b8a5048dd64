"""``bus --check``, ``--repair`` and ``--compact``: what is done to the file of a bus that does not run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from swarmage.broker.storage.file_report import report
from swarmage.broker.storage.pack import MOST
from swarmage.broker.storage.repair import compact, repair
from swarmage.broker.storage.sqlite_damage import repair_command
from swarmage.broker.storage.sqlite_file import FILE_NAME
from swarmage.cli.text import as_json, columns, printable

DAMAGED = 1
"""The exit code of `bus --check` for a damaged file."""


def run(operation: str, folder: Path, *, json_wanted: bool) -> int:
    """Do what was asked with the file in the folder, say what came of it, and return the exit code."""
    path = folder / FILE_NAME
    if operation == "check":
        found = report(path)
        click.echo(as_json(found) if json_wanted else _as_text(found, path))
        return 0 if found["sound"] else DAMAGED
    if operation == "repair":
        saved = repair(path)
        facts: dict[str, Any] = {
            "file": str(path),
            "kept": str(saved.kept),
            "saved": saved.saved,
            "damaged": saved.damaged,
            "durable_subscriptions": saved.durables,
            "lost": saved.lost,
            "lost_packs": saved.lost_packs,
            "lost_commits": saved.lost_commits,
        }
        text = (
            f"saved {saved.saved} messages and {saved.durables} durable subscriptions to {path}\n"
            f"damaged: {saved.damaged}, now in /queue/DLQ.damaged\n"
            f"lost: {saved.lost} messages, {saved.lost_packs} rows of up to {MOST} messages each,"
            f" and {saved.lost_commits} commits of the log\n"
            f"as it was: {saved.kept}"
        )
    else:
        before, after = compact(path)
        facts = {"file": str(path), "bytes_before": before, "bytes_after": after}
        text = f"{path}: {before} bytes before, {after} bytes now"
    click.echo(as_json(facts) if json_wanted else printable(text, keep="\n"))
    return 0


def _as_text(found: Mapping[str, Any], path: Path) -> str:
    unused = "" if found["unused_bytes"] is None else f", {found['unused_bytes']} of them unused"
    lines = [f"{found['file']}: format {found['format']}, {found['bytes']} bytes{unused}"]
    if found["queues"]:
        head = ("DESTINATION", "WAITING", "DELAYED", "EXPIRING", "DAMAGED", "BYTES", "OLDEST", "SINCE", "BY PRIORITY")
        rows = []
        for queue in found["queues"]:
            counts = [queue[name] for name in ("waiting", "delayed", "expiring", "damaged", "bytes")]
            by_priority = ", ".join(f"{priority}: {n}" for priority, n in sorted(queue["priorities"].items()))
            rows.append([queue["name"], *counts, queue["oldest"] or "", queue["oldest_time"] or "", by_priority])
        lines += ["", columns(head, rows), ""]
    else:
        lines.append("no messages")
    lines += [f"damage: {problem}" for problem in found["problems"]]
    lines.append("sound" if found["sound"] else f"damaged; run: {repair_command(path)}")
    return printable("\n".join(lines), keep="\n")
