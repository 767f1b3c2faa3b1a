"""Selection by fitness (`evolve.fitness`): DEAP's selections choose the parents and the survivors of a population.

    nsga2        Pareto rank, then crowding distance (Deb et al. 2002); parents by binary tournaments on both
    tournament   the best by `Member.overall`, the mean rank over all objectives; parents by tournaments of three
    novelty      the best by novelty, without the quarter that belongs least (novelty search with a minimal criterion,
                 Lehman and Stanley 2010); parents by tournaments of three
    random       uniformly at random: the baseline

`register` adds a method. Any selection of `deap.tools` also works by its own name ("selSPEA2", "selNSGA3",
"selLexicase").

DEAP draws from Python's global generator: call these functions inside `toolbox.seeded`.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any

import numpy as np
from deap import base, tools

from core.concept import Concept, Request
from core.errors import ConceptreeError
from evolve.fitness import OBJECTIVES

RATINGS = "rated"  # the objective that people's ratings are
UNRATED = 3.0  # the middle of 1 to 5: neither good nor bad
TOURNAMENT = 3
QUARTER = 0.25


class SelectionError(ConceptreeError):
    """A selection that does not exist."""


class Fitness(base.Fitness):
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

    @property
    def values(self) -> dict[str, float]:
        """Fitness by objective; with `rated` if a member of the population is rated."""
        return dict(zip((*OBJECTIVES, RATINGS), self.fitness.values, strict=False))

    @property
    def novelty(self) -> float:
        return self.values["novel"]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Member) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __deepcopy__(self, memo: dict[int, Any]) -> Member:
        twin = copy.copy(self)
        twin.fitness = copy.deepcopy(self.fitness)
        return twin


Select = Callable[[Sequence[Member], int], list[Member]]  # DEAP's signature: (individuals, k)


@dataclass(frozen=True)
class Method:
    """A way to select. survivors: the best k, each at most once if it can. parents: k draws, repeats allowed."""

    survivors: Select
    parents: Select


def members(values: Mapping[str, Mapping[str, float]], ratings: Mapping[str, int | None]) -> list[Member]:
    """Members by id.

    values: one for each of `OBJECTIVES`. ratings: 1 to 5, or None. If any member is rated, ratings are one more
    objective, in which unrated members count as `UNRATED`.
    """
    rated = any(ratings.get(id_) for id_ in values)
    found = []
    for id_, own in values.items():
        asked = (float(ratings.get(id_) or UNRATED),) if rated else ()
        found.append(Member(id_, Fitness((*(own[name] for name in OBJECTIVES), *asked))))
    return ranked(found)


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
    return (better / (len(table) - 1)).mean(1).tolist()


def parents(method: str, population: Sequence[Member], families: int, size: int) -> list[list[Member]]:
    """`families` groups of `size` different members; smaller groups if the population is smaller."""
    return grouped(method_of(method).parents, population, families, size)


def grouped(draw: Select, population: Sequence[Member], families: int, size: int) -> list[list[Member]]:
    """`families` groups of `size` different members, from rounds of as many draws as the population has members."""
    size = min(size, len(population))
    pool: list[Member] = []
    found = []
    for _ in range(families):
        family: list[Member] = []
        for _ in range(3 * size):
            if len(family) == size:
                break
            pool = pool or list(draw(population, len(population)))
            family += [each for each in [pool.pop(0)] if each not in family]
        rest = [each for each in population if each not in family]
        found.append([*family, *random.sample(rest, size - len(family))])
    return found


def survivors(method: str, candidates: Sequence[Member], count: int, kept: Sequence[str] = ()) -> list[Member]:
    """The `count` members that stay. kept: ids of members that stay in any case, even if they are more than that."""
    return surviving(method_of(method).survivors, candidates, count, kept)


def surviving(select: Select, candidates: Sequence[Member], count: int, kept: Sequence[str] = ()) -> list[Member]:
    """The same with a selection that has DEAP's signature, each member at most once."""
    stay = [each for each in candidates if each.id in kept]
    count = min(len(candidates), max(count, len(stay)))
    while len(stay) < count:  # a selection may choose a member several times
        rest = [each for each in candidates if each not in stay]
        stay += dict.fromkeys(select(rest, count - len(stay)))
    return stay


