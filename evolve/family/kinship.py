"""Who is how much of whom: founders' shares, common ancestors, relatedness, lines that thrive and lines that end.

All of it follows from the family's graph (`evolve.family.lineage`). An edge has its parent's share w of the child, the
shares of a child summing to 1, and generations grow along every edge. A founder is who has no parents there: a
concept that was invented, a photograph, or a guest of another run. Ancestors and descendants to any depth are in
`evolve.family.lineage`.

The model is gene dropping (MacCluer, VandeBerg, Read, Ryder, Zoo Biology 5:147, 1986) for concepts that carry one gene
each: a child has that of one of its parents, of parent p with probability w_p, and every founder has one of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
import numpy.typing as npt

from evolve.family.lineage import ancestors, descendants, members
from evolve.fitness import measured
from evolve.store.rows import Entry


def founders(graph: nx.DiGraph) -> list[str]:
    """Those of a family who have no parents in it, in its order."""
    return [node for node, parents in graph.in_degree() if not parents]


def founder_shares(graph: nx.DiGraph, concepts: str | Iterable[str]) -> dict[str, float]:
    """Each founder's share in a concept (an id), or its mean share in several, the largest first; they sum to 1.

    The share of f in c is the sum, over all ways down from f to c, of the product of the weights along the way: the
    probability that c carries f's gene, which breeders call genetic contribution (James and McBride, Journal of
    Genetics 56:55, 1958). Found by handing shares up, from the latest to the oldest. Takes time in proportion to the
    ancestors.
    """
    concepts = [concepts] if isinstance(concepts, str) else list(concepts)
    family = {*concepts, *ancestors(graph, concepts)}
    held: defaultdict[str, float] = defaultdict(float)
    for concept in concepts:
        held[concept] += 1 / len(concepts)
    found = {}
    for each in _oldest_first(graph, family)[::-1]:
        share = held.pop(each, 0.0)
        for parent, edge in graph.pred[each].items():
            held[parent] += share * edge["weight"]
        if not graph.pred[each]:
            found[each] = share
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def common_ancestors(graph: nx.DiGraph, one: str, other: str) -> set[str]:
    """From whom both concepts (ids) descend; where one descends from the other, that one is among them."""
    return {one, *ancestors(graph, [one])} & {other, *ancestors(graph, [other])}


def nearest_common_ancestors(graph: nx.DiGraph, one: str, other: str) -> list[str]:
    """Those common ancestors of whom no other descends, the latest first: where two lines parted."""
    common = common_ancestors(graph, one, other)
    nearest = {each for each in common if common.isdisjoint(graph.successors(each))}
    return _oldest_first(graph, nearest)[::-1]


def relatedness(graph: nx.DiGraph, one: str, other: str) -> float:
    """How much two concepts (ids) have in common by descent, 0 to 1; see `relationship`."""
    return float(relationship(graph, [one, other])[0, 1])


def relationship(graph: nx.DiGraph, concepts: Sequence[str]) -> npt.NDArray[np.float64]:
    """How much each of some concepts (ids) has in common with each by descent, [n, n].

    The probability that both carry the same founder's gene because it came to them on ways that meet:

        R(a, a) = 1
        R(a, b) = Σ over the parents p of a of w_p R(p, b),   a not being an ancestor of b;   0 for two founders

    That is Henderson's recursion for the numerator relationship (Biometrics 32:69, 1976) with any number of parents by
    their weights, where he has two halves, and 1 on the diagonal, since a concept is one vector and has no two genes
    that could be alike; in Malécot's words (Les mathématiques de l'hérédité, 1948), the coefficient of kinship of
    haploids. Between concepts of two unrelated parents in equal shares it is Wright's coefficient of relationship
    (American Naturalist 56:330, 1922): 1/2 for parent and child and for siblings, 1/4 for half-siblings and
    grandparents, 1/8 for cousins. It is symmetric, 0 exactly for who has no ancestor in common, and 1 for a concept
    with itself and for a parent with a child that has no other: by descent they are the same, how alike they
    became, their embeddings say.

    Goes through all ancestors once, the oldest first, with a row for each who still has children to come.
    """
    family = {*concepts, *ancestors(graph, concepts)}
    waiting = {each: sum(child in family for child in graph.succ[each]) for each in family}
    for concept in concepts:
        waiting[concept] += 1  # is asked for in the end
    common = np.zeros((64, 64))  # [row, row]; what stands in free rows means nothing
    free = list(range(64))
    row_of: dict[str, int] = {}
    for each in _oldest_first(graph, family):
        parents = graph.pred[each]
        rows = [row_of[parent] for parent in parents]
        shares = np.array([edge["weight"] for edge in parents.values()])
        own = shares @ common[rows] if rows else np.zeros(len(common))
        for parent in parents:
            waiting[parent] -= 1
            if not waiting[parent]:
                free.append(row_of.pop(parent))
        if not free:
            free = list(range(len(common), 2 * len(common)))
            common = np.pad(common, (0, len(common)))
            own = np.pad(own, (0, len(common) - len(own)))
        row = row_of[each] = free.pop()
        common[row], common[:, row] = own, own
        common[row, row] = 1.0
    rows = [row_of[concept] for concept in concepts]
    found: npt.NDArray[np.float64] = common[np.ix_(rows, rows)]
    return found


def fertility(graph: nx.DiGraph) -> dict[str, int]:
    """Of each founder, how many concepts descend from it, the most fertile first; of equals, in the family's order."""
    concepts = set(members(graph))
    counts = {founder: len(descendants(graph, [founder]) & concepts) for founder in founders(graph)}
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))


