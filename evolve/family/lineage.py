"""Lineage of a run: a directed graph derived from its tables, and its formats for other tools.

A node is a concept id with the attributes `name`, `generation`, `category` and `birth`: founder, imported, mix, mutate
or image. Parents outside the run are nodes too: birth photo, named like the file, or unknown; `run` names the run of a
parent that lives elsewhere. An edge goes from parent to child; its `weight` is the parent's share of that child, its
`kind` is mix, mutate, image, away or take. An edge of kind away comes from a parent that the child moves away from: its
`weight` is 0, and its `away` is the size of the weight below 0, in shares. `takes` names the aspects that a child takes
of a parent, such as colour; an edge of kind take, from a parent that gives nothing else, has the `weight` 0.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from typing import Any

import networkx as nx

from core.concept import aspect_of
from evolve.store.parents import out_of_order
from evolve.store.parts import Damage, RunError, report
from evolve.store.rows import portion
from evolve.store.run import Descent, Entry, Photo, Run

ABSENT = ("photo", "unknown")  # births of parents outside the run
# Characters that XML cannot hold, or that a terminal obeys.
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class OrderedDiGraph(nx.DiGraph):  # type: ignore[misc]  # networkx has no types
    """A directed graph with its nodes in order, parents first, so that `ancestors` is one pass through memory.

    order: the nodes. elders: the places in `order` of each node's parents. Call `arrange` after the last change; copies
    and subgraphs have no order.
    """

    order: tuple[str, ...] = ()
    elders: tuple[tuple[int, ...], ...] = ()

    def arrange(self) -> None:
        """Set the order by generation, which grows along every edge."""
        self.order = tuple(sorted(self, key=lambda node: self.nodes[node]["generation"]))
        self.place = {node: place for place, node in enumerate(self.order)}
        self.elders = tuple(tuple(map(self.place.__getitem__, self.pred[node])) for node in self.order)


def lineage(run: Run, damage: list[Damage] | None = None, *, strict: bool = False) -> OrderedDiGraph:
    """Lineage of all concepts of a run, as a `networkx.DiGraph`; see `evolve.store.run` for `damage` and `strict`."""
    graph = pedigree(run.entries(damage, strict=strict), damage, run.photos(damage, strict=strict), strict=strict)
    graph.graph.update(run=run.folder.resolve().name, category=run.about["category"])
    return graph


def pedigree(
    entries: Sequence[Entry],
    damage: list[Damage] | None = None,
    photos: Mapping[str, Photo] | None = None,
    *,
    strict: bool = False,
) -> OrderedDiGraph:
    """Graph of these concepts and their parents. photos: by id, for their names.

    Generations grow along every edge, so there are no cycles. A parent that is not older than its child is damage, and
    gets no edge.
    """
    graph = OrderedDiGraph()
    known = {each.id: each for each in entries}
    for each in entries:
        graph.add_node(
            each.id, name=each.name, generation=each.generation, category=each.category, birth=each.birth, run=""
        )
    for each in entries:
        given: dict[str, list[Descent]] = {}
        for parent in each.parents:
            if wrong := out_of_order(each, parent, known):
                report(wrong, damage, strict)
                continue
            if parent.id not in known:
                _add_absent(graph, parent, each, photos or {})
            given.setdefault(parent.id, []).append(parent)
        total = sum(parent.weight for parents in given.values() for parent in parents if parent.weight > 0) or 1
        for id_, parents in given.items():
            graph.add_edge(id_, each.id, **_edge(parents, total))
    graph.arrange()
    return graph


def ancestors(graph: nx.DiGraph, concepts: str | Iterable[str], depth: int | None = None) -> set[str]:
    """Ids of all ancestors of a concept (id or name) or of several, up to `depth` generations back.

    Raises:
        RunError: there is no such concept.
    """
    concepts = nodes_of(graph, concepts)
    if depth is None and isinstance(graph, OrderedDiGraph) and graph.order:
        return _all_ancestors(graph, concepts)
    return _reached(concepts, graph.predecessors, depth)


def descendants(graph: nx.DiGraph, concepts: str | Iterable[str], depth: int | None = None) -> set[str]:
    """Ids of all descendants of a concept (id or name) or of several, up to `depth` generations on.

    Raises:
        RunError: there is no such concept.
    """
    return _reached(nodes_of(graph, concepts), graph.successors, depth)


def relatives(graph: nx.DiGraph, concepts: str | Iterable[str], depth: int | None = None) -> nx.DiGraph:
    """Subgraph of a concept (id or name) or several, with their ancestors and descendants."""
    concepts = nodes_of(graph, concepts)
    return graph.subgraph({*concepts, *ancestors(graph, concepts, depth), *descendants(graph, concepts, depth)})


def nodes_of(graph: nx.DiGraph, concepts: str | Iterable[str]) -> list[str]:
    """Ids of a concept, or of several, given by id or name.

    Raises:
        RunError: no concept has that id or name, or several have the name.
    """
    given = [concepts] if isinstance(concepts, str) else list(concepts)
    if all(each in graph for each in given):
        return given
    by_name: dict[str, list[str]] = {}
    for id_, name in graph.nodes(data="name"):
        by_name.setdefault(name, []).append(id_)
    found = []
    for each in given:
        ids = [each] if each in graph else by_name.get(each, [])
        if not ids:
            raise RunError(f"there is no concept {each!r} in this family")
        if len(ids) > 1:
            raise RunError(f"several concepts have the name {each!r}: give an id, such as {ids[0]}")
        found += ids
    return found


def to_graphml(graph: nx.DiGraph) -> str:
    """GraphML. Control characters in names are replaced, since XML cannot hold them."""
    written = io.BytesIO()
    nx.write_graphml(_writable(graph), written)
    return written.getvalue().decode()


def to_gexf(graph: nx.DiGraph) -> str:
    """GEXF, for Gephi, with names as labels. Control characters are replaced as in GraphML."""
    written = io.BytesIO()
    graph = _writable(graph)
    nx.set_node_attributes(graph, dict(graph.nodes(data="name")), "label")
    nx.write_gexf(graph, written)
    return written.getvalue().decode()


def to_json(graph: nx.DiGraph) -> str:
    """Node-link JSON of networkx and d3: `nx.node_link_graph(json.loads(…), edges="edges")`."""
    return json.dumps(nx.node_link_data(graph, edges="edges"), indent=1)


def to_dot(graph: nx.DiGraph) -> str:
    """DOT, for Graphviz. The name is the attribute `label`, since some readers reserve `name`.

    Control characters are replaced as in GraphML.
    """
    graph = _writable(graph)
    lines = ["digraph lineage {", f"  graph [{_attributes(graph.graph)}];", '  node [shape="box"];']
    for node, data in graph.nodes(data=True):
        lines.append(f"  {_quoted(node)} [{_attributes({'label': data.pop('name')} | data)}];")
    for parent, child, data in graph.edges(data=True):
        label = {"label": edge_label(data)}
        lines.append(f"  {_quoted(parent)} -> {_quoted(child)} [{_attributes(label | data)}];")
    return "\n".join([*lines, "}", ""])


def edge_label(data: Mapping[str, Any]) -> str:
    """`0.7`, `less 0.4` where a child moves away from its parent, `colour`, or both. data: of the edge."""
    share = portion(-data["away"] if "away" in data else data["weight"])
    return ", ".join(filter(None, [share if data.get("kind") != "take" else "", data.get("takes", "")]))


FORMATS: dict[str, Callable[[nx.DiGraph], str]] = {
    "graphml": to_graphml,
    "dot": to_dot,
    "json": to_json,
    "gexf": to_gexf,
}


def members(graph: nx.DiGraph) -> list[str]:
    """Ids of the run's own concepts, without photographs, parents of other runs and lost ones."""
    return [node for node, data in graph.nodes(data=True) if data["birth"] not in ABSENT]


