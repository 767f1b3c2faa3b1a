"""Emitters aim at empty cells: `between` at those that a mixture falls into, `towards` at the others."""

from __future__ import annotations

import numpy as np
import pytest
from ribs.archives import CVTArchive
from ribs.emitters import EmitterBase
from ribs.schedulers import Scheduler

from evolve.maps.archive import archive_of, fill
from evolve.maps.chart import MapError
from evolve.maps.emitters import (
    EMITTERS,
    USUAL,
    Between,
    Gain,
    Ground,
    Towards,
    emitters_of,
    mixtures,
    register,
)
from evolve.maps.recipes import AIM, FOUND, MATE, MOVE, NUMBERS, Recipe
from tests.evolve.maps.charts import a_chart, placed_at

CORNERS = placed_at((-0.7, -0.7), (0.7, -0.7), (-0.7, 0.7), (0.7, 0.7))


def a_ground(found=CORNERS, aim=None, cells=(5, 5)):
    archive = archive_of(a_chart(cells), found)
    return Ground(archive, a_chart(cells), found, np.random.default_rng(0), aim)


def asked(emitter):
    return [Recipe.of(row) for row in emitter.ask()]


def test_a_mixture_is_expected_where_the_mean_of_its_parents_is():
    ground = a_ground()
    pairs, shares, cells, _ = mixtures(ground)
    for pair, share, cell in zip(pairs, shares, cells, strict=True):
        mean = share * CORNERS.unit[pair[0]] + (1 - share) * CORNERS.unit[pair[1]]
        place = (mean / np.linalg.norm(mean))[:2] / 2 + 0.5
        assert ground.archive.index_of_single(place) == cell
    assert len(pairs) == 6 * 5


def test_between_fills_different_empty_cells_first_by_near_parents():
    ground = a_ground()
    filled = set(ground.archive.data("index").tolist())
    recipes = asked(Between(ground, 6))
    assert {each.operator for each in recipes} == {MATE} and len({each.cell for each in recipes}) == 6
    assert not filled & {each.cell for each in recipes}
    for recipe in recipes:  # parents across the map only where no neighbours reach the cell
        apart = np.abs(CORNERS.places[recipe.one] - CORNERS.places[recipe.other])
        reached = [np.abs(CORNERS.places[a] - CORNERS.places[b]).sum() for a, b in mixtures(ground)[0]]
        assert apart.sum() <= max(reached)


def test_towards_fills_the_cells_that_no_mixture_reaches_from_the_nearest_elite():
    found = placed_at((-0.9, -0.3), (-0.5, -0.3))
    ground = a_ground(found)
    reached = {*mixtures(ground)[2].tolist(), *ground.archive.data("index").tolist()}
    recipes = asked(Towards(ground, 8))
    assert {each.operator for each in recipes} == {MOVE} and len({each.cell for each in recipes}) == 8
    assert not reached & {each.cell for each in recipes}
    assert {each.one for each in recipes} == {0, 1}


def test_a_full_map_is_improved_where_it_is_worst():
    values = [(x, y) for x in (-0.6, 0.6) for y in (-0.6, 0.6)]
    found = placed_at(*values)
    found.quality[2] = 0.1
    ground = a_ground(found, cells=(2, 2))
    worst = ground.archive.index_of_single(found.places[2])
    assert asked(Towards(ground, 1))[0].cell == worst and asked(Towards(ground, 1))[0].one != 2


def test_an_aim_is_the_only_cell_and_its_parents_differ():
    aim = 12
    for emitter in (Between, Towards, Gain):
        recipes = asked(emitter(a_ground(aim=aim), 3))
        assert {each.cell for each in recipes} == {aim}
    assert len({each.one for each in asked(Towards(a_ground(aim=aim), 3))}) == 3


def test_without_elites_all_are_founders():
    nothing = placed_at((0, 0))
    empty = a_ground(nothing)
    empty.archive.clear()
    for emitter in (Between, Towards, Gain):
        assert asked(emitter(empty, 2)) == [Recipe(FOUND)] * 2
    for emitter in (Between, Towards):
        assert [each.operator for each in asked(emitter(a_ground(nothing), 2))] == [MOVE] * 2, "one elite cannot mix"
    assert [(each.operator, each.other) for each in asked(Gain(a_ground(nothing), 2))] == [(AIM, -1)] * 2


def test_shares_make_counts_and_equal_seeds_equal_recipes():
    asked_for = [Scheduler(a_ground().archive, emitters_of(list(USUAL.items()), a_ground(), 10)).ask() for _ in "ab"]
    assert np.array_equal(*asked_for) and asked_for[0].shape == (10, NUMBERS)
    operators = [Recipe.of(row).operator for row in asked_for[0]]
    assert [operators.count(each) for each in (AIM, FOUND)] == [9, 1]
    assert len(emitters_of([("between", 1.0), ("founders", 0.001)], a_ground(), 3)) == 1


def test_an_emitter_of_ones_own_is_registered_once(monkeypatch):
    monkeypatch.setattr("evolve.maps.emitters.EMITTERS", dict(EMITTERS))
    register("mine", lambda ground, count: Towards(ground, count))
    (emitter,) = emitters_of([("mine", 1.0)], a_ground(), 2)
    assert isinstance(emitter, EmitterBase) and len(emitter.ask()) == 2
    with pytest.raises(MapError, match="'mine' is registered already"):
        register("mine", Between)
    with pytest.raises(MapError, match="unknown emitter 'other': choose between, towards, founders, gain"):
        emitters_of([("other", 1.0)], a_ground(), 2)


def test_they_work_on_another_archive():
    archive = CVTArchive(
        solution_dim=NUMBERS, centroids=6, ranges=[(0, 1)] * 2, extra_fields={"concept": ((), np.int32)}, seed=1
    )
    fill(archive, CORNERS)
    ground = Ground(archive, a_chart(), CORNERS, np.random.default_rng(0))
    for emitter in (Between, Towards, Gain):
        assert len(asked(emitter(ground, 4))) == 4


def test_gain_takes_near_and_good_parents_for_each_cell_and_spreads_its_children():
    ground = a_ground()
    pairs, shares, cells, costs = mixtures(ground)
    recipes = asked(Gain(ground, 6))
    assert {each.operator for each in recipes} == {AIM} and len({each.cell for each in recipes}) == 6
    for recipe in recipes:
        here = (cells == recipe.cell) & (pairs == (recipe.one, recipe.other)).all(1) & (shares == recipe.share)
        if recipe.other >= 0:
            assert costs[here].min() == costs[cells == recipe.cell].min()
        else:
            assert not (cells == recipe.cell).any(), "only where no mixture falls"


def test_gain_leaves_good_cells_alone_and_mends_bad_ones():
    found = placed_at(*[(x, y) for x in (-0.6, 0.6) for y in (-0.6, 0.6)])
    found.quality[2] = 0.1
    ground = a_ground(found, cells=(2, 2))
    recipes = asked(Gain(ground, 2))
    assert recipes[0].cell == ground.archive.index_of_single(found.places[2])
    assert recipes[0] != recipes[1], "a second child of a cell has other parents"
