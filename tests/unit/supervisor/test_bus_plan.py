from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from swarmage.errors import ConfigError
from swarmage.home import CA_KEY, CERTIFICATE, CERTIFICATE_KEY, USERS, record_address
from swarmage.settings import DEFAULT_PORT, Address
from swarmage.supervisor.bus_plan import Listening, plan_bus


def test_the_first_start_makes_a_user_and_takes_the_usual_port_or_any(tmp_path: Path) -> None:
    plan = plan_bus(tmp_path, url=None)
    assert plan.address.login == "swarm"
    assert len(plan.address.passcode) > 30
    assert plan.ports == (DEFAULT_PORT, DEFAULT_PORT, 0)
    assert plan.data == str(tmp_path / "bus")


def test_a_later_start_takes_the_recorded_user_and_port(tmp_path: Path) -> None:
    record_address(tmp_path, Address(host="127.0.0.1", port=7000, login="ann", passcode="secret"))
    plan = plan_bus(tmp_path, url=None)
    assert (plan.address.login, plan.address.passcode) == ("ann", "secret")
    assert plan.ports == (7000, DEFAULT_PORT, 0)


def test_a_url_names_the_user_and_the_one_port(tmp_path: Path) -> None:
    record_address(tmp_path, Address(port=7000, login="ann", passcode="secret"))
    plan = plan_bus(tmp_path, url="stomp://bob:word@localhost:8000")
    assert (plan.address.host, plan.address.login, plan.address.passcode) == ("localhost", "bob", "word")
    assert plan.ports == (8000,)


def test_listen_is_stronger_than_the_url(tmp_path: Path) -> None:
    plan = plan_bus(
        tmp_path, url="stomp://bob:word@localhost:8000", listening=Listening(at="[::1]:9000"), data=tmp_path / "else"
    )
    assert (plan.address.host, plan.address.login, plan.ports) == ("::1", "bob", (9000,))
    assert plan.data == str(tmp_path / "else")


@pytest.mark.parametrize("url", ["stomp://localhost", "stomp://ann@localhost", "http://ann:secret@localhost"])
def test_a_url_that_names_nobody_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError):
        plan_bus(tmp_path, url=url)


@pytest.mark.parametrize("listen", ["here", ":61613", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000"])
def test_listen_is_host_and_port(tmp_path: Path, listen: str) -> None:
    with pytest.raises(ConfigError):
        plan_bus(tmp_path, url=None, listening=Listening(at=listen))


def test_a_recorded_address_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("nonsense")
    with pytest.raises(ConfigError, match=str(tmp_path / "url")):
        plan_bus(tmp_path, url=None)


@pytest.mark.parametrize("tls", [True, False])
def test_a_bus_for_other_machines_is_reached_here_by_this_ones_own_address(
    tmp_path: Path, certified: Path, *, tls: bool
) -> None:
    listening = Listening(at="0.0.0.0:9000", tls=tls, cert=certified / CERTIFICATE, key=certified / CERTIFICATE_KEY)
    plan = plan_bus(tmp_path, url=None, listening=listening)
    assert (plan.host, plan.address.host, plan.address.tls) == ("0.0.0.0", "127.0.0.1", True)
    assert (plan.cert, plan.key) == (str(certified / CERTIFICATE), str(certified / CERTIFICATE_KEY))
    listening = replace(listening, at="[::]:9000")
    assert plan_bus(tmp_path, url=None, listening=listening).address.host == "::1"


def test_tls_takes_the_certificate_of_the_home(certified: Path) -> None:
    plan = plan_bus(certified, url=None, listening=Listening(tls=True))
    assert plan.cert == str(certified / CERTIFICATE)
    assert (plan.address.tls, plan.host, plan.users) == (True, "127.0.0.1", str(certified / USERS))


def test_a_url_may_ask_for_tls(certified: Path) -> None:
    assert plan_bus(certified, url="stomps://bob:word@bus.example:8000").address.tls
    assert plan_bus(certified, url="stomps://bob:word@bus.example:8000").host == "bus.example"


def test_a_start_without_tls_forgets_a_recorded_one(tmp_path: Path) -> None:
    record_address(tmp_path, Address(port=7000, login="ann", passcode="secret", tls=True))
    plan = plan_bus(tmp_path, url=None)
    assert (plan.address.tls, plan.cert) == (False, "")


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1", "bus.example", "[2001:db8::1]"])
@pytest.mark.parametrize("command", ["bus", "up"])
def test_without_tls_other_machines_stay_out_and_the_way_to_open_is_told(
    tmp_path: Path, certified: Path, host: str, command: str
) -> None:
    listening = Listening(command=command, at=f"{host}:9000")
    with pytest.raises(ConfigError) as caught:
        plan_bus(tmp_path, url=None, listening=listening)
    name = socket.gethostname() if host in {"0.0.0.0", "[::]"} else host.strip("[]")
    start = f"swarmage {command} --listen {host}:9000 --tls"
    assert str(caught.value).endswith(f"run: swarmage keys tls {name} && {start}")
    with pytest.raises(ConfigError, match="run: swarmage " + command):
        plan_bus(certified, url=None, listening=listening)


def test_tls_without_a_certificate_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"run: swarmage keys tls bus\.example"):
        plan_bus(tmp_path, url=None, listening=Listening(at="bus.example:9000", tls=True))


def test_a_certificate_without_its_key_is_refused(certified: Path) -> None:
    for listening in (Listening(cert=certified / CERTIFICATE), Listening(tls=True, key=certified / CERTIFICATE_KEY)):
        with pytest.raises(ConfigError, match="--cert and --key"):
            plan_bus(certified, url=None, listening=listening)


def test_a_key_of_another_certificate_is_refused_before_anything_starts(certified: Path) -> None:
    with pytest.raises(ConfigError, match=CA_KEY):
        plan_bus(certified, url=None, listening=Listening(cert=certified / CERTIFICATE, key=certified / CA_KEY))
