from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from swarmage.broker.queues.message import Message
from swarmage.broker.storage.checksum import salt_of
from swarmage.broker.storage.sqlite_damage import FAILURES
from swarmage.broker.storage.sqlite_file import connect
from swarmage.broker.storage.sqlite_page import read
from swarmage.broker.storage.sqlite_reader import Reader
from swarmage.broker.storage.store import Page

from ..stored import Opened, batch, message


class Gate:
    """Reads the numbers that are there, when the test lets it."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def __call__(self, connection: sqlite3.Connection) -> list[Message]:
        assert self.open.wait(30)
        return read(connection, Page("/queue/a", 4, 0, 10, 1 << 20), 1, salt_of("/queue/a"))


class Asked:
    """A file with two messages, and a reader of it."""

    def __init__(self, folder: Path) -> None:
        self.opened = Opened(folder)
        self.messages = [message(1), message(2)]
        assert self.opened.write(batch(self.messages)) is None
        self.answers: SimpleQueue[Callable[[], object]] = SimpleQueue()
        explain: Any = partial(RuntimeError, "explained")
        self.reader = Reader(partial(connect, folder / "bus.db"), self.answers.put, explain, FAILURES)

    def take(self, reading: Any, into: list[Any]) -> bool:
        return self.reader.take(reading, into.append)

    def answer(self) -> None:
        self.answers.get(timeout=30)()


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    made = Asked(tmp_path)
    yield made
    made.reader.close(30)
    made.opened.store.close()


def test_a_page_is_as_the_file_was_when_it_was_asked_for(asked: Asked) -> None:
    gate, read = Gate(), []
    assert asked.take(gate, read)
    assert asked.opened.write(batch([message(3)], deletes=asked.messages[:1])) is None
    gate.open.set()
    asked.answer()
    assert [each.id for each in read[0]] == [1, 2]
    again: list[Any] = []
    assert asked.take(gate, again)
    asked.answer()
    assert [each.id for each in again[0]] == [2, 3]


def test_who_asks_while_a_page_is_read_is_sent_away(asked: Asked) -> None:
    gate, read = Gate(), []
    assert asked.take(gate, read)
    assert not asked.take(gate, read)
    gate.open.set()
    asked.answer()
    assert asked.take(gate, read)
    asked.answer()
    assert len(read) == 2


def test_a_failure_of_the_file_is_explained_to_who_asked(asked: Asked) -> None:
    read: list[Any] = []

    def fail(connection: sqlite3.Connection) -> list[Message]:
        raise sqlite3.OperationalError("disk I/O error")

    assert asked.take(fail, read)
    asked.answer()
    assert isinstance(read[0], RuntimeError)
    assert "disk I/O error" in str(read[0].args)


def test_whoever_closes_waits_for_the_page_that_is_read(asked: Asked) -> None:
    gate, read = Gate(), []
    assert asked.take(gate, read)
    threading.Timer(0, gate.open.set).start()
    asked.reader.close(30)
    asked.answer()
    assert [each.id for each in read[0]] == [1, 2]


def test_a_page_may_be_asked_for_while_another_one_is_read(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    assert opened.write(batch([message(1), message(2, "/queue/b")])) is None
    read: dict[str, list[Message]] = {}
    names = ["/queue/a", "/queue/b"] * 20
    for name in names:
        opened.store.read(Page(name, 4, 0, 10, 1 << 20), partial(read.__setitem__, name))  # type: ignore[arg-type]
    for _ in names:
        opened.calls.get(timeout=30)()
    assert {name: [each.id for each in page] for name, page in read.items()} == {"/queue/a": [1], "/queue/b": [2]}
    opened.store.close()
