"""The family of a run as a graph: derived from the tables, which are the truth, and written for other tools.

A node is a concept by its id, with `name`, `generation`, `category` and `birth`: founder, imported, mix, mutate or
image. Parents that are no concepts of the run have the birth photo, and are called as the file was, or unknown. An edge
leads from a parent to a child, with its `weight` as a share of all parents of that child, and its `kind` (mix, mutate,
image). Parents of another run have `run` set to where they live.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from typing import Any

import networkx as nx

from evolve.family.parents import out_of_order
from evolve.store.parts import Damage, RunError, report
from evolve.store.run import Descent, Entry, Photo, Run

ABSENT = ("photo", "unknown")  # births of those who are no concepts of the run
# What XML cannot hold, and what a terminal would obey.
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Family(nx.DiGraph):
    """A graph that also knows its nodes in an order, parents before children, and by places in that order the parents
    of each: whoever asks for all ancestors goes through memory once, and in order. Not to be changed after `arrange`;
    copies and subgraphs know no order.
    """

    order: tuple[str, ...] = ()
    elders: tuple[tuple[int, ...], ...] = ()

    def arrange(self) -> None:
        """Find the order: generations follow along every edge."""
        self.order = tuple(sorted(self, key=lambda node: self.nodes[node]["generation"]))
        self.place = {node: place for place, node in enumerate(self.order)}
        self.elders = tuple(tuple(map(self.place.__getitem__, self.pred[node])) for node in self.order)


def lineage(run: Run, damage: list[Damage] | None = None, *, strict: bool = False) -> Family:
    """The family of all concepts of a run; see `Run` for `damage` and `strict`."""
    graph = pedigree(run.entries(damage, strict=strict), damage, run.photos(damage, strict=strict), strict=strict)
    graph.graph.update(run=run.folder.resolve().name, category=run.about["category"])
    return graph


def pedigree(
    entries: Sequence[Entry],
    damage: list[Damage] | None = None,
    photos: Mapping[str, Photo] | None = None,
    *,
    strict: bool = False,
) -> Family:
    """The graph of these concepts and their parents. photos: those of which more is known than the id, by id.

    Generations follow along every edge, so there are no cycles: a concept that stands no later than a parent of its
    is damage, and is then shown without that parent.
    """
    graph = Family()
    known = {each.id: each for each in entries}
    for each in entries:
        graph.add_node(
            each.id, name=each.name, generation=each.generation, category=each.category, birth=each.birth, run=""
        )
    for each in entries:
        weights: dict[str, float] = {}
        kinds: dict[str, str] = {}
        for parent in each.parents:
            if wrong := out_of_order(each, parent, known):
                report(wrong, damage, strict)
                continue
            if parent.id not in known:
                _add_absent(graph, parent, each, photos or {})
            weights[parent.id] = weights.get(parent.id, 0.0) + parent.weight
            kinds[parent.id] = parent.kind
        total = sum(weights.values())
        for id_, weight in weights.items():
            graph.add_edge(id_, each.id, weight=weight / total, kind=kinds[id_])
    graph.arrange()
    return graph


def ancestors(graph: nx.DiGraph, concepts: Iterable[str], depth: int | None = None) -> set[str]:
    """All from whom one of the concepts (ids) descends, in at most `depth` generations."""
    if depth is None and isinstance(graph, Family) and graph.order:
        return _all_ancestors(graph, concepts)
    return _reached(graph, concepts, graph.predecessors, depth)


def descendants(graph: nx.DiGraph, concepts: Iterable[str], depth: int | None = None) -> set[str]:
    """All who descend from one of the concepts (ids), children of children, in at most `depth` generations."""
    return _reached(graph, concepts, graph.successors, depth)


def relatives(graph: nx.DiGraph, concepts: Iterable[str], depth: int | None = None) -> nx.DiGraph:
    """The part of a family that the concepts (ids), their ancestors and their descendants are."""
    concepts = list(concepts)
    return graph.subgraph({*concepts, *ancestors(graph, concepts, depth), *descendants(graph, concepts, depth)})


def to_graphml(graph: nx.DiGraph) -> str:
    """GraphML; control characters in names, which XML cannot hold, are replaced."""
    written = io.BytesIO()
    nx.write_graphml(_writable(graph), written)
    return written.getvalue().decode()


def to_gexf(graph: nx.DiGraph) -> str:
    """GEXF, for Gephi: nodes are labelled by name. Control characters are replaced as for GraphML."""
    written = io.BytesIO()
    graph = _writable(graph)
    nx.set_node_attributes(graph, dict(graph.nodes(data="name")), "label")
    nx.write_gexf(graph, written)
    return written.getvalue().decode()


def to_json(graph: nx.DiGraph) -> str:
    """networkx's node-link form, as d3 reads it too: `nx.node_link_graph(json.loads(…), edges="edges")`."""
    return json.dumps(nx.node_link_data(graph, edges="edges"), indent=1)


