"""The plan of a run: the same for the same seed, and with all the faults it was asked for."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from swarmage.chaos.faults import FAULTS, choose
from swarmage.chaos.kinds import ILL, KINDS
from swarmage.chaos.plan import make_plan
from swarmage.errors import ConfigError
from tests.unit.seeds import SEED

ALL = tuple(FAULTS)
ACCEPTANCE = Path(__file__).parents[2] / "acceptance" / "test_chaos.py"
PAGE = Path(__file__).parents[3] / "docs" / "reliability.md"


def test_a_seed_makes_the_same_plan_again() -> None:
    print(f"SWARMAGE_SEED={SEED}")
    assert make_plan(SEED, 500, ALL, keyed=True) == make_plan(SEED, 500, ALL, keyed=True)
    assert make_plan(SEED, 500, ALL, keyed=True) != make_plan(SEED + 1, 500, ALL, keyed=True)


def test_a_plan_has_tasks_of_every_kind_and_strikes_in_order() -> None:
    plan = make_plan(1, 10_000, ALL, keyed=True)
    assert len(plan.tasks) == 10_000
    assert {task.kind for task in plan.tasks} == set(KINDS)
    moments = [strike.moment for strike in plan.strikes]
    assert moments == sorted(moments)
    assert max(moments) <= 9_000  # or it would strike when all is done


def test_over_some_seeds_every_fault_strikes_alone_and_with_others() -> None:
    widths: dict[str, set[bool]] = {name: set() for name in FAULTS if name not in ILL}
    for seed in range(30):
        for strike in make_plan(seed, 10_000, ALL, keyed=True).strikes:
            for name in strike.faults:
                widths[name].add(len(strike.faults) > 1)
    assert all(both == {True, False} for both in widths.values())


FIXED = {
    name: ast.literal_eval(value)
    for name, value in re.findall(r"^(TASKS|FIXED) = (.*)$", ACCEPTANCE.read_text(encoding="utf-8"), re.MULTILINE)
}


@pytest.mark.parametrize("missing", [(), ("disk-full",), ("disk-error",), ("disk-full", "disk-error")], ids=str)
def test_in_the_short_runs_with_fixed_seeds_every_fault_strikes(missing: tuple[str, ...]) -> None:
    faults = tuple(name for name, fault in FAULTS.items() if not fault.alone and name not in missing)
    drawn: set[str] = set()
    for seed in FIXED["FIXED"]:
        plan = make_plan(seed, FIXED["TASKS"], faults, keyed=True)
        drawn.update(name for strike in plan.strikes for name in strike.faults)
        drawn.update(task.kind for task in plan.tasks if task.kind in ILL)
    assert drawn == set(faults)


def test_a_bus_that_cannot_do_keys_gets_no_tasks_for_them() -> None:
    plan = make_plan(1, 2_000, (), keyed=False)
    assert not [task for task in plan.tasks if task.key is not None]
    assert plan.strikes == ()


def test_ill_tasks_are_inserted_only_where_they_are_asked_for() -> None:
    assert not Counter(task.kind for task in make_plan(1, 2_000, ("drone",), keyed=True).tasks).keys() & set(ILL)
    kinds = Counter(task.kind for task in make_plan(1, 2_000, ("drone", "hang"), keyed=True).tasks)
    assert kinds["hang"] > 0


def test_faults_are_chosen_by_name() -> None:
    assert choose("drone, bus", own_bus=True)[0] == ("drone", "bus")
    assert choose("", own_bus=True)[0] == ()


def test_a_fault_that_nobody_knows_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(ConfigError, match="no fault 'meteor'; there are: worker, drone"):
        choose("drone,meteor", own_bus=True)


def test_a_bus_of_others_is_not_struck() -> None:
    chosen, left_out = choose(None, own_bus=False)
    assert "bus" not in chosen
    assert any(line.startswith("bus: the bus is not ours") for line in left_out)
    with pytest.raises(ConfigError, match="the fault 'bus' cannot be done here: the bus is not ours"):
        choose("bus", own_bus=False)


def test_the_page_names_all_faults_and_no_others() -> None:
    table, _ = re.findall(r"^\| fault \|.*?\n\n", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    named = [name for row in table.strip().splitlines()[2:] for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])]
    assert sorted(named) == sorted(FAULTS)
