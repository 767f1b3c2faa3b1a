"""Members of a population as DEAP sees them: individuals with a fitness over `evolve.fitness.OBJECTIVES`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from deap import base, tools

from core.concept import Concept, Request
from evolve.fitness import OBJECTIVES, RATINGS

UNRATED = 3.0  # the middle of 1 to 5: neither good nor bad


class Fitness(base.Fitness):  # type: ignore[misc]  # DEAP has no types
    """DEAP's fitness: any number of objectives, each maximised. In the order of `OBJECTIVES`, then ratings if any."""

    weights: tuple[float, ...] = ()

    def __init__(self, values: Sequence[float] = ()) -> None:
        super().__init__()
        if len(values):
            self.values = values

    def setValues(self, values: Sequence[float]) -> None:  # DEAP's name
        self.weights = (1.0,) * len(values)
        super().setValues(values)

    values = property(base.Fitness.getValues, setValues, base.Fitness.delValues)

    def __deepcopy__(self, memo: dict[int, Any]) -> Fitness:
        return Fitness(self.wvalues)


@dataclass(eq=False)
class Member:
    """An individual for DEAP: a concept, or a request that is not learned yet. Equal if the concept's id is equal.

    overall: mean rank among the members that it was measured with, from 0 up to 1. request, concept: as far as they are
    known; both are immutable, so that copies share them.
    """

    id: str
    fitness: Fitness
    overall: float = 0.0
    request: Request | None = None
    concept: Concept | None = None
    objectives: tuple[str, ...] = ()  # that the fitness consists of; () for all, then ratings if any

    @property
    def values(self) -> dict[str, float]:
        """Fitness by objective; with `rated` if a member of the population is rated."""
        return dict(zip(self.objectives or (*OBJECTIVES, RATINGS), self.fitness.values, strict=False))

    @property
    def novelty(self) -> float:
        return self.values["novel"]

    @property
    def liking(self) -> float:
        """The rating, given or expected; `UNRATED` if no member has one."""
        return self.values.get(RATINGS, UNRATED)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Member) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __deepcopy__(self, memo: dict[int, Any]) -> Member:
        twin = copy.copy(self)
        twin.fitness = copy.deepcopy(self.fitness)
        return twin


def members(
    values: Mapping[str, Mapping[str, float]], ratings: Mapping[str, float | None], objectives: Sequence[str] = ()
) -> list[Member]:
    """Members by id.

    values: one for each of `OBJECTIVES`. ratings: 1 to 5, given or expected, or None. If any member is rated, ratings
    are one more objective, in which unrated members count as `UNRATED`. objectives: only these, of `OBJECTIVES` and
    `RATINGS`; by default all.
    """
    rated = RATINGS in objectives or any(ratings.get(id_) for id_ in values)
    names = tuple(objectives) or (*OBJECTIVES, *((RATINGS,) if rated else ()))
    found = []
    for id_, own in values.items():
        every = {**own, RATINGS: float(ratings.get(id_) or UNRATED)}
        found.append(Member(id_, Fitness([every[name] for name in names]), objectives=tuple(objectives)))
    return ranked(found)


def most_liked(candidates: Sequence[Member], count: int) -> list[Member]:
    """The best by `Member.liking`, with DEAP's signature of a selection."""
    found: list[Member] = tools.selBest(candidates, count, fit_attr="liking")
    return found


def ranked(population: Sequence[Member]) -> list[Member]:
    """The members with their `overall` rank in this population."""
    for member, rank in zip(population, mean_ranks([each.fitness.values for each in population]), strict=True):
        member.overall = rank
    return list(population)


def mean_ranks(values: Sequence[Sequence[float]]) -> list[float]:
    """For each row of [n, objectives] the share of the other rows that it beats, as a mean over the objectives.

    A tie counts half. Ranks, because a sum of values would follow the objective with the widest scale.
    """
    table = np.asarray(values, dtype=np.float64)
    if len(table) < 2:
        return [0.5] * len(table)
    better = (table[:, None] > table[None]).sum(1) + 0.5 * ((table[:, None] == table[None]).sum(1) - 1)
    ranks: list[float] = (better / (len(table) - 1)).mean(1).tolist()
    return ranks


def front(candidates: Sequence[Member]) -> list[Member]:
    """Pareto front: members that no other member dominates."""
    best = tools.ParetoFront()
    best.update(candidates)
    return [each for each in candidates if each in best.items]  # it keeps copies
