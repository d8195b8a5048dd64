from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from swarmage.errors import ConfigError
from swarmage.settings import DEFAULT_PORT, Address

from .seeds import random_inputs

NAME = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), min_size=1, max_size=20)


def test_a_whole_url_is_read() -> None:
    address = Address.parse("stomp://ann:s3%2Fcret@bus.example:4000/north")
    assert address == Address(host="bus.example", port=4000, login="ann", passcode="s3/cret", vhost="north")


def test_what_a_url_leaves_out_has_defaults() -> None:
    assert Address.parse("stomp://bus") == Address(host="bus", port=DEFAULT_PORT, login="", passcode="", vhost="/")
    assert DEFAULT_PORT == 61613


def test_stomps_is_tls() -> None:
    address = Address.parse("stomps://ann:s3cret@bus")
    assert address == Address(host="bus", login="ann", passcode="s3cret", tls=True)
    assert (address.url, str(address)) == ("stomps://ann:s3cret@bus:61613", "stomps://ann:***@bus:61613")


def test_port_zero_is_a_port() -> None:
    assert Address.parse("stomp://bus:0").port == 0


@random_inputs(login=NAME, passcode=NAME, vhost=NAME, port=st.integers(0, 65535))
def test_every_address_survives_its_url(login: str, passcode: str, vhost: str, port: int) -> None:
    address = Address(host="bus", port=port, login=login, passcode=passcode, vhost=vhost)
    assert Address.parse(address.url) == address


def test_an_ipv6_host_survives_its_url() -> None:
    assert Address.parse(Address(host="::1", port=1).url) == Address(host="::1", port=1)


def test_the_passcode_is_printed_nowhere() -> None:
    address = Address(login="ann", passcode="s3cret")
    assert "s3cret" not in str(address) + repr(address) + f"{address}"
    assert "s3cret" in address.url
    assert str(address) == "stomp://ann:***@127.0.0.1:61613"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://bus", "http"),
        ("bus:61613", "stomp"),
        ("", "nothing"),
        ("stomp://", "no host"),
        ("stomp://:61613", "no host"),
        ("stomp://bus:abc", "cannot be read"),
        ("stomp://bus:65536", "cannot be read"),
        ("stomp://[::1", "cannot be read"),
    ],
)
def test_a_url_that_is_none_is_refused_in_words(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Address.parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "stomp://ann:s3cret@bus:abc",
        "http://ann:s3cret@bus",
        "https://ann:s3cret@bus",
        "stomp://ann:s3cret@",
        "stomp://ann:s3cret/more@bus",
        "stomp://ann:s3cret#more@bus",
        "stomp://ann:s3cret?more@bus",
    ],
)
def test_no_refusal_repeats_the_passcode(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Address.parse(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "bad", "says"),
    [("host", "", "no host"), ("port", -1, "-1"), ("port", 65536, "65536")],
)
def test_an_address_is_checked_when_it_is_built(field: str, bad: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Address(**{field: bad})


@pytest.mark.parametrize("field", ["login", "passcode"])
@pytest.mark.parametrize("end", ["\n", "\0"])
def test_a_login_that_would_end_its_header_is_refused(field: str, end: str) -> None:
    with pytest.raises(ConfigError, match=field):
        Address(**{field: f"a{end}b"})


def test_several_machines_and_options_survive_the_url() -> None:
    url = "stomp://ann:p%40s@one:61613,[::1]:7,three/v%2F1?queues=classic&dialect=rabbitmq"
    address = Address.parse(url)
    assert (address.host, address.port, address.others) == ("one", 61613, (("::1", 7), ("three", 61613)))
    assert (address.passcode, address.vhost) == ("p@s", "v/1")
    assert (address.queues, address.dialect) == ("classic", "rabbitmq")
    assert Address.parse(address.url) == address
    assert "p%40s" not in str(address)
    assert "three:61613" in str(address)


def test_seconds_survive_the_url_and_those_that_are_usual_are_left_out() -> None:
    address = Address.parse("stomp://one?heartbeat=0.5&silence=0&queues=classic")
    assert (address.heartbeat, address.silence) == (0.5, 0)
    assert Address.parse(address.url) == address
    assert str(address) == "stomp://one:61613?queues=classic&heartbeat=0.5&silence=0"
    usual = Address.parse("stomp://one?heartbeat=4")
    assert (usual.heartbeat, usual.silence, usual.url) == (4, 60, "stomp://one:61613")


def test_a_management_url_survives_the_url() -> None:
    address = Address.parse("stomp://one?management=https://[::1]:15671/mq%20api&queues=classic")
    assert address.management == "https://[::1]:15671/mq api"
    assert Address.parse(address.url) == address


def test_a_management_url_with_a_passcode_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        Address.parse("stomp://one?management=http://ann:s3cret@two")
    assert "s3cret" not in str(caught.value)


def test_its_machines_are_counted_round_and_round() -> None:
    address = Address.parse("stomp://one,two:7/v?queues=quorum")
    assert [address.machine(number).host for number in range(4)] == ["one", "two", "one", "two"]
    assert address.machine(1) == Address.parse("stomp://two:7/v?queues=quorum")
    alone = Address.parse("stomp://one")
    assert alone.machine(3) is alone


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("stomp://a:b@one,,two", "between two commas"),
        ("stomp://one:1,two:99999", "cannot be read"),
        ("stomp://one?queues=lazy", "queues=quorum or queues=classic"),
        ("stomp://one?queue=classic", "'queue'; there is queues, dialect, management, heartbeat, silence, ahead"),
        ("stomp://one?dialect=", "cannot be empty"),
        ("stomp://one?heartbeat=soon", "heartbeat=soon, which is no number of seconds"),
        ("stomp://one?heartbeat=0", "heartbeat=0; it is in seconds, from 0.1 to 60"),
        ("stomp://one?silence=-1", "silence=-1; it is in seconds, from 0 to 86400"),
        ("stomp://one?silence=nan", "silence=nan; it is in seconds"),
        ("stomp://one?ahead=2000", "ahead=2000; it is in tasks, from 0 to 1000"),
        ("stomp://one?ahead=1.5", "ahead=1.5, which is no number of tasks"),
        ("stomp://one?management=ftp://two", "not like http://host:15672"),
        ("stomp://one?management=two:15672", "not like http://host:15672"),
        ("stomp://one?management=http://two:x", "not like http://host:15672"),
        ("stomp://one?management=http://ann:s3cret@two", "the login there is that of the bus"),
    ],
)
def test_machines_and_options_that_are_none_are_refused_in_words(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Address.parse(url)
