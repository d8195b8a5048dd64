from __future__ import annotations

import pytest

from swarmage.bus import frames
from swarmage.bus.bus import Bus
from swarmage.bus.dialects import artemis, dialect_of
from swarmage.bus.dialects.rabbitmq import STEP, rung
from swarmage.errors import BusRefused, ConfigError, NotEncodable
from swarmage.settings import Address
from swarmage.wire.message import Message

PLAIN = Message("/queue/a", b"", "s")
HERE = Address()


def test_our_own_bus_is_known_by_its_server_header() -> None:
    assert dialect_of("swarmage/0.1.0", HERE).name == "embedded"
    assert dialect_of("swarmage", HERE).name == "embedded"


def test_the_others_are_known_by_theirs_or_by_the_url() -> None:
    assert dialect_of("RabbitMQ/3.10.8", HERE).name == "RabbitMQ"
    assert dialect_of("ActiveMQ/5.17.2", HERE).name == "ActiveMQ"
    assert dialect_of("ActiveMQ-Artemis/2.31.0 ActiveMQ Artemis Messaging Engine", HERE).name == "ActiveMQ Artemis"
    assert dialect_of("what it likes", Address(dialect="artemis")).name == "ActiveMQ Artemis"
    assert dialect_of("what it likes", Address(dialect="rabbitmq")).name == "RabbitMQ"


@pytest.mark.parametrize("server", ["", "rabbitmq", "swarmagelike/1", "ActiveMQ-Other/1"])
def test_another_bus_is_refused_with_the_way_out(server: str) -> None:
    with pytest.raises(BusRefused, match="swarmage up"):
        dialect_of(server, HERE)


@pytest.mark.parametrize("server", ["swarmage/1", "ActiveMQ/5", "ActiveMQ-Artemis/2"])
def test_an_option_of_another_bus_is_refused(server: str) -> None:
    with pytest.raises(BusRefused, match=r"\?queues=classic"):
        dialect_of(server, Address(queues="classic"))
    with pytest.raises(BusRefused, match=r"\?management=http://one"):
        dialect_of(server, Address(management="http://one"))


def test_only_buses_of_others_are_told_how_many_tasks_to_bring_ahead() -> None:
    with pytest.raises(BusRefused, match=r"\?ahead=5 .* leave it out"):
        dialect_of("swarmage/1", Address(ahead=5))
    assert dialect_of("RabbitMQ/3", Address(ahead=5)).name == "RabbitMQ"


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
    head = "destination:/queue/a\nsignature:s\n"
    assert dialect_of("swarmage", HERE).send(PLAIN._replace(**changes), 100.0) == head + lines  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"persistent": False}, ""),
        ({"delay": 1.5}, "persistent:true\nAMQ_SCHEDULED_DELAY:1500\n"),
        ({"priority": 9}, "persistent:true\npriority:9\n"),
        ({"expires": 2.0}, "persistent:true\nexpires:102000\n"),
    ],
)
def test_activemq_has_words_of_its_own(changes: dict[str, float], lines: str) -> None:
    head = "destination:/queue/a\nsignature:s\n"
    assert dialect_of("ActiveMQ/5", HERE).send(PLAIN._replace(**changes), 100.0) == head + lines  # type: ignore[arg-type]


def test_prefetch_and_handing_back_are_said_in_the_words_of_our_bus() -> None:
    dialect = dialect_of("swarmage", HERE)
    assert dialect.subscribe("/queue/a", 7) == {"prefetch-count": "7"}
    assert dialect.subscribe("/queue/a", 7, exclusive=True) == {"prefetch-count": "7", "exclusive": "true"}
    assert dialect.give_back("m1") == b"NACK\nid:m1\ncount:false\n\n\0"


ARTEMIS = "ActiveMQ-Artemis/2.31.0"


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, "persistent:true\ndestination-type:ANYCAST\n"),
        ({"persistent": False}, "destination-type:ANYCAST\npersistent:false\n"),
        ({"delay": 1.5}, "persistent:true\nAMQ_SCHEDULED_DELAY:1500\ndestination-type:ANYCAST\n"),
        ({"priority": 9}, "persistent:true\npriority:9\ndestination-type:ANYCAST\n"),
        ({"expires": 2.0}, "persistent:true\nexpires:102000\ndestination-type:ANYCAST\n"),
    ],
)
def test_artemis_is_told_what_a_destination_is_and_what_it_need_not_keep(changes: dict[str, float], lines: str) -> None:
    head = "destination:/queue/a\nsignature:s\n"
    assert dialect_of(ARTEMIS, HERE).send(PLAIN._replace(**changes), 100.0) == head + lines  # type: ignore[arg-type]
    topic = dialect_of(ARTEMIS, HERE).send(PLAIN._replace(destination="/topic/a"), 100.0)
    assert "destination-type:MULTICAST\n" in topic


@pytest.mark.parametrize(("prefetch", "window"), [(1, "0"), (2, "4096"), (8, "16384"), (1000, "-1"), (30_000, "-1")])
def test_artemis_counts_a_prefetch_in_bytes(prefetch: int, window: str) -> None:
    dialect = dialect_of(ARTEMIS, HERE)
    assert dialect.subscribe("/queue/a", prefetch) == {
        "subscription-type": "ANYCAST",
        "consumer-window-size": window,
    }
    assert dialect.subscribe("/topic/a", prefetch)["subscription-type"] == "MULTICAST"


