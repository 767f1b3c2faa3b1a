"""A layout that lasts: concepts keep their places for good, and new ones take free places near their parents.

The first layout of a family is that of `evolve.family.layout`. Later concepts are added without moving any other:
below, if their generation is new, else in a row of their generation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf, isfinite
from pathlib import Path

import networkx as nx

from core.files import StorageError, write_atomically
from evolve.family.layout import Layout, Place, layout

FILE = "layout.json"  # in the folder of a run; can be deleted
Spot = tuple[float, int, int]  # x; generation; row within the generation, from 0
DIGITS = 4  # of places after the point
BESIDE_NODE = 0.5  # least distance of a passing edge from the middle of a concept


@dataclass(frozen=True)
class Memory:
    """Places so far: of concepts, and of edges where they pass a row, by (parent, generation, row within)."""

    spots: Mapping[str, Spot] = field(default_factory=dict)
    lanes: Mapping[tuple[str, int, int], float] = field(default_factory=dict)

    def only(self, nodes: Iterable[str]) -> Memory:
        """The places of these concepts."""
        there = set(nodes)
        return Memory(
            {node: spot for node, spot in self.spots.items() if node in there},
            {lane: x for lane, x in self.lanes.items() if lane[0] in there},
        )


def remembered(folder: Path) -> Memory:
    """The stored places of a run; none if there is no file, or it cannot be read."""
    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        found = Memory(
            {str(node): (float(x), int(generation), int(row)) for node, (x, generation, row) in told["places"].items()},
            {(str(node), int(generation), int(row)): float(x) for node, generation, row, x in told["lanes"]},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return Memory()
    across = [x for x, *_ in found.spots.values()] + list(found.lanes.values())
    return found if all(map(isfinite, across)) else Memory()


def remember(folder: Path, memory: Memory) -> None:
    """Store places; a run that cannot be written goes without."""
    told = {
        "places": {node: [x, *at] for node, (x, *at) in memory.spots.items()},
        "lanes": [[*lane, x] for lane, x in memory.lanes.items()],
    }
    with suppress(StorageError):
        write_atomically(folder / FILE, json.dumps(told).encode(), within=folder)


def forget(folder: Path) -> None:
    """Remove the stored places, so that the family is laid out anew."""
    with suppress(OSError):
        (folder / FILE).unlink()


def lasting(graph: nx.DiGraph, memory: Memory, columns: int = 12) -> tuple[Layout, Memory]:
    """(layout of a family, places from now on). Concepts that the memory has stay where they are.

    columns: the most concepts in a row of the first layout, and later the width of the family, see `_new_spot`.
    """
    if not any(node in memory.spots for node in graph):
        found = _rounded(layout(graph, columns))
        return found, _memory_of(found, memory)
    spots, lanes = dict(memory.spots), dict(memory.lanes)
    generations: dict[str, int] = dict(graph.nodes(data="generation"))
    new = sorted((node for node in graph if node not in spots), key=lambda node: generations[node])
    for node in new:
        spots[node] = _new_spot(graph, node, generations[node], spots, lanes, columns)
    spots |= _from_left(graph, new, spots)
    rows = sorted({spot[1:] for spot in spots.values()})
    number = {row: place for place, row in enumerate(rows)}
    passed: dict[tuple[str, str], list[Place]] = {}
    for parent, child in graph.edges:
        x, *_ = spots[parent]
        passed[parent, child] = []
        for row in rows[number[spots[parent][1:]] + 1 : number[spots[child][1:]]]:
            lane = (parent, *row)
            if lane not in lanes:
                nodes = [(spot[0], BESIDE_NODE) for spot in spots.values() if spot[1:] == row]
                _, lanes[lane] = min((abs(free - x), free) for free in _free(x, nodes))
            x = lanes[lane]
            passed[parent, child].append((x, number[row]))
    there = [spots[node][0] for node in graph]
    places = {node: (spots[node][0], number[spots[node][1:]]) for node in graph}
    width = max(there) - min(there) + 1.0
    return Layout(places, passed, [generation for generation, _ in rows], width), Memory(spots, lanes)


def _from_left(graph: nx.DiGraph, new: Iterable[str], spots: Mapping[str, Spot]) -> dict[str, Spot]:
    """The spots of new concepts, so that those of one couple in one row stand in their order, from left to right."""
    siblings: dict[tuple[frozenset[str], int, int], list[str]] = {}
    for node in new:
        siblings.setdefault((frozenset(graph.pred[node]), *spots[node][1:]), []).append(node)
    return {
        node: spot
        for nodes in siblings.values()
        for node, spot in zip(nodes, sorted(spots[node] for node in nodes), strict=True)
    }


def _rounded(found: Layout) -> Layout:
    """With the places that are stored, to the last digit."""
    return replace(
        found,
        places={node: (round(x, DIGITS), row) for node, (x, row) in found.places.items()},
        lanes={edge: [(round(x, DIGITS), row) for x, row in lane] for edge, lane in found.lanes.items()},
    )


def _memory_of(found: Layout, memory: Memory) -> Memory:
    """The places of a first layout, and those that the memory has of other concepts."""
    firsts = {generation: row for row, generation in reversed(list(enumerate(found.generations)))}

    def at(row: int) -> tuple[int, int]:
        generation = found.generations[row]
        return generation, row - firsts[generation]

    return Memory(
        {**memory.spots, **{node: (x, *at(row)) for node, (x, row) in found.places.items()}},
        {**memory.lanes, **{(edge[0], *at(row)): x for edge, lane in found.lanes.items() for x, row in lane}},
    )


def _new_spot(
    graph: nx.DiGraph,
    node: str,
    generation: int,
    spots: Mapping[str, Spot],
    lanes: Mapping[tuple[str, int, int], float],
    columns: int,
) -> Spot:
    """A free place in a row of the generation, as near as possible to the parents, else to the children.

    The family grows to `columns` in width. Then the lowest generation gets another row, below which is nothing that
    would move, and the others grow wider.
    """
    parents = [parent for parent in graph.pred[node] if parent in spots]
    near = [spots[each][0] for each in parents or graph.succ[node] if each in spots]
    beyond = max((x for x, *_ in spots.values()), default=-1.0) + 1.0
    wanted = sum(near) / len(near) if near else beyond
    rows = sorted({row for _, of, row in spots.values() if of == generation}) or [0]
    free = {row: _free(wanted, _taken((generation, row), spots, lanes)) for row in rows}
    left, right = _bounds([x for x, *_ in spots.values()], columns)
    everywhere = [(abs(x - wanted), row, x) for row, places in free.items() for x in places]
    inside = [each for each in everywhere if left <= each[2] <= right]
    if not inside and all(of <= generation for _, of, _ in spots.values()):
        there = any(of == generation for _, of, _ in spots.values())
        return round(min(max(wanted, left), right), DIGITS), generation, rows[-1] + 1 if there else 0
    _, row, x = min(inside or everywhere)
    return x, generation, row


def _bounds(across: Sequence[float], columns: int) -> tuple[float, float]:
    """The leftmost and the rightmost place with which a family is no wider than `columns`, or than it is now."""
    if not across:
        return -inf, inf
    left, right = min(across), max(across)
    spare = max(0.0, columns - 1 - (right - left))
    return left - spare, right + spare


def _taken(
    row: tuple[int, int], spots: Mapping[str, Spot], lanes: Mapping[tuple[str, int, int], float]
) -> list[tuple[float, float]]:
    """The places of what stands or passes in a row, and the distance from each that a new concept needs."""
    nodes = [(spot[0], 1.0) for spot in spots.values() if spot[1:] == row]
    return nodes + [(x, BESIDE_NODE) for lane, x in lanes.items() if lane[1:] == row]


def _free(wanted: float, taken: Sequence[tuple[float, float]]) -> list[float]:
    """The wanted place, and those beside `taken` (place and distance), as far as they are far enough from all."""
    edges = [place + side * distance for place, distance in taken for side in (-1, 1)]
    return [
        round(x, DIGITS)
        for x in (wanted, *edges)
        if all(abs(x - place) >= distance - 2 * 10**-DIGITS for place, distance in taken)
    ]
