"""Where random tests get their randomness: one seed a run, shown when a test fails, set by SWARMAGE_SEED."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import hypothesis

SEED = int(os.environ.get("SWARMAGE_SEED") or random.SystemRandom().randrange(2**32))


def rng() -> random.Random:
    return random.Random(SEED)


def random_inputs(*strategies: Any, examples: int = 60, **named: Any) -> Callable[[Any], Any]:
    """Run a test with inputs that hypothesis makes from the seed."""

    def decorate(test: Any) -> Any:
        checks = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture]
        settings = hypothesis.settings(
            max_examples=examples, database=None, deadline=None, print_blob=True, suppress_health_check=checks
        )
        return hypothesis.seed(SEED)(settings(hypothesis.given(*strategies, **named)(test)))

    return decorate
