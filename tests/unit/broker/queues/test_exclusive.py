"""Exclusive subscriptions: one has the queue to itself, the others wait for its end."""

from __future__ import annotations

import pytest

from ..driver import Bus, Client


def taker(bus: Bus, **headers: str | int) -> Client:
    client = bus.client()
    client.subscribe("/queue/a", ack="client-individual", **headers)
    return client


def send(bus: Bus, *bodies: bytes) -> None:
    sender = bus.client()
    for body in bodies:
        sender.put("/queue/a", body)


@pytest.mark.parametrize("name", ["exclusive", "activemq.exclusive"])
def test_the_exclusive_one_that_came_first_gets_all(bus: Bus, name: str) -> None:
    plain, first, second = taker(bus), taker(bus, **{name: "true"}), taker(bus, **{name: "true"})
    send(bus, b"1", b"2", b"3")
    assert first.bodies() == [b"1", b"2", b"3"]
    assert plain.frames == second.frames == []


def test_another_value_is_not_exclusive(bus: Bus) -> None:
    one, two = taker(bus, exclusive="false"), taker(bus)
    send(bus, b"1", b"2")
    assert (one.bodies(), two.bodies()) == ([b"1"], [b"2"])


def test_when_it_is_lost_the_next_one_gets_what_it_held_first(bus: Bus) -> None:
    first, plain, second = taker(bus, exclusive="true", prefetch_count=2), taker(bus), taker(bus, exclusive="true")
    send(bus, b"1", b"2", b"3")
    assert first.bodies() == [b"1", b"2"]
    first.lose()
    assert second.bodies() == [b"1", b"2", b"3"]
    assert plain.frames == []


def test_after_unsubscribe_the_next_one_takes_over_at_once(bus: Bus) -> None:
    first, second = taker(bus, exclusive="true", prefetch_count=1), taker(bus, exclusive="true")
    send(bus, b"1", b"2")
    held = first.take()
    first.send("UNSUBSCRIBE", {"id": "1"})
    assert second.bodies() == [b"2"]
    first.nack(held, count="false")
    assert second.bodies() == [b"1"]


def test_when_the_last_exclusive_one_is_gone_all_take_turns_again(bus: Bus) -> None:
    one, two, only = taker(bus), taker(bus), taker(bus, exclusive="true")
    send(bus, b"x")
    only.ack(only.take())
    only.send("DISCONNECT")
    send(bus, b"1", b"2", b"3", b"4")
    assert sorted([len(one.bodies()), len(two.bodies())]) == [2, 2]


def test_what_others_hold_stays_theirs_and_an_ack_gives_them_nothing_new(bus: Bus) -> None:
    one = taker(bus, prefetch_count=1)
    send(bus, b"1", b"2")
    held = one.take()
    only = taker(bus, exclusive="true")
    assert only.bodies() == [b"2"]
    one.ack(held, receipt="r")
    one.take("RECEIPT")
    send(bus, b"3")
    assert (one.frames, only.bodies()) == ([], [b"3"])


def test_an_exclusive_one_without_room_leaves_nothing_to_others(bus: Bus) -> None:
    only, other = taker(bus, exclusive="true", prefetch_count=1), taker(bus)
    send(bus, b"1", b"2")
    assert (len(only.bodies()), other.frames) == (1, [])
    assert bus.hub.router.queue("/queue/a").waiting.count == 1


def test_one_that_paused_while_it_waited_takes_over_when_it_reads_again(bus: Bus) -> None:
    first, second = taker(bus, exclusive="true"), taker(bus, exclusive="true")
    second.session.pause()
    first.lose()
    send(bus, b"1")
    assert second.frames == []
    second.session.resume()
    bus.settle()
    assert second.bodies() == [b"1"]


@pytest.mark.parametrize("destination", ["/topic/a", "/topic/*", "/temp-queue/a"])
def test_only_a_queue_can_be_exclusive(bus: Bus, destination: str) -> None:
    client = bus.client()
    client.subscribe(destination, exclusive="true")
    assert client.error() == f"{destination} cannot be exclusive; only a /queue/ can"


def test_a_look_at_a_queue_disturbs_nobody(bus: Bus) -> None:
    only, browser = taker(bus, exclusive="true", prefetch_count=1), bus.client()
    send(bus, b"1", b"2")
    browser.subscribe("/queue/a", browser="true", exclusive="true")
    assert sorted(browser.bodies()) == [b"", b"1", b"2"]
    only.ack(only.take())
    assert only.bodies() == [b"2"]
