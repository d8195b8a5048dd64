"""The peers, one program each: run in an environment of the peer's own, from this folder."""
