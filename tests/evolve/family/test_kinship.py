"""Founders' shares, relatedness and lines: by hand on small pedigrees, and by counting all ways on random ones."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from math import prod

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolve import population as population_
from evolve.family.kinship import (
    common_ancestors,
    extinct_lines,
    fertility,
    founder_shares,
    founders,
    generations,
    nearest_common_ancestors,
    relatedness,
    relationship,
)
from evolve.family.lineage import lineage
from evolve.store.parts import RunError
from tests.families import by_letter, family
from tests.populations import population


def pedigree(parents: Mapping[str, Mapping[str, float]], births: Mapping[str, str] | None = None) -> nx.DiGraph:
    """A family by the weights that each child has from its parents, who stand before it; founders need not be named."""
    graph = nx.DiGraph()
    for child, weights in parents.items():
        for each in weights:
            if each not in graph:
                graph.add_node(each, generation=0, birth="founder")
        generation = 1 + max((graph.nodes[each]["generation"] for each in weights), default=-1)
        graph.add_node(child, generation=generation, birth="mix" if weights else "founder")
        for each, weight in weights.items():
            graph.add_edge(each, child, weight=weight / sum(weights.values()))
    nx.set_node_attributes(graph, births or {}, "birth")
    return graph


def test_a_parent_that_a_child_moves_away_from_is_no_ancestor():
    graph = pedigree({"c": {"a": 1, "b": 1}, "d": {"a": 1}, "e": {"b": 1}})
    graph.add_edge("b", "d", weight=0.0, kind="away", away=0.5)
    assert founder_shares(graph, "d") == {"a": 1.0}
    assert fertility(graph) == {"b": 2, "a": 2}
    assert common_ancestors(graph, "d", "e") == set() and relatedness(graph, "d", "e") == 0
    graph.remove_node("e")
    graph.remove_node("c")
    assert extinct_lines(graph) == ["b"]


def test_a_child_that_only_moved_away_is_its_own_founder_and_shares_are_whole():
    graph = pedigree({"c": {"a": 1}, "d": {}, "e": {"c": 1, "d": 1}})
    graph.add_edge("a", "d", weight=0.0, kind="away", away=1.0)
    assert founder_shares(graph, "d") == {"d": 1.0} and founder_shares(graph, "e") == {"a": 0.5, "d": 0.5}
    assert relatedness(graph, "c", "d") == 0 and relatedness(graph, "e", "d") == 1 / 2
    assert relationship(graph, []).shape == (0, 0)


# Two founders' children s and t; u is half-sibling to them; cousins; a variation; a child of siblings.
SMALL = pedigree(
    {
        "s": {"a": 1, "b": 1},
        "t": {"a": 1, "b": 1},
        "u": {"b": 1, "c": 1},
        "x": {"s": 1, "d": 1},
        "y": {"t": 1, "e": 1},
        "m": {"s": 1},
        "i": {"s": 1, "t": 1},
        "w": {"a": 3, "b": 1},
    }
)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a", "b", 0),
        ("s", "a", 1 / 2),
        ("s", "t", 1 / 2),  # siblings
        ("s", "u", 1 / 4),  # half-siblings
        ("x", "a", 1 / 4),  # grandparent
        ("x", "t", 1 / 4),  # uncle
        ("x", "y", 1 / 8),  # cousins
        ("u", "x", 1 / 8),
        ("c", "x", 0),
        ("m", "s", 1),  # a variation has one parent
        ("m", "t", 1 / 2),
        ("i", "s", 3 / 4),  # half of itself, and half of its sibling
        ("w", "a", 3 / 4),
        ("w", "s", 1 / 2),  # 3/4 · 1/2 + 1/4 · 1/2
    ],
)
def test_relatedness_is_wrights_where_he_has_one(one, other, expected):
    assert relatedness(SMALL, one, other) == relatedness(SMALL, other, one) == pytest.approx(expected)


def test_shares_by_hand():
    assert founder_shares(SMALL, "x") == {"d": 0.5, "a": 0.25, "b": 0.25}
    assert founder_shares(SMALL, "w") == {"a": 0.75, "b": 0.25}
    assert founder_shares(SMALL, "a") == {"a": 1.0}
    assert founder_shares(SMALL, ["x", "y"]) == {"a": 0.25, "b": 0.25, "d": 0.25, "e": 0.25}


def test_common_ancestors_by_hand():
    assert common_ancestors(SMALL, "x", "y") == {"a", "b"}
    assert common_ancestors(SMALL, "x", "i") == {"s", "a", "b"}
    assert nearest_common_ancestors(SMALL, "x", "i") == ["s"]
    assert nearest_common_ancestors(SMALL, "x", "s") == ["s"] and nearest_common_ancestors(SMALL, "c", "d") == []
    assert nearest_common_ancestors(SMALL, "x", "y") == ["b", "a"]


def test_fertile_founders_and_lines_that_end():
    assert fertility(SMALL) == {"b": 8, "a": 7, "c": 1, "d": 1, "e": 1}
    assert list(fertility(SMALL))[:2] == ["b", "a"]
    assert extinct_lines(SMALL) == ["c"], "all others have a descendant in generation 2"
    assert extinct_lines(SMALL, {"x"}) == ["c", "d"]
    assert extinct_lines(SMALL, {"x", "y", "m", "i"}) == ["d", "e"], "then generation 1 is the latest"
    assert extinct_lines(SMALL, set(SMALL)) == founders(SMALL)


def test_who_is_no_concept_of_the_run_is_a_founder_and_no_descendant():
    graph = pedigree({"s": {"guest": 1, "photo": 3}}, {"guest": "unknown", "photo": "photo"})
    assert founders(graph) == ["guest", "photo"] and founder_shares(graph, "s") == {"photo": 0.75, "guest": 0.25}
    assert fertility(graph) == {"guest": 1, "photo": 1} and extinct_lines(graph) == []


def test_somebody_who_is_not_there_is_one_line():
    with pytest.raises(RunError, match="there is no concept 'nobody' in this family"):
        relatedness(SMALL, "s", "nobody")


def test_a_runs_generations_in_figures(tmp_path):
    run = family(tmp_path / "pets")
    letters = by_letter(run)
    graph = lineage(run)
    first, second, third = generations(graph, run.entries(), run.image_embeds())
    assert (first.concepts, second.concepts, third.concepts) == (4, 3, 2)
    assert first.founders == 4 and first.effective_founders == pytest.approx(4)
    for found, names in ((first, "abcd"), (second, "efg"), (third, "hi")):
        expected = population_.likeness([letters[name].concept for name in names])
        assert found.likeness == pytest.approx(expected, abs=1e-6)
    assert second.mean == {"belongs": 0.25} and second.best == {"belongs": 0.25}
    # e = 3/4 a + 1/4 b, f = 1/2 b + 1/2 c, g = d: means 1/4, 1/4, 1/6, 1/3
    assert second.founders == 4 and second.effective_founders == pytest.approx(1 / (2 / 16 + 1 / 36 + 1 / 9))
    guest = "0123456789abcdef"
    assert founder_shares(graph, letters["i"].id) == pytest.approx(
        {guest: 0.75, letters["a"].id: 0.1875, letters["b"].id: 0.0625}
    )
    assert (first.distance, first.diversity) == (1, 4)
    assert second.distance == pytest.approx(1 - (1 / 8 + 0 + 0) / 3), "e and f have 1/4 · 1/2 by b"
    assert (second.diversity, third.diversity) == (7, 8), "all; and all but d and g, with the guest"
    # h = 1/2 e + 1/2 f, i = 1/4 e + the guest
    assert third.distance == pytest.approx(1 - 0.140625)
    assert third.founders == 4 and founders(graph) == [letters[name].id for name in "abcd"] + [guest]


# Random pedigrees


@st.composite
def pedigrees(draw, most=8):
    parents: dict[str, dict[str, float]] = {}
    for number in range(draw(st.integers(2, most))):
        chosen = draw(st.lists(st.sampled_from(list(parents)), unique=True, max_size=3)) if parents else []
        parents[f"{number}"] = {each: draw(st.floats(0.01, 100)) for each in chosen}
    return pedigree(parents)


def ways(graph: nx.DiGraph, top: str, bottom: str) -> float:
    """The sum over all ways down of the product of the weights along each."""
    if top == bottom:
        return 1.0
    paths = nx.all_simple_edge_paths(graph, top, bottom)
    return sum(prod(graph.edges[edge]["weight"] for edge in path) for path in paths)


def dropped(graph: nx.DiGraph, one: str, other: str) -> float:
    """The probability that both have one founder's gene: over every way in which all children could choose a parent."""
    children = [node for node in graph if graph.pred[node]]
    found = 0.0
    for chosen in product(*(graph.pred[child] for child in children)):
        parent = dict(zip(children, chosen, strict=True))
        ends = []
        for each in (one, other):
            while each in parent:
                each = parent[each]
            ends.append(each)
        if ends[0] == ends[1]:
            found += prod(graph.edges[parent[child], child]["weight"] for child in children)
    return found


