"""A task's progress on stderr, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from swarmage.cli.text import printable
from swarmage.client import heard


@contextmanager
def progress_bar() -> Iterator[Callable[[heard.Progress], None]]:
    """Show a bar while the block runs; yields what moves it."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("waiting", total=None)

        def show(progress: heard.Progress) -> None:
            text = escape(printable(progress.text or "")) or "running"
            bar.update(line, completed=progress.done, total=progress.total, description=text)

        yield show
