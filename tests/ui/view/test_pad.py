"""The mixing pad: its points and their weights."""

from __future__ import annotations

import numpy as np
import pytest

from ui.view.pad import SIDE, points_of


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
