"""References to actors that any cell or program publishes on the bus.

From: your program.  To: asking.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, overload

from swarmage.errors import ActorDead, ReplyTimeout
from swarmage.remote.asking import Asking
from swarmage.remote.future import RemoteFuture
from swarmage.wire.names import actor_destination
from swarmage.wire.requests import Request, enclose

if TYPE_CHECKING:
    from swarmage.remote.proxy import RemoteProxy

ALIVE_TIMEOUT = 3.0
"""Seconds in which an actor that is there says so."""


class RemoteRef:
    """An actor by the name it is published as, wherever that is; used like pykka's ActorRef.

    What is asked is done at most once: it is never sent again, and where it is in doubt whether it was done an error
    says so. Pickling a ref keeps the name alone; elsewhere it uses the connection of that process.

    Attributes:
        name: of the actor.
    """

    def __init__(self, name: str, asking: Callable[[], Asking]) -> None:
        actor_destination(name)
        self.name = name
        self._asking = asking

    def __repr__(self) -> str:
        return f"<RemoteRef to {self.name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemoteRef) and other.name == self.name

    def __hash__(self) -> int:
        return hash((RemoteRef, self.name))

    def __reduce__(self) -> tuple[Callable[[str], RemoteRef], tuple[str]]:
        from swarmage.remote.default import ref  # noqa: PLC0415 - which makes refs; here a ref needs it

        return ref, (self.name,)

    def tell(self, message: Any) -> None:
        """Send a message and wait for no answer; it is lost if the actor dies before it has taken it.

        It waits for the connection and for the actor to be found, 3 s at most, the first time and after a silence.

        Raises:
            ActorUnknown: nobody publishes an actor of this name.
            BusUnreachable: no bus answers.
            ConnectionLost: the connection to the bus ended meanwhile; it may have got there.
            NotEncodable: the message cannot be carried.
        """
        self.send("message", message, told=True).get()

    @overload
    def ask(self, message: Any, *, block: Literal[True] = True, timeout: float | None = None) -> Any: ...
    @overload
    def ask(self, message: Any, *, block: Literal[False], timeout: float | None = None) -> RemoteFuture: ...
    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        """Send a message and return what the actor returns, or at once a future of it.

        Args:
            message: for the actor's `on_receive`.
            block: whether to wait.
            timeout: seconds to wait; None for 300.

        Raises:
            BusUnreachable: no bus answers.
            NotEncodable: the message cannot be carried.
            SwarmageError: what `RemoteFuture.get` raises.
        """
        future = self.send("message", message)
        return future.get(timeout) if block else future

    def proxy(self) -> RemoteProxy:
        """Return an object whose attributes are those of the actor, as pykka's proxies do; see `RemoteProxy`."""
        from swarmage.remote.proxy import RemoteProxy  # noqa: PLC0415 - which needs refs

        return RemoteProxy(self)

    def is_alive(self, timeout: float = ALIVE_TIMEOUT) -> bool:
        """Say whether somebody publishes the actor now, and answers.

        Args:
            timeout: seconds to wait.

        Raises:
            BusUnreachable: no bus answers.
        """
        try:
            return bool(self.send("ping").get(timeout))
        except (ActorDead, ReplyTimeout):
            return False

    def send(
        self,
        say: Literal["ping", "look", "message", "call", "get", "set"],
        value: Any = None,
        path: tuple[str, ...] = (),
        *,
        told: bool = False,
    ) -> RemoteFuture:
        """Send one request, as docs/wire-format.md has them. What a future of it raises, `RemoteFuture.get` says."""
        content = enclose(value, f"what is asked of the actor {self.name}")
        asking = self._asking()
        request = Request(
            say=say, reply_to=asking.answers, told=told, path=path, value=content.value, pickled=content.pickled
        )
        return asking.ask(self.name, request)
