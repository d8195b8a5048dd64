"""Count the files, lines and words of a folder of real text, one local task per file.

Start it with ``swarmage up actors`` (or ``swarmage up actors.text``) and send to it with

    swarmage send text.census /usr/share/doc --wait

PATH is a folder or a single file on the drone's machine. The reply is
``{"files", "skipped", "lines", "words", "top"}``: a word is ``\\w+`` in lower case, a line is what ends in a newline,
and ``top`` holds the ten most frequent words with their counts. Files that are not UTF-8 or cannot be read are
counted as skipped; folders that cannot be read, and links to folders, are passed over. A PATH that is not there is
an error at once.
"""

from __future__ import annotations

import heapq
import os
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict

from swarmage import Worker, ability

WINDOW = 64  # local tasks under way at once: enough to keep the cell busy, and their counters fit in memory
CHUNK = 256 * 1024  # characters read at once: whatever the size of a file, a worker holds one such piece of it
TOP = 10

_WORD = re.compile(r"\w+")


class FileCount(TypedDict):
    """What one file holds."""

    lines: int
    words: dict[str, int]


class Report(TypedDict):
    """What a folder holds."""

    files: int
    skipped: int
    lines: int
    words: int
    top: list[tuple[str, int]]


class Census(Worker):
    """Counts text: ``text.census`` walks and adds up, ``text.count`` reads one file."""

    concurrency = 4

    @ability("text.census", timeout=1800, give_up_on=(FileNotFoundError, ValueError))
    def census(self, path: str) -> Report:
        """Count everything below a path; one that is not there will not appear by trying again."""
        files, tally = list_files(path), Tally()
        under_way: deque[Any] = deque()
        for begun, file in enumerate(files, 1):
            under_way.append(self.local(Census.count, file))
            while len(under_way) >= WINDOW or (under_way and begun == len(files)):
                tally.add(under_way.popleft().result())
                self.progress(tally.seen, len(files), "files")
        return tally.report()

    @ability("text.count", timeout=600, retries=2)
    def count(self, path: str) -> FileCount | None:
        """Count one file; None when it is no text."""
        return count_file(path)


class Tally:
    """The sum of the files counted so far."""

    def __init__(self) -> None:
        self.seen = 0
        self.skipped = 0
        self.lines = 0
        self.words: Counter[str] = Counter()

    def add(self, count: FileCount | None) -> None:
        """Add one file, or one that was skipped."""
        self.seen += 1
        if count is None:
            self.skipped += 1
        else:
            self.lines += count["lines"]
            self.words.update(count["words"])

    def report(self) -> Report:
        """Return the sums and the most frequent words."""
        return {
            "files": self.seen - self.skipped,
            "skipped": self.skipped,
            "lines": self.lines,
            "words": self.words.total(),
            "top": most_frequent(self.words, TOP),
        }


def list_files(path: str) -> list[str]:
    """Return the regular files below a path in order; a path to one file is a list of one.

    Raises:
        FileNotFoundError: nothing is there.
        PermissionError: the folder cannot be read.
        ValueError: it is neither a folder nor a regular file.
    """
    root = Path(path)
    if not root.exists():
        raise FileNotFoundError(f"{path}: no such file or folder on the machine of this drone (from {Path.cwd()})")
    if root.is_file():
        return [path]
    if not root.is_dir():
        raise ValueError(f"{path}: neither a folder nor a regular file")
    with os.scandir(root):  # os.walk is silent about a folder it cannot read, and 0 files would be a wrong answer
        pass
    return list(_walk(path))


def _walk(path: str) -> Iterator[str]:
    for folder, subfolders, names in os.walk(path):
        subfolders.sort()
        for name in sorted(names):
            file = os.path.join(folder, name)  # noqa: PTH118 - Path costs more than reading a small file
            if os.path.isfile(file):  # noqa: PTH113 - no sockets, pipes or devices: reading them never ends
                yield file


def count_file(path: str) -> FileCount | None:
    """Count one file in pieces of whole lines; None when it is not UTF-8 or cannot be read."""
    lines, words = 0, Counter[str]()
    try:
        with open(path, encoding="utf-8", newline="\n") as file:  # noqa: PTH123 - "\n" leaves Windows newlines alone
            while piece := file.read(CHUNK):
                piece += file.readline()
                lines += piece.count("\n")
                words.update(_WORD.findall(piece))
    except (OSError, UnicodeDecodeError):
        return None
    return {"lines": lines, "words": lower(words)}


def lower(words: Mapping[str, int]) -> dict[str, int]:
    """Return the same counts by the lower-cased word: far fewer calls than lowering each one that was read."""
    lowered: dict[str, int] = {}
    for word, count in words.items():
        key = word.lower()
        lowered[key] = lowered.get(key, 0) + count
    return lowered


def most_frequent(words: Mapping[str, int], number: int) -> list[tuple[str, int]]:
    """Return the most frequent words with their counts, those of equal count in alphabetical order."""
    return heapq.nsmallest(number, words.items(), key=lambda item: (-item[1], item[0]))
