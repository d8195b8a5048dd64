"""Random tests of the bus that unit tests have a sample of, run for longer; SWARMAGE_SEED plays them again."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.broker.queues import test_groups
from unit.broker.sessions import test_ack_runs
from unit.broker.storage import test_damage, test_notes, test_repair
from unit.seeds import random_inputs


@pytest.mark.parametrize(("part", "flips"), [("bus.db", 200), ("bus.db-wal", 40)])
def test_a_flipped_bit_never_changes_a_body_and_never_loses_one_in_silence(
    tmp_path: Path, part: str, flips: int
) -> None:
    assert "refused" in test_damage.flip_bits(tmp_path, part, flips)


def test_what_a_repair_leaves_is_sound_whatever_bit_was_flipped(tmp_path: Path) -> None:
    test_repair.repair_flipped_bits(tmp_path, 40)


def test_whatever_bit_is_flipped_a_repaired_file_opens_and_no_subscription_hears_anything_else(tmp_path: Path) -> None:
    assert test_notes.repair_flipped_bits(tmp_path, 60) > 0


@random_inputs(*test_groups.CHECKS)
def test_no_group_is_ever_at_two_places_or_out_of_order_or_lost(seed: int, buckets: int, parked: int) -> None:
    test_groups.check(seed, buckets, parked)


def test_a_run_of_acks_settles_what_single_frames_do_however_it_is_cut() -> None:
    test_ack_runs.cut_runs(300)
