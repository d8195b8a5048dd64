from __future__ import annotations

import base64
import json
import socket

import pytest

from swarmage.client.figures.management import Management
from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import BusRefused, BusUnreachable, LoginRefused
from swarmage.settings import Address

from ...fakes import SECONDS, FakeClock
from .web import Web

NOON = 1_795_343_972.0  # of the date that the web server says


def ask(web: Web, **changes: str) -> Management:
    return Management(Address(login="ann", passcode="s3cret", management=web.url, **changes), SECONDS, SYSTEM_CLOCK)


def test_it_is_asked_with_the_login_of_the_bus() -> None:
    with Web({"/api/overview": (200, '{"node": "one"}')}) as web:
        assert ask(web).get("overview", columns="node") == {"node": "one"}
        assert web.asked == ["/api/overview?columns=node"]
        assert web.logins == ["Basic " + base64.b64encode(b"ann:s3cret").decode()]


def test_all_pages_of_the_queues_of_our_vhost_are_asked_for() -> None:
    first, second = ({"items": [{"name": name}], "page_count": 2} for name in "ab")
    with Web(
        {
            "/api/queues/v%2F1?page=1&": (200, json.dumps(first)),
            "/api/queues/v%2F1?page=2&": (200, json.dumps(second)),
        }
    ) as web:
        assert ask(web, vhost="v/1").queues("^swarmage", "name") == [{"name": "a"}, {"name": "b"}]
        assert len(web.asked) == 2


@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        (401, "", LoginRefused, "set_user_tags ann monitoring"),
        (403, "", LoginRefused, "set_user_tags ann monitoring"),
        (404, "{}", BusRefused, "no vhost '/'"),
        (500, "oh", BusRefused, "500"),
        (200, "<html>", BusRefused, "no management API"),
    ],
)
def test_another_answer_is_an_error_in_words(status: int, body: str, error: type[Exception], says: str) -> None:
    with Web({"/": (status, body)}) as web, pytest.raises(error, match=says) as caught:
        ask(web).get("overview")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("body", ["{}", "[]", '{"items": 5, "page_count": 1}', '{"items": [], "page_count": "x"}'])
def test_pages_that_are_none_are_refused(body: str) -> None:
    with Web({"/": (200, body)}) as web, pytest.raises(BusRefused, match="no management API"):
        ask(web).queues("^swarmage", "name")


def test_the_login_is_not_carried_to_where_an_answer_points() -> None:
    with Web({"/": (200, "{}")}) as other, Web({"/": (302, other.url)}) as web:
        with pytest.raises(BusRefused, match="302"):
            ask(web).get("overview")
        assert other.asked == []


def test_an_answer_that_never_ends_is_given_up() -> None:
    clock = SYSTEM_CLOCK
    with Web({"/": (200, "never")}) as web:
        management = Management(Address(management=web.url), 0.3, clock)
        began = clock.monotonic()
        with pytest.raises((BusUnreachable, BusRefused)):
            management.get("overview")
        assert clock.monotonic() - began < SECONDS


def test_where_nothing_listens_it_says_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(BusUnreachable, match=r"rabbitmq-plugins enable rabbitmq_management.*\?management="):
            Management(Address(management=url), SECONDS, SYSTEM_CLOCK).get("overview")


def candidates(url: str) -> list[str]:
    return Management(Address.parse(url), SECONDS, SYSTEM_CLOCK).candidates


def test_it_is_looked_for_on_each_machine_and_under_tls_where_the_bus_is() -> None:
    assert candidates("stomp://one,[::1]:7") == ["http://one:15672", "http://[::1]:15672"]
    assert candidates("stomps://one") == ["https://one:15671"]
    assert candidates("stomps://one?management=http://two:1/api/") == ["http://two:1/api"]


def test_the_date_tells_how_far_its_clock_is_ahead() -> None:
    clock = FakeClock(wall=NOON - 5)
    with Web({"/": (200, "{}")}) as web:
        management = Management(Address(management=web.url), SECONDS, clock)
        assert management.skew is None
        management.get("overview")
    assert management.skew == (6.0, 1.0)


@pytest.mark.parametrize("date", ["", "soon", "Sun, 99 Nov 2026 10:39:32 GMT"])
def test_a_date_that_is_none_tells_nothing(date: str) -> None:
    with Web({"/": (200, "{}")}, date) as web:
        management = ask(web)
        management.get("overview")
    assert management.skew is None
