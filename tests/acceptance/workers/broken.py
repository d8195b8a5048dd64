"""A module that cannot be imported."""

raise RuntimeError("so it is")
