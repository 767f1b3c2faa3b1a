"""Layered layout of a family: generations as rows, oldest on top, with few crossing edges; in units, not pixels.

After Sugiyama, Tagawa and Toda (1981): an edge that passes a row gets a lane between its concepts; rows are ordered by
barycentres, up and down; then everything moves towards its neighbours without changing the order. The same family
always gives the same layout.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import ceil

import networkx as nx

Place = tuple[float, int]  # x of the middle, in widths of a concept from the left end; row, from the top
Lane = tuple[str, int]  # an edge's parent, and the row: all children of a parent share its lanes
Item = str | Lane

LANE = 0.35  # width of a lane, where a concept's is 1
STRAIGHT = 6.0  # how much more two lanes of one edge pull at each other than a concept at a concept
SWEEPS = 12


@dataclass(frozen=True)
class Layout:
    """places: position of each concept. lanes: (parent, child) → positions where that edge passes the rows between.

    generations: of each row; one of more than `columns` concepts fills several. width: from the left end to the
    right, in widths of a concept.
    """

    places: Mapping[str, Place]
    lanes: Mapping[tuple[str, str], Sequence[Place]]
    generations: Sequence[int]
    width: float


def layout(graph: nx.DiGraph, columns: int = 12) -> Layout:
    """Places for a family (see `evolve.family.lineage`), at most `columns` concepts in a row.

    Takes time in proportion to the edges times the rows that they pass: meant for some hundreds of concepts.
    """
    rows = [list[Item](row) for row in _rows(graph, columns)]
    generations = [graph.nodes[row[0]]["generation"] for row in rows]
    row_of = {item: number for number, row in enumerate(rows) for item in row}
    lanes: dict[tuple[str, str], list[Lane]] = {}
    above: dict[Item, dict[Item, float]] = {item: {} for item in row_of}
    for parent, child in graph.edges:
        passed: list[Lane] = [(parent, row) for row in range(row_of[parent] + 1, row_of[child])]
        for lane in passed:
            if lane not in above:
                above[lane] = {}
                rows[lane[1]].append(lane)
        lanes[parent, child] = passed
        path: list[Item] = [parent, *passed, child]
        for upper, lower in pairwise(path):
            above[lower][upper] = STRAIGHT if isinstance(upper, tuple) and isinstance(lower, tuple) else 1.0
    below: dict[Item, dict[Item, float]] = {item: {} for item in above}
    for lower, uppers in above.items():
        for upper, pull in uppers.items():
            below[upper][lower] = pull

    rows = _ordered(rows, above, below)
    x = _placed(rows, above, below)
    left = min((x[item] - _width(item) / 2 for item in x), default=0.0)
    right = max((x[item] + _width(item) / 2 for item in x), default=0.0)
    place = {item: (x[item] - left, number) for number, row in enumerate(rows) for item in row}
    return Layout(
        places={concept: place[concept] for concept in graph},
        lanes={edge: [place[lane] for lane in passed] for edge, passed in lanes.items()},
        generations=generations,
        width=right - left,
    )


def crossings(rows: Sequence[Sequence[Item]], above: Mapping[Item, Mapping[Item, float]]) -> int:
    """Number of crossing pairs of edges between neighbouring rows."""
    count = 0
    for upper, lower in pairwise(rows):
        position = {item: number for number, item in enumerate(upper)}
        seen: list[int] = []
        for item in lower:
            ends = sorted(position[each] for each in above[item])
            # Those seen before stand further left below: they cross where they stand further right above.
            count += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return count


def _rows(graph: nx.DiGraph, columns: int) -> list[list[str]]:
    """Generations as rows; a wide one fills several rows of similar length, concepts with children below."""
    generations: dict[int, list[str]] = {}
    for concept, generation in graph.nodes(data="generation"):
        generations.setdefault(generation, []).append(concept)
    rows = []
    for generation in sorted(generations):
        concepts = generations[generation]
        count = ceil(len(concepts) / max(1, columns))
        if count > 1:
            concepts.sort(key=lambda concept: graph.out_degree(concept) > 0)
        cuts = [len(concepts) * number // count for number in range(count + 1)]
        rows += [concepts[start:end] for start, end in pairwise(cuts)]
    return rows


def _ordered(
    rows: list[list[Item]], above: Mapping[Item, Mapping[Item, float]], below: Mapping[Item, Mapping[Item, float]]
) -> list[list[Item]]:
    """The order with the fewest crossings among those of all sweeps."""
    best, fewest = rows, crossings(rows, above)
    for sweep in range(2 * SWEEPS):
        if not fewest:
            break
        rows = [list(row) for row in rows]
        numbers = range(1, len(rows)) if sweep % 2 == 0 else range(len(rows) - 2, -1, -1)
        near = above if sweep % 2 == 0 else below
        for number in numbers:
            x = _abreast(rows[number]) | _abreast(rows[number - 1 if sweep % 2 == 0 else number + 1])
            # sorted() keeps the order of equals: an item without neighbours wants to stay where it is.
            rows[number] = sorted(rows[number], key=lambda item: _mean(item, near[item], x))
        found = crossings(rows, above)
        if found < fewest:
            best, fewest = rows, found
    return best


def _placed(
    rows: Sequence[Sequence[Item]],
    above: Mapping[Item, Mapping[Item, float]],
    below: Mapping[Item, Mapping[Item, float]],
) -> dict[Item, float]:
    """x of every item: near its neighbours above and below, in order, without overlap."""
    x: dict[Item, float] = {}
    for row in rows:
        x |= _abreast(row)
    for sweep in range(2 * SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            near = [{**above[item], **below[item]} for item in row]
            wanted = [_mean(item, each, x) for item, each in zip(row, near, strict=True)]
            # An item without neighbours follows the others of its row.
            weights = [sum(each.values()) or 0.01 for each in near]
            x |= zip(row, _apart(wanted, weights, [_width(item) for item in row]), strict=True)
    return x


def _abreast(row: Sequence[Item]) -> dict[Item, float]:
    """The items side by side, around 0."""
    middles = _offsets([_width(item) for item in row])
    return {item: middle - (middles[0] + middles[-1]) / 2 for item, middle in zip(row, middles, strict=True)}


def _offsets(widths: Sequence[float]) -> list[float]:
    """Middles of things of these widths side by side, from that of the first."""
    return list(accumulate(((one + other) / 2 for one, other in pairwise(widths)), initial=0.0))


def _apart(wanted: Sequence[float], weights: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Places closest to the wanted ones by weighted least squares, in order and without overlap.

    Without the widths between them, that is isotonic regression: neighbours in the wrong order are pooled.
    """
    offsets = _offsets(widths)
    pools: list[tuple[float, float, int]] = []  # mean, weight, count
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, total, count = want - offset, weight, 1
        while pools and pools[-1][0] >= mean:
            before, heavy, many = pools.pop()
            mean = (mean * total + before * heavy) / (total + heavy)
            total, count = total + heavy, count + many
        pools.append((mean, total, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _mean(item: Item, near: Mapping[Item, float], x: Mapping[Item, float]) -> float:
    total = sum(near.values())
    return sum(x[each] * pull for each, pull in near.items()) / total if total else x[item]


def _width(item: Item) -> float:
    return LANE if isinstance(item, tuple) else 1.0
