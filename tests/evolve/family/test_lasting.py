"""The layout that lasts: nothing moves, and new concepts find a free place near their parents."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.family.lasting import FILE, Memory, forget, lasting, remember, remembered
from evolve.family.layout import layout
from tests.evolve.family.test_layout import families, graph_of

FAR = ("[NaN, 0, 0]", "[1e999, 0, 0]", "[0, 1e999, 0]")  # places that no canvas has


def order_of(graph: nx.DiGraph) -> list[str]:
    return sorted(graph, key=lambda node: graph.nodes[node]["generation"])


@given(families(), st.integers(1, 8), st.integers(1, 24))
def test_whoever_comes_later_moves_nobody_and_covers_nobody(graph, columns, first):
    order = order_of(graph)
    _, memory = lasting(graph.subgraph(order[:first]).copy(), Memory(), columns)
    for count in range(first, len(order) + 1):
        before = memory
        found, memory = lasting(graph.subgraph(order[:count]).copy(), memory, columns)
        assert all(memory.spots[node] == spot for node, spot in before.spots.items())
        assert all(memory.lanes[lane] == x for lane, x in before.lanes.items())
        rows: dict[int, list[float]] = {}
        for node, (x, row) in found.places.items():
            assert found.generations[row] == graph.nodes[node]["generation"]
            rows.setdefault(row, []).append(x)
        for xs in rows.values():
            assert all(other - one >= 1 - 1e-3 for one, other in pairwise(sorted(xs)))
        for (parent, child), lane in found.lanes.items():
            passed = list(range(found.places[parent][1] + 1, found.places[child][1]))
            assert [row for _, row in lane] == passed


def test_the_first_layout_is_the_usual_one():
    graph = graph_of("ac", "bc", a=0, b=0, c=1)
    found, usual = lasting(graph, Memory())[0], layout(graph)
    assert found.generations == usual.generations and found.width == usual.width
    assert all(found.places[node] == pytest.approx(place, abs=1e-4) for node, place in usual.places.items())


def test_a_child_stands_below_its_parents():
    founders = graph_of(a=0, b=0, c=0, d=0)
    _, memory = lasting(founders, Memory())
    x = {node: spot[0] for node, spot in memory.spots.items()}
    left, right = sorted(x, key=x.__getitem__)[:2]
    graph = graph_of(f"{left}e", f"{right}e", a=0, b=0, c=0, d=0, e=1)
    found, memory = lasting(graph, memory)
    assert found.places["e"] == (pytest.approx((x[left] + x[right]) / 2), 1)
    graph.add_node("f", generation=0)  # a founder that comes later stands beside the others
    found, _ = lasting(graph, memory)
    assert found.places["f"] == (max(x.values()) + 1, 0)


def test_children_of_a_couple_that_come_together_stand_in_their_order():
    """Issue: children that were being learned stood as Child 4, 2, 1, 3."""
    _, memory = lasting(graph_of(a=0, b=0), Memory())
    children = {f"{parent}{child}" for parent in "ab" for child in "cdef"}
    found, _ = lasting(graph_of(*sorted(children), a=0, b=0, c=1, d=1, e=1, f=1), memory)
    across = [found.places[each][0] for each in "cdef"]
    assert across == sorted(across) and len(set(across)) == 4


def test_the_lowest_generation_gets_another_row_when_it_is_full_and_others_grow_wider():
    _, memory = lasting(graph_of(a=0, b=0), Memory(), columns=2)
    found, memory = lasting(graph_of(a=0, b=0, c=0), memory, columns=2)
    assert found.places["c"][1] == 1
    found, memory = lasting(graph_of("ad", a=0, b=0, c=0, d=1), memory, columns=2)
    assert found.places["d"][1] == 2
    found, _ = lasting(graph_of("ad", a=0, b=0, c=0, d=1, e=0, f=0, g=0), memory, columns=2)
    assert {found.places[each][1] for each in "efg"} <= {0, 1} and list(found.generations) == [0, 0, 1]


def test_a_generation_that_grows_wraps_before_the_family_gets_wider():
    """Issue: twelve children in one row left half of the canvas empty."""
    graph = graph_of(**dict.fromkeys("abcdef", 0))
    found, memory = lasting(graph, Memory(), columns=6)
    for couple, children in (("ab", "ghij"), ("ef", "klmn"), ("ad", "opqr")):
        graph.add_nodes_from(children, generation=1)
        graph.add_edges_from((parent, child) for parent in couple for child in children)
        found, memory = lasting(graph, memory, columns=6)
        assert found.width == 6
    assert list(found.generations) == [0, 1, 1, 1]
    graph.add_node("s", generation=2)
    graph.add_edges_from(("gs", "ks"))
    found, memory = lasting(graph, memory, columns=6)
    graph.add_nodes_from("tuvwxyz", generation=1)
    found, _ = lasting(graph, memory, columns=6)
    assert list(found.generations) == [0, 1, 1, 1, 2], "another row would move the last one"


def test_concepts_that_a_filter_hides_keep_their_places_free():
    _, memory = lasting(graph_of("ac", "bc", a=0, b=0, c=1), Memory())
    _, memory = lasting(graph_of("ad", a=0, b=0, d=1), memory)
    found, _ = lasting(graph_of("ac", "bc", "ad", a=0, b=0, c=1, d=1), memory)
    assert abs(found.places["c"][0] - found.places["d"][0]) >= 1 - 1e-3


def test_places_are_stored_and_forgotten(tmp_path):
    _, memory = lasting(graph_of("ac", "bc", "ad", a=0, b=0, c=1, d=2), Memory())
    assert remembered(tmp_path) == Memory()
    remember(tmp_path, memory)
    again = remembered(tmp_path)
    assert again == memory
    for damaged in (
        '{"places": {"a": [1]}, "lanes": []}',
        *(f'{{"places": {{"a": {at}}}, "lanes": []}}' for at in FAR),
    ):
        (tmp_path / FILE).write_text(damaged)
        assert remembered(tmp_path) == Memory()
    forget(tmp_path)
    forget(tmp_path)
    assert not (tmp_path / FILE).exists()
