"""Part of a large family to show; the rest is folded into branches that can be opened."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import networkx as nx

from evolve.family.lineage import ABSENT, members

MOST = 300  # concepts shown; more are slow without a graphics card
PORTION = 40  # concepts shown each time a branch is opened
NEWEST = 24  # the concepts stored last are always shown, since a person has just made them
OLDER = ""  # the branch of concepts without a shown ancestor
BRANCH = "branch:"  # prefix of the node of a branch; no concept id has it


@dataclass(frozen=True)
class Branch:
    """Concepts folded into one node. of: the shown concept from which they descend, or `OLDER`."""

    of: str
    concepts: tuple[str, ...]
    generation: int

    @property
    def node(self) -> str:
        return BRANCH + self.of


@dataclass(frozen=True)
class Focus:
    """A family in two parts: the shown concepts in order, and the branches that hold the others."""

    shown: tuple[str, ...]
    branches: tuple[Branch, ...] = ()


def focus(
    graph: nx.DiGraph,
    selected: Sequence[str] = (),
    opened: Sequence[str] = (),
    most: int = MOST,
    favourites: Collection[str] = (),
) -> Focus:
    """Choose at most `most` nodes of a lineage (`evolve.family.lineage`). A family that fits is shown whole.

    In this order: the selected concepts; their ancestors and descendants, nearest first, up to a third of the nodes;
    opened branches; favourites, up to a sixth; the newest concepts; the latest generations. Photographs and guests come
    with their children. opened: the concepts (or `OLDER`) of opened branches, in order; one that is opened twice gives
    two portions. Takes time in proportion to the family.
    """
    if len(graph) <= most:
        return Focus(tuple(graph))
    order = {concept: number for number, concept in enumerate(graph)}
    opened = opened[len(opened) - min(len(opened), most // 2 // PORTION) :]
    room = most - PORTION * len(opened)
    shown: set[str] = set()
    _show(graph, shown, (each for each in selected if each in graph), room, family=False)
    _show(graph, shown, _relatives(graph, list(shown)), min(room, len(shown) + most // 3), family=False)
    newest = members(graph)[::-1]
    _show(graph, shown, (each for each in newest if each in favourites), min(room, len(shown) + most // 6))
    _show(graph, shown, newest[:NEWEST], room)
    _show(graph, shown, sorted(newest, key=lambda each: -graph.nodes[each]["generation"]), room)
    for of in opened:
        branch = next((each for each in branches(graph, shown) if each.of == of), None)
        if branch:
            shown.update(branch.concepts[:PORTION])
    return Focus(tuple(sorted(shown, key=order.__getitem__)), tuple(branches(graph, shown)))


def branches(graph: nx.DiGraph, shown: Collection[str]) -> list[Branch]:
    """Branches of all concepts that are not shown; each is in the branch of its heaviest parent.

    A branch lists its concepts in the order in which they are shown when it opens: children before grandchildren, and
    in the branch `OLDER` the latest first.
    """
    held: dict[str, list[str]] = {}
    branch_of: dict[str, str] = {}
    order = {concept: number for number, concept in enumerate(graph)}
    generation = dict(graph.nodes(data="generation"))
    for concept in sorted(graph, key=generation.__getitem__):  # stable: keeps the order of equals
        if concept in shown:
            continue
        of, most = OLDER, 0.0
        for parent, edge in graph.pred[concept].items():
            home = parent if parent in shown else branch_of[parent]
            if home != OLDER and edge["weight"] > most:
                of, most = home, edge["weight"]
        branch_of[concept] = of
        held.setdefault(of, []).append(concept)
    found = []
    for of, concepts in held.items():
        oldest = generation[concepts[0]]
        found.append(Branch(of, tuple(concepts[::-1] if of == OLDER else concepts), oldest))
    return sorted(found, key=lambda branch: (branch.generation, order.get(branch.of, -1)))


def folded(graph: nx.DiGraph, view: Focus) -> nx.DiGraph:
    """Graph of the shown concepts and of a node for each branch, of birth "branch", with its `count`.

    Edges of weight 0 lead from the concept to its branch, and from the branch to its shown descendants that would
    otherwise have no shown ancestor. Generations still follow along every edge.
    """
    cut = nx.DiGraph(**graph.graph)
    cut.add_nodes_from((concept, graph.nodes[concept]) for concept in view.shown)
    branch_of = {concept: branch.node for branch in view.branches if branch.of for concept in branch.concepts}
    for branch in view.branches:
        count = len(branch.concepts)
        cut.add_node(branch.node, name=f"+{count}", generation=branch.generation, birth="branch", count=count)
        if branch.of:
            cut.add_edge(branch.of, branch.node, weight=0.0, kind="branch")
    for child in view.shown:
        shown = [parent for parent in graph.pred[child] if parent in cut]
        cut.add_edges_from((parent, child, graph.edges[parent, child]) for parent in shown)
        if not shown:
            above = {branch_of[parent] for parent in graph.pred[child] if parent in branch_of}
            cut.add_edges_from(((branch, child) for branch in above), weight=0.0, kind="branch")
    return cut


def _show(graph: nx.DiGraph, shown: set[str], wanted: Iterable[str], room: int, family: bool = True) -> None:
    """Show concepts while there is room. family: each with its parents outside the run."""
    for concept in wanted:
        if len(shown) >= room:
            return
        shown.add(concept)
        if family:
            absent = [parent for parent in graph.pred[concept] if graph.nodes[parent]["birth"] in ABSENT]
            shown.update(absent[: max(0, room - len(shown))])


def _relatives(graph: nx.DiGraph, concepts: Sequence[str]) -> Iterator[str]:
    """Ancestors and descendants, nearest generations first, ancestors before descendants."""
    up, down = list(concepts), list(concepts)
    above, below = set(concepts), set(concepts)
    while up or down:
        up = [each for each in dict.fromkeys(p for concept in up for p in graph.pred[concept]) if each not in above]
        down = [each for each in dict.fromkeys(c for concept in down for c in graph.succ[concept]) if each not in below]
        above.update(up)
        below.update(down)
        yield from up
        yield from down
