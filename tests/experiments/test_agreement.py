"""Krippendorff's α, by hand and on his own example."""

from __future__ import annotations

import math

import pytest

from experiments.agreement import krippendorff

# Three observers, fifteen things; 0 for no rating.
OBSERVERS = (
    (0, 0, 0, 0, 0, 3, 4, 1, 2, 1, 1, 3, 3, 0, 3),
    (1, 0, 2, 1, 3, 3, 4, 3, 0, 0, 0, 0, 0, 0, 0),
    (0, 0, 2, 1, 3, 4, 4, 0, 2, 1, 1, 3, 3, 0, 4),
)


def test_alpha_by_hand():
    """Two things, 1 and 2 of one, 4 and 4 of the other: D_o = (2/1 + 0) / 4 = 1/2; of 1, 2, 4, 4 the ordered pairs
    differ by 2 (1 + 9 + 9 + 4 + 4 + 0) = 54, so that D_e = 54 / 12 = 9/2, and α = 1 − 1/9.
    """
    assert krippendorff([[1, 2], [4, 4]]) == pytest.approx(8 / 9)
    assert krippendorff([[1, 2], [4, 4], [3], []]) == pytest.approx(8 / 9)  # a single rating does not count


def test_alpha_of_things_that_some_did_not_rate():
    assert krippendorff([[v for v in of if v] for of in zip(*OBSERVERS, strict=True)]) == pytest.approx(0.811, abs=5e-4)


def test_alpha_where_there_is_nothing_to_agree_on():
    assert krippendorff([[1, 1], [5, 5, 5]]) == 1
    assert krippendorff([[1, 5], [5, 1]]) < 0  # worse than chance
    assert math.isnan(krippendorff([])) and math.isnan(krippendorff([[1], [2]]))
    assert math.isnan(krippendorff([[3, 3], [3, 3]]))
