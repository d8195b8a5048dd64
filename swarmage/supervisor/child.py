"""The process below the supervisor: ``python -m swarmage.supervisor.child`` becomes what SWARMAGE_CHILD says."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
from typing import Protocol, cast

from swarmage.errors import SwarmageError
from swarmage.supervisor.logs import log_to_stderr
from swarmage.supervisor.parent_link import ParentLink
from swarmage.supervisor.protocol import SPEC_VARIABLE, BusSpec, ChildSpec, DroneSpec, Failed, decode_spec

log = logging.getLogger(__name__)

# By name, so that a bus does not pay for what only a drone imports.
ROLES: dict[type, str] = {
    BusSpec: "swarmage.supervisor.bus_child",
    DroneSpec: "swarmage.supervisor.drone_child",
}


class Role(Protocol):
    """What a role's module holds."""

    def run(self, spec: ChildSpec, parent: ParentLink) -> None:
        """Boot, report that it is ready, and return when asked to stop."""
        ...


def main() -> int:
    """Run the child; return its exit code."""
    spec = decode_spec(os.environ.pop(SPEC_VARIABLE))
    parent = ParentLink()
    log_to_stderr(spec.name)
    try:
        role = cast("Role", importlib.import_module(ROLES[type(spec)]))
        _calm_the_collector()
        role.run(spec, parent)
    except SwarmageError as error:
        parent.report(Failed(type(error).__name__, str(error)))
        return 1
    except Exception as error:
        log.exception("unexpected error")
        parent.report(Failed(SwarmageError.__name__, f"{spec.name}: {type(error).__name__}: {error}"))
        return 1
    return 0


def _calm_the_collector() -> None:
    """Have the cycle collector look rarely: of a thousand tasks in flight none is garbage, and it visits them all."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


if __name__ == "__main__":
    sys.exit(main())
