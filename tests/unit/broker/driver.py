"""A bus without sockets, a clock that only tests move, and clients that speak bytes to it."""

from __future__ import annotations

from collections.abc import Mapping

from swarmage.broker.entrance.door import Door
from swarmage.broker.hub import Hub
from swarmage.broker.limits import Limits
from swarmage.broker.sessions.frames import Frame, FrameParser
from swarmage.broker.storage.store import Batch, Done, MemoryStore, Store


class ManualClock:
    """Stands still until told to move."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.epoch = 1_700_000_000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.epoch + self.now


class HeldStore(MemoryStore):
    """Commits only when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[tuple[Batch, Done]] = []

    def submit(self, batch: Batch, done: Done) -> None:
        self.held.append((batch, done))

    def commit(self) -> None:
        batch, done = self.held.pop(0)
        super().submit(batch, done)


class Bus:
    """A hub and what drives it."""

    def __init__(
        self, *, users: Mapping[str, str] | None = None, limits: Limits | None = None, store: Store | None = None
    ) -> None:
        self.clock = ManualClock()
        self.store = store or MemoryStore()
        self.limits = limits or Limits()
        self._users = users
        self.start()

    def start(self) -> None:
        """Start over on the same store, which is what is left after a kill."""
        door = Door(self._users or {}, self.clock)
        self.hub = Hub(store=self.store, door=door, clock=self.clock, limits=self.limits)
        self.hub.load()

    def settle(self) -> None:
        while self.hub.turn():
            pass

    def advance(self, seconds: float) -> None:
        """Let time pass in ticks, as the server's timer does."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now = min(end, self.clock.now + 0.25)
            self.hub.tick()
            self.settle()

    def client(self, version: str = "1.2") -> Client:
        client = Client(self)
        client.send("CONNECT", {"accept-version": version, "host": "anything"})
        assert client.take("CONNECTED").headers["version"] == version
        client.parser.log_in(version)
        return client


class Client:
    """One connection; `frames` is what came and was not looked at yet."""

    def __init__(self, bus: Bus, peer: str = "tester") -> None:
        self.bus = bus
        self.parser = FrameParser(Limits())
        self.parser.log_in("1.2")
        self.frames: list[Frame] = []
        self.raw = b""
        self.finished = False
        self.session = bus.hub.connect(self, peer)

    def write(self, data: bytes) -> None:
        self.raw += data
        self.frames += self.parser.feed(data)

    def finish(self) -> None:
        self.finished = True

    def abort(self) -> None:
        self.finished = True

    def feed(self, data: bytes) -> None:
        self.session.receive(data)
        self.bus.settle()

    def send(self, command: str, headers: Mapping[str, str | int] | None = None, body: bytes = b"") -> None:
        lines = "".join(f"{name}:{value}\n" for name, value in (headers or {}).items())
        self.feed(f"{command}\n{lines}\n".encode() + body + b"\0")

    def put(self, destination: str, body: bytes = b"", **headers: str | int) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.send("SEND", {"destination": destination, **named}, body)

    def subscribe(self, destination: str, name: str = "1", ack: str = "auto", **headers: str | int) -> None:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        self.send("SUBSCRIBE", {"destination": destination, "id": name, "ack": ack, **named})

    def take(self, command: str = "MESSAGE") -> Frame:
        assert self.frames, f"no {command} came"
        frame = self.frames.pop(0)
        assert frame.command == command, frame
        return frame

    def bodies(self) -> list[bytes]:
        """Take all the messages that came."""
        return [self.take().body for _ in list(self.frames)]

    def ack(self, frame: Frame, **headers: str) -> None:
        self.send("ACK", {"id": frame.headers["ack"], **headers})

    def nack(self, frame: Frame, **headers: str) -> None:
        self.send("NACK", {"id": frame.headers["ack"], **headers})

    def lose(self) -> None:
        self.session.lost()
        self.bus.settle()

    def error(self) -> str:
        """Take the ERROR that ended the connection."""
        text = self.take("ERROR").headers["message"]
        assert self.finished
        return text
