from __future__ import annotations

import pytest

from swarmage.errors import RemoteError
from swarmage.remote.ref import RemoteRef

from ..fakes import SECONDS
from .conftest import Shown

pytestmark = pytest.mark.usefixtures("accounts")


def test_methods_and_attributes_are_futures_as_with_pykka(ref: RemoteRef, accounts: Shown) -> None:
    proxy, local = ref.proxy(), accounts.ref.proxy()
    assert proxy.add(3).get(timeout=SECONDS) == 3
    assert proxy.add(amount=2, times=2).get(timeout=SECONDS) == local.total.get(timeout=SECONDS) == 7
    assert proxy.total.get(timeout=SECONDS) == 7
    assert proxy.doubled.get(timeout=SECONDS) == 14


def test_an_attribute_is_set_before_the_line_is_over(ref: RemoteRef, accounts: Shown) -> None:
    proxy = ref.proxy()
    proxy.total = 20
    assert accounts.actor.total == 20
    with pytest.raises(RemoteError, match="AttributeError"):
        proxy.doubled = 1


def test_a_call_whose_future_is_dropped_is_made(ref: RemoteRef) -> None:
    proxy = ref.proxy()
    for _ in range(10):
        proxy.add(1)
    proxy.add.defer(5)
    assert proxy.total.get(timeout=SECONDS) == 15


def test_what_is_marked_as_traversable_is_looked_into_and_nothing_else(ref: RemoteRef) -> None:
    proxy = ref.proxy()
    assert proxy.inside.depth.get(timeout=SECONDS) == 7
    assert proxy.inside.double(4).get(timeout=SECONDS) == 8
    assert not hasattr(proxy.inside, "nothing")
    with pytest.raises(RemoteError, match=r"'hidden' is not marked with pykka.traversable"):
        ref.send("get", path=("hidden", "depth")).get(timeout=SECONDS)


@pytest.mark.parametrize("name", ["_secret", "__class__x", "_actor_loop"])
def test_a_private_name_is_refused_on_both_sides(ref: RemoteRef, accounts: Shown, name: str) -> None:
    with pytest.raises(AttributeError, match="is private: a remote reference reaches only"):
        getattr(ref.proxy(), name)
    with pytest.raises(AttributeError, match="is private"):
        setattr(ref.proxy(), name, 1)
    for request in (
        ref.send("get", path=(name,)),
        ref.send("set", 1, (name,)),
        ref.send("call", [[], {}], (name,)),
        ref.send("get", path=("inside", name)),
        ref.send("get", path=()),
    ):
        with pytest.raises(RemoteError, match=r"AttributeError: .* is private") as raised:
            request.get(timeout=SECONDS)
        assert "never" not in str(raised.value)
    assert accounts.actor._secret == "never"


def test_a_name_that_is_not_there_is_an_attribute_error(ref: RemoteRef, accounts: Shown) -> None:
    proxy = ref.proxy()
    with pytest.raises(AttributeError, match="the actor accounts has no attribute 'later'"):
        _ = proxy.later
    accounts.actor.later = 5  # type: ignore[attr-defined]
    assert proxy.later.get(timeout=SECONDS) == 5
    assert {"add", "total", "inside", "actor_ref"} <= set(dir(proxy))


def test_looking_runs_no_code_of_the_actor(ref: RemoteRef, accounts: Shown) -> None:
    held = ref.proxy().hold()
    assert accounts.actor.begun.wait(SECONDS)
    assert "doubled" in dir(ref.proxy())  # while its thread is busy
    accounts.actor.gate.set()
    held.get(timeout=SECONDS)


def test_proxies_of_the_same_are_equal(ref: RemoteRef) -> None:
    assert ref.proxy() == ref.proxy()
    assert len({ref.proxy(), ref.proxy()}) == 1
    assert ref.proxy().inside != ref.proxy()
    assert repr(ref.proxy()) == "<RemoteProxy of accounts>"
