"""A Supervisor inside of a cell: it starts its children in order, and again when they die.

It has no thread: the drone looks after it, when an actor tells that it has begun or ended, and ten times a second.
"""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Iterator

from swarmage.drone.supervision.post import Child, Phase, Post
from swarmage.drone.supervision.restarts import SOUND_SECONDS, Intensity

logger = logging.getLogger("swarmage.drone")


class Team(Child):
    """The children of one Supervisor, in ranks: those of one rank start and stop together.

    Attributes:
        ranks: the actors of one class, or one other team, in the order as declared.
    """

    def __init__(self, path: str, strategy: str, intensity: Intensity) -> None:
        super().__init__(f"supervisor {path}" if path else "the drone")
        self.path = path
        self.ranks: list[list[Child]] = []
        self._strategy = strategy
        self._intensity = intensity
        self._rng = random.Random()  # noqa: S311 - spreads restarts
        self._in_order = False  # while it starts, whatever the strategy
        self._settled = False  # nothing is to be stopped or started

    @property
    def children(self) -> Iterator[Child]:
        """All children, in order."""
        return itertools.chain.from_iterable(self.ranks)

    def posts_by_rank(self) -> Iterator[list[Post]]:
        """Yield the posts in it and in the teams in it, in order, those together that start and stop together."""
        for rank in self.ranks:
            yield [child for child in rank if isinstance(child, Post)]
            for child in rank:
                if isinstance(child, Team):
                    yield from child.posts_by_rank()

    # as a child itself

    def begin(self, now: float) -> None:
        """Start all children, in order."""
        self._begin_anew()
        for child in self.children:
            child.phase, child.due = Phase.DOWN, now
        self._go_on(now)

    def begin_now(self, now: float) -> None:
        """Start all children, in order; return when the last one has started."""
        self._begin_anew()
        for child in self.children:
            child.phase = Phase.RUNNING
            child.begin_now(now)
        self._in_order, self._settled = False, True

    def _begin_anew(self) -> None:
        self.failure, self.told, self._in_order, self._settled = "", False, True, False
        self._intensity = Intensity(self._intensity.most, self._intensity.period)

    def stop(self, now: float) -> None:
        """Stop all children, the last one first."""
        self.told = True
        self._stop_all(now)

    def look(self, now: float) -> None:
        """Look after all children."""
        for rank in self.ranks:
            for child in rank:
                child.look(now)
                if child.failure and child.phase is Phase.RUNNING and not (self.failure or self.told):
                    self._restart(child, now)
        if not self._settled:
            self._go_on(now)

    @property
    def up(self) -> bool:
        """Whether all children are."""
        return self.phase is Phase.RUNNING and not self.failure and all(child.up for child in self.children)

    def gone(self, now: float) -> bool:
        """Say whether all children are gone."""
        return all(child.phase is Phase.DOWN for child in self.children)

    def add(self, rank: list[Child], child: Child, now: float) -> None:
        """Have one more child in a rank; it starts with the others where those are not all there.

        Raises:
            ConfigError: it cannot be started; the message says which and why.
        """
        if self._settled:
            child.phase = Phase.RUNNING
            child.begin_now(now)
        else:
            child.due = now
        rank.append(child)

    @staticmethod
    def remove(rank: list[Child], child: Child, now: float) -> None:
        """Have one child less in a rank."""
        rank.remove(child)
        if child.phase is not Phase.DOWN and not child.told:
            child.stop(now)

    # restarts

    def _restart(self, child: Child, now: float) -> None:
        """Plan what follows on the death of a child."""
        self._settled = False
        place = f"{self.path}: " if self.path else ""
        if not self._intensity.bears(now):
            most, period = self._intensity.most, self._intensity.period
            self.failure = f"{self.name}: more than {most} restarts in {period:g} s, the last one since {child.failure}"
            logger.error("%s; so it has failed itself", self.failure)
            self._stop_all(now)
            return
        group = self._group(child)
        delay = child.backoff.after(now, min(SOUND_SECONDS, self._intensity.period), self._rng)
        others = f", with {len(group) - 1} more that start again" if len(group) > 1 else ""
        logger.error("%s%s; another takes its place in %.1f s%s", place, child.failure, delay, others)
        for each in group:
            each.due = max(each.due, now + delay)
            if each.phase is Phase.RUNNING:
                each.phase = Phase.STOPPING

    def _group(self, child: Child) -> list[Child]:
        """Return which children are started again when this one has died."""
        if self._strategy == "one_for_all":
            return list(self.children)
        if self._strategy == "one_for_one":
            return [child]
        later = itertools.dropwhile(lambda rank: child not in rank, self.ranks)
        next(later)
        return [child, *itertools.chain.from_iterable(later)]

    def _stop_all(self, now: float) -> None:
        self._settled = False
        for child in self.children:
            if child.phase is Phase.RUNNING:
                child.phase = Phase.STOPPING
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        """Go on with what is to be stopped, the last one first, and then with what is due."""
        for rank in reversed(self.ranks):
            stopping = [child for child in rank if child.phase is Phase.STOPPING]
            for child in stopping:
                if child.failure and not isinstance(child, Team):
                    child.phase = Phase.DOWN  # it has died, and what may be left of it nobody needs to wait for
                elif not child.told:
                    child.stop(now)
                if child.gone(now):
                    child.phase = Phase.DOWN
            if any(child.phase is Phase.STOPPING for child in stopping):
                return
        if not (self.failure or self.told):
            self._start_next(now)

    def _start_next(self, now: float) -> None:
        in_order = self._in_order or self._strategy != "one_for_one"
        for rank in self.ranks:
            for child in rank:
                if child.phase is Phase.DOWN and child.due <= now:
                    child.phase = Phase.RUNNING
                    child.begin(now)
            if in_order and not all(child.up for child in rank):
                return
        self._in_order = False
        self._settled = all(child.phase is Phase.RUNNING for child in self.children)