def extinct_lines(graph: nx.DiGraph, without: Collection[str] = ()) -> list[str]:
    """Founders of whom nothing lives on: no living concept of the latest generation descends from them, nor is it them.

    Everybody lives but those in `without`, such as hidden concepts; what descends from these lives all the same. The
    latest generation is the latest in which somebody lives. Where nobody does, all lines are extinct.
    """
    living = set(members(graph)) - set(without)
    latest = max((graph.nodes[each]["generation"] for each in living), default=0)
    last = [each for each in living if graph.nodes[each]["generation"] == latest]
    lasting = {*last, *ancestors(graph, last)}
    return [founder for founder in founders(graph) if founder not in lasting]


@dataclass(frozen=True)
class Generation:
    """A generation in figures.

    likeness: mean pairwise cosine of what is imagined for its concepts; None for fewer than two. mean, best: of each
    objective that was measured of some of them. founders: how many have a share in it. effective_founders: as many
    in equal shares would leave as much variety, 1 / Σ p_f² with f's mean share p_f (Lacy, Zoo Biology 8:111, 1989).
    """

    number: int
    concepts: int
    likeness: float | None
    mean: Mapping[str, float]
    best: Mapping[str, float]
    founders: int
    effective_founders: float


def generations(
    graph: nx.DiGraph, entries: Sequence[Entry], image_embeds: Mapping[str, npt.NDArray[np.float32]]
) -> list[Generation]:
    """Each generation of a run in figures, the oldest first; image_embeds: [width], by id."""
    by_number: dict[int, list[Entry]] = {}
    for each in entries:
        by_number.setdefault(each.generation, []).append(each)
    shares = _shares(graph)
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
            )
        )
    return found


def _shares(graph: nx.DiGraph) -> dict[str, dict[str, float]]:
    """`founder_shares` of everybody, handed down from the oldest to the latest."""
    found: dict[str, dict[str, float]] = {}
    for each in _oldest_first(graph, graph):
        parents = graph.pred[each]
        own: dict[str, float] = {} if parents else {each: 1.0}
        for parent, edge in parents.items():
            for founder, share in found[parent].items():
                own[founder] = own.get(founder, 0.0) + edge["weight"] * share
        found[each] = own
    return found


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
    """Parents before children; of one generation by id, so that figures are the same to the last bit."""
    return sorted(concepts, key=lambda each: (graph.nodes[each]["generation"], each))
