"""The real process, killed again and again: what transactions move is in one place, what is repeated gets in once."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from acceptance.processes import DEADLINE, Home, Started
from unit.seeds import SEED

from swarmage.broker.limits import Limits
from swarmage.broker.sessions.frames import Frame, FrameParser

pytestmark = pytest.mark.acceptance

KILLS = 5
CHAINS = 20
DURABLE = "durable-subscription-name:audit"
OTHER = {"/queue/a": "/queue/b", "/queue/b": "/queue/a"}


class Courier:
    """Moves each message to the other queue, and remembers how often the bus has confirmed that.

    Attributes:
        confirmed: the number of moves of each chain that has a receipt.
        sent: the number of moves of each chain that the bus may know of.
    """

    def __init__(self, url: str) -> None:
        self.confirmed = dict.fromkeys(range(CHAINS), -1)
        self.sent = dict.fromkeys(range(CHAINS), 0)
        self._url = urlsplit(url)

    def connect(self) -> None:
        self._socket = socket.create_connection((self._url.hostname, self._url.port), DEADLINE)
        self._parser = FrameParser(Limits())
        self._frames: list[Frame] = []
        login = f"login:{self._url.username}\npasscode:{self._url.password}"
        self._send(f"CONNECT\naccept-version:1.2\nhost:x\n{login}\n\n\0")
        self._parser.log_in("1.2")
        frame = self._frame()
        assert frame is not None
        assert frame.command == "CONNECTED", frame

    def begin(self) -> None:
        """Send the first message of each chain."""
        self.connect()
        for chain in range(CHAINS):
            self._send(f"SEND\ndestination:/queue/a\nreceipt:{chain}.0\n\n{chain}.0\0")
        while min(self.confirmed.values()) < 0:
            self._note(self._frame())
        self._socket.close()

    def move(self, bus: Started, moves: int, rng: random.Random) -> None:
        """Move messages, and kill the bus in the middle of the last of the moves."""
        self.connect()
        for queue in OTHER:
            self._send(f"SUBSCRIBE\nid:{queue}\ndestination:{queue}\nack:client-individual\nprefetch-count:7\n\n\0")
        while moves:
            frame = self._frame()
            self._note(frame)
            if frame is not None and frame.command == "MESSAGE":
                moves -= 1
                data = self._one_move(frame)
                if moves:
                    self._send(data)
                    continue
                pieces = rng.randrange(len(data) + 1)
                self._send(data[:pieces])
                bus.send_signal(signal.SIGKILL)
        with contextlib.suppress(ConnectionError):
            while (frame := self._frame()) is not None:  # what it said before it died is a promise too
                self._note(frame)
        self._socket.close()

    def collect(self) -> list[tuple[int, int]]:
        """Take everything, and return chains and numbers of moves."""
        self.connect()
        for queue in OTHER:
            self._send(f"SUBSCRIBE\nid:{queue}\ndestination:{queue}\nack:auto\n\n\0")
            self._send(f"SEND\ndestination:{queue}\n\nlast\0")
        bodies: list[str] = []
        while bodies.count("last") < len(OTHER):
            frame = self._frame()
            assert frame is not None
            bodies.append(frame.body.decode())
        self._socket.close()
        found = [body.split(".") for body in bodies if body != "last"]
        return [(int(chain), int(move)) for chain, move in found]

    def _one_move(self, frame: Frame) -> str:
        chain, move = map(int, frame.body.decode().split("."))
        self.sent[chain] = move + 1
        name = f"{chain}.{move + 1}"
        there = OTHER[frame.headers["destination"]]
        return (
            f"BEGIN\ntransaction:{name}\n\n\0"
            f"SEND\ntransaction:{name}\ndestination:{there}\n\n{name}\0"
            f"ACK\ntransaction:{name}\nid:{frame.headers['ack']}\n\n\0"
            f"COMMIT\ntransaction:{name}\nreceipt:{name}\n\n\0"
        )

    def _send(self, data: str) -> None:
        self._socket.sendall(data.encode())

    def _frame(self) -> Frame | None:
        while not self._frames:
            data = self._socket.recv(65536)
            if not data:
                return None
            self._frames += self._parser.feed(data)
        return self._frames.pop(0)

    def _note(self, frame: Frame | None) -> None:
        assert frame is not None, "the bus hung up"
        if frame.command == "RECEIPT":
            chain, move = map(int, frame.headers["receipt-id"].split("."))
            self.confirmed[chain] = max(self.confirmed[chain], move)


class Doubter(Courier):
    """Sends messages to a topic with ids, and once more whatever it is in doubt of."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.doubts: list[int] = []
        self.numbers = 0

    def subscribe(self) -> None:
        self._send(f"SUBSCRIBE\nid:d\ndestination:/topic/news.*\n{DURABLE}\nack:auto\nreceipt:s\n\n\0")

    def found_durable(self) -> None:
        """Make the durable subscription, and go."""
        self.connect()
        self.subscribe()
        frame = self._frame()
        assert frame is not None
        assert frame.headers["receipt-id"] == "s", frame
        self._socket.close()

    def send(self, bus: Started, count: int, rng: random.Random) -> None:
        """Send, the doubtful ones first, kill the bus, and hear no more of what it has confirmed than comes before."""
        self.connect()
        new = range(self.numbers, self.numbers + count)
        self.numbers += count
        self.doubts += new
        data = "".join(
            f"SEND\ndestination:/topic/news.a\ndedupe-id:{number}\nreceipt:{number}\n\n{number}\0"
            for number in self.doubts
        )
        self._send(data[: rng.randrange(len(data) // 2, len(data))])
        for _ in range(rng.randrange(len(self.doubts) // 2 + 1)):
            self._confirm(self._frame())
        bus.send_signal(signal.SIGKILL)
        self._socket.close()

    def finish(self) -> list[int]:
        """Send what is in doubt still, and take everything there is."""
        self.connect()
        for number in self.doubts:
            self._send(f"SEND\ndestination:/topic/news.a\ndedupe-id:{number}\nreceipt:{number}\n\n{number}\0")
        while self.doubts:
            self._confirm(self._frame())
        self.subscribe()
        self._send("SEND\ndestination:/topic/news.a\n\nlast\0")
        found: list[str] = []
        while not found or found[-1] != "last":
            frame = self._frame()
            assert frame is not None
            if frame.command == "MESSAGE":
                found.append(frame.body.decode())
        self._socket.close()
        return [int(body) for body in found[:-1]]

    def _confirm(self, frame: Frame | None) -> None:
        if frame is not None and frame.command == "RECEIPT":
            self.doubts.remove(int(frame.headers["receipt-id"]))


StartBus = Callable[[], Started]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def start(home: Home) -> Iterator[StartBus]:
    """Start the bus; what it has on disk stays."""
    started: list[Started] = []

    def start() -> Started:
        started.append(Started(("bus",), home.environment))
        started[-1].wait_for_line("^ready")
        return started[-1]

    yield start
    for bus in started:
        bus.clean_up()


def start_again(bus: Started, start: StartBus) -> Started:
    """Start the bus that was killed."""
    assert bus.exit_code() == -signal.SIGKILL
    return start()


def test_a_message_that_transactions_move_is_in_one_place_however_often_the_bus_is_killed(
    home: Home, start: StartBus
) -> None:
    rng = random.Random(SEED)
    courier = Courier(home.url)
    bus = start()
    courier.begin()
    for _ in range(KILLS):
        courier.move(bus, rng.randrange(1, 400), rng)
        bus = start_again(bus, start)
    found = courier.collect()
    replay = f"replay with SWARMAGE_SEED={SEED}"
    assert sorted(chain for chain, _ in found) == list(range(CHAINS)), replay
    for chain, move in found:
        assert courier.confirmed[chain] <= move <= courier.sent[chain], replay


def test_a_durable_subscription_gets_each_message_once_however_often_the_bus_is_killed(
    home: Home, start: StartBus
) -> None:
    rng = random.Random(SEED)
    sender = Doubter(home.url)
    bus = start()
    sender.found_durable()
    for _ in range(KILLS):
        sender.send(bus, rng.randrange(1, 3_000), rng)
        bus = start_again(bus, start)
    found = sender.finish()
    assert sorted(found) == list(range(sender.numbers)), f"replay with SWARMAGE_SEED={SEED}"