@given(pedigrees())
@settings(max_examples=60)
def test_shares_are_sums_over_all_ways_and_make_one(graph):
    for concept in graph:
        shares = founder_shares(graph, concept)
        assert sum(shares.values()) == pytest.approx(1)
        assert list(shares.values()) == sorted(shares.values(), reverse=True)
        for founder in founders(graph):
            assert shares.get(founder, 0.0) == pytest.approx(ways(graph, founder, concept))
    together = founder_shares(graph, list(graph))
    mean = {f: sum(founder_shares(graph, c).get(f, 0.0) for c in graph) / len(graph) for f in founders(graph)}
    assert together == pytest.approx(mean)


@given(pedigrees(most=7))
@settings(max_examples=60)
def test_relatedness_is_what_dropping_genes_in_all_ways_gives(graph):
    nodes = sorted(graph)
    found = relationship(graph, nodes)
    assert np.array_equal(found, found.T) and np.array_equal(np.diag(found), np.ones(len(nodes)))
    assert found.min() >= 0 and found.max() <= 1 + 1e-12 and np.linalg.eigvalsh(found).min() > -1e-9
    for i, one in enumerate(nodes):
        for j, other in enumerate(nodes[:i]):
            assert found[i, j] == pytest.approx(dropped(graph, one, other))
            assert (found[i, j] == 0) == (not common_ancestors(graph, one, other))
            assert relatedness(graph, one, other) == pytest.approx(found[i, j])


