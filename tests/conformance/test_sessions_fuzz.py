"""Random conversations of several clients with the bus, compared with a simple model after every step.

Nothing receipted is lost, nothing unexpected is delivered, credit is never exceeded, order and counts are right.
"""

from __future__ import annotations

import logging

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from swarmage.broker.limits import Limits
from tests.unit.broker.driver import Bus, Client
from tests.unit.seeds import SEED

from .fuzzing import settings
from .model import Letter, Model, Reader, Step

QUEUES = st.sampled_from(["/queue/a", "/queue/a", "/queue/a", "/queue/b", "/queue/DLQ.a"])
VERSIONS = st.sampled_from(["1.2", "1.2", "1.1", "1.0"])
MODES = st.sampled_from(["client-individual", "client", "auto"])
WANTED = st.tuples(QUEUES, MODES, st.sampled_from([2, 1, 3, 1_000]))
TROUBLES = ["DISCONNECT", "lost", "HELLO", "ACK", "NACK", "COMMIT", "ABORT", "UNSUBSCRIBE", "SEND"]
PICK = st.integers(0, 1 << 16)
MOST_READERS = 6


class Talker:
    """A client, and what the model knows of it."""

    def __init__(self, client: Client, version: str) -> None:
        self.client = client
        self.version = version
        self.readers: dict[str, Reader] = {}
        self.retired: list[Reader] = []
        self.ack_ids: dict[bytes, str] = {}
        self.transactions: dict[str, list[Step]] = {}

    @property
    def all_readers(self) -> list[Reader]:
        return [*self.readers.values(), *self.retired]

    @property
    def holds(self) -> list[tuple[Reader, Letter]]:
        return [(reader, letter) for reader in self.all_readers for letter in reader.held]

    def naming(self, reader: Reader, letter: Letter) -> dict[str, str]:
        """Headers of an ACK or NACK in this version."""
        number = self.ack_ids[letter.body]
        if self.version == "1.2":
            return {"id": number}
        return {"message-id": number, "subscription": reader.id}


