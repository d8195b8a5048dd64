"""How long the random tests go on: briefly in every run, with SWARMAGE_FUZZ=examples as long as asked for.

What fails is printed with all its steps; SWARMAGE_SEED, shown with the failure, plays the same run again.
"""

from __future__ import annotations

import os
from typing import Any

import hypothesis

from tests.unit.seeds import SEED

EXAMPLES = int(os.environ.get("SWARMAGE_FUZZ") or 0)


def settings(examples: int, **more: Any) -> hypothesis.settings:
    checks = [
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.filter_too_much,
        hypothesis.HealthCheck.data_too_large,
    ]
    return hypothesis.settings(
        max_examples=EXAMPLES or examples,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=checks,
        **more,
    )


def fuzz(*strategies: Any, examples: int, **named: Any) -> Any:
    """Run a test with inputs that hypothesis makes from the run's seed."""

    def decorate(test: Any) -> Any:
        return hypothesis.seed(SEED)(settings(examples)(hypothesis.given(*strategies, **named)(test)))

    return decorate
