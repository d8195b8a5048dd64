"""An actor elsewhere, used as if its attributes were here.

From: your program.  To: ref.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swarmage.remote.future import RemoteFuture
    from swarmage.remote.ref import RemoteRef


class RemoteProxy:
    """Attributes and methods of a published actor, as pykka's ActorProxy has them.

    Reading an attribute and calling a method return a future at once; setting an attribute waits until it is set. Names
    that begin with ``_`` are private, and refused. Which attributes there are is asked at the first use, and again for
    one that was not there then.

    Attributes:
        actor_ref: the reference it was made of.
    """

    actor_ref: RemoteRef
    _path: tuple[str, ...]
    _known: dict[str, Any]

    def __init__(self, actor_ref: RemoteRef, path: tuple[str, ...] = (), known: dict[str, Any] | None = None) -> None:
        self.actor_ref = actor_ref
        self._path = path
        self._known = known or {}

    def __repr__(self) -> str:
        return f"<RemoteProxy of {'.'.join((self.actor_ref.name, *self._path))}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemoteProxy) and (other.actor_ref, other._path) == (self.actor_ref, self._path)

    def __hash__(self) -> int:
        return hash((self.actor_ref, self._path))

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteProxy, (self.actor_ref, self._path)

    def __dir__(self) -> list[str]:
        self._look()
        return sorted({*super().__dir__(), *self._known})

    def __getattr__(self, name: str) -> Any:
        """Return a future of an attribute, or what calls a method, or a proxy of what is marked as traversable.

        Raises:
            AttributeError: the actor has none of this name, or it is private.
            SwarmageError: what `RemoteFuture.get` raises.
        """
        self._refuse_private(name)
        if name not in self._known:
            self._look()
        kind = self._known.get(name)
        path = (*self._path, name)
        match kind:
            case "call":
                return RemoteCallable(self.actor_ref, path)
            case "get":
                return self.actor_ref.send("get", path=path)
            case dict():
                return RemoteProxy(self.actor_ref, path, kind)
            case _:
                raise AttributeError(f"the actor {self.actor_ref.name} has no attribute {'.'.join(path)!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute of the actor, and return when it is set.

        Raises:
            AttributeError: it is private.
            SwarmageError: what `RemoteFuture.get` raises.
        """
        if name in RemoteProxy.__annotations__:
            super().__setattr__(name, value)
            return
        self._refuse_private(name)
        self.actor_ref.send("set", value, (*self._path, name)).get()

    def _refuse_private(self, name: str) -> None:
        if name.startswith("_"):
            raise AttributeError(
                f"{name!r} of the actor {self.actor_ref.name} is private: a remote reference reaches only attributes"
                " whose names do not begin with '_'"
            )

    def _look(self) -> None:
        known = self.actor_ref.send("look").get()
        for name in self._path:
            known = known.get(name, {})
        self._known = known


class RemoteCallable:
    """A method of a published actor."""

    def __init__(self, actor_ref: RemoteRef, path: tuple[str, ...]) -> None:
        self._actor_ref = actor_ref
        self._path = path

    def __call__(self, *args: Any, **kwargs: Any) -> RemoteFuture:
        """Call it, and return a future of what it returns; if that is dropped the call is made all the same."""
        return self._actor_ref.send("call", [list(args), kwargs], self._path)

    def defer(self, *args: Any, **kwargs: Any) -> None:
        """Call it as `RemoteRef.tell` sends a message, and raise as that does: nobody waits for what comes of it."""
        self._actor_ref.send("call", [list(args), kwargs], self._path, told=True).get()
