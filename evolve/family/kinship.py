"""Founder contributions, common ancestors, relatedness, extinct lines.

All follow from the lineage (`evolve.family.lineage`), in which an edge has its parent's share w of the child, the
shares of a child sum to 1, and generations grow along every edge. A founder is a node without parents: an invented
concept, a photograph, or a parent from another run. Concepts are given by id or name. A parent that a child moved away
from, or took only an aspect of, has no share in it, and the child is not counted among its descendants.

The model is gene dropping (MacCluer, VandeBerg, Read, Ryder, Zoo Biology 5:147, 1986) for concepts that carry one gene
each: a child has that of one of its parents, of parent p with probability w_p, and every founder has one of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
import numpy.typing as npt

from evolve.family.lineage import ancestors, descendants, members, nodes_of
from evolve.family.phylogeny import archive_growth, phylogenetic_diversity
from evolve.fitness import measured
from evolve.store.rows import Entry


def founders(graph: nx.DiGraph) -> list[str]:
    """Ids of nodes without parents, in the order of the graph."""
    return [node for node, parents in graph.in_degree() if not parents]


def founder_shares(graph: nx.DiGraph, concepts: str | Iterable[str]) -> dict[str, float]:
    """Share of each founder in a concept, or its mean share in several, largest first; they sum to 1.

    The share of f in c is the sum, over all paths from f to c, of the product of their weights: the probability that c
    carries f's gene, or genetic contribution (James and McBride, Journal of Genetics 56:55, 1958). One pass from the
    latest generation to the oldest; time grows linearly with the ancestors.
    """
    graph = _bred(graph)
    concepts = nodes_of(graph, concepts)
    family = {*concepts, *ancestors(graph, concepts)}
    held: defaultdict[str, float] = defaultdict(float)
    for concept in concepts:
        held[concept] += 1 / len(concepts)
    found = {}
    for each in _oldest_first(graph, family)[::-1]:
        share = held.pop(each, 0.0)
        for parent, edge in graph.pred[each].items():
            held[parent] += share * edge["weight"]
        if share and not graph.pred[each]:
            found[each] = share
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def common_ancestors(graph: nx.DiGraph, one: str, other: str) -> set[str]:
    """Ids of the ancestors of both concepts; a concept counts as its own ancestor."""
    graph = _bred(graph)
    one, other = nodes_of(graph, [one, other])
    return {one, *ancestors(graph, [one])} & {other, *ancestors(graph, [other])}


def nearest_common_ancestors(graph: nx.DiGraph, one: str, other: str) -> list[str]:
    """Common ancestors without a descendant among them, latest first."""
    common = common_ancestors(graph, one, other)
    nearest = {each for each in common if common.isdisjoint(graph.successors(each))}
    return _oldest_first(graph, nearest)[::-1]


def relatedness(graph: nx.DiGraph, one: str, other: str) -> float:
    """Relatedness of two concepts by descent, 0 to 1; see `relationship`."""
    return float(relationship(graph, [one, other])[0, 1])


def relationship(graph: nx.DiGraph, concepts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Pairwise relatedness by descent, [n, n].

    The probability that both concepts carry the same founder's gene, inherited from a common ancestor:

        R(a, a) = 1
        R(a, b) = Σ over the parents p of a of w_p R(p, b),   if a is not an ancestor of b;   0 for two founders

    This is Henderson's recursion for the numerator relationship (Biometrics 32:69, 1976) with any number of weighted
    parents in place of two halves, and 1 on the diagonal, since a concept is one vector, not a pair of genes: the
    coefficient of kinship of haploids (Malécot, Les mathématiques de l'hérédité, 1948). With two unrelated parents of
    equal weight it is Wright's coefficient of relationship (American Naturalist 56:330, 1922): 1/2 for parent and child
    and for siblings, 1/4 for half-siblings and grandparents, 1/8 for cousins. It is symmetric, exactly 0 without a
    common ancestor, and 1 between a parent and a child of that parent alone.

    One pass, see `relationships`.
    """
    return next((found for _, found in relationships(graph, [concepts])), np.zeros((0, 0)))


def relationships(graph: nx.DiGraph, groups: Iterable[Sequence[str]]) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
    """`relationship` within each of several groups, as (number of the group, matrix), a group with its last concept.

    One pass over all ancestors, oldest first; only nodes with unvisited children or unread groups hold a row.
    """
    concepts = [nodes_of(graph, group) for group in groups]
    named = [each for group in concepts for each in group]
    family = {*named, *ancestors(graph, named)}
    waiting = {each: sum(child in family for child in graph.succ[each]) for each in family}
    groups_of: defaultdict[str, list[int]] = defaultdict(list)
    for number, group in enumerate(concepts):
        for each in group:
            waiting[each] += 1  # its row is read with the group
            groups_of[each].append(number)
    unvisited = [len(group) for group in concepts]
    common = np.zeros((64, 64))  # [row, row]; free rows hold garbage
    free = list(range(64))
    row_of: dict[str, int] = {}

    def leave(each: str) -> None:
        waiting[each] -= 1
        if not waiting[each]:
            free.append(row_of.pop(each))

    for each in _oldest_first(graph, family):
        parents = graph.pred[each]
        rows = [row_of[parent] for parent in parents]
        shares = np.array([edge["weight"] for edge in parents.values()])
        own = shares @ common[rows] if rows else np.zeros(len(common))
        for parent in parents:
            leave(parent)
        if not free:
            free = list(range(len(common), 2 * len(common)))
            common = np.pad(common, (0, len(common)))
            own = np.pad(own, (0, len(common) - len(own)))
        row = row_of[each] = free.pop()
        common[row], common[:, row] = own, own
        common[row, row] = 1.0
        for number in groups_of[each]:
            unvisited[number] -= 1
            if not unvisited[number]:
                rows = [row_of[concept] for concept in concepts[number]]
                yield number, common[np.ix_(rows, rows)]
                for concept in concepts[number]:
                    leave(concept)


