from __future__ import annotations

from swarmage.bus.backoff import LONGEST_RETRY, OPEN_SECONDS, Backoff

from ..fakes import FakeClock


def test_waits_double_until_a_connection_has_lasted() -> None:
    clock = FakeClock()
    backoff = Backoff(clock)
    waits = []
    for _ in range(8):
        backoff.begin()
        waits.append(backoff.next())
    assert 0.05 <= waits[0] <= 0.1
    assert LONGEST_RETRY / 2 <= waits[-1] <= LONGEST_RETRY
    backoff.begin()
    clock.now += 5.1
    assert backoff.next() <= 0.1


def test_the_only_machine_has_all_the_time() -> None:
    assert Backoff(FakeClock()).patience(1) == OPEN_SECONDS


def test_of_several_machines_none_has_long_in_the_first_round_and_each_more_in_the_next() -> None:
    backoff = Backoff(FakeClock())
    given = []
    for _ in range(12):
        backoff.begin()
        given.append(backoff.patience(3))
        backoff.next()
    assert given == [1.0] * 3 + [2.0] * 3 + [4.0] * 3 + [OPEN_SECONDS] * 3
    backoff.connected()
    assert backoff.patience(3) == 1.0
    for _ in range(10_000):
        backoff.next()
    assert backoff.patience(2) == OPEN_SECONDS
