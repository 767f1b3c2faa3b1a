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

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from core.errors import ConceptreeError

if TYPE_CHECKING:  # plans check names of methods, and pages that read them need no DEAP
    from evolve.members import Member

TOURNAMENT = 3
QUARTER = 0.25


class SelectionError(ConceptreeError):
    """A selection that does not exist."""


Select = Callable[[Sequence["Member"], int], list["Member"]]  # DEAP's signature: (individuals, k)


@dataclass(frozen=True)
class Method:
    """A way to select. survivors: the best k, each at most once if it can. parents: k draws, repeats allowed."""

    survivors: Select
    parents: Select


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


def method_of(name: str) -> Method:
    """A registered method, or a selection of `deap.tools` by its name.

    Raises:
        SelectionError: there is none of that name.
    """
    if not is_known(name):
        raise SelectionError(f"select = {name!r}: choose {', '.join(METHODS)} or a selection of deap.tools")
    if name in METHODS:
        return METHODS[name]
    from deap import tools

    return method_with(_NEEDING.get(name) or getattr(tools, name))


def is_known(name: str) -> bool:
    """Whether `method_of` finds it."""
    if name in METHODS or not name.startswith("sel"):
        return name in METHODS
    from deap import tools

    return hasattr(tools, name)


def method_with(select: Select, parents: Select | None = None) -> Method:
    """A method from a selection with DEAP's signature. parents: by default the better half, in random order."""
    return Method(select, parents or partial(better_half, select))


def register(name: str, select: Select, parents: Select | None = None) -> None:
    """Add a method for `Evolve(select=name)`, before the evolution is made:

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


def _best_fronts(candidates: Sequence[Member], count: int) -> list[Member]:
    from deap import tools

    found: list[Member] = tools.selNSGA2(candidates, count)
    return found


def _by_rank_and_crowding(population: Sequence[Member], count: int) -> list[Member]:
    from deap import tools

    population = list(population)
    tools.selNSGA2(population, len(population))  # sets each member's crowding distance within its front
    fours = len(population) - len(population) % 4
    return tools.selTournamentDCD(population, fours) if fours else random.sample(population, len(population))


def _tournaments(population: Sequence[Member], count: int, by: str) -> list[Member]:
    from deap import tools

    found: list[Member] = tools.selTournament(population, count, TOURNAMENT, fit_attr=by)
    return found


def _best(candidates: Sequence[Member], count: int, by: str) -> list[Member]:
    from deap import tools

    found: list[Member] = tools.selBest(candidates, count, fit_attr=by)
    return found


def _belonging(candidates: Sequence[Member], least: int = 2) -> list[Member]:
    """All but the quarter that belongs least; at least `least`."""
    ordered = sorted(candidates, key=lambda each: -each.values["belongs"])
    return ordered[: max(least, len(ordered) - int(len(ordered) * QUARTER))]


def _novel_parents(population: Sequence[Member]) -> list[Member]:
    return _tournaments(population, len(population), by="novelty")


def _by_reference_points(candidates: Sequence[Member], count: int) -> list[Member]:
    """NSGA-III with points evenly spread over the objectives; p = 4 as in Deb and Jain 2014 for many objectives."""
    from deap import tools

    points = tools.uniform_reference_points(len(candidates[0].fitness.values), p=4)
    found: list[Member] = tools.selNSGA3(candidates, count, points)
    return found


_NEEDING: dict[str, Select] = {  # selections of DEAP that need more than (individuals, k)
    "selNSGA3": _by_reference_points,
    "selTournament": partial(_tournaments, by="overall"),
}

METHODS: dict[str, Method] = {
    "nsga2": Method(_best_fronts, _by_rank_and_crowding),
    "tournament": Method(partial(_best, by="overall"), partial(_tournaments, by="overall")),
    "novelty": Method(
        lambda candidates, count: _best(_belonging(candidates, count), count, by="novelty"),
        lambda population, count: _novel_parents(_belonging(population)),
    ),
    "random": Method(lambda each, count: random.sample(each, count), lambda each, count: random.sample(each, count)),
}
