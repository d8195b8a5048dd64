"""From what is declared to the teams of one cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from swarmage.drone.cell import Cell
from swarmage.drone.processes.keeper import keeper_of
from swarmage.drone.supervision.declared import Supervising
from swarmage.drone.supervision.post import Child, Post
from swarmage.drone.supervision.restarts import SOUND_SECONDS, Intensity
from swarmage.drone.supervision.roster import Roster
from swarmage.drone.supervision.team import Team
from swarmage.drone.supervision.watching import watching
from swarmage.drone.worker import Worker


class Planting:
    """Makes the trees of one cell.

    Attributes:
        counts: how many tasks of a Worker class are performed at once, by the class of its actors.
        roster: who will be there.
        ranks: the team of a class of actors, and its posts there.
    """

    def __init__(self, given: Mapping[type[Worker], int], cell: Cell) -> None:
        self._actors: dict[type[Any], type[Worker]] = {one: keeper_of(one) for one in given}
        self.counts = {self._actors[one]: count for one, count in given.items()}
        self.roster = Roster(cell, self.counts)
        self.ranks: dict[type[Worker], tuple[Team, list[Child]]] = {}

    def trees(self, roots: Iterable[type[Any]]) -> list[Team]:
        """Return a team for each tree, and behind them one for the Workers that stand in none."""
        given = list(roots)
        declared = [self._declared(root, root.__qualname__) for root in given if issubclass(root, Supervising)]
        alone = [root for root in given if not issubclass(root, Supervising)]
        unlimited = Intensity(None, SOUND_SECONDS)  # one class that cannot start is not to end what others perform
        return [*declared, self._team("", "one_for_one", unlimited, alone)]

    def _declared(self, declared: type[Supervising], path: str) -> Team:
        intensity = Intensity(declared.intensity, declared.period)
        return self._team(path, declared.strategy, intensity, declared.children)

    def _team(self, path: str, strategy: str, intensity: Intensity, children: Iterable[type[Any]]) -> Team:
        team = Team(path, strategy, intensity)
        for child in children:
            if issubclass(child, Supervising):
                team.ranks.append([self._declared(child, f"{path}/{child.__qualname__}")])
                continue
            actor_class = self._actors.get(child)
            count = 1 if actor_class is None or actor_class.on_loop else self.counts[actor_class]
            rank: list[Child] = [Post(actor_class or watching(child), self.roster, path) for _ in range(count)]
            team.ranks.append(rank)
            if actor_class is not None:
                self.ranks[actor_class] = (team, rank)
        return team