def front(candidates: Sequence[Member]) -> list[Member]:
    """Pareto front: members that no other member dominates."""
    best = tools.ParetoFront()
    best.update(candidates)
    return [each for each in candidates if each in best.items]  # it keeps copies


def method_of(name: str) -> Method:
    """A registered method, or a selection of `deap.tools` by its name.

    Raises:
        SelectionError: there is none of that name.
    """
    if not is_known(name):
        raise SelectionError(f"select = {name!r}: choose {', '.join(METHODS)} or a selection of deap.tools")
    return METHODS[name] if name in METHODS else method_with(_NEEDING.get(name) or getattr(tools, name))


def is_known(name: str) -> bool:
    """Whether `method_of` finds it."""
    return name in METHODS or (name.startswith("sel") and hasattr(tools, name))


def method_with(select: Select, parents: Select | None = None) -> Method:
    """A method from a selection with DEAP's signature. parents: by default the better half, in random order."""
    return Method(select, parents or partial(better_half, select))


def register(name: str, select: Select, parents: Select | None = None) -> None:
    """Add a method for `Evolution(select=name)`, before the evolution is made:

        register("spea2", tools.selSPEA2)

    select: (individuals, k) → k individuals that stay. parents: the same for parents; by default the better half by
    `select`, in random order. To remove it, delete `METHODS[name]`.

    Raises:
        SelectionError: the name is in use.
    """
    if name in METHODS:
        raise SelectionError(f"the selection {name!r} is registered already: choose another name")
    METHODS[name] = method_with(select, parents)


def better_half(select: Select, population: Sequence[Member], count: int) -> list[Member]:
    """Parents by a selection that was made for survivors: the better half, in random order."""
    found = select(list(population), ceil(len(population) / 2))
    return random.sample(found, len(found))


def _by_rank_and_crowding(population: Sequence[Member], count: int) -> list[Member]:
    population = list(population)
    tools.selNSGA2(population, len(population))  # sets each member's crowding distance within its front
    fours = len(population) - len(population) % 4
    return tools.selTournamentDCD(population, fours) if fours else random.sample(population, len(population))


def _tournaments(population: Sequence[Member], count: int, by: str) -> list[Member]:
    return tools.selTournament(population, count, TOURNAMENT, fit_attr=by)


def _best(candidates: Sequence[Member], count: int, by: str) -> list[Member]:
    return tools.selBest(candidates, count, fit_attr=by)


def _belonging(candidates: Sequence[Member], least: int = 2) -> list[Member]:
    """All but the quarter that belongs least; at least `least`."""
    ordered = sorted(candidates, key=lambda each: -each.values["belongs"])
    return ordered[: max(least, len(ordered) - int(len(ordered) * QUARTER))]


def _novel_parents(population: Sequence[Member]) -> list[Member]:
    return _tournaments(population, len(population), by="novelty")


def _by_reference_points(candidates: Sequence[Member], count: int) -> list[Member]:
    """NSGA-III with points evenly spread over the objectives; p = 4 as in Deb and Jain 2014 for many objectives."""
    return tools.selNSGA3(candidates, count, tools.uniform_reference_points(len(candidates[0].fitness.values), p=4))


_NEEDING: dict[str, Select] = {  # selections of DEAP that need more than (individuals, k)
    "selNSGA3": _by_reference_points,
    "selTournament": partial(_tournaments, by="overall"),
}

METHODS: dict[str, Method] = {
    "nsga2": Method(tools.selNSGA2, _by_rank_and_crowding),
    "tournament": Method(partial(_best, by="overall"), partial(_tournaments, by="overall")),
    "novelty": Method(
        lambda candidates, count: _best(_belonging(candidates, count), count, by="novelty"),
        lambda population, count: _novel_parents(_belonging(population)),
    ),
    "random": Method(lambda each, count: random.sample(each, count), lambda each, count: random.sample(each, count)),
}
