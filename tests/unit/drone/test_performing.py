"""What abilities may do, with whole cells on the real embedded bus."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import Any

import pytest

from swarmage.abilities import ability
from swarmage.client.client import Client
from swarmage.client.dead_letters import DeadLetters
from swarmage.drone.worker import Worker
from swarmage.errors import AbilityError, Discard, Reject, Retry, TaskFailed, TreeTooLarge
from swarmage.task import Task

from ..fakes import SECONDS
from .conftest import Start

told: SimpleQueue[Any] = SimpleQueue()


class Strict(Worker):
    concurrency = 2
    most_local = 20

    @ability("strict.note")
    def note(self, what: str) -> None:
        told.put(what)

    @ability("strict.end", retries=3, backoff=0.001, jitter=0.0)
    def end(self, how: str) -> str:
        self.insert("strict.note", "must not leave")
        match how:
            case "retry":
                raise Retry(0.01, "busy")
            case "discard":
                raise Discard("nobody needs it")
            case "reject":
                raise Reject("no such page")
            case "oserror":
                raise FileNotFoundError("no file")
        return how

    @ability("strict.parent", retries=3, backoff=0.001)
    def parent(self, how: str) -> None:
        self.insert("strict.note", "must not leave")
        told.put("begun")
        self.local("strict.end", how)

    @ability("strict.choosy", backoff=0.001, retry_on=(OSError,), give_up_on=(FileNotFoundError,))
    def choosy(self, how: str) -> None:
        told.put("begun")
        if how == "connection":
            raise ConnectionResetError("a kind of OSError")
        if how == "value":
            raise ValueError("not worth it")
        self.local("strict.end", "oserror").result(SECONDS)

    @ability("strict.tries", retries=0)
    def tries(self, how: str) -> str:
        """Go on when the local task fails."""
        trial = self.try_local("strict.branch", how)
        other = self.local("strict.note", "other")
        try:
            return str(trial.result(SECONDS))
        except TaskFailed as error:
            other.result(SECONDS)
            return f"without: {error.kind}: {error.message}"

    @ability("strict.branch", retries=0)
    def branch(self, how: str) -> str:
        """Succeed, while a task of its own may not."""
        self.insert("strict.note", f"branch {how}")
        self.local("strict.end", how)
        return "branch"

    @ability("strict.lets.through", retries=3, backoff=0.001)
    def lets_through(self, how: str) -> None:
        told.put("begun")
        self.try_local("strict.end", how).result(SECONDS)

    @ability("strict.ignores", retries=0)
    def ignores(self) -> str:
        self.try_local("strict.end", "reject")
        return "fine"

    @ability("strict.many", retries=3, backoff=0.001)
    def many(self, count: int) -> int:
        told.put("begun")
        return len([self.local("strict.note", "local") for _ in range(count)])

    @ability("strict.caught", retries=0)
    def caught(self) -> str:
        try:
            for _ in range(21):
                self.local("strict.note", "local")
        except TreeTooLarge as error:
            return str(error)
        return "no error"

    @ability("strict.inherits")
    def inherits(self) -> tuple[float | None, float | None]:
        self.insert("strict.deadline", "same")
        self.insert_task(Task(task_class="strict.deadline", args=["earlier"], deadline=3e9))
        self.insert_task(Task(task_class="strict.deadline", args=["later"], deadline=9e9))
        return self.task.deadline, self.local("strict.mine").result(SECONDS)

    @ability("strict.mine")
    def mine(self) -> float | None:
        return self.task.deadline

    @ability("strict.deadline")
    def deadline(self, which: str) -> None:
        told.put((which, self.task.deadline))

    @ability("strict.spin", timeout=30, retries=3, backoff=0.001)
    def spin(self) -> None:
        told.put("begun")
        while True:
            self.checkpoint()


@pytest.fixture
def client(start: Start, client: Client) -> Client:
    while not told.empty():
        told.get()
    start(Strict)
    return client


def heard(client: Client) -> list[Any]:
    """Return what was told, when all that was inserted has been performed."""
    marker = object()
    client.insert("strict.note", "marker").result(SECONDS)
    told.put(marker)
    found = []
    while (item := told.get(timeout=SECONDS)) is not marker:
        found.append(item)
    return [item for item in found if item != "marker"]


@pytest.mark.parametrize("task_class", ["strict.end", "strict.parent", "strict.lets.through"])
@pytest.mark.parametrize(
    ("how", "kind", "message", "letters"),
    [
        ("retry", "Retry", "busy", [("failed", 4)]),
        ("discard", "Discard", "nobody needs it", []),
        ("reject", "Reject", "no such page", [("no such page", 1)]),
    ],
)
def test_a_task_says_how_it_is_to_end_also_from_a_local_task(
    client: Client, task_class: str, how: str, kind: str, message: str, letters: list[Any]
) -> None:
    with pytest.raises(TaskFailed, match=message) as caught:
        client.insert(task_class, how).result(SECONDS)
    assert caught.value.kind == kind
    assert [(letter.reason, letter.attempts) for letter in DeadLetters(client).all()] == letters
    begun = heard(client)
    assert begun == ["begun"] * ((4 if how == "retry" else 1) if task_class != "strict.end" else 0)


@pytest.mark.parametrize(
    ("how", "attempts", "kind"),
    [
        ("connection", 4, "ConnectionResetError"),
        ("value", 1, "ValueError"),
        ("local", 1, "FileNotFoundError"),
    ],
)
def test_a_policy_looks_at_what_the_error_is_a_kind_of(client: Client, how: str, attempts: int, kind: str) -> None:
    with pytest.raises(TaskFailed) as caught:
        client.insert("strict.choosy", how).result(SECONDS)
    assert caught.value.kind == kind
    [letter] = DeadLetters(client).all()
    assert (letter.reason, letter.attempts) == ("failed", attempts)
    assert heard(client) == ["begun"] * attempts


@pytest.mark.parametrize("retries", [0, 1, 5])
def test_a_task_may_bring_a_policy_of_its_own(client: Client, retries: int) -> None:
    task = Task(task_class="strict.choosy", args=["connection"], retries=retries, backoff=0.0)
    with pytest.raises(TaskFailed):
        client.insert_task(task).result(SECONDS)
    assert [letter.attempts for letter in DeadLetters(client).all()] == [retries + 1]


def test_the_failure_of_a_tried_local_task_is_its_parents_to_handle(client: Client) -> None:
    assert client.insert("strict.tries", "fine").result(SECONDS) == "branch"
    assert sorted(heard(client)) == ["branch fine", "must not leave", "other"]  # which may leave here: all went well
    assert client.insert("strict.tries", "reject").result(SECONDS) == "without: Reject: no such page"
    assert heard(client) == ["other"]
    assert DeadLetters(client).all() == []


def test_a_tried_local_task_that_nobody_asks_about_fails_nothing(client: Client) -> None:
    assert client.insert("strict.ignores").result(SECONDS) == "fine"
    assert heard(client) == []


def test_a_tree_has_only_so_many_local_tasks(client: Client) -> None:
    assert client.insert("strict.many", 20).result(SECONDS) == 20
    assert heard(client).count("local") == 20
    with pytest.raises(TaskFailed, match=r"more than 20 local tasks came of task strict\.many.*most_local of Strict"):
        client.insert("strict.many", 21).result(SECONDS)
    assert [letter.attempts for letter in DeadLetters(client).all()] == [1]
    assert "more than 20" in client.insert("strict.caught").result(SECONDS)


@pytest.mark.parametrize("most", [0, -1, 1.5, "many", True])
def test_a_cap_that_makes_no_sense_is_refused_when_the_class_is_defined(most: Any) -> None:
    with pytest.raises(AbilityError, match=r"Wrong\.most_local"):
        type("Wrong", (Worker,), {"most_local": most})


def test_a_deadline_is_that_of_all_that_comes_of_a_task(client: Client) -> None:
    deadline = 4e9
    task = Task(task_class="strict.inherits", deadline=deadline)
    assert client.insert_task(task).result(SECONDS) == [deadline, deadline]
    found = dict(told.get(timeout=SECONDS) for _ in range(3))
    assert (found["same"], found["later"]) == (deadline, deadline)
    assert found["earlier"] < deadline


def test_a_task_is_stopped_at_its_deadline_and_not_tried_again(client: Client) -> None:
    now = client.clock.wall()
    with pytest.raises(TaskFailed, match="its deadline passed while it was performed"):
        client.insert_task(Task(task_class="strict.spin", deadline=now + 0.3)).result(SECONDS)
    [letter] = DeadLetters(client).all()
    assert (letter.reason, letter.kind, letter.attempts) == ("failed", "TaskTimeout", 1)
    assert heard(client) == ["begun"]


def test_a_task_is_not_begun_after_its_deadline(client: Client) -> None:
    with pytest.raises(TaskFailed, match="before it was begun"):
        client.insert_task(Task(task_class="strict.spin", deadline=1.0)).result(SECONDS)
    [letter] = DeadLetters(client).all()
    assert letter.reason == "expired"
    with pytest.raises(Empty):
        told.get_nowait()


def test_a_dead_letter_tried_again_has_no_deadline_any_more(client: Client) -> None:
    task = Task(task_class="strict.mine", deadline=1.0)
    client.insert_task(task)
    letters = DeadLetters(client)
    while not letters.all():
        pass
    assert letters.retry([task.id]) == [task.id]
    assert client.insert("strict.mine").result(SECONDS) is None
    assert letters.all() == []
