from __future__ import annotations

from swarmage.client.parts import Parts

from ..seeds import rng


def test_copies_are_dropped_and_early_ones_wait() -> None:
    parts = Parts()
    assert parts.take(("", 2), "b") == []
    assert parts.take(("", 1), "a") == ["a", "b"]
    assert parts.take(("", 1), "a") == []
    assert parts.take(("", 2), "b") == []
    assert parts.take(("1", 1), "of a local task") == ["of a local task"]


def test_what_has_no_place_is_taken_as_it_comes() -> None:
    parts = Parts()
    assert [parts.take(None, value) for value in "aa"] == [["a"], ["a"]]


def test_at_the_end_nothing_is_held_back() -> None:
    parts = Parts()
    assert parts.take(("", 3), "c") == parts.take(("", 2), "b") == []
    assert parts.rest() == ["b", "c"]
    assert parts.rest() == []


def test_whatever_comes_early_late_or_twice_is_returned_once_and_in_order() -> None:
    random = rng()
    for _ in range(200):
        many = random.randrange(1, 30)
        coming = [number for number in range(1, many + 1) for _ in range(random.randrange(1, 4))]
        random.shuffle(coming)
        parts = Parts()
        heard = [value for number in coming for value in parts.take(("", number), number)]
        assert heard == list(range(1, many + 1))
