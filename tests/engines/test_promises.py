"""What swarmage promises its users, on every bus it runs on: the same tests, of which only the URL differs.

Each promise of the README and of docs/reliability.md that is no matter of one bus alone has a test here.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from conftest import ROOT, SECONDS, Engine, eventually, together

from swarmage import (
    BusError,
    BusRefused,
    Client,
    ConfigError,
    KeyedWorker,
    LoginRefused,
    NotEncodable,
    Reply,
    Task,
    TaskFailed,
    Worker,
    ability,
)
from swarmage.bus.bus import Bus
from swarmage.bus.delivery import Delivery
from swarmage.bus.frames import ack
from swarmage.bus.publish import publish
from swarmage.bus.subscription import Subscription
from swarmage.client.dead_letters import DeadLetter, DeadLetters
from swarmage.settings import Address
from swarmage.wire.message import Message
from swarmage.wire.names import task_destination

pytestmark = pytest.mark.acceptance


def adder(engine: Engine, *, concurrency: int = 4) -> type[Worker]:
    class Adder(Worker):
        @ability(f"{engine.prefix}.add")
        def add(self, a: int, b: int) -> int:
            return a + b

    Adder.concurrency = concurrency
    return Adder


def holder(engine: Engine, *, concurrency: int = 1) -> tuple[type[Worker], threading.Semaphore, threading.Event]:
    """Return a Worker whose tasks run until they are released, what says that one has begun, and the release."""
    begun, release = threading.Semaphore(0), threading.Event()

    class Holder(Worker):
        @ability(f"{engine.prefix}.hold")
        def hold(self) -> None:
            begun.release()
            while not release.wait(0.02):
                self.checkpoint()

    Holder.concurrency = concurrency
    return Holder, begun, release


def letters(client: Client, engine: Engine) -> list[DeadLetter]:
    return [each for each in DeadLetters(client).all() if str(each.task_class).startswith(f"{engine.prefix}.")]


def written(ledger: Path, word: str) -> list[str]:
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    return [line.split()[1] for line in lines if line.startswith(f"{word} ")]


def test_a_task_is_performed_and_answered(engine: Engine) -> None:
    engine.drone(adder(engine))
    assert engine.client().insert(f"{engine.prefix}.add", 1, 2).result(SECONDS) == 3


def test_what_was_inserted_before_anybody_performs_it_waits(engine: Engine) -> None:
    reply = engine.client().insert(f"{engine.prefix}.add", 1, 2)
    engine.drone(adder(engine))
    assert reply.result(SECONDS) == 3


def test_responses_progress_and_that_it_has_begun_reach_the_originator(engine: Engine) -> None:
    go = threading.Event()

    class Teller(Worker):
        @ability(f"{engine.prefix}.tell")
        def tell(self) -> Any:
            go.wait(SECONDS)
            self.progress(1, 2, "half")
            yield "one"
            yield "two"

    engine.drone(Teller)
    reply = engine.client().insert_task(Task(task_class=f"{engine.prefix}.tell", acknowledge=True))
    assert reply.begun(SECONDS)
    go.set()
    seen: list[float] = []
    reply.result(SECONDS, progress=lambda progress: seen.append(progress.done))
    assert reply.responses == ["one", "two"]
    assert 1 in seen


def test_many_are_inserted_with_receipts_and_all_are_performed(engine: Engine) -> None:
    engine.drone(adder(engine))
    replies = engine.client().insert_many(f"{engine.prefix}.add", [(number, 1) for number in range(500)])
    assert [reply.result(SECONDS) for reply in replies] == list(range(1, 501))


def test_a_delayed_task_is_never_early_even_if_its_class_is_new(engine: Engine) -> None:
    client = engine.client()
    began = time.monotonic()
    reply = client.insert_task(Task(task_class=f"{engine.prefix}.add", args=[1, 2], delay=1.2))
    engine.drone(adder(engine))
    assert reply.result(SECONDS) == 3
    assert time.monotonic() - began >= 1.2


def test_what_fails_is_tried_again_and_then_a_dead_letter_that_can_be_retried_and_dropped(engine: Engine) -> None:
    attempts: list[float] = []

    class Failing(Worker):
        @ability(f"{engine.prefix}.fail", retries=1, backoff=0.4, jitter=0.0)
        def fail(self, word: str) -> None:
            attempts.append(time.monotonic())
            raise ValueError(word)

    engine.drone(Failing)
    client = engine.client()
    dead = DeadLetters(client)
    reply = client.insert(f"{engine.prefix}.fail", "lost")
    with pytest.raises(TaskFailed, match="lost"):
        reply.result(SECONDS)
    assert len(attempts) == 2
    assert attempts[1] - attempts[0] >= 0.4
    eventually(lambda: letters(client, engine))
    [letter] = letters(client, engine)
    assert (letter.id, letter.reason, letter.kind, letter.attempts) == (reply.id, "failed", "ValueError", 2)
    assert letters(client, engine) == [letter]  # a look takes nothing
    assert dead.retry([letter.id]) == [letter.id]
    eventually(lambda: len(attempts) == 4)
    eventually(lambda: letters(client, engine))
    eventually(lambda: dead.drop([letter.id]) == [letter.id])
    assert not letters(client, engine)


def test_what_a_tree_inserts_leaves_with_its_ack_and_not_when_it_fails(engine: Engine) -> None:
    counted: list[str] = []

    class Tree(Worker):
        concurrency = 2

        @ability(f"{engine.prefix}.tree", retries=0)
        def tree(self, word: str) -> int:
            handles = [self.local(f"{engine.prefix}.leaf", word) for _ in range(5)]
            total = sum(handle.result() for handle in handles)
            if word == "bad":
                raise ValueError(word)
            return total

        @ability(f"{engine.prefix}.leaf")
        def leaf(self, word: str) -> int:
            self.insert(f"{engine.prefix}.count", word)
            return 1

        @ability(f"{engine.prefix}.count")
        def count(self, word: str) -> None:
            counted.append(word)

    engine.drone(Tree)
    client = engine.client()
    bad = client.insert(f"{engine.prefix}.tree", "bad")
    with pytest.raises(TaskFailed):
        bad.result(SECONDS)
    assert client.insert(f"{engine.prefix}.tree", "good").result(SECONDS) == 5
    eventually(lambda: len(counted) >= 5)
    assert counted == ["good"] * 5


def test_a_task_outlives_the_client_that_inserted_it(engine: Engine) -> None:
    performed: SimpleQueue[str] = SimpleQueue()

    class Noter(Worker):
        @ability(f"{engine.prefix}.note")
        def note(self) -> None:
            performed.put(self.task.id)

    with Client(engine.url, timeout=20.0) as client:
        reply = client.insert(f"{engine.prefix}.note")
    engine.drone(Noter)
    assert performed.get(timeout=SECONDS) == reply.id


def test_a_drone_that_is_killed_loses_nothing(engines: list[Engine], tmp_path: Path) -> None:
    def check(engine: Engine) -> None:
        ledger = tmp_path / engine.name
        kill_one = engine.supervised(2)
        tasks = engine.client().insert_many(f"{engine.prefix}.write", [(str(ledger), 0.02)] * 120, reply=False)
        ids = {reply.id for reply in tasks}
        eventually(lambda: len(written(ledger, "done")) > 20)
        kill_one()
        eventually(lambda: set(written(ledger, "done")) == ids)
        assert len(written(ledger, "done")) - len(ids) <= engine.kind.again

    together(engines, check)


def test_what_a_killed_drone_repeats_is_answered_once_and_inserts_the_same(
    engines: list[Engine], tmp_path: Path
) -> None:
    def check(engine: Engine) -> None:
        ledger = tmp_path / engine.name
        kill_one = engine.supervised(2)
        replies = engine.client().insert_many(f"{engine.prefix}.step", [(str(ledger),)] * 120)
        for fewest in (20, 70):
            eventually(lambda: len(written(ledger, "step")) > fewest)  # noqa: B023 - it is called at once
            kill_one()
        assert [reply.result(60) for reply in replies] == [reply.id for reply in replies]
        assert all(len(reply.responses) <= 1 for reply in replies)
        eventually(lambda: len(set(written(ledger, "done"))) >= 120)
        assert len(set(written(ledger, "done"))) == 120  # a step that is repeated inserts under the same id
        assert not letters(engine.client(), engine)

    together(engines, check)


def test_a_tree_whose_drone_is_killed_is_performed_again_as_a_whole(engines: list[Engine], tmp_path: Path) -> None:
    def check(engine: Engine) -> None:
        ledger = tmp_path / engine.name
        kill_one = engine.supervised(1)
        reply = engine.client().insert(f"{engine.prefix}.root", str(ledger))
        eventually(lambda: len(written(ledger, "leaf")) >= 3)
        assert not written(ledger, "done")
        kill_one()
        tmp_path.joinpath(f"{engine.name}.go").touch()
        reply.result(60)
        eventually(lambda: written(ledger, "done"))
        assert len(written(ledger, "root")) == 2
        assert len(set(written(ledger, "fallen"))) == 3
        assert len(written(ledger, "done")) == 1

    together(engines, check)


def test_a_task_that_kills_its_drone_ends_as_a_dead_letter_and_takes_nothing_along(
    engines: list[Engine], tmp_path: Path
) -> None:
    def check(engine: Engine) -> None:
        ledger = tmp_path / engine.name
        client = engine.client()
        before = client.insert_many(f"{engine.prefix}.write", [(str(ledger), 0.01)] * 10)
        poison = client.insert(f"{engine.prefix}.poison", str(ledger))
        after = client.insert_many(f"{engine.prefix}.write", [(str(ledger), 0.01)] * 10)
        engine.supervised(1)
        with pytest.raises(TaskFailed, match="died"):
            poison.result(60)
        for reply in (*before, *after):
            reply.result(SECONDS)
        eventually(lambda: letters(client, engine))
        assert {(letter.id, letter.reason) for letter in letters(client, engine)} == {(poison.id, "crashed")}
        assert len(written(ledger, "poison")) <= engine.kind.kills

    together(engines, check)


def test_a_task_may_last_longer_than_the_silence_that_ends_a_connection(engine: Engine) -> None:
    begun: list[str] = []

    class Long(Worker):
        @ability(f"{engine.prefix}.long")
        def long(self) -> str:
            begun.append(self.task.id)
            threading.Event().wait(3.0)
            return "done"

    address = replace(Address.parse(engine.url), heartbeat=0.5)  # so 1.25 s of silence are too many
    engine.drone(Long, url=address.url)
    reply = engine.client().insert(f"{engine.prefix}.long")
    assert reply.result(SECONDS) == "done"
    assert begun == [reply.id]


def test_what_nobody_can_read_is_a_dead_letter_with_its_reason(engine: Engine) -> None:
    engine.drone(adder(engine))
    client = engine.client()
    destination = task_destination(f"{engine.prefix}.add")
    message = client.wire.task(Task(task_class=f"{engine.prefix}.add", args=(1, 2)))
    forged = Message(destination, message.body.replace(b"[1,2]", b"[1,3]"), message.signature)
    assert forged.body != message.body
    with pytest.raises(TaskFailed):
        client.insert(f"{engine.prefix}.add", "one", 2).result(SECONDS)
    publish(client.bus, [forged], SECONDS)
    eventually(lambda: len(found(client, destination)) == 2)
    assert found(client, destination) == {"signature", "arguments"}


def found(client: Client, destination: str) -> set[str]:
    """Return for which reasons there are dead letters of a queue."""
    return {letter.reason for letter in DeadLetters(client).all() if letter.destination == destination}


def test_a_paused_class_waits_and_goes_on_when_it_is_resumed(engine: Engine) -> None:
    engine.drone(adder(engine))
    client = engine.client()
    client.pause(f"{engine.prefix}.add")
    eventually(lambda: f"{engine.prefix}.add" in str([one["paused"] for one in client.status()["drones"]]))
    replies = client.insert_many(f"{engine.prefix}.add", [(number, 0) for number in range(10)])
    engine.drone(adder(engine))  # one that starts later knows of it, too
    client.status()
    assert not any(reply.done for reply in replies)
    client.resume(f"{engine.prefix}.add")
    assert [reply.result(SECONDS) for reply in replies] == list(range(10))


def test_cancelled_tasks_end_whether_they_run_or_wait(engine: Engine) -> None:
    worker, begun, release = holder(engine)
    engine.drone(worker)
    client = engine.client()
    replies = [client.insert(f"{engine.prefix}.hold") for _ in range(3)]
    assert begun.acquire(timeout=SECONDS)
    client.cancel(replies[0].id, replies[2].id)
    with pytest.raises(TaskFailed) as running:
        replies[0].result(SECONDS)
    assert running.value.kind == "TaskCancelled"
    release.set()
    replies[1].result(SECONDS)
    with pytest.raises(TaskFailed) as waiting:
        replies[2].result(SECONDS)
    assert waiting.value.kind == "TaskCancelled"


def test_a_drained_drone_finishes_what_it_has_begun_and_leaves(engine: Engine) -> None:
    worker, begun, release = holder(engine)
    leaving = threading.Event()
    first = engine.drone(worker, on_drain=leaving.set)
    client = engine.client()
    running = client.insert(f"{engine.prefix}.hold")
    assert begun.acquire(timeout=SECONDS)
    [mine] = [one for one in client.status()["drones"] if f"{engine.prefix}.hold" in str(one["workers"])]
    client.drain(mine["id"])
    assert leaving.wait(SECONDS)
    stopping = threading.Thread(target=first.stop)
    stopping.start()
    release.set()
    running.result(SECONDS)
    stopping.join(SECONDS)
    assert not first.is_alive()
    waiting = client.insert(f"{engine.prefix}.hold")
    engine.drone(worker)
    waiting.result(SECONDS)


def test_what_was_acknowledged_just_before_one_leaves_does_not_come_again(engine: Engine) -> None:
    client, task_class = engine.client(), f"{engine.prefix}.ack"
    client.insert_many(task_class, range(2000), reply=False)
    heard: SimpleQueue[Delivery] = SimpleQueue()

    def acknowledge(deliveries: list[Delivery]) -> None:
        deliveries[0].connection.write(*(ack(delivery.ack_id) for delivery in deliveries))
        for delivery in deliveries:
            heard.put(delivery)

    def first(count: int) -> list[bytes]:
        bus = Bus(Address.parse(engine.url))
        bus.start(SECONDS)
        bus.subscribe(
            Subscription(id="all", destination=task_destination(task_class), receive=acknowledge, prefetch=1000)
        )
        found = [heard.get(timeout=SECONDS).body for _ in range(count)]
        bus.stop()
        return found

    assert len(set(first(2000))) == 2000
    marker = client.insert_many(task_class, ["marker"], reply=False)[0]
    assert marker.id.encode() in first(1)[0]  # what comes again would be ahead of it


def test_concurrency_can_be_ordered(engine: Engine) -> None:
    worker, begun, release = holder(engine)
    worker.__qualname__ = worker.__name__ = f"Holder{engine.prefix}"
    engine.drone(worker)
    client = engine.client()
    replies = [client.insert(f"{engine.prefix}.hold") for _ in range(3)]
    assert begun.acquire(timeout=SECONDS)
    client.concurrency(worker.__name__, 3)
    for _ in range(2):
        assert begun.acquire(timeout=SECONDS)
    release.set()
    for reply in replies:
        reply.result(SECONDS)


def test_priority_comes_first_or_is_refused_in_words(engine: Engine) -> None:
    order: list[int] = []

    class Noter(Worker):
        @ability(f"{engine.prefix}.note")
        def note(self, number: int) -> None:
            order.append(number)

    client = engine.client()
    task = Task(task_class=f"{engine.prefix}.note", args=[0], priority=1)
    if engine.name == "rabbitmq":
        with pytest.raises(ConfigError, match=r"\?queues=classic"):
            client.insert_task(task)
        return
    replies = [client.insert_task(task)]
    replies += [
        client.insert_task(Task(task_class=f"{engine.prefix}.note", args=[number], priority=number))
        for number in (2, 9, 5)
    ]
    engine.drone(Noter)
    for reply in replies:
        reply.result(SECONDS)
    assert order == [9, 5, 2, 0]


def test_actors_by_key_are_there_or_refused_in_words(engine: Engine) -> None:
    class Box(KeyedWorker):
        @ability(f"{engine.prefix}.put")
        def put(self, item: int) -> int:
            self.state.setdefault("items", []).append(item)
            return len(self.state["items"])

    client = engine.client()
    if "keys" not in engine.kind.has:
        with pytest.raises(ConfigError, match="needs swarmage's own bus"):
            client.insert(Box["a"].put, 1)
        with pytest.raises(ConfigError, match="own bus"):
            engine.drone(Box)
        return
    engine.drone(Box)
    assert [client.insert(Box["a"].put, item).result(SECONDS) for item in (7, 8)] == [1, 2]


def test_what_is_not_begun_in_time_expires(engine: Engine) -> None:
    client = engine.client()
    reply = client.insert_task(Task(task_class=f"{engine.prefix}.add", args=[1, 2], expires=0.05))
    threading.Event().wait(0.1)
    engine.drone(adder(engine))
    with pytest.raises(TaskFailed) as failed:
        reply.result(SECONDS)
    assert failed.value.kind == "Expired"


def test_no_task_waits_while_a_slot_is_free(engine: Engine) -> None:
    together = threading.Barrier(4)

    class Slow(Worker):
        concurrency = 2

        @ability(f"{engine.prefix}.slow", retries=0)
        def slow(self) -> None:
            together.wait(10)  # returns only when all four slots of both drones are busy at once
            threading.Event().wait(0.5)

    engine.drone(Slow)
    engine.drone(Slow)
    replies = [engine.client().insert(f"{engine.prefix}.slow") for _ in range(8)]
    for reply in replies:
        reply.result(SECONDS)


@pytest.mark.needs("limit")  # our own bus says so itself: tests/conformance/test_limits.py
def test_a_message_that_no_bus_takes_is_refused_before_anything_is_sent(engine: Engine) -> None:
    class Swelling(Worker):
        @ability(f"{engine.prefix}.swell", retries=0)
        def swell(self) -> str:
            return "x" * 5_000_000

    engine.drone(Swelling, adder(engine))
    client = engine.client()
    with pytest.raises(NotEncodable, match="bus takes"):
        client.insert(f"{engine.prefix}.add", "x" * 5_000_000, 1)
    with pytest.raises(TaskFailed, match=r"too large|bus takes"):
        client.insert(f"{engine.prefix}.swell").result(SECONDS)
    assert client.insert(f"{engine.prefix}.add", 1, 2).result(SECONDS) == 3


@pytest.mark.needs("logins")
def test_a_wrong_login_is_refused_in_words(engine: Engine) -> None:
    url = engine.url.replace(":swarm-", ":no-")
    with pytest.raises(LoginRefused, match="refuses the login"), Client(url) as client:
        client.insert(f"{engine.prefix}.add", 1, 2)


@pytest.mark.needs("vhosts")
def test_an_unknown_vhost_is_refused_in_words(engine: Engine) -> None:
    url = engine.url.partition("/classic")[0] + "/nowhere"
    with pytest.raises(LoginRefused, match="nowhere"), Client(url) as client:
        client.insert(f"{engine.prefix}.add", 1, 2)


@pytest.mark.needs("declared")
def test_a_queue_that_was_declared_otherwise_is_explained(engine: Engine) -> None:
    engine.client().insert(f"{engine.prefix}.add", 1, 2)
    with pytest.raises(BusRefused, match="declared otherwise"), Client(engine.url + "?queues=classic") as client:
        client.insert_many(f"{engine.prefix}.add", [(1, 2)], reply=False)


@pytest.mark.needs("processes")
def test_the_examples_run_as_the_readme_has_it(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("to be or not to be")
    engine.process("drone", "actors", folder=ROOT)
    sending = engine.process("send", "text.census", str(tmp_path), "--wait", folder=ROOT)
    out, _ = sending.communicate(timeout=60)
    assert sending.returncode == 0, out
    assert '"words": 6' in out, out


def test_a_bus_that_is_killed_and_comes_back_finds_everybody_and_all_that_was_confirmed(engines: list[Engine]) -> None:
    done: dict[str, list[int]] = {engine.name: [] for engine in engines}
    replies: dict[str, list[Reply[int]]] = {}
    clients = {engine.name: engine.client() for engine in engines}
    hasty = {engine.name: engine.client(timeout=1.0) for engine in engines}

    def begin(engine: Engine) -> None:
        class Marker(Worker):
            concurrency = 2

            @ability(f"{engine.prefix}.mark")
            def mark(self, number: int) -> int:
                threading.Event().wait(0.01)
                done[engine.name].append(number)
                return number

        engine.drone(Marker)
        client = clients[engine.name]
        client.insert(f"{engine.prefix}.mark", -1).result(SECONDS)
        hasty[engine.name].insert(f"{engine.prefix}.mark", -1).result(SECONDS)
        threading.Event().wait(1.5)  # docs/engines.md: a quorum queue must be older than a second to survive kill -9
        replies[engine.name] = client.insert_many(f"{engine.prefix}.mark", [(number,) for number in range(200)])
        eventually(lambda: len(done[engine.name]) > 20)

    def go_on(engine: Engine) -> None:
        assert [reply.result(60) for reply in replies[engine.name]] == list(range(200))
        assert clients[engine.name].insert(f"{engine.prefix}.mark", 200).result(SECONDS) == 200

    def refused(engine: Engine) -> None:
        began = time.monotonic()
        with pytest.raises(BusError):
            hasty[engine.name].insert(f"{engine.prefix}.mark", -2)
        assert time.monotonic() - began < SECONDS  # it is told so, and does not wait for ever

    together(engines, begin)
    brokers = {engine.broker for engine in engines}
    for broker in brokers:
        broker.kill()
    together(engines, refused)
    for broker in brokers:
        broker.start()
    for broker in brokers:
        broker.wait_until_up()  # from here on it is a matter of the clients and the drones
    together(engines, go_on)
