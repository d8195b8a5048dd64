from __future__ import annotations

import pytest

from swarmage.bus.dialects import dialect_of
from swarmage.errors import BusRefused
from swarmage.wire.message import Message

PLAIN = Message("/queue/a", b"", "s")


def test_our_own_bus_is_known_by_its_server_header() -> None:
    assert dialect_of("swarmage/0.1.0").name == "embedded"
    assert dialect_of("swarmage").name == "embedded"


@pytest.mark.parametrize("server", ["", "RabbitMQ/4.0", "swarmagelike/1", "ActiveMQ/6"])
def test_another_bus_is_refused_with_the_way_out(server: str) -> None:
    with pytest.raises(BusRefused, match="swarmage up"):
        dialect_of(server)


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, ""),
        ({"persistent": False}, "persistent:false\n"),
        ({"delay": 1.5}, "delay:1500\n"),
        ({"delay": 0.0001}, "delay:1\n"),
        ({"priority": 0}, "priority:0\n"),
        ({"priority": 9}, "priority:9\n"),
        ({"expires": 2.0}, "expires:102000\n"),
    ],
)
def test_what_a_message_asks_for_is_said_in_headers(changes: dict[str, float], lines: str) -> None:
    assert dialect_of("swarmage").send_headers(PLAIN._replace(**changes), 100.0) == lines  # type: ignore[arg-type]


def test_prefetch_and_handing_back_are_said_in_the_words_of_our_bus() -> None:
    dialect = dialect_of("swarmage")
    assert dialect.subscribe_headers(7) == {"prefetch-count": "7"}
    assert dialect.subscribe_headers(7, exclusive=True) == {"prefetch-count": "7", "exclusive": "true"}
    assert dialect.give_back("m1") == b"NACK\nid:m1\ncount:false\n\n\0"
