"""Weights of a map of mixtures; the mean itself is tested with the workbench's preview."""

from __future__ import annotations

import pytest

from evolve.mixtures import weights_of_line, weights_of_triangle


@pytest.mark.parametrize("cells", [2, 3, 7])
def test_a_line_goes_from_one_parent_to_the_other(cells):
    weights = weights_of_line(cells)
    assert len(weights) == cells and weights[0] == (1, 0) and weights[-1] == (0, 1)
    assert all(sum(each) == pytest.approx(1) for each in weights)
    assert weights[::-1] == [pytest.approx((other, one)) for one, other in weights]


@pytest.mark.parametrize("side", [2, 5])
def test_a_triangle_has_a_parent_at_each_corner(side):
    rows = weights_of_triangle(side)
    assert [len(row) for row in rows] == list(range(1, side + 1))
    assert (rows[0][0], rows[-1][0], rows[-1][-1]) == ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    flat = [weights for row in rows for weights in row]
    assert len(set(flat)) == len(flat) and all(sum(each) == pytest.approx(1) for each in flat)
    assert all(min(each) >= 0 for each in flat)
