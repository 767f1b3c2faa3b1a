"""Emitters: they choose the children of the next generation, with pyribs' interface (MIT, https://pyribs.org).

    founders   independent founders of the category
    between    children of two elites by Eq. 5, at shares of the weight whose mixture falls into a cell
    towards    variations of an elite near a cell, moved there along the axes, see `evolve.maps.moving`

Both look for empty cells first, `between` at those that a mixture of two elites would fall into, `towards` at the
others; then at the cells with the lowest quality. The place of a mixture is known beforehand: it is the place of the
mean of both parents' embeddings (`evolve.mixtures`), and children land close to it.

An emitter is made anew for each generation, so a resumed job needs no state of it: all that it goes by is in `Ground`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ribs.emitters import EmitterBase

from evolve.maps.archive import Archive, centres
from evolve.maps.chart import Array, Chart, MapError, Placed
from evolve.maps.recipes import FOUND, MATE, MOVE, NUMBERS, Recipe, rows_of

Rows = npt.NDArray[np.int64]
SHARES = (0.5, 0.35, 0.65, 0.2, 0.8)  # of the first parent's weight that are tried
QUALITY = 0.25  # what a parent's quality counts against a distance on the map
NEAREST = 3  # elites that vary in turn, where a cell has several children
MOST_PARENTS = 512  # elites that are tried in pairs, which makes 130,000 pairs at most


@dataclass(frozen=True)
class Ground:
    """What emitters go by. found: the concepts that can be parents; the archive's `concept` is a row of it. aim: the
    only cell that children are for, by its index; None for all.
    """

    archive: Archive
    chart: Chart
    found: Placed
    chance: np.random.Generator
    aim: int | None = None

    @property
    def elites(self) -> Rows:
        """Rows of the elites in `found`."""
        return np.asarray(self.archive.data("concept"), dtype=np.int64)

    def needs(self) -> Array:
        """How much each cell needs a child, `[cells]`: above 1 if it is empty, in random order; else 1 − quality."""
        needs: Array = 1 + self.chance.random(int(self.archive.cells))
        needs[np.asarray(self.archive.data("index"), dtype=np.int64)] = 1 - self.archive.data("objective")
        return needs


Make = Callable[[Ground, int], EmitterBase]


class Emitter(EmitterBase):
    """An emitter of `count` recipes. A subclass has `recipes`."""

    def __init__(self, ground: Ground, count: int) -> None:
        super().__init__(ground.archive, solution_dim=NUMBERS, bounds=None, lower_bounds=None, upper_bounds=None)
        self.ground, self.count = ground, count

    def recipes(self) -> list[Recipe]:
        """At most `count`, which `ask` fills up with founders."""
        return []

    def ask(self) -> Array:
        """`[count, NUMBERS]`"""
        found = self.recipes()[: self.count]
        return rows_of([*found, *[Recipe(FOUND)] * (self.count - len(found))])


class Founders(Emitter):
    """Independent founders of the category."""


class Between(Emitter):
    """Children of two elites; variations, as `Towards`, where too few mixtures are possible."""

    def recipes(self) -> list[Recipe]:
        """The best mixtures for the cells that need them most; of each cell first the one of the nearest neighbours."""
        pairs, shares, cells, costs = mixtures(self.ground)
        if not len(cells):
            return Towards(self.ground, self.count).recipes()
        order = np.lexsort((costs, cells))
        firsts = np.r_[0, np.flatnonzero(np.diff(cells[order])) + 1]
        turns = np.arange(len(order)) - np.repeat(firsts, np.diff(np.r_[firsts, len(order)]))
        needs = self.ground.needs()[cells[order]]
        chosen = order[np.lexsort((-needs, turns))[: self.count]]
        mixed = [
            Recipe(MATE, one, other, float(shares[place]), int(cells[place]))
            for place, (one, other) in zip(chosen, pairs[chosen].tolist(), strict=True)
        ]
        return mixed + Towards(self.ground, self.count - len(mixed)).recipes()


class Towards(Emitter):
    """Variations of elites, moved towards cells along the axes."""

    def recipes(self) -> list[Recipe]:
        """For each cell in turn, those first that no mixture falls into and that are nearest to an elite."""
        elites = self.ground.elites
        if not len(elites):
            return []
        needs, middles = self.ground.needs(), centres(self.ground.archive)
        apart = np.linalg.norm(middles[:, None] - self.ground.found.places[elites], axis=-1)  # [cells, elites]
        if len(elites) > 1:  # a cell's own elite only varies if there is no other
            apart[np.asarray(self.archive.data("index")), np.arange(len(elites))] = np.inf
        nearest = (apart - QUALITY * self.ground.found.quality[elites]).argsort(axis=1, kind="stable")
        mixed = np.zeros(len(middles), dtype=bool)
        mixed[mixtures(self.ground)[2]] = True
        order = np.lexsort((np.where(needs > 1, apart.min(1), -needs), mixed, needs <= 1))
        if self.ground.aim is not None:
            order = np.array([self.ground.aim])
        recipes = []
        for number in range(self.count):
            turn, place = divmod(number, len(order))
            cell = int(order[place])
            parent = nearest[cell, turn % min(NEAREST, len(elites))]
            recipes.append(Recipe(MOVE, one=int(elites[parent]), cell=cell))
        return recipes


EMITTERS: dict[str, Make] = {"between": Between, "towards": Towards, "founders": Founders}
USUAL = {"between": 0.5, "towards": 0.4, "founders": 0.1}  # shares of a generation


def register(name: str, make: Make) -> None:
    """Add an emitter for `Map(emitters={name: share})`, before the map is made or resumed. To remove it, delete
    `EMITTERS[name]`.

    Raises:
        MapError: the name is in use.
    """
    if name in EMITTERS:
        raise MapError(f"the emitter {name!r} is registered already: choose another name")
    EMITTERS[name] = make


def emitters_of(shares: Sequence[tuple[str, float]], ground: Ground, count: int) -> list[EmitterBase]:
    """Emitters of `count` recipes together, by their shares; the largest remainders take the rest.

    Raises:
        MapError: an emitter is unknown.
    """
    for name, _ in shares:
        if name not in EMITTERS:
            raise MapError(f"unknown emitter {name!r}: choose {', '.join(EMITTERS)}, or register it")
    total = sum(share for _, share in shares)
    exact = [count * share / total for _, share in shares]
    counts = [int(each) for each in exact]
    for place in sorted(range(len(exact)), key=lambda place: counts[place] - exact[place])[: count - sum(counts)]:
        counts[place] += 1
    return [EMITTERS[name](ground, own) for (name, _), own in zip(shares, counts, strict=True) if own]


def mixtures(ground: Ground) -> tuple[Rows, Array, Rows, Array]:
    """Mixtures of any two elites at `SHARES`: rows of the parents `[n, 2]`, share of the first `[n]`, cell `[n]`, cost
    `[n]`. A low cost is that of near parents of high quality whose mixture falls into the middle of a cell.
    """
    rows = ground.elites[np.argsort(-ground.archive.data("objective"), kind="stable")[:MOST_PARENTS]]
    one, other = np.triu_indices(len(rows), 1)
    if not len(one):
        return np.zeros((0, 2), dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0)
    found = ground.found
    unit, values, places, quality = (each[rows] for each in (found.unit, found.values, found.places, found.quality))
    likeness = (unit @ unit.T)[one, other]
    apart = np.linalg.norm(places[one] - places[other], axis=1) - QUALITY * (quality[one] + quality[other]) / 2
    cells, costs = [], []
    for share in SHARES:
        rest = 1 - share
        length = np.sqrt(share**2 + rest**2 + 2 * share * rest * likeness)  # of the mean of unit embeddings
        expected = np.empty((len(one), len(ground.chart.axes)))
        for number, axis in enumerate(ground.chart.axes):
            mean = share * values[one, number] + rest * values[other, number]
            expected[:, number] = axis.places(mean if axis.measure else mean / np.maximum(length, 1e-12))
        cell = np.asarray(ground.archive.index_of(expected), dtype=np.int64)
        cells.append(cell)
        costs.append(apart + np.linalg.norm(expected - centres(ground.archive)[cell], axis=1))
    pairs = np.tile(np.stack([rows[one], rows[other]], axis=1), (len(SHARES), 1))
    every = pairs, np.repeat(SHARES, len(one)), np.concatenate(cells), np.concatenate(costs)
    if ground.aim is None:
        return every
    aimed = every[2] == ground.aim
    return every[0][aimed], every[1][aimed], every[2][aimed], every[3][aimed]
