"""Asking actors that others publish, as programs do."""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
from typing import Any

import pytest

import swarmage
from swarmage.client.client import Client
from swarmage.errors import (
    ActorDead,
    ActorUnknown,
    BusUnreachable,
    ConfigError,
    ConnectionLost,
    NotEncodable,
    RemoteError,
    ReplyTimeout,
    TaskFailed,
)
from swarmage.remote.ref import RemoteRef
from swarmage.testing.swarm import Swarm

from ..fakes import SECONDS
from .conftest import Deposit, Publish, Shown, lose

pytestmark = pytest.mark.usefixtures("accounts")


def test_an_actor_answers_what_it_is_asked(ref: RemoteRef) -> None:
    assert ref.ask("hello", timeout=SECONDS) == "hello"


@pytest.mark.parametrize("message", [None, 1, 1.5, [1, {"a": [None]}], (1, (2,)), {1: 2}, {1, 2}, b"x", float("inf")])
def test_a_message_and_its_answer_stay_what_they_are(ref: RemoteRef, accounts: Shown, message: Any) -> None:
    answer = ref.ask(message, timeout=SECONDS)
    heard = accounts.actor.heard.get(timeout=SECONDS)
    assert (type(answer), answer) == (type(heard), heard) == (type(message), message)


def test_a_message_of_a_class_of_its_own_is_matched_by_it(ref: RemoteRef) -> None:
    answer = ref.ask(Deposit(5), timeout=SECONDS)
    assert type(answer) is Deposit
    assert answer == Deposit(5)


def test_asking_need_not_wait(ref: RemoteRef, accounts: Shown) -> None:
    future = ref.ask(Deposit(1), block=False)
    assert future.get(timeout=SECONDS) == Deposit(1)
    assert future.get() == Deposit(1)  # again


def test_an_answer_can_be_awaited(ref: RemoteRef) -> None:
    async def ask_all() -> list[Any]:
        return await asyncio.gather(*[ref.ask(number, block=False) for number in range(20)])

    assert asyncio.run(ask_all()) == list(range(20))


def test_what_is_told_is_heard_in_order(ref: RemoteRef, accounts: Shown) -> None:
    for number in range(50):
        ref.tell(number)
    assert [accounts.actor.heard.get(timeout=SECONDS) for _ in range(50)] == list(range(50))


def test_many_threads_ask_at_once(ref: RemoteRef, accounts: Shown) -> None:
    got: list[int] = []

    def ask() -> None:
        for number in range(50):
            got.append(ref.ask(number, timeout=SECONDS) - number)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert got == [0] * 400


def test_what_the_actor_raises_comes_back_with_its_traceback(ref: RemoteRef) -> None:
    with pytest.raises(RemoteError) as raised:
        ref.ask("fail", timeout=SECONDS)
    assert not isinstance(raised.value, TaskFailed)
    assert (raised.value.kind, raised.value.message) == ("ValueError", "on_receive")
    lines = raised.value.traceback.splitlines()
    assert "in on_receive" in lines[1]  # not pykka's lines, nor ours
    assert ref.is_alive()


def test_an_answer_that_does_not_come_in_time_is_told(ref: RemoteRef, accounts: Shown) -> None:
    future = ref.proxy().hold()
    assert accounts.actor.begun.wait(SECONDS)
    with pytest.raises(ReplyTimeout, match=r"accounts has not answered in 0\.0 s"):
        future.get(timeout=0.01)
    with pytest.raises(ReplyTimeout):
        ref.ask("busy", timeout=0.01)
    accounts.actor.gate.set()
    assert future.get(timeout=SECONDS) == "held"


def test_a_busy_actor_is_not_taken_for_a_dead_one(ref: RemoteRef, accounts: Shown) -> None:
    future = ref.proxy().hold()
    assert accounts.actor.begun.wait(SECONDS)
    with pytest.raises(ReplyTimeout):
        future.get(timeout=4.0)  # longer than three pings take
    accounts.actor.gate.set()
    assert future.get(timeout=SECONDS) == "held"


def test_a_name_that_nobody_publishes_is_told_within_three_seconds(swarm: Swarm) -> None:
    nobody = swarm.client.ref("nobody")
    for ask in (nobody.ask, nobody.tell):
        began = time.monotonic()
        with pytest.raises(ActorUnknown, match=r"nobody publishes an actor 'nobody' .* self\.publish\('nobody'\)"):
            ask("hello")
        assert time.monotonic() - began < 3.5
    assert not nobody.is_alive()


def test_an_actor_that_is_published_a_little_later_is_found(swarm: Swarm, publish: Publish) -> None:
    future = swarm.client.ref("late").ask("hello", block=False)
    publish("late")
    assert future.get(timeout=SECONDS) == "hello"


