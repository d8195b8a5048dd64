"""Figures in a document: tables that a command writes between two marks, so that nobody copies them by hand."""

from __future__ import annotations

from collections.abc import Sequence


def marks(name: str) -> tuple[str, str]:
    """Return the two lines between which the figures of that name stand."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def replaced(page: str, name: str, text: str) -> str:
    """Return the page with the text between the two marks of that name.

    Raises:
        ValueError: it has no such marks.
    """
    begin, end = marks(name)
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"the page has no {begin} with an {end} behind it; put both where the figures should stand")
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
