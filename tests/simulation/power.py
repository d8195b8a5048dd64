"""A disk that loses power: what was synced is there, of everything younger only some sectors are."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512
_Write = tuple[int, bytes | None]
"""Where and what; None cuts the file off there."""


class Remains:
    """One file as a disk has it.

    Attributes:
        synced: what is there for sure.
        young: writes since, of which any may be there in part.
        real: whether it was ever synced; its name may be gone too if not.
    """

    def __init__(self) -> None:
        self.synced = bytearray()
        self.young: list[_Write] = []
        self.real = False

    def sync(self) -> None:
        for at, data in self.young:
            put(self.synced, at, data)
        self.young.clear()
        self.real = True

    def after_a_loss(self, rng: random.Random) -> bytes | None:
        """Return what may be left, None if that is not even the name."""
        if not self.real and rng.random() < 0.5:
            return None
        image = bytearray(self.synced)
        for at, data in self.young:
            fate = rng.random()
            if data is None or fate < 0.3:
                if rng.random() < 0.5:
                    put(image, at, data)
            elif fate < 0.6:
                for start in range(0, len(data), SECTOR):
                    if rng.random() < 0.5:
                        put(image, at + start, data[start : start + SECTOR])
        return bytes(image)


def put(image: bytearray, at: int, data: bytes | None) -> None:
    if len(image) < at:
        image.extend(bytes(at - len(image)))
    if data is None:
        del image[at:]
    else:
        image[at : at + len(data)] = data


class Disk(apsw.VFS):
    """A file system of SQLite that notes what is synced and what is not.

    Attributes:
        files: by name.
        calls: writes and syncs so far.
        before_call: run before each of them.
    """

    def __init__(self) -> None:
        self.name = f"power-{id(self)}"
        self.files: dict[str, Remains] = {}
        self.calls = 0
        self.before_call: Callable[[], None] = lambda: None
        super().__init__(self.name, "")

    def note(self) -> None:
        self.calls += 1
        self.before_call()

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - what SQLite calls it
        return _File(self, name, flags)

    def xDelete(self, name: str, sync: bool) -> None:  # noqa: N802
        self.note()
        self.files.pop(Path(name).name, None)
        super().xDelete(name, sync)

    def lose_power(self, rng: random.Random) -> dict[str, bytes]:
        """Return what could be found in the folder if power were lost now."""
        left = {name: remains.after_a_loss(rng) for name, remains in self.files.items()}
        return {name: image for name, image in left.items() if image is not None}


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._remains = disk.files.setdefault(Path(path).name, Remains())
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.note()
        self._remains.young.append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk.note()
        self._remains.young.append((newsize, None))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.note()
        self._remains.sync()
        super().xSync(flags)


class Connection:
    """As much of Python's sqlite3 as the store needs, on such a disk.

    Args:
        checkpoint_pages: replaces the product's, so that a short run has checkpoints too.
    """

    def __init__(self, path: Path, disk: Disk, checkpoint_pages: int | None = None) -> None:
        self._connection = apsw.Connection(str(path), vfs=disk.name)
        self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")  # this disk has no memory that connections share
        self._checkpoint_pages = checkpoint_pages
        self.text_factory: object = str

    def execute(self, statement: str, values: Any = None) -> apsw.Cursor:
        if self._checkpoint_pages is not None and statement.startswith("PRAGMA wal_autocheckpoint"):
            statement = f"PRAGMA wal_autocheckpoint={self._checkpoint_pages}"
        return self._connection.execute(statement, values)

    def executemany(self, statement: str, values: Any) -> apsw.Cursor:
        return self._connection.executemany(statement, values)

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def close(self) -> None:
        self._connection.close()