def _add_absent(graph: nx.DiGraph, parent: Descent, child: Entry, photos: Mapping[str, Photo]) -> None:
    """Add a parent outside the run, one generation before its oldest child."""
    generation = child.generation - 1
    if parent.id in graph:
        generation = min(generation, graph.nodes[parent.id]["generation"])
    name = photos[parent.id].label if parent.is_photo and parent.id in photos else parent.brief
    birth = "photo" if parent.is_photo else "unknown"
    values = {"name": name, "generation": generation, "category": child.category, "birth": birth}
    graph.add_node(parent.id, **values, run=parent.run)


def _edge(parents: Sequence[Descent], total: float) -> dict[str, Any]:
    """Attributes of the edge from a parent. total: the weights above 0 of all parents of the child."""
    weight = sum(parent.weight for parent in parents)
    aspects = ", ".join(filter(None, (aspect_of(parent.kind) for parent in parents)))
    takes = {"takes": aspects} if aspects else {}
    if weight < 0:
        return {"weight": 0.0, "kind": "away", "away": -weight / total, **takes}
    kinds = [parent.kind for parent in parents if not aspect_of(parent.kind)]
    return {"weight": weight / total, "kind": kinds[-1] if kinds else "take", **takes}


def _all_ancestors(family: OrderedDiGraph, start: Iterable[str]) -> set[str]:
    """Collect ancestors in one reverse topological pass."""
    found, handed = bytearray(len(family.order)), bytearray(len(family.order))
    places = [family.place[concept] for concept in start]
    for place in places:
        handed[place] = 1
    for place in range(max(places, default=-1), -1, -1):
        if handed[place]:
            for elder in family.elders[place]:
                handed[elder] = found[elder] = 1
    return set(compress(family.order, found))


def _reached(start: Iterable[str], neighbours: Callable[[str], Iterable[str]], depth: int | None) -> set[str]:
    edge = set(start)
    found: set[str] = set()
    while edge and (depth is None or depth > 0):
        edge = set[str]().union(*map(neighbours, edge))
        edge -= found
        found |= edge
        depth = None if depth is None else depth - 1
    return found


def _writable(graph: nx.DiGraph) -> nx.DiGraph:
    """Copy without characters that files or terminals cannot take."""

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
