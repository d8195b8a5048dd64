"""What a load test prints besides its figures, and how: for people or for machines."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def tell(
    samples: Mapping[str, Sequence[float]], draw: Callable[[dict[str, Any]], None], *, as_json: bool, **more: Any
) -> None:
    """Print samples with the machine they were taken on: as one JSON object, or as ``draw`` does it."""
    kernel = f"{platform.system()} {platform.release().partition('-')[0]}"
    facts = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {kernel}",
        "python": platform.python_version(),
        **more,
        "samples": samples,
    }
    if as_json:
        print(json.dumps(facts))
    else:
        draw(facts)
