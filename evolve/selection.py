"""Who has children and who stays, by fitness (`evolve.fitness`): DEAP's selections on members of a population.

    nsga2        Pareto rank, then crowding distance (Deb et al. 2002): parents by binary tournaments on both
    tournament   the best of three by `overall`, the mean rank over all objectives; who stays is the best by it
    novelty      the same by novelty alone, among those that belong: novelty search with a minimal criterion (Lehman and
                 Stanley 2010). Who belongs less than three quarters of the candidates do is no candidate
    random       by chance: what selection has to be better than

DEAP draws from Python's global generator: call these inside `toolbox.seeded`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from deap import base, tools

from evolve.fitness import OBJECTIVES, Fitness

METHODS = ("nsga2", "tournament", "novelty", "random")
RATED = (*OBJECTIVES, "rated")
UNRATED = 3.0  # the middle of 1 to 5: nobody has said that it is good, or that it is not
TOURNAMENT = 3
QUARTER = 0.25


class RatedFitness(base.Fitness):
    """DEAP's fitness over `RATED`, each to be maximised."""

    weights = (1.0,) * len(RATED)


@dataclass(eq=False)
class Member:
    """A concept as DEAP selects it. overall: its mean rank among those that it was made with, from 0 up to 1."""

    id: str
    fitness: base.Fitness
    overall: float = 0.0

    @property
    def values(self) -> dict[str, float]:
        """By objective; `rated` is among them where somebody has rated."""
        return dict(zip(RATED, self.fitness.values, strict=False))

    @property
    def novelty(self) -> float:
        return self.values["novel"]


def members(values: Mapping[str, Mapping[str, float]], ratings: Mapping[str, int | None]) -> list[Member]:
    """Members by id. values: of each of `OBJECTIVES`. ratings: 1 to 5, as far as there are any: where one of the
    members is rated, ratings are one more objective, in which the others count as `UNRATED`.
    """
    rated = any(ratings.get(id_) for id_ in values)
    found = []
    for id_, own in values.items():
        measured = tuple(own[name] for name in OBJECTIVES)
        asked = (float(ratings.get(id_) or UNRATED),)
        found.append(Member(id_, RatedFitness(measured + asked) if rated else Fitness(measured)))
    for member, rank in zip(found, mean_ranks([each.fitness.values for each in found]), strict=True):
        member.overall = rank
    return found


def mean_ranks(values: Sequence[Sequence[float]]) -> list[float]:
    """For each row of [n, objectives] its rank in each objective, as the share of the others that it is better than
    (an equal one counts half), as a mean over the objectives.

    Objectives have scales of their own: a sum of their values would be the one with the widest.
    """
    table = np.asarray(values, dtype=np.float64)
    if len(table) < 2:
        return [0.5] * len(table)
    better = (table[:, None] > table[None]).sum(1) + 0.5 * ((table[:, None] == table[None]).sum(1) - 1)
    return (better / (len(table) - 1)).mean(1).tolist()


def parents(method: str, population: Sequence[Member], families: int, size: int) -> list[list[Member]]:
    """`families` groups of `size` different members, fewer where the population is smaller."""
    size = min(size, len(population))
    pool: list[Member] = []
    found = []
    for _ in range(families):
        family: list[Member] = []
        for _ in range(3 * size):
            if len(family) == size:
                break
            pool = pool or _drawn(method, population)
            family += [each for each in [pool.pop(0)] if each not in family]
        rest = [each for each in population if each not in family]
        found.append([*family, *random.sample(rest, size - len(family))])
    return found


def survivors(method: str, candidates: Sequence[Member], count: int, kept: Sequence[str] = ()) -> list[Member]:
    """The `count` that stay. kept: ids of those that stay in any case, even if they alone are more."""
    certain = [each for each in candidates if each.id in kept]
    rest = [each for each in candidates if each.id not in kept]
    return [*certain, *_SURVIVORS[method](rest, min(len(rest), max(0, count - len(certain))))]


def front(candidates: Sequence[Member]) -> list[Member]:
    """Those that no other is better than in one objective and as good as in all others."""
    best = tools.ParetoFront(similar=lambda one, other: one.id == other.id)
    best.update(candidates)
    ids = {each.id for each in best}  # it keeps copies
    return [each for each in candidates if each.id in ids]


def _drawn(method: str, population: Sequence[Member]) -> list[Member]:
    """A round of parents, as many as the population has members, in the order of their choice."""
    population = list(population)
    if method == "nsga2":
        tools.selNSGA2(population, len(population))  # tells everyone its crowding distance within its front
        fours = len(population) - len(population) % 4
        return tools.selTournamentDCD(population, fours) if fours else random.sample(population, len(population))
    if method == "tournament":
        return tools.selTournament(population, len(population), TOURNAMENT, fit_attr="overall")
    if method == "novelty":
        population = _belonging(population)
        return tools.selTournament(population, len(population), TOURNAMENT, fit_attr="novelty")
    return random.sample(population, len(population))


def _belonging(candidates: Sequence[Member], least: int = 2) -> list[Member]:
    """All but the quarter that belongs least; at least so many."""
    ordered = sorted(candidates, key=lambda each: -each.values["belongs"])
    return ordered[: max(least, len(ordered) - int(len(ordered) * QUARTER))]


def _most_novel(candidates: list[Member], count: int) -> list[Member]:
    return tools.selBest(_belonging(candidates, count), count, fit_attr="novelty")


_SURVIVORS: dict[str, Callable[[list[Member], int], list[Member]]] = {
    "nsga2": tools.selNSGA2,
    "tournament": lambda candidates, count: tools.selBest(candidates, count, fit_attr="overall"),
    "novelty": _most_novel,
    "random": lambda candidates, count: random.sample(candidates, count),
}
