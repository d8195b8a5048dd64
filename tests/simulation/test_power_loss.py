"""The real store on a disk that loses power: what was confirmed is there, and no half of anything else."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from swarmage.broker.queues.message import Message
from swarmage.broker.storage.notes import ClockRow, DedupeRow, DurableRow, Notes
from swarmage.broker.storage.sqlite_file import FILE_NAME, open_file
from swarmage.broker.storage.sqlite_rows import Rows
from swarmage.broker.storage.store import Batch, Page

from .power import Connection, Disk

Content = dict[Any, Any]
"""Messages by their numbers, and rows of what is noted besides."""
_DESTINATIONS = ("/queue/a", "/queue/b")
_OFTEN = 30  # pages between checkpoints, instead of thousands
_MOST = 1 << 30


class Run:
    """Batches written to a disk that loses power at random moments, and goes on.

    Attributes:
        replay: how to see it again.
        images: what could be found after each loss, with the number of batches that were confirmed until then.
        states: what has to be there after each number of batches.
        carried_over: bytes that checkpoints brought from the log into the file.
    """

    def __init__(
        self, folder: Path, seed: int, *, durability: str = "disk", batches: int = 60, losses: int = 10,
        size: int = 400, checkpoint_pages: int | None = None,
    ) -> None:  # fmt: skip
        self.replay = f"replay with SWARMAGE_SEED={seed}"
        self.images: list[tuple[dict[str, bytes], int]] = []
        self._confirmed = 0
        self.states: list[Content] = [{}]
        self._rng = rng = random.Random(seed)
        self._size = size
        self._numbers = 0
        self._stored: dict[int, Message] = {}
        self._disk = Disk()
        connecting: Any = partial(Connection, disk=self._disk, checkpoint_pages=checkpoint_pages)
        folder.mkdir()
        self._disk.before_call = self._perhaps_lose_power
        self._moments = {rng.randrange(1, 20)}  # perhaps while the file is made
        connection = open_file(folder / FILE_NAME, durability, connecting)
        with contextlib.closing(connection):
            rows = Rows(connection)
            rows.load()
            often = losses / batches
            for _ in range(batches):
                while rng.random() < often / (1 + often):
                    self._moments.add(self._disk.calls + rng.randrange(1, 12))
                batch, state = self._make(self.states[-1])
                self.states.append(state)
                self._confirmed = len(self.states) - 2
                rows.write(batch)
                self._confirmed += 1
            self.carried_over = len(self._disk.files[FILE_NAME].synced)
        self._disk.unregister()

    def _perhaps_lose_power(self) -> None:
        if self._disk.calls in self._moments:
            self.images.append((self._disk.lose_power(self._rng), self._confirmed))

    def _make(self, before: Content) -> tuple[Batch, Content]:
        rng, batch, state = self._rng, Batch(), dict(before)
        numbers = sorted(key for key in state if isinstance(key, int))
        for number in rng.sample(numbers, k=min(len(numbers), rng.choice([0, 0, 1, 5, 40]))):
            batch.deletes.append(self._stored[number])
            del state[number]
        numbers = [number for number in numbers if number in state]
        for number in rng.sample(numbers, k=min(len(numbers), rng.choice([0, 1, 5]))):
            destination, priority, due, count, body = state[number]
            batch.counts[self._stored[number]] = count + 1
            state[number] = (destination, priority, due, count + 1, body)
        queues = [row.queue for row in state if isinstance(row, DurableRow)]
        for _ in range(rng.choice([1, 1, 3, 20])):
            self._numbers += 1
            body = rng.randbytes(rng.randrange(self._size))
            message = Message(self._numbers, rng.choice([*_DESTINATIONS, *queues]), b"head\n\n", body)
            message.priority, message.stored = rng.choice([4, 4, 9]), True
            message.due = rng.choice([0, 0, 0, 1_700_000_000_000])
            batch.inserts.append(message)
            self._stored[message.id] = message
            state[message.id] = (message.destination, message.priority, message.due, 0, message.body)
        if rng.random() < 0.5:
            batch.notes = self._note(state)
        return batch, state

    def _note(self, state: Content) -> Notes:
        rng, number, notes = self._rng, self._numbers, Notes()
        for row in [row for row in state if isinstance(row, DurableRow) and rng.random() < 0.3]:
            notes.ended.append(row)
            gone = [key for key in state if isinstance(key, int) and state[key][0] == row.queue]
            for key in [row, *gone]:
                del state[key]
        notes.opened = [DurableRow(number, "ann", "audit", "/topic/a")] * rng.randrange(2)
        notes.seen = [DedupeRow(number + 1, number, rng.randbytes(16))] * rng.randrange(2)
        notes.times = [ClockRow(number + 1, number * 1_000)] * rng.randrange(2)
        notes.forget = rng.choice([0, max(0, number - 20)])
        for old in [row for row in state if isinstance(row, DedupeRow) and row.number <= notes.forget]:
            del state[old]
        past = [row for row in state if isinstance(row, ClockRow) and rng.random() < 0.2]
        notes.past = [row.number for row in past]
        for old_time in past:
            del state[old_time]
        state |= dict.fromkeys([*notes.opened, *notes.seen, *notes.times])
        return notes


def find(image: dict[str, bytes], folder: Path, durability: str) -> Content:
    """Open what a loss of power has left, as the bus does when it is started again, and return all of it."""
    folder.mkdir()
    for name, data in image.items():
        (folder / name).write_bytes(data)
    with contextlib.closing(open_file(folder / FILE_NAME, durability)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = Rows(connection)
        loaded = rows.load()
        messages = list(loaded.messages)
        for (destination, priority), count in loaded.backlog.items():
            page = rows.reading(Page(destination, priority, 0, _MOST, _MOST))(connection)
            assert len(page) == count
            messages += page
    noted = loaded.noted
    rows = [*noted.durables.values(), *noted.seen.values(), *noted.times.values()]
    return {m.id: (m.destination, m.priority, m.due, m.count, m.body) for m in messages} | dict.fromkeys(rows)


def kept(run: Run, folder: Path, durability: str = "disk") -> Iterator[tuple[int, int]]:
    """For each loss of power, return how many batches were confirmed and how many are there."""
    for number, (image, confirmed) in enumerate(run.images):
        found = find(image, folder / str(number), durability)
        begun = run.states[: confirmed + 2]
        assert found in begun, f"what is there is not what whole batches leave; {run.replay}"
        yield confirmed, max(number for number, state in enumerate(begun) if state == found)


@pytest.fixture
def seed() -> int:
    from unit.seeds import SEED

    return SEED


@pytest.mark.parametrize("often", [False, True], ids=["a long log", "many checkpoints"])
def test_what_was_confirmed_survives_a_loss_of_power_at_any_moment(tmp_path: Path, seed: int, often: bool) -> None:
    losses = 0
    for number in range(100):
        if losses >= 100:
            break
        run = Run(tmp_path / f"run{number}", seed + number, checkpoint_pages=_OFTEN if often else None)
        (tmp_path / str(number)).mkdir()
        for confirmed, there in kept(run, tmp_path / str(number)):
            assert there >= confirmed, f"{confirmed - there} batches are gone; {run.replay}"
            losses += 1
    assert losses >= 100


def test_a_loss_of_power_in_the_checkpoint_of_a_long_log_loses_nothing(tmp_path: Path, seed: int) -> None:
    run = Run(tmp_path / "run", seed, batches=60, losses=12, size=160_000)
    assert run.carried_over > 1_000_000, "there was no checkpoint"
    (tmp_path / "found").mkdir()
    for confirmed, there in kept(run, tmp_path / "found"):
        assert there >= confirmed, f"{confirmed - there} batches are gone; {run.replay}"


def test_without_a_sync_at_each_commit_the_same_losses_are_noticed(tmp_path: Path, seed: int) -> None:
    gone = 0
    for number in range(4):
        run = Run(tmp_path / f"run{number}", seed + number, durability="os", checkpoint_pages=_OFTEN)
        (tmp_path / str(number)).mkdir()
        gone += sum(max(0, confirmed - there) for confirmed, there in kept(run, tmp_path / str(number), "os"))
    assert gone > 0, "a simulator that never loses what was not synced proves nothing"
