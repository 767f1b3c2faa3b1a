"""Diversity by descent and archive growth: by hand, and against plain counts on random pedigrees."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings

from evolve.family.kinship import generations, relationship, relationships
from evolve.family.lineage import ancestors, pedigree
from evolve.family.phylogeny import archive_growth, phylogenetic_diversity
from tests.evolve.family.test_kinship import pedigrees
from tests.evolve.family.test_lineage import entry


def in_generation(graph: nx.DiGraph, number: int) -> list[str]:
    return [each for each, generation in graph.nodes(data="generation") if generation == number]


@settings(max_examples=60)
@given(pedigrees())
def test_diversity_counts_the_concepts_and_their_ancestors(graph):
    numbers = sorted(set(dict(graph.nodes(data="generation")).values()))
    expected = {n: len({*in_generation(graph, n), *ancestors(graph, in_generation(graph, n))}) for n in numbers}
    assert phylogenetic_diversity(graph) == expected


@settings(max_examples=60)
@given(pedigrees())
def test_several_groups_in_one_pass_equal_each_by_itself(graph):
    groups = [in_generation(graph, number) for number in sorted(set(dict(graph.nodes(data="generation")).values()))]
    groups.append(list(graph)[::2])
    found = dict(relationships(graph, groups))
    assert sorted(found) == list(range(len(groups)))
    for number, group in enumerate(groups):
        np.testing.assert_allclose(found[number], relationship(graph, group), atol=1e-12)


def test_the_archive_grows_by_what_is_far_from_all_in_it():
    """Founders at 0, 10 and 90 degrees: half are 10 degrees or more from the nearest."""

    def at(degrees: float) -> np.ndarray:
        return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], dtype=np.float32) * 3

    angles = {"a": (0, 0), "b": (0, 10), "c": (0, 90), "d": (1, 85), "e": (1, 45), "f": (2, 50), "g": (2, 180)}
    entries = [entry(id_, number) for id_, (number, _) in angles.items()]
    embeds = {id_: at(degrees) for id_, (_, degrees) in angles.items()}
    assert archive_growth(entries, embeds) == {0: 2, 1: 3, 2: 4}
    assert archive_growth(entries[:1], embeds) == {} == archive_growth([], {})
    assert archive_growth(entries, {**embeds, "a": np.ones(3, dtype=np.float32)}) == {}
    many = {f"{n}": at(n * 0.9) for n in range(100)}
    assert archive_growth([entry(id_, 0) for id_ in many], many)[0] <= 100


def test_a_generation_of_one_has_no_distance():
    entries = [entry("a", 0), entry("b", 1, {"a": 1})]
    first, second = generations(pedigree(entries), entries, {})
    assert (first.distance, first.diversity, first.archive) == (None, 1, None)
    assert (second.distance, second.diversity) == (None, 2)


def test_a_parent_that_gives_no_share_does_not_count():
    entries = [entry("a", 0), entry("b", 0), entry("c", 1, {"a": 1.0, "b": -0.5})]
    _, second = generations(pedigree(entries), entries, {})
    assert second.diversity == 2
    assert phylogenetic_diversity(pedigree(entries))[1] == pytest.approx(3), "the plain graph has the edge"
