"""The shown part of a large family: the concepts in focus, and all others in branches that open."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.family.focus import BRANCH, NEWEST, OLDER, PORTION, Focus, branches, focus, folded
from evolve.family.layout import layout
from evolve.family.lineage import ancestors, descendants, pedigree
from evolve.store.run import Descent, Entry
from tests.evolve.family import test_lineage

NUMBERS = st.integers(0, 200)


def entry(id_: str, generation: int, parents: list[tuple[str, float]]) -> Entry:
    descents = [Descent(each, "", weight, "image" if each.startswith("photo-") else "mix") for each, weight in parents]
    return replace(test_lineage.entry(id_, generation), parents=tuple(descents))


def grown(size: int, seed: int = 0, guests: int = 0, reach: int = 40) -> nx.DiGraph:
    """A family of that many concepts, in the order in which they were made; some have a photograph as a parent."""
    draw = random.Random(seed)
    entries, generations = [], {}
    for number in range(size):
        id_ = f"c{number:05d}"
        near = list(generations)[-reach:]
        parents = draw.sample(near, min(len(near), draw.choice((0, 1, 2, 2, 2, 3))))
        weights = [(parent, draw.choice((0.25, 0.5, 1.0))) for parent in parents]
        generation = 1 + max((generations[parent] for parent in parents), default=-1)
        if draw.randrange(size) < guests:
            weights.append((f"photo-{number:016x}", 1.0))
            generation = max(1, generation)
        generations[id_] = generation
        entries.append(entry(id_, generation, weights))
    return pedigree(entries)


@st.composite
def families(draw: st.DrawFn) -> nx.DiGraph:
    return grown(
        draw(st.integers(1, 90)), draw(st.integers(0, 10**6)), draw(st.integers(0, 8)), draw(st.integers(1, 60))
    )


def chosen(graph: nx.DiGraph, numbers: list[int]) -> list[str]:
    nodes = list(graph)
    return [nodes[number % len(nodes)] for number in numbers]


def test_a_family_that_fits_is_shown_whole():
    graph = grown(30)
    assert focus(graph, most=30) == Focus(tuple(graph))


def test_nobody_is_shown_of_nobody():
    assert focus(nx.DiGraph()) == Focus(())


def test_of_a_large_family_the_latest_generations_are_shown_and_the_rest_is_one_branch():
    graph = grown(2000)
    view = focus(graph, most=100)
    assert len(view.shown) == 100
    (branch,) = view.branches
    assert (branch.of, len(branch.concepts)) == (OLDER, 1900)
    generation = dict(graph.nodes(data="generation"))
    others = [each for each in view.shown if each not in list(graph)[-NEWEST:]]
    assert min(generation[each] for each in others) >= max(
        generation[each] for each in branch.concepts if each not in list(graph)[-NEWEST:]
    )


def test_what_was_made_last_is_shown_whatever_its_generation():
    graph = grown(500)
    newest = pedigree([entry("new", 0, [])])
    graph.add_nodes_from(newest.nodes(data=True))
    assert "new" in focus(graph, most=100).shown


def test_the_selected_are_shown_with_their_nearest_relatives():
    graph = grown(2000)
    view = focus(graph, ["c00700"], most=120)
    assert "c00700" in view.shown
    near = {*graph.pred["c00700"], *graph.succ["c00700"]}
    assert near and near <= {*view.shown}
    relatives = {*ancestors(graph, ["c00700"]), *descendants(graph, ["c00700"])} - {*focus(graph, most=120).shown}
    assert 0 < len(relatives & {*view.shown}) <= 40


def test_selecting_leaves_room_for_the_latest_generations():
    graph = grown(2000)
    before, after = focus(graph, most=120).shown, focus(graph, ["c00000"], most=120).shown
    assert len({*before} & {*after}) >= 70


def test_favourites_are_shown_the_newest_first_and_in_a_sixth_of_the_room():
    graph = grown(2000)
    favourites = {f"c{number:05d}" for number in range(0, 800, 10)}
    old = [each for each in focus(graph, most=120, favourites=favourites).shown if each < "c01000"]
    assert old == sorted(favourites)[-20:]


def test_a_photograph_comes_with_its_child():
    graph = grown(400, guests=400)
    view = focus(graph, most=100)
    photos = [each for each in view.shown if each.startswith("photo-")]
    assert photos and len(view.shown) == 100
    assert all(graph.succ[photo] and {*graph.succ[photo]} & {*view.shown} for photo in photos)


def test_opening_a_branch_shows_a_portion_of_it_children_first():
    graph = grown(2000)
    view = focus(graph, ["c00100"], most=300)
    branch = max((each for each in view.branches if each.of), key=lambda each: len(each.concepts))
    assert len(branch.concepts) > PORTION
    opened = focus(graph, ["c00100"], [branch.of], most=300)
    assert {*branch.concepts[:PORTION]} <= {*opened.shown}
    generations = [graph.nodes[each]["generation"] for each in branch.concepts]
    assert generations == sorted(generations)


def test_a_branch_that_was_opened_has_branches_that_open():
    children = [entry(f"b{number:03d}", 1, [("a", 1.0)]) for number in range(100)]
    others = [entry(f"z{number:03d}", 2 + number, []) for number in range(400)]
    graph = pedigree([entry("a", 0, []), *children, *others])
    for times in range(3):
        view = focus(graph, ["a"], ["a"] * times, most=250, favourites=())
        shown = sum(each.startswith("b") for each in view.shown)
        assert shown == min(100, 83 + PORTION * times), times
        assert sum(len(branch.concepts) for branch in view.branches if branch.of == "a") == 100 - shown


def test_opening_what_is_older_shows_its_latest_first():
    graph = grown(2000)
    view = focus(graph, most=120)
    opened = focus(graph, opened=[OLDER], most=120)
    came = [each for each in opened.shown if each not in view.shown]
    latest = max(graph.nodes[each]["generation"] for each in view.branches[0].concepts)
    assert any(graph.nodes[each]["generation"] == latest for each in [*came, *opened.shown])
    assert len(opened.shown) <= 120


def test_what_is_opened_many_times_stays_within_the_room():
    graph = grown(3000)
    assert len(focus(graph, opened=[OLDER] * 50, most=200).shown) <= 200


def test_opening_a_branch_that_is_not_there_changes_nothing_but_the_room():
    graph = grown(1000)
    assert {*focus(graph, opened=["nobody"], most=200).shown} < {*focus(graph, most=200).shown}


def test_a_concept_is_in_the_branch_of_the_parent_who_weighs_most():
    graph = pedigree(
        [
            entry("a", 0, []),
            entry("b", 0, []),
            entry("c", 1, [("a", 0.3), ("b", 0.7)]),
            entry("d", 2, [("c", 1.0)]),
            entry("e", 3, [("d", 0.9), ("a", 0.1)]),
        ]
    )
    found = {branch.of: branch.concepts for branch in branches(graph, {"a", "b"})}
    assert found == {"b": ("c", "d", "e")}
    assert {branch.of: branch.concepts for branch in branches(graph, {"a", "d"})} == {
        OLDER: ("b",),
        "a": ("c",),
        "d": ("e",),
    }


def test_a_folded_family_hangs_together():
    graph = pedigree(
        [
            entry("a", 0, []),
            entry("b", 1, [("a", 1.0)]),
            entry("c", 2, [("b", 1.0)]),
            entry("d", 2, [("b", 0.5), ("a", 0.5)]),
        ]
    )
    cut = folded(graph, Focus(("a", "c", "d"), tuple(branches(graph, {"a", "c", "d"}))))
    assert {*cut.edges} == {("a", "branch:a"), ("branch:a", "c"), ("a", "d")}
    assert (cut.nodes["branch:a"]["count"], cut.nodes["branch:a"]["birth"]) == (1, "branch")
    assert cut.edges["a", "d"]["weight"] == 0.5


@given(
    families(), st.lists(st.integers(0, 200), max_size=4), st.lists(st.integers(0, 200), max_size=3), st.integers(5, 60)
)
def test_everybody_is_shown_or_in_exactly_one_branch(graph, selected, opened, most):
    selected, opened = chosen(graph, selected), [*chosen(graph, opened), OLDER]
    view = focus(graph, selected, opened, most)
    held = [each for branch in view.branches for each in branch.concepts]
    assert sorted([*view.shown, *held]) == sorted(graph)
    assert len(view.shown) <= most
    assert {*selected} <= {*view.shown}
    assert list(view.shown) == [each for each in graph if each in {*view.shown}]
    assert view == focus(graph, selected, opened, most)


@given(families(), st.integers(5, 60))
def test_generations_follow_along_every_edge_of_what_is_shown(graph, most):
    view = focus(graph, most=most)
    cut = folded(graph, view)
    assert all(cut.nodes[a]["generation"] < cut.nodes[b]["generation"] for a, b in cut.edges)
    assert sum(count for _, count in cut.nodes(data="count") if count) + len(view.shown) == len(graph)
    assert {each for each in cut if each.startswith(BRANCH)} == {branch.node for branch in view.branches}
    for child in view.shown:
        shown = [(parent, d["weight"]) for parent, _, d in cut.in_edges(child, data=True) if d["kind"] != "branch"]
        assert all(weight == graph.edges[parent, child]["weight"] for parent, weight in shown)
    layout(cut)


@pytest.mark.parametrize("selected", [[], ["c00010", "c09990"]])
def test_ten_thousand_concepts_are_no_wait(selected):
    graph = grown(10_000, reach=1000)
    began = time.process_time()
    view = focus(graph, selected)
    assert time.process_time() - began < 2
    assert len(view.shown) == 300
