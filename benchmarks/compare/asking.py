"""Asking all peers, in turns: who begins a round changes, so that no one always finds the machine warm or tired."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.compare import environments
from benchmarks.compare.environments import NODE
from benchmarks.compare.peers import RABBITMQ, Peer
from benchmarks.compare.programs.serving import BULK
from benchmarks.compare.records import DRAIN, LATENCIES, Record, rates
from benchmarks.compare.running import PeerFailed, Running
from swarmage.bench.samples import percentile
from swarmage.bench.workers import CORES, THREADS


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of what is asked.

    Attributes:
        rounds: how often each peer is asked.
        tasks: that each peer inserts and performs in a round.
        rate: tasks a second that are offered to measure the latency.
        timed: how many of them.
    """

    rounds: int = 5
    tasks: int = 5000
    rate: int = 100
    timed: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Buses:
    """Where the buses listen that were started for the comparison, by name.

    Attributes:
        urls: what a program connects to; a folder for SQLite.
        raw: the same for bare sockets, where that is another.
    """

    urls: dict[str, str]
    raw: dict[str, str]


class Asking:
    """One run through all rounds.

    Attributes:
        versions: what the programs said of what they use.
        failures: what a peer said instead of an answer, by its title; it is not asked again.
    """

    def __init__(self, plan: Plan, peers: Sequence[Peer], buses: Buses, cache: Path) -> None:
        self._plan = plan
        self._peers = peers
        self._buses = buses
        self._cache = cache
        self.versions: dict[str, str] = {}
        self.failures: dict[str, str] = {}

    def ask(self, tell: Callable[[Peer, int], None]) -> Iterator[Record]:
        """Ask everybody in each round; ``tell`` is called with whose turn it is."""
        for number in range(self._plan.rounds):
            first = number * (len(self._peers) // self._plan.rounds or 1) % len(self._peers)
            for peer in [*self._peers[first:], *self._peers[:first]]:
                tell(peer, number)
                if peer.title in self.failures:
                    continue
                try:
                    for record in self._turn(peer, number):
                        yield replace(record, round=number)
                except (PeerFailed, ValueError) as error:
                    self.failures[peer.title] = str(error)

    def _turn(self, peer: Peer, number: int) -> Iterator[Record]:
        tasks = max(100, round(self._plan.tasks * peer.share / 100) * 100)
        interpreter = environments.interpreter(self._cache, peer)
        log = self._cache / f"{peer.title.replace(' ', '-')}.log"
        with Running(interpreter, peer.program, self._environment(peer, number), log) as running:
            self.versions |= running.versions
            inserted = 0
            for way in running.ways:
                part = tasks if way == BULK else max(100, tasks // 500 * 100)
                yield self._rate(peer, way, running.order("insert", way=way, tasks=part)["seconds"], part)
                inserted += part
            if inserted < tasks:
                running.order("insert", way=running.ways[-1], tasks=tasks - inserted)
            inserted = max(inserted, tasks)
            yield self._rate(peer, DRAIN, _drained(running.order("drain", tasks=inserted), inserted), inserted)
            if not peer.limit:
                yield from self._latency(peer, running)

    def _latency(self, peer: Peer, running: Running) -> Iterator[Record]:
        begun = running.order("latency", rate=self._plan.rate, tasks=self._plan.timed)["begun_us"]
        raw = begun[len(begun) // 10 :]  # the first tenth is for warming up
        for name in LATENCIES:
            value = percentile(raw, int(name[1:])) / 1e3
            kept = begun if name == LATENCIES[0] else []
            yield Record(
                name=peer.name, bus=peer.bus, question=name, unit="ms", value=value, round=0, tasks=len(raw), raw=kept
            )

    def _rate(self, peer: Peer, question: str, seconds: float, tasks: int) -> Record:
        return Record(
            name=peer.name,
            bus=peer.bus,
            question=question,
            unit="tasks/s",
            value=rates(tasks, seconds),
            round=0,
            tasks=tasks,
            raw=[seconds],
        )

    def _environment(self, peer: Peer, number: int) -> dict[str, str]:
        queue = f"bench-{peer.name.lower().replace(' ', '-')}-{number}"
        stomp = peer.limit or peer.name == "swarmage"
        url = (self._buses.raw if stomp else self._buses.urls).get(peer.bus, self._buses.urls[peer.bus])
        if peer.bus == RABBITMQ and peer.name == "swarmage":
            url += "?queues=classic"
        if url.startswith("/"):
            url = f"{url}/{queue}.db"
        return {
            "BENCH_URL": url,
            "BENCH_QUEUE": queue,
            "BENCH_THREADS": str(THREADS),
            "BENCH_PROCESSES": str(CORES if peer.each_core else 1),
            "BENCH_MODULES": str(self._cache / NODE),
            "SWARMAGE_URL": url if stomp else "",
        }


def _drained(answer: dict[str, Any], inserted: int) -> float:
    """Return the seconds; tasks that were performed twice count for two, so then there is no rate."""
    if answer["tasks"] != inserted:
        raise PeerFailed(f"of {inserted} tasks {answer['tasks']} were performed")
    return float(answer["seconds"])