def fertility(graph: nx.DiGraph) -> dict[str, int]:
    """Number of descendants of each founder, most first."""
    graph = _bred(graph)
    concepts = set(members(graph))
    counts = {founder: len(descendants(graph, [founder]) & concepts) for founder in founders(graph)}
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))


def extinct_lines(graph: nx.DiGraph, without: Collection[str] = ()) -> list[str]:
    """Founders with no living descendant in the latest generation.

    without: concepts that do not live, such as hidden ones; their descendants do. The latest generation is the latest
    with a living concept. A founder in that generation is not extinct. Without living concepts, all lines are extinct.
    """
    graph = _bred(graph)
    living = set(members(graph)) - set(without)
    latest = max((graph.nodes[each]["generation"] for each in living), default=0)
    last = [each for each in living if graph.nodes[each]["generation"] == latest]
    lasting = {*last, *ancestors(graph, last)}
    return [founder for founder in founders(graph) if founder not in lasting]


@dataclass(frozen=True)
class Generation:
    """Statistics of a generation.

    likeness: mean pairwise cosine of the imagined embeddings; None for fewer than two concepts. mean, best: of each
    objective with stored values. founders: number with a share. effective_founders: number of equally contributing
    founders with the same diversity, 1 / Σ p_f² for f's mean share p_f (Lacy, Zoo Biology 8:111, 1989). distance: mean
    pairwise distance by descent, 1 minus the relatedness (the mean pairwise distance of Webb, American Naturalist
    156:145, 2000); None for fewer than two concepts. diversity, archive: see `evolve.family.phylogeny`; archive is None
    where it is not defined.
    """

    number: int
    concepts: int
    likeness: float | None
    mean: Mapping[str, float]
    best: Mapping[str, float]
    founders: int
    effective_founders: float
    distance: float | None
    diversity: int
    archive: int | None


def generations(
    graph: nx.DiGraph, entries: Sequence[Entry], image_embeds: Mapping[str, npt.NDArray[np.float32]]
) -> list[Generation]:
    """Statistics of each generation, oldest first. image_embeds: [width], by id."""
    by_number: dict[int, list[Entry]] = {}
    for each in entries:
        by_number.setdefault(each.generation, []).append(each)
    shares, bred = _shares(graph), _bred(graph)
    diversity, archive = phylogenetic_diversity(bred), archive_growth(entries, image_embeds)
    numbers = sorted(by_number)
    ids = [[each.id for each in by_number[number]] for number in numbers]
    distance = {numbers[place]: _mean_distance(related) for place, related in relationships(bred, ids)}
    found = []
    for number, concepts in sorted(by_number.items()):
        values: dict[str, list[float]] = {}
        for each in concepts:
            for name, value in measured(each).items():
                if value is not None and np.isfinite(value):
                    values.setdefault(name, []).append(value)
        mean_shares: defaultdict[str, float] = defaultdict(float)
        for each in concepts:
            for founder, share in shares[each.id].items():
                mean_shares[founder] += share / len(concepts)
        found.append(
            Generation(
                number,
                len(concepts),
                _likeness([image_embeds[each.id] for each in concepts if each.id in image_embeds]),
                {name: sum(each) / len(each) for name, each in values.items()},
                {name: max(each) for name, each in values.items()},
                len(mean_shares),
                1 / sum(share**2 for share in mean_shares.values()),
                distance[number],
                diversity[number],
                archive.get(number),
            )
        )
    return found


def _shares(graph: nx.DiGraph) -> dict[str, dict[str, float]]:
    """`founder_shares` of every node, in one pass from the oldest to the latest."""
    graph = _bred(graph)
    found: dict[str, dict[str, float]] = {}
    for each in _oldest_first(graph, graph):
        parents = graph.pred[each]
        own: dict[str, float] = {} if parents else {each: 1.0}
        for parent, edge in parents.items():
            for founder, share in found[parent].items():
                own[founder] = own.get(founder, 0.0) + edge["weight"] * share
        found[each] = own
    return found


def _bred(graph: nx.DiGraph) -> nx.DiGraph:
    """The graph without edges of no share; the same graph if it has none."""
    if all(weight for _, _, weight in graph.edges(data="weight")):
        return graph
    return nx.subgraph_view(graph, filter_edge=lambda parent, child: graph.edges[parent, child]["weight"] > 0)


def _mean_distance(related: npt.NDArray[np.float64]) -> float | None:
    """Mean of 1 − R over the pairs of different concepts; None if there is no pair."""
    count = len(related)
    return float((1 - related).sum() / (count * (count - 1))) if count > 1 else None


def _likeness(embeds: Sequence[npt.NDArray[np.float32]]) -> float | None:
    """Mean pairwise cosine: (|Σ u|² − n) / n (n − 1) for n unit vectors u."""
    alike = [each for each in embeds if each.shape == embeds[0].shape]
    if len(alike) < 2:
        return None
    unit = np.stack(alike).astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    count = len(unit)
    return float((np.square(unit.sum(0)).sum() - np.square(unit).sum()) / (count * (count - 1)))


def _oldest_first(graph: nx.DiGraph, concepts: Iterable[str]) -> list[str]:
    """Sort by generation, then id, so that sums are the same to the last bit."""
    return sorted(concepts, key=lambda each: (graph.nodes[each]["generation"], each))
