"""Mixtures: the mean of the parents, the optimum of Eq. 5 with weights below 0, and the weights of maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from evolve.mixtures import direction_of, mixture, weights_of_line, weights_of_square, weights_of_triangle

EAST, NORTH = np.array([2.0, 0.0]), np.array([0.0, 4.0])


def cosine(one, other) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_halves_of_two_point_between_them_whatever_their_lengths():
    assert_allclose(mixture([EAST, NORTH], [0.5, 0.5]), np.array([1, 1]) / np.sqrt(2) * 3, rtol=1e-6)


def test_shares_need_not_sum_to_one():
    assert_allclose(mixture([EAST, NORTH], [3, 1]), mixture([EAST, NORTH], [0.75, 0.25]))


def test_a_share_of_all_is_the_parent_itself():
    assert_allclose(mixture([EAST, NORTH], [0, 1]), NORTH)
    assert_allclose(mixture([EAST], [0.3]), EAST)


def test_several_views_of_a_parent_count_as_their_mean_direction():
    photo = np.array([[2.0, 0.0], [0.0, 2.0]])
    assert_allclose(mixture([photo], [1.0]), np.array([1, 1]) * np.sqrt(2), rtol=1e-6)


@pytest.mark.parametrize("shares", [[1.0], [1.0, -0.1], [0.0, 0.0]])
def test_shares_that_mean_nothing_are_our_own_mistake(shares):
    with pytest.raises(ValueError, match="one share, not negative, for each of 2 parents"):
        mixture([EAST, NORTH], shares)


@given(arrays(np.float64, (3, 8), elements=st.floats(0.1, 10)), st.lists(st.floats(0.01, 1), min_size=3, max_size=3))
def test_more_of_a_parent_is_nearer_to_it(parents, shares):
    more = [shares[0] + 1, *shares[1:]]
    before, after = (cosine(mixture(list(parents), each), parents[0]) for each in (shares, more))
    assert after >= before - 1e-6
    lengths = np.linalg.norm(parents, axis=1)
    assert lengths.min() - 1e-4 <= np.linalg.norm(mixture(list(parents), shares)) <= lengths.max() + 1e-4


def loss(found, parents, weights, unlike, away, floor) -> float:
    """Eq. 5 with weights below 0, written out; 0 for the best embedding that there could be."""
    found = found / np.linalg.norm(found)
    units = [each / np.linalg.norm(each) for each in (*parents, *unlike)]
    towards = sum(w * (1 - found @ unit) for w, unit in zip(weights, units, strict=False))
    return towards + sum(w * max(found @ unit, floor) for w, unit in zip(away, units[len(parents) :], strict=True))


@pytest.mark.parametrize("away", [[0.3], [2.0], [0.5, 0.5], [0.05, 1.5, 0.7]])
@pytest.mark.parametrize("floor", [0.0, 0.6, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_weights_below_zero_give_the_optimum_of_eq_5(away, floor, seed):
    """No embedding near it or elsewhere has a smaller loss: the optimum is global."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=12)  # images are alike
    parents, unlike = (common + rng.normal(size=(n, 12)) * 0.6 for n in (2, len(away)))
    weights = [0.7, 0.3]
    found = mixture(list(parents), weights, away=list(zip(unlike, away, strict=True)), floor=floor)
    least = loss(found, parents, weights, unlike, away, floor)
    for scale in (1e-3, 1e-2, 0.1, 1, 10):
        for _ in range(100):
            other = found / np.linalg.norm(found) + rng.normal(size=12) * scale
            assert loss(other, parents, weights, unlike, away, floor) >= least - 1e-6


def test_a_parent_that_is_unlike_already_changes_nothing():
    parent, unlike = np.array([1.0, 0, 0]), np.array([0.1, 1, 0])
    assert_allclose(mixture([parent], [1], away=[(unlike, 2.0)], floor=0.5), parent)


def test_the_farthest_that_a_parent_pushes_is_the_floor():
    one, other = np.array([1.0, 0.2, 0]), np.array([1.0, 0, 0.3])
    gentle, hard = (mixture([one], [1], away=[(other, weight)], floor=0.7) for weight in (0.2, 5.0))
    assert cosine(one, other) > cosine(gentle, other) > cosine(hard, other) == pytest.approx(0.7)


def test_a_word_is_a_direction_that_is_added():
    plain, blue = np.array([[1.0, 0.0], [1.0, 0.1]]), np.array([[1.0, 1.0]])
    push = direction_of(blue, plain)
    assert push[1] > 0.6 and push[0] < 0
    assert cosine(mixture([EAST], [1], push=push), NORTH) > cosine(mixture([EAST], [1], push=0.4 * push), NORTH) > 0
    assert direction_of(plain, plain) == pytest.approx(0)


def test_two_equal_parents_of_which_one_repels_are_finite():
    assert np.isfinite(mixture([EAST], [1], away=[(EAST, 1.0)], floor=0.7)).all()


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


@pytest.mark.parametrize("side", [2, 5, 9])
def test_a_square_has_a_parent_at_each_corner(side):
    rows = weights_of_square(side)
    assert [len(row) for row in rows] == [side] * side
    assert (rows[0][0], rows[0][-1], rows[-1][0], rows[-1][-1]) == tuple(map(tuple, np.eye(4)))
    flat = np.array([weights for row in rows for weights in row])
    assert_allclose(flat.sum(1), 1)
    assert flat.min() >= 0 and len(np.unique(flat.round(9), axis=0)) == side**2
    if side % 2:
        assert rows[side // 2][side // 2] == (0.25, 0.25, 0.25, 0.25)
