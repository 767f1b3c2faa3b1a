"""The archive keeps the best concept of each cell, whatever the order they came in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ribs.archives import CVTArchive

from evolve.maps.archive import archive_of, centres, elites, fill, grid
from evolve.maps.recipes import FOUND, MATE, NUMBERS, Recipe, rows_of
from tests.evolve.maps.charts import a_chart, placed_at


def test_the_best_concept_of_a_cell_is_its_elite():
    chart, found = a_chart(), placed_at((-0.9, -0.9), (-0.8, -0.8), (0.9, 0.4), (0.1, 0.1))
    archive = archive_of(chart, found)
    best = elites(archive, found)
    assert {cell: found.ids.index(each.id) for cell, each in best.items()} == {(0, 0): 1, (2, 1): 3, (3, 2): 2}
    assert best[0, 0].quality == pytest.approx(0.501) and best[0, 0].place == pytest.approx((0.1, 0.1))
    assert archive.stats.coverage == pytest.approx(3 / 12)
    assert archive.stats.qd_score == pytest.approx(found.quality[[1, 2, 3]].sum())
    assert not elites(archive_of(chart, placed_at((0, 0))), placed_at((0, 0))).keys() - {(2, 1)}


def test_of_equal_ones_the_first_stays_and_filling_again_starts_anew():
    found = placed_at((0.1, 0.1), (0.2, 0.2))
    equal = replace(found, quality=np.full(2, 0.5))
    archive = archive_of(a_chart(), equal)
    assert [each.id for each in elites(archive, equal).values()] == [found.ids[0]]
    fill(archive, placed_at((-0.9, 0.9)))
    assert len(archive) == 1
    nothing = replace(found, ids=(), quality=np.zeros(0))
    fill(archive, nothing)
    assert archive.empty and elites(archive, nothing) == {}


def test_centres_are_in_the_order_of_the_cells():
    archive = grid(a_chart((4, 3)))
    middles = centres(archive)
    assert middles.shape == (12, 2)
    assert archive.index_of(middles).tolist() == list(range(12))
    voronoi = CVTArchive(solution_dim=NUMBERS, centroids=middles[:5], ranges=[(0, 1)] * 2)
    assert np.allclose(centres(voronoi), middles[:5])


def test_a_recipe_is_a_row_of_numbers():
    recipe = Recipe(MATE, 3, 11, 0.35, 7)
    assert Recipe.of(recipe.row) == recipe
    assert rows_of([recipe, Recipe(FOUND)]).shape == (2, NUMBERS) and rows_of([]).shape == (0, NUMBERS)