class Conversation(RuleBasedStateMachine):
    """Several clients and one bus, which may be killed."""

    def __init__(self) -> None:
        super().__init__()
        self.bus = Bus(limits=Limits(output_bytes=600))  # little, so that clients are choked in between too
        self.model = Model()
        self.talkers: list[Talker] = []
        self.serial = 0
        self.before: dict[str, list[Letter]] = {}

    # Helpers

    def next(self) -> int:
        self.serial += 1
        return self.serial

    def pick(self, number: int) -> Talker:
        return self.talkers[number % len(self.talkers)]

    @property
    def now(self) -> float:
        return self.bus.clock.now

    def say(self, talker: Talker, command: str, headers: dict[str, str], body: bytes = b"") -> None:
        """Send a frame that must work."""
        receipt = f"receipt-{self.next()}"
        self.remember()
        talker.client.send(command, {**headers, "receipt": receipt}, body)
        self.bus.settle()  # a delay that ran out before the COMMIT is over at once
        got = [frame for frame in talker.client.frames if frame.command != "MESSAGE"]
        assert [frame.command for frame in got] == ["RECEIPT"], got
        assert got[0].headers["receipt-id"] == receipt
        talker.client.frames.remove(got[0])

    def remember(self) -> None:
        """Note what waits before a step; what waits after it too must not have been passed by a worse one."""
        self.before = {queue: list(letters) for queue, letters in self.model.available.items()}

    def look(self) -> None:
        """Compare what was delivered with what the model allows."""
        delivered: list[Letter] = []
        for talker in self.talkers:
            frames, talker.client.frames = talker.client.frames, []
            for frame in frames:
                assert frame.command == "MESSAGE", frame
                reader = talker.readers[frame.headers["subscription"]]
                letter = self.model.deliver(frame.body, reader)
                assert int(frame.headers.get("delivery-count", "0")) == letter.count
                assert frame.headers.get("redelivered", "false") == ("true" if letter.count else "false")
                if reader.mode != "auto":
                    talker.ack_ids[letter.body] = frame.headers["ack" if talker.version == "1.2" else "message-id"]
                delivered.append(letter)
        for queue, letters in self.model.available.items():
            passed = [letter for letter in self.before.get(queue, []) if letter in letters]
            worst = max((letter.place for letter in delivered if letter.queue == queue), default=None)
            assert worst is None or not [letter for letter in passed if letter.place < worst], "out of order"
            hungry = [
                reader
                for talker in self.talkers
                for reader in talker.readers.values()
                if reader.queue == queue and (reader.mode == "auto" or len(reader.held) < reader.prefetch)
            ]
            assert not (letters and hungry), f"{letters} wait although {hungry} could take them"

    def part(self, talker: Talker, *, counted: bool) -> None:
        """Give back what a client held that is gone."""
        self.talkers.remove(talker)
        for reader in talker.all_readers:
            self.model.give_back(reader, list(reader.held), counted=counted)

    # Rules

    @initialize(versions=st.lists(VERSIONS, min_size=2, max_size=3), wanted=st.lists(WANTED, min_size=2, max_size=4))
    def begin_with_readers(self, versions: list[str], wanted: list[tuple[str, str, int]]) -> None:
        for version in versions:
            self.connect(version)
        for number, want in enumerate(wanted):
            self.subscribe(number, want)

    def connect(self, version: str) -> None:
        self.talkers.append(Talker(self.bus.client(version), version))

    @rule(
        who=PICK,
        queue=QUEUES,
        many=st.integers(1, 4),
        priority=st.sampled_from([None, None, 0, 9]),
        delay=st.sampled_from([0, 0, 0, 250, 2_000]),
        stored=st.sampled_from([True, True, True, False]),
        inside=st.booleans(),
    )
    def send(
        self, who: int, queue: str, many: int, priority: int | None, delay: int, stored: bool, inside: bool
    ) -> None:
        for _ in range(many):
            self.send_one(self.pick(who), queue, priority, delay, stored, inside)

    def send_one(
        self, talker: Talker, queue: str, priority: int | None, delay: int, stored: bool, inside: bool
    ) -> None:
        body = b"%d" % self.next()
        headers = {"destination": queue}
        if priority is not None:
            headers["priority"] = str(priority)
        if delay:
            headers["delay"] = str(delay)
        if not stored:
            headers["persistent"] = "false"
        letter = Letter(body, queue, 0, 4 if priority is None else priority, stored)
        letter.due = self.now + delay / 1000 if delay else 0.0
        if inside and talker.transactions:
            name = min(talker.transactions)
            self.say(talker, "SEND", {**headers, "transaction": name}, body)
            talker.transactions[name].append(Step("SEND", letter))
        else:
            self.say(talker, "SEND", headers, body)
            letter.number = self.model.number()
            self.model.send(letter, self.now)
        self.look()

    @precondition(lambda self: sum(len(talker.readers) for talker in self.talkers) < MOST_READERS)
    @rule(who=PICK, want=WANTED)
    def subscribe(self, who: int, want: tuple[str, str, int]) -> None:
        talker = self.pick(who)
        queue, mode, prefetch = want
        reader = Reader(f"s{self.next()}", queue, mode, prefetch)
        self.say(
            talker,
            "SUBSCRIBE",
            {"destination": queue, "id": reader.id, "ack": mode, "prefetch-count": str(prefetch)},
        )
        talker.readers[reader.id] = reader
        self.look()

    @precondition(lambda self: any(talker.readers for talker in self.talkers))
    @rule(who=PICK)
    def unsubscribe(self, who: int) -> None:
        pairs = [(talker, reader) for talker in self.talkers for reader in talker.readers.values()]
        talker, reader = pairs[who % len(pairs)]
        self.say(talker, "UNSUBSCRIBE", {"id": reader.id})
        reader.active = False
        talker.retired.append(talker.readers.pop(reader.id))
        self.look()

    @precondition(lambda self: any(talker.holds for talker in self.talkers))
    @rule(who=PICK, kind=st.sampled_from(["ACK", "ACK", "NACK", "free NACK", "bury"]), inside=st.booleans())
    def settle(self, who: int, kind: str, inside: bool) -> None:
        held = [(talker, reader, letter) for talker in self.talkers for reader, letter in talker.holds]
        talker, reader, letter = held[who % len(held)]
        headers = talker.naming(reader, letter)
        if kind == "free NACK":
            headers["count"] = "false"
        elif kind == "bury":
            headers["requeue"] = "false"
        step = Step(kind, letter, reader)
        command = "ACK" if kind == "ACK" else "NACK"
        if inside and talker.transactions:
            name = sorted(talker.transactions)[who % len(talker.transactions)]
            self.say(talker, command, {**headers, "transaction": name})
            talker.transactions[name].append(step)
        else:
            self.say(talker, command, headers)
            self.apply(step)
        self.look()

    def apply(self, step: Step) -> None:
        if step.reader is None:
            step.letter.number = self.model.number()
            self.model.send(step.letter, self.now)
        elif step.kind == "ACK":
            self.model.ack(step.reader, step.letter)
        elif step.kind == "bury":
            self.model.bury(step.reader, step.letter)
        else:
            covered = self.model.covered(step.reader, step.letter)
            self.model.give_back(step.reader, covered, counted=step.kind == "NACK")

    @rule(who=PICK)
    def begin(self, who: int) -> None:
        talker = self.pick(who)
        name = f"t{self.next()}"
        self.say(talker, "BEGIN", {"transaction": name})
        talker.transactions[name] = []
        self.look()

    @precondition(lambda self: any(talker.transactions for talker in self.talkers))
    @rule(who=PICK, commit=st.sampled_from([True, True, False]))
    def end(self, who: int, commit: bool) -> None:
        pairs = [(talker, name) for talker in self.talkers for name in sorted(talker.transactions)]
        talker, name = pairs[who % len(pairs)]
        steps = talker.transactions.pop(name)
        if not commit:
            self.say(talker, "ABORT", {"transaction": name})
        elif self.possible(steps):
            self.say(talker, "COMMIT", {"transaction": name})
            for step in steps:
                self.apply(step)
        else:
            self.fail(talker, "COMMIT", {"transaction": name})
        self.look()

    def possible(self, steps: list[Step]) -> bool:
        """Whether every ACK and NACK names what is still held when its turn comes."""
        settled: set[bytes] = set()
        for step in steps:
            if step.reader is None:
                continue
            if step.letter not in step.reader.held or step.letter.body in settled:
                return False
            settled |= {each.body for each in self.model.covered(step.reader, step.letter)}
        return True

    def fail(self, talker: Talker, command: str, headers: dict[str, str]) -> None:
        """Send a frame that ends the connection, and changes nothing else."""
        self.remember()
        talker.client.send(command, {**headers, "receipt": "never"})
        assert [frame.command for frame in talker.client.frames] == ["ERROR"]
        assert talker.client.finished
        self.part(talker, counted=True)

    @rule(who=PICK, trouble=st.sampled_from(TROUBLES), version=VERSIONS, want=WANTED)
    def go(self, who: int, trouble: str, version: str, want: tuple[str, str, int]) -> None:
        """Let a client go in one of many ways, and another one come."""
        talker = self.pick(who)
        if trouble == "DISCONNECT":
            self.say(talker, "DISCONNECT", {})
            assert talker.client.finished
            self.part(talker, counted=False)
        elif trouble == "lost":
            self.remember()
            talker.client.lose()
            self.part(talker, counted=True)
        else:
            self.fail(talker, trouble, {"id": "0", "message-id": "0", "transaction": "none"})
        self.look()
        self.connect(version)
        self.subscribe(len(self.talkers) - 1, want)

    @rule(seconds=st.sampled_from([0.25, 1.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.before = {}
        self.bus.advance(seconds)
        self.model.pass_time(self.now)
        self.look()

    @rule(version=VERSIONS, wanted=st.lists(WANTED, max_size=3))
    def kill(self, version: str, wanted: list[tuple[str, str, int]]) -> None:
        """Kill the bus; its store is all that is left."""
        self.model.crash([reader for talker in self.talkers for reader in talker.all_readers])
        self.talkers = []
        self.bus.start()
        self.begin_with_readers([version, "1.2"], wanted)

    def teardown(self) -> None:
        """Whoever comes last gets all that is left, in order, and nothing else."""
        for talker in list(self.talkers):
            self.remember()
            talker.client.lose()
            self.part(talker, counted=True)
            self.look()
        self.bus.advance(5)
        self.model.pass_time(self.now)
        for queue, letters in sorted(self.model.available.items()):
            heir = self.bus.client()
            heir.subscribe(queue)
            seen = [(frame.body, int(frame.headers.get("delivery-count", "0"))) for frame in heir.frames]
            assert seen == [(letter.body, letter.count) for letter in sorted(letters, key=lambda each: each.place)]
        assert not self.model.delayed


def test_the_bus_does_what_the_model_does_whatever_its_clients_do(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "swarmage.bus")  # a failure is told by its steps
    machine = hypothesis.seed(SEED)(Conversation)
    run_state_machine_as_test(machine, settings=settings(60, stateful_step_count=40))
