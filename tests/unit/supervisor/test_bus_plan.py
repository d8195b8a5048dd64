from __future__ import annotations

from pathlib import Path

import pytest

from swarmage.errors import ConfigError
from swarmage.home import record_address
from swarmage.settings import DEFAULT_PORT, Address
from swarmage.supervisor.bus_plan import plan_bus


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
    plan = plan_bus(tmp_path, url="stomp://bob:word@localhost:8000", listen="[::1]:9000", data=tmp_path / "else")
    assert (plan.address.host, plan.address.login, plan.ports) == ("::1", "bob", (9000,))
    assert plan.data == str(tmp_path / "else")


@pytest.mark.parametrize("url", ["stomp://localhost", "stomp://ann@localhost", "http://ann:secret@localhost"])
def test_a_url_that_names_nobody_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError):
        plan_bus(tmp_path, url=url)


@pytest.mark.parametrize("listen", ["here", ":61613", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000"])
def test_listen_is_host_and_port(tmp_path: Path, listen: str) -> None:
    with pytest.raises(ConfigError):
        plan_bus(tmp_path, url=None, listen=listen)


def test_a_recorded_address_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("nonsense")
    with pytest.raises(ConfigError, match=str(tmp_path / "url")):
        plan_bus(tmp_path, url=None)