@pytest.mark.usefixtures("quick")
def test_a_request_that_nobody_took_is_not_done_by_who_comes_later(swarm: Swarm, publish: Publish) -> None:
    late = swarm.client.ref("late")
    with pytest.raises(ActorUnknown):
        late.ask("first")
    shown = publish("late")
    assert late.ask("second", timeout=SECONDS) == "second"
    assert shown.actor.heard.get(timeout=SECONDS) == "second"
    assert shown.actor.heard.empty()


def test_a_publisher_that_vanishes_is_told_within_the_limit(ref: RemoteRef, accounts: Shown) -> None:
    future = ref.proxy().hold()
    assert accounts.actor.begun.wait(SECONDS)
    lose(accounts)
    began = time.monotonic()
    with pytest.raises(ActorDead, match=r"accounts is gone: .* may have been done") as raised:
        future.get(timeout=SECONDS * 6)
    assert not isinstance(raised.value, ActorUnknown)
    assert time.monotonic() - began < 4.5
    with pytest.raises(ActorUnknown):
        ref.ask("hello")


def test_a_stand_by_takes_over_and_what_was_asked_before_is_in_doubt(
    swarm: Swarm, ref: RemoteRef, accounts: Shown, publish: Publish
) -> None:
    other = publish(label="two")
    proxy = ref.proxy()
    assert proxy.name.get(timeout=SECONDS) == "one"
    future = proxy.hold()
    assert accounts.actor.begun.wait(SECONDS)
    lose(accounts)
    with pytest.raises(ActorDead, match="or another one of that name, answers now"):
        future.get(timeout=SECONDS)
    assert proxy.name.get(timeout=SECONDS) == "two"
    assert not other.actor.begun.is_set()  # nothing is sent twice


def test_what_is_asked_after_the_stand_by_took_over_is_done_by_it(
    ref: RemoteRef, accounts: Shown, publish: Publish
) -> None:
    publish(label="two")
    proxy = ref.proxy()
    assert proxy.name.get(timeout=SECONDS) == "one"
    lose(accounts)
    futures = [proxy.add(1) for _ in range(20)]  # with the session of the one before: refused, and sent again
    assert [future.get(timeout=SECONDS) for future in futures] == list(range(1, 21))


def test_an_actor_that_stops_says_so_at_once_to_who_waits(ref: RemoteRef, accounts: Shown) -> None:
    held = ref.proxy().hold()
    assert accounts.actor.begun.wait(SECONDS)
    before = ref.ask("before", block=False)
    assert ref.is_alive()  # so that is in its inbox
    accounts.ref.stop(block=False)
    after = [ref.ask(number, block=False) for number in range(5)]
    assert ref.is_alive()
    accounts.actor.gate.set()
    assert held.get(timeout=SECONDS) == "held"
    assert before.get(timeout=SECONDS) == "before"
    for future in after:
        with pytest.raises(ActorDead, match="stopped before it answered"):
            future.get(timeout=SECONDS)  # what silence tells has other words


def test_an_actor_that_has_stopped_leaves_its_name_to_the_next(
    ref: RemoteRef, accounts: Shown, publish: Publish
) -> None:
    publish(label="two")
    assert ref.proxy().name.get(timeout=SECONDS) == "one"
    accounts.ref.stop()
    assert accounts.publication._sender.join(SECONDS) is None
    assert ref.proxy().name.get(timeout=SECONDS) == "two"


def test_a_publication_can_be_stopped_and_the_actor_lives_on(ref: RemoteRef, accounts: Shown) -> None:
    future = ref.proxy().hold()
    assert accounts.actor.begun.wait(SECONDS)
    accounts.publication.stop()
    accounts.publication.stop()
    with pytest.raises(ActorDead, match="stopped before it answered"):
        future.get(timeout=SECONDS)
    accounts.actor.gate.set()
    assert accounts.ref.ask("still here", timeout=SECONDS) == "still here"


def test_a_bus_that_comes_back_finds_publisher_and_asker_again(swarm: Swarm, ref: RemoteRef, accounts: Shown) -> None:
    future = ref.proxy().hold()
    assert accounts.actor.begun.wait(SECONDS)
    swarm.crash_bus()
    with pytest.raises((ConnectionLost, ActorDead), match="may have been done"):
        future.get(timeout=SECONDS)
    accounts.actor.gate.set()
    deadline = time.monotonic() + SECONDS * 6
    while not ref.is_alive():
        assert time.monotonic() < deadline
    assert ref.ask("again", timeout=SECONDS) == "again"


