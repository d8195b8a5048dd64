from __future__ import annotations

import pytest

from swarmage.bench.samples import Sample, in_bytes, medians, percentile, short
from swarmage.bench.throughput import count_of


def sample(value: float, limit: float | None, number: int = 0, **more: str) -> Sample:
    facts = {"question": "drain", "load": "100 B", "unit": "tasks/s", "by": "raw sockets", **more}
    return Sample(value=value, limit=limit, round=number, **facts)


def test_a_median_stands_beside_the_median_of_its_limits() -> None:
    (found,) = medians([sample(30, 40, 0), sample(10, 100, 1), sample(20, 80, 2)])
    assert (found.median, found.lowest, found.highest) == (20, 10, 30)
    assert (found.limit, found.by) == (80, "raw sockets")
    assert found.ratio == pytest.approx(0.25)


def test_what_has_no_limit_has_no_ratio() -> None:
    (found,) = medians([sample(3, None)])
    assert (found.limit, found.ratio) == (None, None)


def test_each_question_and_load_has_a_median_of_its_own_in_the_order_of_asking() -> None:
    found = medians([sample(1, 1), sample(2, 1, load="1 KB"), sample(3, 1, question="insert"), sample(5, 1, 1)])
    assert [(each.question, each.load, each.median) for each in found] == [
        ("drain", "100 B", 3),
        ("drain", "1 KB", 2),
        ("insert", "100 B", 3),
    ]


@pytest.mark.parametrize(("hundredth", "value"), [(50, 50), (95, 95), (99, 99), (100, 100), (1, 1)])
def test_a_percentile_is_a_value_that_was_measured(hundredth: int, value: float) -> None:
    assert percentile(reversed(range(1, 101)), hundredth) == value


def test_of_few_values_a_high_percentile_is_the_highest() -> None:
    assert percentile([3.0, 1.0, 2.0], 99) == 3.0
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,346"), (100, "100"), (99.94, "99.9"), (10, "10.0"), (0.5, "0.50")],
)
def test_a_number_has_as_many_digits_as_mean_something(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(("size", "text"), [(100, "100 B"), (1024, "1 KB"), (65_536, "64 KB")])
def test_bytes_are_written_for_people(size: int, text: str) -> None:
    assert in_bytes(size) == text


@pytest.mark.parametrize(("size", "tasks"), [(100, 10_000), (1024, 10_000), (65_536, 200), (4_000_000, 100)])
def test_of_large_tasks_there_are_fewer(size: int, tasks: int) -> None:
    assert count_of(10_000, size) == tasks
