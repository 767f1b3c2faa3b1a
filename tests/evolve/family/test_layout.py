"""The layout: generations as rows, nothing on top of anything, few crossings, and always the same."""

from __future__ import annotations

from itertools import combinations, pairwise

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.family.layout import LANE, Layout, crossings, layout
from evolve.family.lineage import lineage
from tests.families import by_letter, family


def graph_of(*edges: str, **generations: int) -> nx.DiGraph:
    graph = nx.DiGraph()
    for name, generation in generations.items():
        graph.add_node(name, generation=generation)
    graph.add_edges_from(tuple(edge) for edge in edges)
    return graph


@st.composite
def families(draw):
    graph = nx.DiGraph()
    for number in range(draw(st.integers(1, 25))):
        parents = draw(st.lists(st.sampled_from(sorted(graph)), unique=True, max_size=3)) if number else []
        generation = 1 + max(graph.nodes[parent]["generation"] for parent in parents) if parents else 0
        graph.add_node(f"{number:02d}", generation=generation)
        graph.add_edges_from((parent, f"{number:02d}") for parent in parents)
    return graph


def check_room(found: Layout) -> None:
    """Nothing overlaps, and everything is on the page."""
    rows: dict[int, list[tuple[float, float]]] = {}
    for x, row in found.places.values():
        rows.setdefault(row, []).append((x - 0.5, x + 0.5))
    for x, row in {place for lanes in found.lanes.values() for place in lanes}:
        rows.setdefault(row, []).append((x - LANE / 2, x + LANE / 2))
    for spans in rows.values():
        spans.sort()
        assert all(one[1] <= other[0] + 1e-9 for one, other in pairwise(spans))
        assert spans[0][0] >= -1e-9 and spans[-1][1] <= found.width + 1e-9


@given(families(), st.integers(1, 8))
def test_generations_are_rows_and_nothing_overlaps(graph, columns):
    found = layout(graph, columns)
    assert set(found.places) == set(graph)
    assert list(found.generations) == sorted(found.generations)
    for concept, (_, row) in found.places.items():
        assert found.generations[row] == graph.nodes[concept]["generation"]
    for row in range(len(found.generations)):
        assert 1 <= sum(place[1] == row for place in found.places.values()) <= columns
    check_room(found)


@given(families())
def test_an_edge_passes_every_row_between_in_a_lane_of_its_own(graph):
    found = layout(graph)
    assert set(found.lanes) == set(graph.edges)
    for (parent, child), lanes in found.lanes.items():
        assert [row for _, row in lanes] == list(range(found.places[parent][1] + 1, found.places[child][1]))


@given(families())
def test_the_same_family_looks_the_same(graph):
    again = nx.DiGraph(graph)
    assert layout(graph) == layout(again)


def test_nobody_has_no_place():
    assert layout(nx.DiGraph()) == Layout({}, {}, [], 0.0)


@pytest.mark.parametrize(
    "graph",
    [
        graph_of("ad", "bc", a=0, b=0, c=1, d=1),
        graph_of("af", "be", "cd", a=0, b=0, c=0, d=1, e=1, f=1),
        graph_of("ad", "bc", "ce", "df", "af", a=0, b=0, c=1, d=1, e=2, f=2),
    ],
)
def test_crossings_that_need_not_be_are_undone(graph):
    found = layout(graph)
    ends = [(found.places[parent], found.places[child]) for parent, child in graph.edges]
    neighbours = [(above, below) for above, below in ends if below[1] == above[1] + 1]
    for (above, below), (other_above, other_below) in combinations(neighbours, 2):
        if above[1] == other_above[1]:
            assert (above[0] - other_above[0]) * (below[0] - other_below[0]) >= 0


def test_a_single_child_stands_in_the_middle_below_its_parents():
    found = layout(graph_of("ac", "bc", a=0, b=0, c=1))
    assert found.places["c"][0] == pytest.approx((found.places["a"][0] + found.places["b"][0]) / 2)


def test_crossings_are_counted():
    def count(*edges: str) -> int:
        above = {letter: {edge[0]: 1.0 for edge in edges if edge[1] == letter} for letter in "xyz"}
        return crossings([list("abc"), list("xyz")], above)

    assert count("ax", "by", "cz") == 0
    assert count("ay", "bx") == 1
    assert count("az", "by", "cx") == 3
    assert count("ax", "ay", "bx", "by") == 1
    assert count("ax", "bx", "cx") == 0


def test_wide_generations_are_broken_evenly_and_parents_stand_below():
    names = [f"{number:02d}" for number in range(13)]
    graph = nx.DiGraph()
    graph.add_nodes_from(names, generation=0)
    graph.add_node("child", generation=1)
    graph.add_edges_from((name, "child") for name in names[:3])
    found = layout(graph, columns=5)
    assert list(found.generations) == [0, 0, 0, 1]
    assert [sum(row == number for _, row in found.places.values()) for number in range(4)] == [4, 4, 5, 1]
    assert {found.places[name][1] for name in names[:3]} == {2}


def test_a_family_on_disk_has_its_places(tmp_path):
    run = family(tmp_path / "pets")
    found = layout(lineage(run))
    letters = by_letter(run)
    assert [found.places[letters[c].id][1] for c in "abcdefghi"] == [0, 0, 0, 0, 1, 1, 1, 2, 2]
    check_room(found)
