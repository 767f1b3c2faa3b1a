"""A layout that lasts: concepts keep their places for good, and new ones take free places near their parents.

The first layout of a family is that of `evolve.family.layout`. Later concepts are added without moving any other:
below, if their generation is new, else in a row of their generation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import isfinite
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

    columns: most concepts in a row of the first layout, and of the lowest generation later.
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
                lanes[lane] = _free(x, [(spot[0], BESIDE_NODE) for spot in spots.values() if spot[1:] == row])
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
    """A free place in a row of the generation, as near as possible to the parents, else to the children."""
    parents = [parent for parent in graph.pred[node] if parent in spots]
    near = [spots[each][0] for each in parents or graph.succ[node] if each in spots]
    beyond = max((x for x, *_ in spots.values()), default=-1.0) + 1.0
    wanted = sum(near) / len(near) if near else beyond
    full: dict[int, int] = {}
    for _, of, row in spots.values():
        if of == generation:
            full[row] = full.get(row, 0) + 1
    rows = list(full) or [0]
    if full and generation == max(of for _, of, _ in spots.values()) and min(full.values()) >= columns:
        rows = [max(full) + 1]  # below it is nothing that would move
    found = []
    for row in rows:
        taken = [(spot[0], 1.0) for spot in spots.values() if spot[1:] == (generation, row)]
        taken += [(x, BESIDE_NODE) for lane, x in lanes.items() if lane[1:] == (generation, row)]
        x = _free(wanted, taken) if near else max([place + distance for place, distance in taken], default=0.0)
        found.append((abs(x - wanted), row, x))
    _, row, x = min(found)
    return x, generation, row


def _free(wanted: float, taken: Iterable[tuple[float, float]]) -> float:
    """The place nearest to the wanted one that is at least so far from each of `taken`: (place, distance) each."""
    taken = list(taken)
    edges = [place + side * distance for place, distance in taken for side in (-1, 1)]
    fits = [
        x for x in (wanted, *edges) if all(abs(x - place) >= distance - 2 * 10**-DIGITS for place, distance in taken)
    ]
    nearest: float = min(fits, key=lambda x: (abs(x - wanted), x))
    return round(nearest, DIGITS)