@pytest.mark.parametrize(
    ("destination", "whole"),
    [
        ("/queue/swarmage.task.a", "/queue/swarmage.task.a"),
        ("swarmage.task.a", "/queue/swarmage.task.a"),
        ("swarmage.control", "/topic/swarmage.control"),
    ],
)
def test_what_a_prefix_of_artemis_has_cut_off_is_written_back_for_the_signature(destination: str, whole: str) -> None:
    headers = {"destination": destination}
    translate = dialect_of(ARTEMIS, HERE).translate
    assert translate is not None
    translate(headers)
    assert headers["destination"] == whole


def test_artemis_promises_nothing_that_its_documentation_does_not() -> None:
    dialect = dialect_of(ARTEMIS, HERE)
    assert not any((dialect.atomic, dialect.gives_back, dialect.counts, dialect.confirms_in_order, dialect.browses))
    assert not any((dialect.keeps_keys, dialect.exclusive, dialect.figures))


def test_that_artemis_is_not_tested_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    artemis._warn.cache_clear()
    dialect_of(ARTEMIS, HERE)
    dialect_of(ARTEMIS, HERE)
    assert caplog.text.count("not tested") == 1


@pytest.mark.parametrize("server", ["RabbitMQ/3.10.8", "ActiveMQ/5.17.2", ARTEMIS])
def test_a_task_for_a_key_is_refused_where_keys_are_not_kept_together(server: str) -> None:
    check = dialect_of(server, HERE).check
    assert check is not None
    check(PLAIN)
    with pytest.raises(ConfigError, match=r"KeyedWorker needs swarmage's own bus"):
        check(PLAIN._replace(group="g"))


TASK = Message("/queue/swarmage.task.a", b"{}", "s")


def headers_of(bus: Bus, message: Message) -> list[frames.Frame]:
    return frames.FrameReader().feed(bus.send_frame(message))


def rabbitmq(queues: str = "") -> Bus:
    bus = Bus(Address())
    bus.dialect = dialect_of("RabbitMQ/3.10.8", Address(queues=queues))
    return bus


def test_rabbitmq_has_every_queue_declared_alike_by_who_sends_and_who_subscribes() -> None:
    for queues in ("quorum", "classic"):
        bus = rabbitmq(queues)
        for name in ("task.a", "dead", "state", "reply.x", "reply.status.x"):
            destination = f"/queue/swarmage.{name}"
            [sent] = headers_of(bus, TASK._replace(destination=destination))
            taken = bus.dialect.subscribe(destination, 3)
            named = {"durable", "auto-delete"}
            of_sent = {key: value for key, value in sent.headers.items() if key in named or key[:2] == "x-"}
            of_taken = {key: value for key, value in taken.items() if key in named or key[:2] == "x-"}
            of_taken.pop("x-stream-offset", None)
            assert of_sent == of_taken
            assert of_sent["durable"] == "true"


def test_a_delay_on_rabbitmq_is_a_queue_for_a_day_whose_messages_expire_into_their_own() -> None:
    bus = rabbitmq()
    begin, declaring, abort, held = headers_of(bus, TASK._replace(delay=1.5))
    assert (begin.command, declaring.command, abort.command) == ("BEGIN", "SEND", "ABORT")
    assert declaring.headers["destination"] == TASK.destination
    assert "transaction" in declaring.headers
    wait = int(held.headers["x-message-ttl"])
    assert 1500 <= wait <= 1650
    day = int(bus._clock.wall() // 86400)
    assert held.headers["destination"] in {f"/queue/swarmage.delay.{wait}.{d}.task.a" for d in (day - 1, day, day + 1)}
    assert held.headers["x-dead-letter-routing-key"] == "swarmage.task.a"
    assert int(held.headers["x-expires"]) >= wait + 86400 * 1000
    assert held.body == b"{}"


def test_a_rung_is_never_early_and_at_most_a_tenth_late() -> None:
    for wanted in (*range(1, 3000), 3_600_000, 86_400_000, 315_360_000_000):
        assert wanted <= rung(wanted / 1000) <= wanted * STEP + 1
    assert len({rung(ms / 1000) for ms in range(1, 100_000)}) < 130


def test_quorum_queues_take_no_priority_and_no_bus_too_large_a_message() -> None:
    with pytest.raises(ConfigError, match=r"\?queues=classic"):
        rabbitmq().check([TASK._replace(priority=3)])
    rabbitmq("classic").check([TASK._replace(priority=3)])
    with pytest.raises(NotEncodable, match="too large"):
        rabbitmq().check([TASK, TASK._replace(body=bytes(4 * 1024 * 1024))])


@pytest.mark.parametrize(
    ("server", "queues", "headers", "count"),
    [
        ("RabbitMQ/3", "", {"redelivered": "true", "x-delivery-count": "4"}, "4"),
        ("RabbitMQ/3", "", {"redelivered": "false"}, None),
        ("RabbitMQ/3", "classic", {"redelivered": "true"}, "1"),
        ("ActiveMQ/5", "", {"redelivered": "true"}, "1"),
        ("ActiveMQ/5", "", {}, None),
        (ARTEMIS, "", {"redelivered": "true"}, "1"),
        (ARTEMIS, "", {"redelivered": "false"}, None),
    ],
)
def test_how_often_it_came_before_is_said_as_on_our_bus(
    server: str, queues: str, headers: dict[str, str], count: str | None
) -> None:
    translate = dialect_of(server, Address(queues=queues)).translate
    assert translate is not None
    translate(headers)
    assert headers.get("delivery-count") == count


def test_a_queue_that_was_declared_otherwise_is_explained() -> None:
    text = "precondition_failed: PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q'"
    explained, passing = rabbitmq().dialect.explain(text)
    assert "declared otherwise" in explained
    assert not passing
    assert rabbitmq().dialect.explain("connection_forced: broker forced connection closure")[1]
