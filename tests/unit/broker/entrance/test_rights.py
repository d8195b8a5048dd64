from __future__ import annotations

import pytest

from swarmage.broker.entrance.rights import Rights

from ..driver import Bus, Client


def user(bus: Bus, send: tuple[str, ...] = (), subscribe: tuple[str, ...] = ()) -> Client:
    client = bus.client()
    client.session.entry.rights = Rights(user="bob", send=send, subscribe=subscribe)
    return client


@pytest.mark.parametrize("destination", ["/queue/mail", "mail", "/queue/mail.out", "/topic/news.today"])
def test_what_begins_as_allowed_may_be_sent_to(bus: Bus, destination: str) -> None:
    client = user(bus, send=("/queue/mail", "/topic/news."))
    client.put(destination, b"x", receipt=1)
    client.take("RECEIPT")


@pytest.mark.parametrize(
    "destination", ["/queue/other", "other", "/queue/mai", "/topic/mail", "/topic/newsletter", "/bus/statistics"]
)
def test_a_send_to_anything_else_is_refused_by_name_and_ends_the_connection(bus: Bus, destination: str) -> None:
    client = user(bus, send=("/queue/mail", "/topic/news."))
    client.put(destination, b"x", reply_to="/temp-queue/r")
    error = client.error()
    assert error.startswith("the user 'bob' may not send to ")
    assert error.endswith(destination)


def test_a_send_in_a_transaction_is_refused_as_well(bus: Bus) -> None:
    client = user(bus, send=("/queue/mail",))
    client.send("BEGIN", {"transaction": "t"})
    client.put("/queue/other", transaction="t")
    assert "/queue/other" in client.error()


@pytest.mark.parametrize(
    "destination",
    ["/queue/mail", "mail", "/topic/news.today", "/topic/news.*", "/topic/news.>", "/topic/news.#", "/topic/news"],
)
def test_what_begins_as_allowed_may_be_subscribed_to(bus: Bus, destination: str) -> None:
    client = user(bus, subscribe=("/queue/mail", "/topic/news."))
    client.subscribe(destination, receipt=1)
    client.take("RECEIPT")


@pytest.mark.parametrize(
    "destination", ["/queue/other", "other", "/topic/>", "/topic/#", "/topic/*", "/topic/*.today", "/topic/newsletter"]
)
@pytest.mark.parametrize("browser", ["false", "true"])
def test_a_subscription_to_anything_else_is_refused_by_name(bus: Bus, destination: str, browser: str) -> None:
    client = user(bus, subscribe=("/queue/mail", "/topic/news."))
    client.subscribe(destination, browser=browser)
    error = client.error()
    assert "may not subscribe" in error or "only queues" in error


def test_what_may_be_sent_to_may_not_be_browsed(bus: Bus) -> None:
    client = user(bus, send=("/queue/mail",))
    client.subscribe("/queue/mail", browser="true")
    assert client.error() == "the user 'bob' may not subscribe to /queue/mail"


def test_own_temporary_queues_need_no_right(bus: Bus) -> None:
    client = user(bus)
    client.subscribe("/temp-queue/mine")
    client.put("/temp-queue/mine", b"x")
    assert client.take().body == b"x"


def test_anothers_reply_queue_needs_one(bus: Bus) -> None:
    asking, answering, other = bus.client(), user(bus, ("/reply-queue/",), ("/queue/ask",)), user(bus)
    answering.subscribe("/queue/ask")
    asking.put("/queue/ask", reply_to="/temp-queue/r")
    reply_to = answering.take().headers["reply-to"]
    answering.put(reply_to, b"answer")
    assert asking.take().body == b"answer"
    other.put(reply_to, b"forged")
    assert reply_to in other.error()


def test_statistics_need_a_right_and_go_only_where_there_is_one(bus: Bus) -> None:
    client = user(bus, send=("/bus/",))
    client.put("/bus/statistics", reply_to="/temp-queue/r")
    assert b'"login_failures":0' in client.take().body
    client.put("/bus/statistics", reply_to="/queue/other")
    assert "/queue/other" in client.error()