def test_a_publisher_that_lost_its_connection_is_known_to_have_lost_what_it_was_asked(
    swarm: Swarm, ref: RemoteRef, accounts: Shown
) -> None:
    future = ref.proxy().hold()
    assert accounts.actor.begun.wait(SECONDS)
    accounts.client.bus.connection(0).close()
    with pytest.raises(ActorDead, match="cut off from the bus"):
        future.get(timeout=SECONDS)
    accounts.actor.gate.set()
    assert ref.ask("again", timeout=SECONDS) == "again"


def test_a_client_that_is_closed_leaves_nobody_waiting(swarm: Swarm, accounts: Shown) -> None:
    client = Client(swarm.url, clock=swarm.clock)
    future = client.ref("accounts").proxy().hold()
    assert accounts.actor.begun.wait(SECONDS)
    client.close()
    with pytest.raises(ConnectionLost, match="closed"):
        future.get(timeout=SECONDS)
    with pytest.raises(ConnectionLost, match="closed"):
        client.ref("accounts").ask("more", timeout=SECONDS)


@pytest.mark.usefixtures("quick")
def test_without_a_bus_that_is_what_is_told(swarm: Swarm, ref: RemoteRef) -> None:
    assert ref.ask("hello", timeout=SECONDS) == "hello"
    swarm._bus.stop()
    with pytest.raises((ConnectionLost, BusUnreachable)):  # of which the end of the connection is seen first
        ref.ask("hello")
    with pytest.raises(BusUnreachable, match="the actor accounts cannot be asked"):
        ref.ask("hello")


def test_a_clock_that_jumps_does_not_make_an_actor_dead(swarm: Swarm, ref: RemoteRef, accounts: Shown) -> None:
    future = ref.proxy().hold()
    assert accounts.actor.begun.wait(SECONDS)
    swarm.advance(3600)
    assert ref.is_alive()
    accounts.actor.gate.set()
    assert future.get(timeout=SECONDS) == "held"


def test_what_cannot_be_carried_is_told_to_who_asks(swarm: Swarm, ref: RemoteRef) -> None:
    with pytest.raises(NotEncodable, match="what is asked of the actor accounts"):
        ref.ask(threading.Lock())
    for other in (ref, swarm.client.ref("not.seen.yet")):
        with pytest.raises(NotEncodable, match="5000"):
            other.ask("x" * 5_000_000)
    with pytest.raises(RemoteError, match="NotEncodable: what the actor returned can be carried neither"):
        ref.proxy().give("lock").get(timeout=SECONDS)
    with pytest.raises(RemoteError, match="NotEncodable: what an actor answers has 5000"):
        ref.proxy().give("large").get(timeout=SECONDS)
    assert ref.proxy().give("pair").get(timeout=SECONDS) == (1, 2)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "é", "x" * 201, 5])
def test_what_is_no_name_is_refused(swarm: Swarm, name: Any) -> None:
    with pytest.raises(ConfigError, match="is not the name of an actor"):
        swarm.client.ref(name)


def test_what_can_never_answer_is_not_published(swarm: Swarm, accounts: Shown) -> None:
    with pytest.raises(ConfigError, match=r"only a pykka ActorRef can be published, such as MyActor\.start"):
        swarmage.publish("wrong", accounts.actor, client=swarm.client)  # type: ignore[arg-type]
    accounts.ref.stop()
    with pytest.raises(ConfigError, match="has stopped, so it cannot be published"):
        swarmage.publish("late", accounts.ref, client=swarm.client)


def test_a_ref_travels_as_its_name_and_uses_the_connection_of_where_it_is(ref: RemoteRef) -> None:
    travelled = pickle.loads(pickle.dumps(ref))
    assert travelled == ref
    assert len(pickle.dumps(ref)) < 100
    assert travelled.ask("hello", timeout=SECONDS) == "hello"  # by the process's own connection
    assert ref.ask({"answer to": ref}, timeout=SECONDS) == {"answer to": ref}
    assert pickle.loads(pickle.dumps(ref.proxy())).add(1).get(timeout=SECONDS) == 1


def test_a_program_without_a_client_asks_and_publishes(accounts: Shown) -> None:
    assert swarmage.ref("accounts").ask("hello", timeout=SECONDS) == "hello"
    with swarmage.publish("mine", accounts.ref):
        assert swarmage.ref("mine").ask("hello", timeout=SECONDS) == "hello"


@pytest.mark.usefixtures("quick")
def test_another_bus_gets_another_connection() -> None:
    before = swarmage.ref("accounts")
    assert before.is_alive()
    with Swarm() as elsewhere:
        assert not swarmage.ref("accounts").is_alive()
        assert not before.is_alive()
        assert not elsewhere.client.ref("accounts").is_alive()
    assert before.is_alive()
