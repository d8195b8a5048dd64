"""A real file system that is full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.broker.stored import Opened, batch, message

from swarmage.broker.queues.message import Message
from swarmage.broker.storage.sqlite_damage import StoreFull


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MB."""
    there = tmp_path / "disk"
    there.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", there], capture_output=True, check=False, timeout=30
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield there
    subprocess.run(["umount", "--lazy", there], check=True, timeout=30)


@pytest.mark.parametrize(("size", "count"), [(10_000, 1), (200_000, 1), (64_000, 7), (1_000_000, 3)])
@pytest.mark.parametrize("others", [3_000_000, 8_000_000, 20_000_000])
def test_whatever_the_log_holds_a_full_disk_takes_deletes_and_then_messages_when_there_is_room(
    small_disk: Path, others: int, size: int, count: int
) -> None:
    opened = Opened(small_disk / "bus")
    (small_disk / "others").write_bytes(b"x" * others)
    error, sent = None, 0
    stored: list[Message] = []
    while error is None:
        made = batch([message(sent + n, body=b"x" * size) for n in range(1, count + 1)])
        made.size = count * size  # as the journal counts it
        error, sent = opened.write(made), sent + count
        stored += made.inserts
    assert isinstance(error, StoreFull)
    kept = sent - count
    deletes = min(40, kept // 2)
    for each in stored[:deletes]:
        assert opened.write(batch(deletes=[each])) is None
    os.truncate(small_disk / "others", others - 3_000_000)
    assert opened.write(batch()) is None
    assert (small_disk / "bus" / "reserve").exists()
    assert opened.write(batch([message(sent + 1, body=b"x" * size)])) is None
    assert [each.id for each in opened.read()] == [*range(deletes + 1, kept + 1), sent + 1]
    opened.store.close()
