"""Emitters: they choose the children of the next generation, with pyribs' interface (MIT, https://pyribs.org).

    founders   independent founders of the category
    between    children of two elites by Eq. 5, at shares of the weight whose mixture falls into a cell
    towards    variations of an elite near a cell, moved there along the axes, see `evolve.maps.moving`
    gain       for each cell such a mixture, moved to the cell's middle, or such a variation; those first by which the
               QD score is expected to grow most

`between` and `towards` look for empty cells first, `between` at those that a mixture of two elites would fall into,
`towards` at the others; then at the cells with the lowest quality. The place of a mixture is known beforehand: it is
the place of the mean of both parents' embeddings (`evolve.mixtures`), and children land close to it.

An emitter is made anew for each generation from `Ground`, so a resumed job needs no state of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ribs.emitters import EmitterBase

from evolve.maps.archive import Archive, centres
from evolve.maps.chart import Array, Chart, MapError, Placed
from evolve.maps.recipes import AIM, FOUND, MATE, MOVE, NUMBERS, Recipe, rows_of

Rows = npt.NDArray[np.int64]
SHARES = (0.5, 0.35, 0.65, 0.2, 0.8)  # weights of the first parent that are tried
QUALITY = 0.25  # weight of a parent's quality against a distance on the map
NEAREST = 3  # elites that vary in turn, where a cell has several children
SPREAD = 0.06  # how far children land from the middle that they are for, on each axis (docs/map.md)
MOST_PARENTS = 512  # elites that are tried in pairs, which makes 130,000 pairs at most


@dataclass(frozen=True)
class Ground:
    """Input of all emitters. found: the concepts that can be parents; the archive's `concept` is a row of it. aim: the
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
    """Base of emitters of `count` recipes. A subclass overrides `recipes`."""

    def __init__(self, ground: Ground, count: int) -> None:
        super().__init__(ground.archive, solution_dim=NUMBERS, bounds=None, lower_bounds=None, upper_bounds=None)
        self.ground, self.count = ground, count

    def recipes(self) -> list[Recipe]:
        """At most `count` recipes; `ask` adds founders for the rest."""
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
        """One for each cell in turn; first the cells that no mixture falls into, nearest to an elite first."""
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


class Gain(Emitter):
    """Children by which the QD score is expected to grow most, one after the other.

    A child for a cell is a mixture of two elites that falls into it, or a variation of the nearest elite if none does.
    It is expected to have its parents' quality, and to land around the cell's middle, normally with `SPREAD`:

        gain(c) = sum over cells k of P(lands in k | is for c) · max(0, quality of the child − quality of k's elite)
    """

    def recipes(self) -> list[Recipe]:
        """The child with the highest gain, then, as if it had landed, the next one. A cell takes its ways in turn."""
        archive = self.ground.archive
        if archive.empty:
            return []
        middles, aim = centres(archive), self.ground.aim
        ways = self._ways(middles)
        worth = np.array([each[0][0] for each in ways])
        apart = ((middles[:, None] - middles) ** 2).sum(-1)
        lands = np.exp(-apart / (2 * SPREAD**2))  # [for, lands in]
        lands /= lands.sum(1, keepdims=True)
        there = np.zeros(len(middles))
        there[np.asarray(archive.data("index"))] = archive.data("objective")
        turns = np.zeros(len(middles), dtype=np.int64)
        recipes = []
        for _ in range(self.count):
            gains = (lands * np.maximum(worth[:, None] - there, 0)).sum(1)
            cell = int(np.lexsort((turns, -gains))[0]) if aim is None else aim  # of equal gains, the fewest children
            recipes.append(ways[cell][turns[cell] % len(ways[cell])][1])
            there += lands[cell] * np.maximum(worth[cell] - there, 0)
            turns[cell] += 1
            worth[cell] = ways[cell][turns[cell] % len(ways[cell])][0]
        return recipes

    def _ways(self, middles: Array) -> list[list[tuple[float, Recipe]]]:
        """For each cell the children that it can have, at least one: (quality, recipe), near and good parents first."""
        ground, quality = self.ground, self.ground.found.quality
        pairs, shares, cells, costs = mixtures(ground)
        worth = shares * quality[pairs[:, 0]] + (1 - shares) * quality[pairs[:, 1]]
        ways: list[list[tuple[float, Recipe]]] = [[] for _ in middles]
        order = np.argsort(costs, kind="stable")
        keys = np.ravel_multi_index((cells, *pairs.T), (len(middles), *[len(ground.found)] * 2))[order]
        once = np.sort(np.unique(keys, return_index=True)[1])  # of a pair, only its best share for a cell
        for place in order[once].tolist():
            if len(ways[cells[place]]) < self.count:
                one, other = pairs[place].tolist()
                recipe = Recipe(AIM, one, other, float(shares[place]), int(cells[place]))
                ways[cells[place]].append((float(worth[place]), recipe))
        elites = ground.elites
        for cell, middle in enumerate(middles):
            if not ways[cell]:
                apart = np.linalg.norm(ground.found.places[elites] - middle, axis=1) - QUALITY * quality[elites]
                nearest = elites[apart.argsort(kind="stable")[:NEAREST]].tolist()
                ways[cell] = [(float(quality[one]), Recipe(AIM, one, cell=cell)) for one in nearest]
        return ways


EMITTERS: dict[str, Make] = {"between": Between, "towards": Towards, "founders": Founders, "gain": Gain}
USUAL = {"gain": 0.9, "founders": 0.1}  # shares of a generation


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
