from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from swarmage.errors import ConfigError
from swarmage.settings import Address
from swarmage.testing.fault_proxy import FaultProxy
from swarmage.testing.faults import Fault, Passage

from ..fakes import SECONDS


class Pair:
    """Both ends of one connection through a proxy."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.near, self.far = near, far
        for sock in (near, far):
            sock.settimeout(SECONDS)

    def close(self) -> None:
        self.near.close()
        self.far.close()


class Network:
    """A proxy, and what listens behind it."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(SECONDS)
        self.proxy = FaultProxy(f"stomp://ann:s3cret@127.0.0.1:{self.listener.getsockname()[1]}/shop")
        self.pairs: list[Pair] = []

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.proxy.port), SECONDS)

    def pair(self) -> Pair:
        before = self.proxy.accepted
        near = self.connect()
        self.pairs.append(Pair(near, self.listener.accept()[0]))
        assert self.proxy.wait(lambda proxy: proxy.accepted > before, SECONDS)
        return self.pairs[-1]

    def close(self) -> None:
        self.proxy.stop()
        self.listener.close()
        for pair in self.pairs:
            pair.close()


@pytest.fixture
def network() -> Iterator[Network]:
    here = Network()
    here.proxy.start()
    yield here
    here.close()


def exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        assert more, f"it ended after {data!r}"
        data += more
    return data


def reads(sock: socket.socket, size: int) -> list[bytes]:
    """Return what each read brings, until so many bytes have come."""
    found: list[bytes] = []
    while sum(map(len, found)) < size:
        found.append(sock.recv(size))
        assert found[-1]
    return found


def nothing_comes(sock: socket.socket, seconds: float) -> bool:
    sock.settimeout(seconds)
    try:
        return sock.recv(1) is None
    except TimeoutError:
        return True
    finally:
        sock.settimeout(SECONDS)


def test_its_url_is_that_of_the_bus_at_another_place(network: Network) -> None:
    here = Address.parse(network.proxy.url)
    assert (here.host, here.port) == ("127.0.0.1", network.proxy.port)
    assert (here.login, here.passcode, here.vhost) == ("ann", "s3cret", "shop")


def test_without_a_fault_everything_passes_both_ways_and_so_does_the_end(network: Network) -> None:
    pair = network.pair()
    large = bytes(range(256)) * 20_000
    sending = threading.Thread(target=pair.near.sendall, args=(large,))
    sending.start()
    assert exactly(pair.far, len(large)) == large
    sending.join(SECONDS)
    pair.far.sendall(b"back")
    assert exactly(pair.near, 4) == b"back"
    pair.near.shutdown(socket.SHUT_WR)
    assert pair.far.recv(1) == b""
    pair.far.sendall(b"still")
    assert exactly(pair.near, 5) == b"still"
    pair.far.close()
    assert pair.near.recv(1) == b""
    assert network.proxy.wait(lambda proxy: not proxy.passages, SECONDS)


def test_a_delay_is_for_each_byte_and_not_one_after_the_other(network: Network) -> None:
    network.proxy.set(up=Fault(delay=0.2))
    pair = network.pair()
    began = time.monotonic()
    for number in range(20):
        pair.near.sendall(bytes([number]))
    assert exactly(pair.far, 20) == bytes(range(20))
    assert 0.2 <= time.monotonic() - began < 20 * 0.2
    pair.far.sendall(b"at once")
    assert exactly(pair.near, 7) == b"at once"


def test_no_more_bytes_pass_in_a_second_than_are_allowed(network: Network) -> None:
    network.proxy.set(down=Fault(bytes_per_second=10_000))
    pair = network.pair()
    began = time.monotonic()
    pair.far.sendall(b"x" * 4000)
    assert exactly(pair.near, 4000) == b"x" * 4000
    assert time.monotonic() - began > 0.3


def test_it_dribbles(network: Network) -> None:
    network.proxy.set(up=Fault(piece=3, pause=0.02))
    pair = network.pair()
    pair.near.sendall(b"abcdefgh")
    assert max(map(len, reads(pair.far, 8))) <= 3


@pytest.mark.parametrize("place", range(1, 8))
def test_it_splits_where_it_is_told_to(network: Network, place: int) -> None:
    network.proxy.set(up=Fault(split_at=(place,), pause=0.02))
    pair = network.pair()
    pair.near.sendall(b"abcdefgh")
    assert reads(pair.far, 8) == [b"abcdefgh"[:place], b"abcdefgh"[place:]]


def test_it_cuts_before_the_first_byte(network: Network) -> None:
    network.proxy.next(up=Fault(cut_after=0))
    with pytest.raises(ConnectionResetError), network.connect() as near:  # it may not even get as far as a connection
        near.recv(1)
    with network.listener.accept()[0] as far, pytest.raises(ConnectionResetError):
        far.recv(1)


