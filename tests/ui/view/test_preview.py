"""Previews: the mean of the parents' image embeddings, drawn and cached."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from evolve.mixtures import mixture
from ui.view.preview import STEPS, preview, remembered, rounded

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


def test_it_is_drawn_by_the_stack_and_looks_like_nothing_else(backbone):
    rng = np.random.default_rng(0)
    parents = [rng.normal(size=backbone.width) for _ in range(2)]
    one = preview(backbone, parents, [0.5, 0.5])
    assert one.size == (backbone.drawing["size"],) * 2
    assert one.tobytes() == preview(backbone, parents, [0.5, 0.5]).tobytes()
    assert one.tobytes() != preview(backbone, parents, [0.9, 0.1]).tobytes()


def test_a_parent_alone_is_drawn_as_it_is(backbone):
    import torch

    embed = np.random.default_rng(1).normal(size=backbone.width)
    plain = backbone.draw(torch.tensor(embed, dtype=torch.float32)[None], 1, steps=STEPS)[0]
    difference = np.asarray(plain, dtype=int) - np.asarray(preview(backbone, [embed], [1.0]), dtype=int)
    assert abs(difference).max() <= 1


def test_a_slider_that_is_moved_back_finds_its_picture_again(backbone, monkeypatch):
    drawn = []
    draw = backbone.draw
    monkeypatch.setattr(backbone, "draw", lambda *args, **options: drawn.append(1) or draw(*args, **options))
    rng = np.random.default_rng(2)
    embeds = {"a": rng.normal(size=backbone.width), "b": rng.normal(size=backbone.width)}
    first = remembered(backbone, embeds, [("a", 0.5), ("b", 0.5)])
    remembered(backbone, embeds, [("a", 0.8), ("b", 0.2)])
    assert remembered(backbone, embeds, [("b", 0.49), ("a", 0.51)]) is first
    assert len(drawn) == 2


def test_what_a_preview_is_remembered_by():
    assert rounded([("b", 0.26), ("a", 0.74)]) == (("a", 0.75), ("b", 0.25))
    assert rounded([("a", 2.0), ("b", 2.0)]) == (("a", 0.5), ("b", 0.5))
    assert rounded([("a", 0.99), ("b", 0.01)]) == (("a", 1.0),)
    assert len(rounded([(str(n), 0.01) for n in range(100)])) == 100
