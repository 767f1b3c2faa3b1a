"""A family as it is shown: who passes the filter and is in focus, where each stands, and what is said of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isqrt
from typing import Any

import networkx as nx

from core.wording import counted
from evolve.family.focus import Focus, focus, folded
from evolve.family.layout import layout
from evolve.family.lineage import ABSENT, members
from evolve.store.run import Entry, Photo
from ui.labels import BIRTHS
from ui.view import links
from ui.view.store import Opened

STEP, ROW, WITHIN = 138, 190, 150  # pixels from one drawing to the next, between generations and within one
SIDE = 128  # pixels of a drawing in the tree
NARROWEST = 10  # concepts in a row before it is broken


@dataclass(frozen=True)
class Filter:
    """Which concepts to show at all."""

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


@dataclass(frozen=True)
class Scene:
    """A family as it is shown: what is in focus, who passes the filter, and the nodes, edges and rows for the tree."""

    view: Focus
    passing: int
    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]
    rows: list[dict[str, Any]]


def scene(found: Opened, only: Filter, selected: Sequence[str], opened: Sequence[str]) -> Scene:
    """Where everyone stands who passes the filter and is in focus."""
    passing = {each.id for each in found.entries if only.passes(each)}
    graph = found.graph
    if len(passing) < len(found.entries):
        graph = graph.subgraph([each for each in graph if each in passing or _has_child(found, each, passing)]).copy()
    favourites = {each.id for each in found.entries if each.note.favourite}
    view = focus(graph, selected, opened, favourites=favourites)
    cut = folded(graph, view)
    places = layout(cut, columns=max(NARROWEST, isqrt(3 * len(cut))))
    tops = [0]
    for one, other in pairwise(places.generations):
        tops.append(tops[-1] + (WITHIN if one == other else ROW))
    at = {node: (round(x * STEP), tops[row]) for node, (x, row) in places.places.items()}
    lanes = {edge: [(round(x * STEP), tops[row]) for x, row in lane] for edge, lane in places.lanes.items()}
    photos = found.run.photos() if any(birth == "photo" for _, birth in cut.nodes(data="birth")) else {}
    by_id = found.by_id
    return Scene(
        view,
        len(passing),
        [_node(found, cut, node, at[node], by_id.get(node), photos) for node in cut],
        [
            {"id": f"{a} {b}", "source": a, "target": b, "weight": d["weight"], "kind": d["kind"], "via": lanes[a, b]}
            for a, b, d in cut.edges(data=True)
        ],
        _rows(cut, places.generations, tops),
    )


def _has_child(found: Opened, node: str, passing: set[str]) -> bool:
    """Whether this is a photograph or a guest of whom somebody is shown."""
    return found.graph.nodes[node]["birth"] in ABSENT and any(child in passing for child in found.graph.succ[node])


def _node(
    found: Opened, cut: nx.DiGraph, node: str, at: tuple[int, int], entry: Entry | None, photos: Mapping[str, Photo]
) -> dict[str, Any]:
    data = cut.nodes[node]
    about: dict[str, Any] = {"id": node, "name": data["name"], "x": at[0], "y": at[1], "birth": data["birth"]}
    if data["birth"] == "branch":
        of = node.partition(":")[2]
        whose = f"who descend from {cut.nodes[of]['name']}" if of else "from before"
        return about | {
            "count": data["count"],
            "of": of,
            "says": f"{counted(data['count'], 'more concept')} {whose}: click to see them",
        }
    parents = sorted(found.graph.in_edges(node, data=True), key=lambda edge: -edge[2]["weight"])
    lines = [data["name"], BIRTHS[data["birth"]]]
    shares = [f"{d['weight']:.0%} {found.graph.nodes[parent]['name']}" for parent, _, d in parents]
    if entry:
        lines[1] = f"generation {entry.generation}, {BIRTHS[entry.birth]}"
        pictures = found.drawings.get(node)
        about["picture"] = links.picture(found.run.folder.name, pictures[0], SIDE) if pictures else ""
        about |= {"favourite": entry.note.favourite, "rating": entry.note.rating, "hidden": entry.note.hidden}
        lines += [" + ".join(shares)] if shares else []
        said = [
            "favourite" if entry.note.favourite else "",
            f"rated {entry.note.rating}" if entry.note.rating else "",
            "hidden" if entry.note.hidden else "",
        ]
        lines += [", ".join(filter(None, said))] if any(said) else []
    elif node in photos:
        about["picture"] = links.photo(found.run.folder.name, node, SIDE)
    elif data.get("run"):
        lines[1] = f"guest of the run {data['run']}"
    return about | {"says": "\n".join(lines)}


def _rows(cut: nx.DiGraph, generations: Sequence[int], tops: Sequence[int]) -> list[dict[str, Any]]:
    """A band for each generation, around the rows that it takes."""
    rows = []
    for generation in dict.fromkeys(generations):
        mine = [top for top, each in zip(tops, generations, strict=True) if each == generation]
        own = sum(
            cut.nodes[each]["generation"] == generation for each in members(cut) if not cut.nodes[each].get("count")
        )
        heading = f"generation {generation}\n{counted(own, 'concept')}" if own else "from outside"
        rows.append({"top": mine[0] - 66, "bottom": mine[-1] + 124, "heading": heading})
    return rows