def to_dot(graph: nx.DiGraph) -> str:
    """DOT, for Graphviz. The name is the label: readers that make objects of nodes have another use for `name`.

    Control characters are replaced as for GraphML.
    """
    graph = _writable(graph)
    lines = ["digraph lineage {", f"  graph [{_attributes(graph.graph)}];", '  node [shape="box"];']
    for node, data in graph.nodes(data=True):
        lines.append(f"  {_quoted(node)} [{_attributes({'label': data.pop('name')} | data)}];")
    for parent, child, data in graph.edges(data=True):
        label = {"label": f"{data['weight']:.2g}"}
        lines.append(f"  {_quoted(parent)} -> {_quoted(child)} [{_attributes(label | data)}];")
    return "\n".join([*lines, "}", ""])


FORMATS: dict[str, Callable[[nx.DiGraph], str]] = {
    "graphml": to_graphml,
    "dot": to_dot,
    "json": to_json,
    "gexf": to_gexf,
}


def members(graph: nx.DiGraph) -> list[str]:
    """The concepts among the nodes of a family, without photographs, guests and what is lost."""
    return [node for node, data in graph.nodes(data=True) if data["birth"] not in ABSENT]


def _add_absent(graph: nx.DiGraph, parent: Descent, child: Entry, photos: Mapping[str, Photo]) -> None:
    """A parent that is not among the concepts, just above the oldest of its children."""
    generation = child.generation - 1
    if parent.id in graph:
        generation = min(generation, graph.nodes[parent.id]["generation"])
    name = photos[parent.id].label if parent.is_photo and parent.id in photos else parent.brief
    birth = "photo" if parent.is_photo else "unknown"
    values = {"name": name, "generation": generation, "category": child.category, "birth": birth}
    graph.add_node(parent.id, **values, run=parent.run)


def _all_ancestors(family: Family, start: Iterable[str]) -> set[str]:
    """From the latest back to the first: whoever has a reached child, or is a start, hands it on to his parents."""
    start = set(start)
    _check(family, start)
    found, handed = bytearray(len(family.order)), bytearray(len(family.order))
    places = [family.place[concept] for concept in start]
    for place in places:
        handed[place] = 1
    for place in range(max(places, default=-1), -1, -1):
        if handed[place]:
            for elder in family.elders[place]:
                handed[elder] = found[elder] = 1
    return set(compress(family.order, found))


def _check(graph: nx.DiGraph, concepts: Iterable[str]) -> None:
    for concept in concepts:
        if concept not in graph:
            raise RunError(f"there is no concept {concept!r} in this family")


def _reached(
    graph: nx.DiGraph, start: Iterable[str], neighbours: Callable[[str], Iterable[str]], depth: int | None
) -> set[str]:
    edge = set(start)
    _check(graph, edge)
    found: set[str] = set()
    while edge and (depth is None or depth > 0):
        edge = set[str]().union(*map(neighbours, edge))
        edge -= found
        found |= edge
        depth = None if depth is None else depth - 1
    return found


def _writable(graph: nx.DiGraph) -> nx.DiGraph:
    """A copy whose texts can stand in any file and on any terminal."""

    def clean(value: Any) -> Any:
        return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value

    def cleaned(data: dict[str, Any]) -> dict[str, Any]:
        return {key: clean(value) for key, value in data.items()}

    copy = nx.DiGraph(**cleaned(graph.graph))
    copy.add_nodes_from((clean(node), cleaned(data)) for node, data in graph.nodes(data=True))
    copy.add_edges_from((clean(parent), clean(child), cleaned(data)) for parent, child, data in graph.edges(data=True))
    return copy


def _attributes(data: dict[str, Any]) -> str:
    return ", ".join(
        f"{key}={_quoted(value) if isinstance(value, str) else repr(value)}" for key, value in data.items()
    )


def _quoted(text: str) -> str:
    # Graphviz reads \N, \G and the like in labels as abbreviations: a backslash is written twice.
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