@pytest.mark.parametrize("place", [1, 5])
def test_it_cuts_after_so_many_bytes_with_a_reset_on_both_sides(network: Network, place: int) -> None:
    network.proxy.next(up=Fault(cut_after=place))
    cut, whole = network.pair(), network.pair()
    cut.near.sendall(b"abcde")
    assert exactly(cut.far, place) == b"abcde"[:place]
    for end in (cut.far, cut.near):
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    whole.near.sendall(b"abcde")  # only the next one had it
    assert exactly(whole.far, 5) == b"abcde"


def test_a_reset_ends_all_connections_or_one(network: Network) -> None:
    one, two, three = network.pair(), network.pair(), network.pair()
    network.proxy.reset(network.proxy.passages[1])
    for end in (two.near, two.far):
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    one.near.sendall(b"a")
    assert exactly(one.far, 1) == b"a"
    network.proxy.reset()
    for end in (one.near, one.far, three.near, three.far):
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    assert network.proxy.wait(lambda proxy: not proxy.passages, SECONDS)


def test_who_resets_on_one_side_resets_the_other(network: Network) -> None:
    pair = network.pair()
    pair.near.sendall(b"unread")
    assert network.proxy.wait(lambda proxy: proxy.passages[0].up.passed == 6, SECONDS)
    pair.far.close()  # with something unread, so it is a reset
    with pytest.raises(ConnectionResetError):
        pair.near.recv(1)


def test_what_stalls_goes_on_and_nothing_is_missing(network: Network) -> None:
    pair = network.pair()
    network.proxy.set(up=Fault(stall=True))
    pair.near.sendall(b"abc")
    pair.near.shutdown(socket.SHUT_WR)
    assert nothing_comes(pair.far, 0.1)
    network.proxy.mend()
    assert exactly(pair.far, 3) == b"abc"
    assert pair.far.recv(1) == b""


def test_a_black_hole_takes_everything_and_tells_nobody_for_good(network: Network) -> None:
    pair = network.pair()
    network.proxy.set(up=Fault(black_hole=True), down=Fault(black_hole=True))
    pair.near.sendall(b"abc")
    pair.far.sendall(b"abc")
    assert network.proxy.wait(lambda proxy: _swallowed(proxy.passages[0]) == (3, 3), SECONDS)
    new = network.connect()
    new.sendall(b"abc")
    network.proxy.mend()
    pair.near.sendall(b"def")
    pair.near.close()
    assert network.proxy.wait(lambda proxy: _swallowed(proxy.passages[0])[0] == 6, SECONDS)
    assert nothing_comes(pair.far, 0.1)
    assert nothing_comes(new, 0.1)
    new.close()
    after = network.pair()  # the new one has not come here
    after.near.sendall(b"abc")
    assert exactly(after.far, 3) == b"abc"


def _swallowed(passage: Passage) -> tuple[int, int]:
    return passage.up.swallowed, passage.down.swallowed


def test_one_direction_of_one_connection_can_have_a_fault_of_its_own(network: Network) -> None:
    one, two = network.pair(), network.pair()
    network.proxy.set(down=Fault(stall=True), only=network.proxy.passages[0])
    one.near.sendall(b"up")
    one.far.sendall(b"down")
    two.far.sendall(b"down")
    assert exactly(one.far, 2) == b"up"
    assert exactly(two.near, 4) == b"down"
    assert nothing_comes(one.near, 0.1)


def test_what_passes_can_be_changed(network: Network) -> None:
    network.proxy.set(up=Fault(change=bytes.upper))
    pair = network.pair()
    pair.near.sendall(b"abc")
    assert exactly(pair.far, 3) == b"ABC"


def test_new_connections_are_refused_while_old_ones_live(network: Network) -> None:
    pair = network.pair()
    network.proxy.refuse()
    network.proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        network.connect()
    pair.near.sendall(b"abc")
    assert exactly(pair.far, 3) == b"abc"
    network.proxy.mend()
    again = network.pair()
    again.near.sendall(b"abc")
    assert exactly(again.far, 3) == b"abc"
    assert network.proxy.accepted == 2


def test_without_a_bus_behind_it_a_connection_ends_at_once(network: Network) -> None:
    network.listener.close()
    with network.connect() as near:
        assert near.recv(1) == b""


def test_its_end_ends_everything_and_it_is_said_when_it_is_used_then(network: Network) -> None:
    pair = network.pair()
    network.proxy.set(up=Fault(stall=True))
    pair.near.sendall(b"abc")
    network.proxy.stop()
    network.proxy.stop()
    assert pair.far.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        network.connect()
    with pytest.raises(ConfigError, match="not running"):
        network.proxy.reset()
    with pytest.raises(ConfigError, match="was stopped"):
        network.proxy.start()
    assert "fault proxy" not in [thread.name for thread in threading.enumerate()]
