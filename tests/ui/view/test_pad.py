"""The mixing pad: its points, their weights, and where the sliders are on it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.view.pad import SIDE, place_of, points_of
from ui.view.parents import whole


def cells(parents: int):
    return [each for number, each in enumerate(points_of(parents)) if each.of == (number,)]


@pytest.mark.parametrize(("parents", "cells_", "points"), [(2, 5, 9), (3, 15, 45), (4, 25, 81)])
def test_a_pad_has_cells_and_points_halfway_between_them(parents, cells_, points):
    assert (len(cells(parents)), len(points_of(parents))) == (cells_, points)
    assert all(sum(each.weights) == 100 and min(each.weights) >= 0 for each in points_of(parents))
    assert {each.weights for each in cells(parents)} >= {
        tuple(100 * (n == m) for n in range(parents)) for m in range(parents)
    }


@pytest.mark.parametrize("parents", [1, 5, 9])
def test_one_parent_or_many_have_no_pad(parents):
    assert points_of(parents) == []


@pytest.mark.parametrize("parents", [2, 3, 4])
def test_a_point_lies_in_the_middle_of_the_cells_that_stand_for_it(parents):
    points = points_of(parents)
    for point in points:
        around = [points[number] for number in point.of]
        assert all(points[number].of == (number,) for number in point.of)
        assert (point.x, point.y) == tuple(np.mean([(each.x, each.y) for each in around], axis=0))
        assert np.mean([each.weights for each in around], axis=0) == pytest.approx(point.weights, abs=1.5)
        assert 0 <= point.x <= SIDE - 1 and 0 <= point.y <= SIDE - 1


@pytest.mark.parametrize("parents", [2, 3, 4])
def test_the_weights_of_a_point_are_at_its_place(parents):
    for point in points_of(parents):
        x, y, exact = place_of(point.weights)
        assert (x, y) == pytest.approx((point.x, point.y), abs=0.05) and exact


@given(st.lists(st.integers(0, 100), min_size=2, max_size=4).filter(any))
def test_all_weights_have_a_place_on_the_pad(weights):
    x, y, _ = place_of(list(whole({str(n): each for n, each in enumerate(weights)}).values()))
    assert -1e-9 <= x <= SIDE - 1 + 1e-9 and -1e-9 <= y <= SIDE - 1 + 1e-9


def test_four_parents_have_mixtures_that_are_not_on_the_pad():
    assert place_of([50, 0, 0, 50]) == (2.0, 2.0, False)
    assert place_of([25, 25, 25, 25]) == (2.0, 2.0, True)
    assert place_of([40, 40, 10, 10]) == pytest.approx((2.0, 0.8, True))
