from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any

from swarmage.drone.local_queue import Mailbox
from swarmage.drone.messages import WAKE, Letter
from swarmage.drone.run import Run, Tree
from swarmage.drone.worker_inbox import WorkerInbox
from swarmage.task import Task

from ..fakes import SECONDS, FakeCell

CELL = FakeCell()


def run(name: str) -> Run:
    task = Task(task_class="x", id=name)
    return Run(task, Tree(CELL.delivery(CELL.wire.task(task)), task))


def test_messages_to_the_worker_itself_go_first_and_in_order() -> None:
    mailbox = Mailbox()
    inbox = WorkerInbox(mailbox, ["x"])
    mailbox.put_runs([run("1")])
    letters = [Letter("a"), Letter("b")]
    for letter in letters:
        inbox.put(letter)
    assert [inbox.get(), inbox.get()] == letters
    assert inbox.get().task.id == "1"


def test_getting_waits_for_a_task() -> None:
    mailbox = Mailbox()
    inbox = WorkerInbox(mailbox, ["x"])
    got: SimpleQueue[Any] = SimpleQueue()
    thread = threading.Thread(target=lambda: got.put(inbox.get()))
    thread.start()
    mailbox.put_runs([run("1")])
    assert got.get(timeout=SECONDS).task.id == "1"
    thread.join(SECONDS)


def test_it_is_empty_for_pykka_although_tasks_are_waiting() -> None:
    mailbox = Mailbox()
    inbox = WorkerInbox(mailbox, ["x"])
    mailbox.put_runs([run("1")])
    assert inbox.empty()


def test_a_wake_up_without_a_task_is_not_returned() -> None:
    inbox = WorkerInbox(Mailbox(), ["x"])
    letter = Letter("hello")
    inbox.wake()
    inbox.wake()
    inbox.put(letter)
    assert inbox.get() is letter


def test_waiting_ends_with_a_wake_up_or_the_deadline_and_keeps_what_was_said() -> None:
    inbox = WorkerInbox(Mailbox(), ["x"])
    letter = Letter("hello")
    assert inbox.wait(0.001) is None
    inbox.wake()
    assert inbox.wait(SECONDS) is None
    inbox.put(letter)
    assert inbox.wait(SECONDS) is letter


def test_after_closing_there_are_only_messages() -> None:
    mailbox = Mailbox()
    inbox = WorkerInbox(mailbox, ["x"])
    mailbox.put_runs([run("1")])
    letter = Letter("hello")
    inbox.put(WAKE)
    inbox.put(letter)
    inbox.put(WAKE)
    inbox.close()
    assert inbox.get() is letter
    assert inbox.empty()