@given(pedigrees(), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_the_order_in_which_a_family_is_told_changes_nothing(graph, random):
    nodes, edges = list(graph.nodes(data=True)), list(graph.edges(data=True))
    random.shuffle(nodes)
    random.shuffle(edges)
    other = nx.DiGraph()
    other.add_nodes_from(nodes)
    other.add_edges_from(edges)
    one, two = sorted(graph)[-2:]
    assert relatedness(other, one, two) == pytest.approx(relatedness(graph, one, two), rel=1e-12)
    assert founder_shares(other, two) == pytest.approx(founder_shares(graph, two))
    assert fertility(other) == fertility(graph) and set(extinct_lines(other)) == set(extinct_lines(graph))
    nearest = nearest_common_ancestors(graph, one, two)
    assert nearest_common_ancestors(other, one, two) == nearest
    lowest = {a for a in common_ancestors(graph, one, two)}
    assert set(nearest) == {a for a in lowest if not (nx.descendants(graph, a) & lowest)}


def test_a_long_family_with_more_at_once_than_there_was_room_for(tmp_path):
    graph = lineage(population(tmp_path / "run", 600, batch=60))
    last = sorted(each for each, birth in graph.nodes(data="birth") if birth == "mix")[-2:]
    found = relatedness(graph, *last)
    plain: dict[tuple[str, str], float] = {}
    rank = {each: (graph.nodes[each]["generation"], each) for each in graph}

    def recursion(one: str, other: str) -> float:
        if one == other:
            return 1.0
        younger, elder = sorted((one, other), key=rank.__getitem__, reverse=True)
        if (younger, elder) not in plain:
            parents = graph.pred[younger].items()
            plain[younger, elder] = sum(edge["weight"] * recursion(parent, elder) for parent, edge in parents)
        return plain[younger, elder]

    assert found == pytest.approx(recursion(*last)) and 0 < found < 1
