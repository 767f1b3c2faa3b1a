"""The family tree as nodes, edges and rows: filter, focus, positions and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isqrt
from typing import NotRequired, TypedDict

import networkx as nx

from core.wording import counted
from evolve.family.focus import Focus, focus, folded
from evolve.family.lasting import Memory, lasting
from evolve.family.lineage import ABSENT, members
from evolve.store.run import Entry, Photo
from ui.descent import Words, extra_words, mixed
from ui.labels import BIRTHS
from ui.view import links, store
from ui.view.ghosts import GHOST, Ghost
from ui.view.store import Opened

STEP, ROW, WITHIN = 138, 190, 150  # pixels between neighbours, between generations, and between rows of one generation
SIDE = 128  # pixels of a drawing
NARROWEST = 6  # concepts in a row before it wraps: pictures of a small family stay large


@dataclass(frozen=True)
class Filter:
    """Which concepts to show."""

    generations: tuple[int, int] | None = None
    rating: int = 0
    favourites: bool = False
    hidden: bool = False

    def passes(self, each: Entry) -> bool:
        note = each.note
        return (
            (self.hidden or not note.hidden)
            and (not self.favourites or note.favourite)
            and (note.rating or 0) >= self.rating
            and (self.generations is None or self.generations[0] <= each.generation <= self.generations[1])
        )


class Node(TypedDict):
    """A concept, a ghost, a parent outside the run, or a folded branch. x, y: pixels. says: its tooltip."""

    id: str
    name: str
    x: int
    y: int
    birth: str
    says: NotRequired[str]
    count: NotRequired[int]  # of a branch: how many concepts it hides
    of: NotRequired[str]  # of a branch: the id of its root
    picture: NotRequired[str]
    parents: NotRequired[list[str]]  # of a ghost: drawings of the two nearest, until it has one of its own
    favourite: NotRequired[bool]
    rating: NotRequired[int | None]
    hidden: NotRequired[bool]


class Edge(TypedDict):
    """From a parent to a child. via: points of the lanes that it follows."""

    id: str
    source: str
    target: str
    weight: float
    kind: str
    via: list[tuple[int, int]]


class Row(TypedDict):
    """The band of a generation, in pixels."""

    top: int
    bottom: int
    heading: str


@dataclass(frozen=True)
class Scene:
    """Nodes, edges and rows of the tree. view: the concepts in focus. passing: how many concepts pass the filter.
    memory: places to keep.
    """

    view: Focus
    passing: int
    nodes: list[Node]
    edges: list[Edge]
    rows: list[Row]
    memory: Memory


def scene(
    found: Opened,
    only: Filter,
    selected: Sequence[str],
    opened: Sequence[str],
    memory: Memory | None = None,
    ghosts: Sequence[Ghost] = (),
) -> Scene:
    """Lay out the concepts that pass the filter and are in focus, and all ghosts. memory: places that they keep."""
    passing = {each.id for each in found.entries if only.passes(each)}
    graph = found.graph
    if len(passing) < len(found.entries):
        graph = graph.subgraph([each for each in graph if each in passing or _has_child(found, each, passing)]).copy()
    favourites = {each.id for each in found.entries if each.note.favourite}
    view = focus(graph, selected, opened, favourites=favourites)
    cut = _with_ghosts(folded(graph, view), ghosts)
    places, memory = lasting(cut, memory or Memory(), columns=max(NARROWEST, isqrt(3 * len(cut))))
    tops = [0]
    for one, other in pairwise(places.generations):
        tops.append(tops[-1] + (WITHIN if one == other else ROW))
    at = {node: (round(x * STEP), tops[row]) for node, (x, row) in places.places.items()}
    lanes = {edge: [(round(x * STEP), tops[row]) for x, row in lane] for edge, lane in places.lanes.items()}
    photos = found.run.photos() if any(birth == "photo" for _, birth in cut.nodes(data="birth")) else {}
    by_id, words = found.by_id, store.words_of(found.run)
    return Scene(
        view,
        len(passing),
        [_node(found, cut, node, at[node], by_id.get(node), photos, words) for node in cut],
        [
            {"id": f"{a} {b}", "source": a, "target": b, "weight": d["weight"], "kind": d["kind"], "via": lanes[a, b]}
            for a, b, d in cut.edges(data=True)
        ],
        _rows(cut, places.generations, tops),
        memory,
    )


def _has_child(found: Opened, node: str, passing: set[str]) -> bool:
    """Whether a parent outside the run has a child that passes."""
    return found.graph.nodes[node]["birth"] in ABSENT and any(child in passing for child in found.graph.succ[node])


def _with_ghosts(cut: nx.DiGraph, ghosts: Sequence[Ghost]) -> nx.DiGraph:
    if not ghosts:
        return cut
    cut = nx.DiGraph(cut)
    for ghost in ghosts:
        cut.add_node(ghost.id, name=ghost.name, birth=GHOST, generation=ghost.generation)
        cut.add_edges_from((id_, ghost.id, {"weight": w, "kind": kind}) for id_, w, kind in ghost.parents if id_ in cut)
    return cut


def _node(
    found: Opened,
    cut: nx.DiGraph,
    node: str,
    at: tuple[int, int],
    entry: Entry | None,
    photos: Mapping[str, Photo],
    words: Words,
) -> Node:
    """words: positives and negatives by concept id."""
    data = cut.nodes[node]
    about: Node = {"id": node, "name": data["name"], "x": at[0], "y": at[1], "birth": data["birth"]}
    if data["birth"] == GHOST:
        drawn = _parents_drawn(found, cut, node)
        return {**about, "picture": "", "parents": drawn, "says": f"{data['name']}, being learned"}
    if data["birth"] == "branch":
        of = node.partition(":")[2]
        whose = f"descended from {cut.nodes[of]['name']}" if of else "of earlier generations"
        says = f"{counted(data['count'], 'more concept')} {whose}: click to show them"
        return {**about, "count": data["count"], "of": of, "says": says}
    lines = [data["name"], BIRTHS[data["birth"]]]
    if entry:
        lines[1] = f"generation {entry.generation}, {BIRTHS[entry.birth]}"
        pictures = found.drawings.get(node)
        about["picture"] = links.picture(found.run.folder.name, pictures[0], SIDE) if pictures else ""
        note = entry.note
        about |= {"favourite": note.favourite, "rating": note.rating, "hidden": note.hidden}
        but = extra_words(entry.id, entry.category, entry.parents, words)
        parents = sorted(entry.parents, key=lambda parent: -parent.weight)
        lines += [mixed(found.named(parents), percent=True, but=but)] if parents else but
        marks = [
            "favourite" if note.favourite else "",
            f"rated {note.rating}" if note.rating else "",
            "hidden" if note.hidden else "",
        ]
        lines += [", ".join(filter(None, marks))] if any(marks) else []
    elif node in photos:
        about["picture"] = links.photo(found.run.folder.name, node, SIDE)
    elif data.get("run"):
        lines[1] = f"from the run {data['run']}"
    return {**about, "says": "\n".join(lines)}


def _parents_drawn(found: Opened, cut: nx.DiGraph, ghost: str) -> list[str]:
    """Drawings of the two parents that a ghost will resemble most."""
    edges = [(d["weight"], parent) for parent, _, d in cut.in_edges(ghost, data=True) if d["kind"] in ("mix", "mutate")]
    nearest = [found.drawings.get(parent) for _, parent in sorted(edges, key=lambda edge: -edge[0])]
    run = found.run.folder.name
    return [links.picture(run, drawn[0], SIDE) for drawn in nearest if drawn][:2]


def _rows(cut: nx.DiGraph, generations: Sequence[int], tops: Sequence[int]) -> list[Row]:
    """A band for each generation, around its rows."""
    rows: list[Row] = []
    there = set(dict(cut.nodes(data="generation")).values())
    for generation in dict.fromkeys(generations):
        if generation not in there:  # hidden by the filter
            continue
        mine = [top for top, each in zip(tops, generations, strict=True) if each == generation]
        own = sum(
            cut.nodes[each]["generation"] == generation and cut.nodes[each]["birth"] != GHOST
            for each in members(cut)
            if not cut.nodes[each].get("count")
        )
        coming = any(d["birth"] == GHOST and d["generation"] == generation for _, d in cut.nodes(data=True))
        what = counted(own, "concept") if own else "being learned" if coming else ""
        heading = f"generation {generation}\n{what}" if what else BIRTHS["unknown"]
        rows.append({"top": mine[0] - 66, "bottom": mine[-1] + 124, "heading": heading})
    return rows
