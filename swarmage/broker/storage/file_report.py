"""What is in a file of the bus, for somebody who looks at it while no bus runs."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from swarmage.broker.queues.ages import Ages
from swarmage.broker.storage import sqlite_notes
from swarmage.broker.storage.checksum import salt_of
from swarmage.broker.storage.notes import DURABLE, ClockRow, DurableRow
from swarmage.broker.storage.pack_row import PACKS, all_rows
from swarmage.broker.storage.sqlite_damage import FAILURES, Damage, as_damage, cannot_open, is_damage
from swarmage.broker.storage.sqlite_file import alone, connect, definitions, expected_definitions, lock
from swarmage.broker.storage.sqlite_row import COLUMNS, Row, fits
from swarmage.broker.storage.sqlite_rows import VERSION
from swarmage.broker.storage.wal import lost_commits
from swarmage.errors import ConfigError

_MOST_PROBLEMS = 20


def report(path: Path) -> dict[str, Any]:
    """Read everything and compare every checksum; no message is changed.

    Raises:
        ConfigError: there is no such file, or a bus runs on it.
    """
    if not path.exists():
        raise ConfigError(f"there is no {path.name} in {path.parent}; name the bus's folder with --data")
    found: dict[str, Any] = {"file": str(path), "format": None, "bytes": path.stat().st_size, "unused_bytes": None}
    problems: list[str] = []
    queues: dict[int, dict[str, Any]] = {}
    found["durable_subscriptions"] = []
    lost = lost_commits(path)
    try:
        if lost > 1:  # SQLite would delete the log, which the repair needs
            raise Damage(f"{lost} commits in its log {path.name}-wal cannot be read")
        with alone(path), contextlib.closing(connect(path)) as connection:
            lock(connection)
            _look(connection, found, problems, queues)
    except FAILURES as error:
        if not is_damage(as_damage(error)):
            raise cannot_open(path, error) from error
        problems.append(str(error))
    listed = sorted(queues.values(), key=lambda queue: str(queue["name"]))
    return {**found, "sound": not problems, "problems": problems, "queues": listed}


def _look(
    connection: sqlite3.Connection, found: dict[str, Any], problems: list[str], queues: dict[int, dict[str, Any]]
) -> None:
    version, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "freelist_count", "page_size")
    )
    found |= {"format": version, "unused_bytes": free * size}
    if definitions(connection) != expected_definitions():
        older = 0 < version < VERSION
        if not older:
            raise Damage("its tables are not those of the bus")
        problems += _integrity(connection)
        return
    ages = _look_besides(connection, found, problems)
    for number, name in connection.execute("SELECT id, name FROM destination"):
        queues[number] = _empty(str(name))
    damaged = 0
    for row in _rows(connection, problems):
        queue = queues.setdefault(row[1], _empty(f"unknown destination {row[1]}"))
        good = fits(row, salt_of(queue["name"]))
        damaged += not good
        _count(queue, row, good=good)
    if damaged:
        problems.append(f"{damaged} messages are not as they were written")
    for queue in queues.values():
        since = None if queue["oldest"] is None else ages.since(queue["oldest"])
        queue["oldest_time"] = since and datetime.fromtimestamp(since // 1000, UTC).isoformat()
    known = {durable["queue"] for durable in found["durable_subscriptions"]}
    for queue in queues.values():
        if queue["name"].startswith(DURABLE) and queue["name"] not in known and (queue["waiting"] or queue["delayed"]):
            problems.append(f"the durable subscription of {queue['name']} is missing")
    problems += _integrity(connection)


def _rows(connection: sqlite3.Connection, problems: list[str]) -> Iterator[Row]:
    """Yield all messages, and tell of packs that are not as they were written."""
    yield from connection.execute(f"SELECT {COLUMNS} FROM message NOT INDEXED ORDER BY id")  # noqa: S608
    for *pack, text, noted, data in connection.execute(PACKS):
        problem, rows = all_rows(pack, data, text, noted)
        problems += [problem] if problem else []
        yield from rows
    for (number,) in connection.execute("SELECT id FROM settled WHERE id NOT IN (SELECT id FROM pack)"):
        problems.append(f"it has noted something of pack {number}, which it does not hold")


def _look_besides(connection: sqlite3.Connection, found: dict[str, Any], problems: list[str]) -> Ages:
    """Look through the tables besides that of the messages, and return what they tell of ages."""
    rows = {}
    for table in sqlite_notes.COLUMNS:
        rows[table], problem = sqlite_notes.read(connection, table)
        problems += [problem] if problem else []
    durables = [DurableRow(*row) for row in rows["durable"]]
    found["durable_subscriptions"] = [
        {"login": row.login, "name": row.name, "topic": row.pattern, "queue": row.queue} for row in durables
    ]
    ages = Ages()
    ages.load(ClockRow(*row) for row in rows["clock"])
    return ages


def _integrity(connection: sqlite3.Connection) -> list[str]:
    found = [text for (text,) in connection.execute(f"PRAGMA integrity_check({_MOST_PROBLEMS})")]
    return [] if found == ["ok"] else found


def _empty(name: str) -> dict[str, Any]:
    counts = {"waiting": 0, "delayed": 0, "expiring": 0, "damaged": 0, "bytes": 0, "oldest": None, "oldest_time": None}
    return {"name": name, **counts, "priorities": {}}


def _count(queue: dict[str, Any], row: tuple[Any, ...], *, good: bool) -> None:
    number, _, priority, due, expires, _, _, head, body = row
    if not good:
        queue["damaged"] += 1
        return
    queue["delayed" if due else "waiting"] += 1
    queue["expiring"] += bool(expires)
    queue["bytes"] += len(head) + len(body)
    queue["oldest"] = number if queue["oldest"] is None else min(queue["oldest"], number)
    queue["priorities"][priority] = queue["priorities"].get(priority, 0) + 1
