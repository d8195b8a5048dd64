"""Keyed actors in whole cells on the memory bus: order, state, failures, passivation."""

from __future__ import annotations

import copy
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from swarmage import KeyedWorker, Reject, Retry, Task, TaskFailed, Worker, ability
from swarmage.bus.delivery import Delivery
from swarmage.bus.publish import publish
from swarmage.drone.keyed import loading
from swarmage.drone.keyed.intake import KeyedIntake
from swarmage.drone.keyed.lane import FIRST, keyed_lanes
from swarmage.drone.messages import Unread
from swarmage.drone.standing import NONE
from swarmage.keyring import load_ring, new_key
from swarmage.testing.swarm import Swarm
from swarmage.wire.keyed import write_state
from swarmage.wire.message import Message
from swarmage.wire.names import group_of, saved_destination

SECONDS = 30.0


class Gate:
    """Where a task waits until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = threading.Semaphore(0)
        self.open = threading.Event()

    def wait(self) -> None:
        self.reached.release()
        assert self.open.wait(SECONDS)

    def wait_until_reached(self) -> None:
        assert self.reached.acquire(timeout=SECONDS)


gate = Gate()
loads: list[tuple[str, Any]] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    global gate  # noqa: PLW0603 - a new one for each test
    gate = Gate()
    loads.clear()


class Helper(Worker):
    @ability("helper.fail", retries=0)
    def fail(self) -> None:
        raise ValueError("helper")


class Account(KeyedWorker):
    idle = 60
    most_keys = 100

    def on_load(self, state: Any) -> None:
        loads.append((self.key, copy.deepcopy(state)))
        super().on_load(state)

    @ability("account.deposit")
    def deposit(self, amount: int) -> int:
        self.state["balance"] = self.state.get("balance", 0) + amount
        return int(self.state["balance"])

    @ability("account.balance")
    def balance(self) -> int:
        return int(self.state.get("balance", 0))

    @ability("account.note")
    def note(self, number: int) -> None:
        self.state.setdefault("numbers", []).append(number)

    @ability("account.numbers")
    def numbers(self) -> list[int]:
        return list(self.state.get("numbers", []))

    @ability("account.deposit_late")
    def deposit_late(self, amount: int) -> int:
        gate.wait()
        return self.deposit(amount)

    @ability("account.fail", retries=0)
    def fail(self, amount: int) -> None:
        self.deposit(amount)
        raise ValueError("no")

    @ability("account.fail_once", backoff=5, jitter=0)
    def fail_once(self, amount: int) -> int:
        balance = self.deposit(amount)
        if self.task.attempt == 1:
            raise Retry
        return balance

    @ability("account.fail_below", retries=0)
    def fail_below(self, amount: int) -> None:
        self.deposit(amount)
        self.local(Helper.fail)

    @ability("account.become", retries=0)
    def become(self, what: str) -> None:
        self.state = {"tuple": (1, (2, 3)), "set": {1}, "names": {1: "one"}, "thread": threading.Lock()}.get(what, what)

    @ability("account.grow", retries=0)
    def grow(self) -> None:
        self.state["text"] = "x" * 5_000_000

    @ability("account.show")
    def show(self) -> str:
        return repr(self.state)

    @ability("account.forget")
    def forget(self) -> None:
        self.state = None

    @ability("account.send")
    def send(self, other: str, amount: int) -> int:
        self.insert(Account[other].deposit, amount)
        return self.deposit(-amount)

    @ability("account.parts")
    def parts(self, number: int) -> Iterator[int]:
        for part in range(number):
            self.state["last"] = part
            yield part

    @ability("account.together")
    def together(self) -> int:
        return id(self)


@pytest.fixture
def accounts(swarm: Swarm) -> Swarm:
    swarm.start(Account, Helper)
    return swarm


def saves(swarm: Swarm) -> int:
    """Return how many states went onto the bus."""
    return sum(message.destination.startswith("/value/") for message in swarm._ledger._inserted)


def eventually(check: Callable[[], object]) -> None:
    """Wait until the check says yes, where nothing tells of it."""
    deadline = time.monotonic() + SECONDS
    while not check():
        assert time.monotonic() < deadline, "it did not come to be"
        threading.Event().wait(0.01)


def ask(key: str, ability: str, *args: Any) -> Any:
    return getattr(Account[key], ability)(*args).result(timeout=SECONDS)


def test_each_key_has_a_state_of_its_own(accounts: Swarm) -> None:
    assert [ask("alice", "deposit", 10), ask("bob", "deposit", 1), ask("alice", "deposit", 5)] == [10, 1, 15]
    assert accounts.client.insert(Account["alice"].balance).result(timeout=SECONDS) == 15
    task = Task(task_class="account.balance", key="bob")
    assert accounts.client.insert_task(task).result(timeout=SECONDS) == 1
    assert ask("carol", "balance") == 0


def test_the_tasks_of_a_key_are_performed_one_after_another_in_their_order(accounts: Swarm) -> None:
    keys = [f"key {number}" for number in range(5)]
    tasks = [Task(task_class="account.note", args=(n,), key=key) for n in range(60) for key in keys]
    for reply in accounts.client.insert_many("account.note", tasks):
        reply.result(timeout=SECONDS)
    for key in keys:
        assert ask(key, "numbers") == list(range(60))


def test_the_tasks_of_different_keys_are_performed_at_once(accounts: Swarm) -> None:
    first, second = Account["a"].deposit_late(1), Account["b"].deposit_late(1)
    waiting = Account["a"].balance()
    gate.wait_until_reached()
    gate.wait_until_reached()
    assert not waiting.done
    gate.open.set()
    assert [reply.result(timeout=SECONDS) for reply in (first, second, waiting)] == [1, 1, 1]


def test_the_state_outlives_its_drone_and_the_bus(accounts: Swarm) -> None:
    ask("alice", "deposit", 10)
    accounts.crash_bus()
    assert ask("alice", "deposit", 10) == 20
    accounts.crash_drone()
    accounts.start(Account, Helper)
    assert ask("alice", "deposit", 10) == 30
    assert loads[-1] == ("alice", {"balance": 20})


def test_a_drone_that_is_cut_off_changes_nothing_any_more(accounts: Swarm) -> None:
    ask("a", "deposit", 1)
    slow = Account["a"].deposit_late(10)
    gate.wait_until_reached()
    accounts.crash_drone()  # what it runs goes on, and knows nothing
    other = accounts.start(Account, Helper)
    gate.wait_until_reached()
    gate.open.set()
    assert slow.result(timeout=SECONDS) == 11
    assert ask("a", "deposit", 1) == 12
    accounts.settle()
    other.stop(timeout=SECONDS)
    accounts.start(Account, Helper)
    assert ask("a", "balance") == 12


def test_a_task_that_runs_while_its_connection_is_lost_begins_anew_and_counts_once(accounts: Swarm) -> None:
    ask("a", "deposit", 1)
    slow = Account["a"].deposit_late(10)
    gate.wait_until_reached()
    accounts.crash_bus()
    after = Account["a"].deposit(100)
    gate.open.set()
    assert (slow.result(timeout=SECONDS), after.result(timeout=SECONDS)) == (11, 111)
    assert loads[1:] == [("a", {"balance": 1})]


def test_of_a_failed_task_nothing_is_kept(accounts: Swarm) -> None:
    ask("a", "deposit", 1)
    with pytest.raises(TaskFailed, match="no"):
        ask("a", "fail", 10)
    assert ask("a", "balance") == 1
    with pytest.raises(TaskFailed, match="helper"):
        ask("a", "fail_below", 10)
    assert ask("a", "balance") == 1
    assert loads[-1] == ("a", {"balance": 1})


def test_while_a_task_waits_for_its_retry_later_ones_pass_it(accounts: Swarm) -> None:
    again = Account["a"].fail_once(10)
    assert ask("a", "deposit", 1) == 1
    accounts.drain()
    assert again.result(timeout=SECONDS) == 11


def test_a_cancelled_task_leaves_the_state_as_it_was(accounts: Swarm) -> None:
    running, waiting = Account["a"].deposit_late(10), Account["a"].deposit(100)
    gate.wait_until_reached()
    for reply in (running, waiting):
        accounts.client.cancel(reply.id)
    with pytest.raises(TaskFailed, match="cancelled"):
        waiting.result(timeout=SECONDS)
    gate.open.set()
    with pytest.raises(TaskFailed, match="cancelled"):
        running.result(timeout=SECONDS)
    assert ask("a", "deposit", 1) == 1


def test_a_paused_kind_keeps_the_order_of_each_key(accounts: Swarm) -> None:
    slow = Account["a"].deposit_late(1)
    gate.wait_until_reached()
    replies = [Account["a"].note(number) for number in range(10)]
    accounts.client.pause("account")
    eventually(lambda: accounts._drones[0]._subscribing.paused)
    gate.open.set()
    slow.result(timeout=SECONDS)
    assert not any(reply.done for reply in replies)
    accounts.client.resume("account")
    for reply in replies:
        reply.result(timeout=SECONDS)
    assert ask("a", "numbers") == list(range(10))


def test_a_drone_that_stops_finishes_what_it_has_begun_and_leaves_the_rest_in_order(accounts: Swarm) -> None:
    slow = Account["a"].deposit_late(1)
    gate.wait_until_reached()
    replies = [Account["a"].note(number) for number in range(10)]
    first = accounts._drones[0]
    stopping = first.actor_ref.stop(block=False)
    accounts.start(Account, Helper)
    gate.open.set()
    stopping.get(timeout=SECONDS)
    assert slow.result(timeout=SECONDS) == 1
    for reply in replies:
        reply.result(timeout=SECONDS)
    assert ask("a", "numbers") == list(range(10))
    assert ask("a", "balance") == 1
    assert not first._mailbox.open_trees


def test_what_has_not_changed_is_not_saved_again(accounts: Swarm) -> None:
    ask("a", "balance")
    assert saves(accounts) == 0
    ask("a", "deposit", 1)
    ask("a", "balance")
    ask("a", "deposit", 0)
    assert saves(accounts) == 1


@pytest.mark.parametrize("loaded", [False, True], ids=["in memory", "loaded"])
def test_when_the_signing_key_has_changed_the_next_task_saves_the_state_anew(accounts: Swarm, loaded: bool) -> None:
    ask("a", "deposit", 5)
    ring = load_ring()
    [old], new = ring.keys, new_key()
    ring.write((new, old))
    if loaded:
        accounts.crash_drone()
        accounts.start(Account, Helper)
    eventually(lambda: ask("a", "balance") == 5 and saves(accounts) == 2)  # as soon as the drone signs with it
    ask("a", "balance")
    assert saves(accounts) == 2
    ring.write((new,))
    accounts.crash_drone()
    accounts.start(Account, Helper)
    assert ask("a", "balance") == 5


def test_only_the_last_state_of_a_key_is_kept(accounts: Swarm) -> None:
    for reply in accounts.client.insert_many(Account["a"].deposit, [1] * 50):
        reply.result(timeout=SECONDS)
    kept = [message for message in accounts._ledger.messages.values() if message.destination.startswith("/value/")]
    assert len(kept) == 1


@pytest.mark.parametrize("what", ["tuple", "set", "names", "text"])
def test_a_state_comes_back_as_it_was(accounts: Swarm, what: str) -> None:
    ask("a", "become", what)
    before = ask("a", "show")
    accounts.crash_bus()
    assert ask("a", "show") == before
    assert len(loads) == 2


@pytest.mark.parametrize(("method", "args", "why"), [("become", ("thread",), "lock"), ("grow", (), "bytes")])
def test_a_state_that_cannot_be_saved_fails_the_task_and_leaves_the_one_before(
    accounts: Swarm, method: str, args: tuple[Any, ...], why: str
) -> None:
    ask("a", "deposit", 1)
    with pytest.raises(TaskFailed, match=f"(?s)state.*{why}|{why}"):
        ask("a", method, *args)
    [letter] = accounts.dead()
    assert letter.reason == "state"
    assert ask("a", "deposit", 1) == 2


def test_a_key_is_forgotten_when_its_state_is_none(accounts: Swarm) -> None:
    ask("a", "deposit", 1)
    ask("a", "forget")
    accounts.settle()
    assert not [m for m in accounts._ledger.messages.values() if m.destination.startswith("/value/")]
    accounts.crash_bus()
    assert ask("a", "deposit", 2) == 2


def test_an_actor_may_insert_for_another_one_and_respond(accounts: Swarm) -> None:
    assert ask("a", "send", "b", 5) == -5
    accounts.settle()
    assert ask("b", "balance") == 5
    reply = Account["a"].parts(3)
    assert list(reply) == [0, 1, 2]
    assert ask("a", "show") == "{'balance': -5, 'last': 2}"


def test_an_idle_actor_leaves_memory_and_comes_back_with_its_state(accounts: Swarm) -> None:
    ask("a", "deposit", 1)
    first = ask("a", "together")
    assert ask("a", "together") == first
    assert len(loads) == 1
    drone = accounts._drones[0]
    [lane] = keyed_lanes(drone._mailbox)
    accounts.advance(59)
    assert group_of("a") in lane.keys
    accounts.advance(61)
    eventually(lambda: group_of("a") not in lane.keys)
    assert ask("a", "balance") == 1
    assert len(loads) == 2


def test_no_more_actors_stay_in_memory_than_may(accounts: Swarm) -> None:
    tasks = [Task(task_class="account.deposit", args=(1,), key=f"key {number}") for number in range(150)]
    for reply in accounts.client.insert_many("account.deposit", tasks):
        reply.result(timeout=SECONDS)
    [lane] = keyed_lanes(accounts._drones[0]._mailbox)
    eventually(lambda: len(lane.keys) <= 100)
    assert ask("key 0", "deposit", 1) == 2


def test_a_state_that_nobody_signed_is_not_taken_for_none(accounts: Swarm) -> None:
    forged = Message(saved_destination("account", "a"), b"{}", "v1.0.0")
    publish(accounts.client.connect(), [forged], 5.0)
    reply = accounts.client.insert_task(Task(task_class="account.deposit", args=(1,), key="a", retries=0))
    with pytest.raises(TaskFailed, match="BadSignature"):
        reply.result(timeout=SECONDS)


def test_the_state_of_another_key_is_not_taken(accounts: Swarm) -> None:
    other = write_state(accounts.client.wire, "account", "b", 1, b"")
    wrong = accounts.client.wire.sign(other._replace(destination=saved_destination("account", "a")))
    publish(accounts.client.connect(), [wrong], 5.0)
    reply = accounts.client.insert_task(Task(task_class="account.deposit", args=(1,), key="a", retries=0))
    with pytest.raises(TaskFailed, match="the state of another key"):
        reply.result(timeout=SECONDS)


def test_a_key_that_came_back_is_loaded_anew_even_if_nothing_comes_of_the_task_that_says_so(accounts: Swarm) -> None:
    ask("a", "deposit", 1)
    drone = accounts._drones[0]
    [lane] = keyed_lanes(drone._mailbox)
    late = Task(task_class="account.deposit", args=(1,), key="a", deadline=1.0)
    message = accounts.client.wire.task(late)
    headers = {"destination": message.destination, "signature": message.signature, "JMSXGroupID": group_of("a")}
    delivery = Delivery(drone._bus.connection(SECONDS), headers | {FIRST: "true", "ack": "none"}, message.body)
    seen: list[Any] = []
    intake = KeyedIntake(drone._mailbox, accounts.client.wire, accounts.clock, "account", {"account.deposit": 3}, NONE)
    drone._mailbox.put, put = seen.append, drone._mailbox.put  # type: ignore[method-assign]
    intake.receive([delivery])
    drone._mailbox.put = put  # type: ignore[method-assign]
    assert [letter.message.reason for letter in seen if isinstance(letter.message, Unread)] == ["expired"]
    assert lane.keys[group_of("a")].stale
    assert ask("a", "deposit", 1) == 2
    assert loads == [("a", None), ("a", {"balance": 1})]


def test_a_task_in_the_group_of_another_key_is_a_dead_letter(accounts: Swarm) -> None:
    message = accounts.client.wire.task(Task(task_class="account.deposit", args=(1,), key="a"))
    publish(accounts.client.connect(), [message._replace(group=group_of("b"))], 5.0)
    eventually(accounts.dead)
    assert [letter.reason for letter in accounts.dead()] == ["unreadable"]


def test_a_task_that_the_kind_does_not_know_is_a_dead_letter(accounts: Swarm) -> None:
    reply = accounts.client.insert_task(Task(task_class="account.close", key="a"))
    with pytest.raises(TaskFailed, match=r"has no ability account\.close; it has account\.balance"):
        reply.result(timeout=SECONDS)
    assert [letter.reason for letter in accounts.dead()] == ["unknown"]


def test_a_task_without_a_key_is_a_dead_letter(accounts: Swarm) -> None:
    reply = accounts.client.insert("account.deposit", 1)
    with pytest.raises(TaskFailed, match=r"account\.deposit is an ability of a KeyedWorker: its tasks need a key"):
        reply.result(timeout=SECONDS)
    assert [letter.reason for letter in accounts.dead()] == ["arguments"]


def test_a_keyed_task_cannot_be_local(swarm: Swarm) -> None:
    class Lost(Worker):
        @ability("lost.local", retries=0)
        def pass_on(self) -> None:
            self.local("account.deposit", 1)

    swarm.start(Account, Lost)
    with pytest.raises(TaskFailed, match=r"account\.deposit is for a key: insert it"):
        swarm.insert("lost.local").result(timeout=SECONDS)


def test_a_random_mix_of_crashes_counts_each_task_once(swarm: Swarm) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = random.Random(seed)
    swarm.start(Account)
    swarm.start(Account)
    replies = []
    for _ in range(6):
        tasks = [Task(task_class="account.note", args=(n,), key=f"k{rng.randrange(10)}") for n in range(50)]
        replies += list(zip(tasks, swarm.client.insert_many("account.note", tasks), strict=True))
        rng.choice(replies)[1].result(timeout=SECONDS)
        if rng.random() < 0.5:
            swarm.crash_drone()
            swarm.start(Account)
        else:
            swarm.crash_bus()
    for _, reply in replies:
        reply.result(timeout=SECONDS)
    for number in range(10):
        expected = sorted(task.args[0] for task, _ in replies if task.key == f"k{number}")
        assert sorted(ask(f"k{number}", "numbers")) == expected


def test_a_bus_that_does_not_show_the_state_fails_the_task(accounts: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "LOAD_TIMEOUT", 0.0)
    monkeypatch.setattr(loading, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(accounts._drones[0]._bus, "subscribe", lambda subscription: None)
    reply = accounts.client.insert_task(Task(task_class="account.deposit", args=(1,), key="a", retries=0))
    with pytest.raises(TaskFailed, match=r"has not shown the state of account\['a'\]"):
        reply.result(timeout=SECONDS)


def test_a_task_may_send_itself_to_the_dead_letters(swarm: Swarm) -> None:
    class Strict(KeyedWorker):
        @ability("strict.check")
        def check(self) -> None:
            self.state["checked"] = True
            raise Reject("wrong")

    swarm.start(Strict)
    with pytest.raises(TaskFailed):
        Strict["a"].check().result(timeout=SECONDS)
    assert [letter.reason for letter in swarm.dead()] == ["wrong"]
