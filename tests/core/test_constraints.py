"""Eq. 3, 4 and 5 and the clamps, by numbers computed by hand; ties and padding included."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.constraints import (
    bounds,
    cap,
    contrast_loss,
    cosine,
    floor,
    max_similarity,
    mean_and_max,
    mean_similarity,
    mix_loss,
    negative_term,
    normalise,
    unbounded,
    weighted_similarity,
)
from core.settings import Settings


def tensor(*rows):
    return torch.tensor(rows, dtype=torch.float64, requires_grad=True)


def mask(*rows):
    return torch.tensor(rows, dtype=torch.bool)


def gradient(value, of):
    return torch.autograd.grad(value.sum(), of)[0].tolist()


def approximately(values):
    return pytest.approx(values, abs=1e-12)


RAGGED = ([0.2, 0.6, 0.9], [0.5, 0.1, 0.3])
SHORT = mask([True, True, False], [True, True, True])


def test_eq3_is_the_mean_over_a_concepts_own_constraints():
    similarities = tensor(*RAGGED)
    value = mean_similarity(similarities, SHORT)
    assert value.tolist() == approximately([0.4, 0.3])
    third = 1 / 3
    assert gradient(value, similarities) == [approximately([0.5, 0.5, 0]), approximately([third] * 3)]


def test_eq4_is_the_nearest_and_padding_never_is():
    similarities = tensor(*RAGGED)
    value = max_similarity(similarities, SHORT)
    assert value.tolist() == approximately([0.6, 0.5])
    assert gradient(value, similarities) == [[0, 1, 0], [1, 0, 0]]


def test_eq4_is_averaged_with_eq3():
    similarities = tensor(*RAGGED)
    value = mean_and_max(similarities, SHORT)
    assert value.tolist() == approximately([0.5, 0.4])
    sixth = 1 / 6
    assert gradient(value, similarities) == [approximately([0.25, 0.75, 0]), approximately([0.5 + sixth, sixth, sixth])]


def test_negative_similarities_beat_padding():
    similarities = tensor([-0.4, -0.2, 0.0])
    assert max_similarity(similarities, mask([True, True, False])).tolist() == [-0.2]


def test_no_constraints_are_nothing_and_have_no_gradient():
    similarities = tensor([0.3, 0.9])
    none = mask([False, False])
    for function in (mean_similarity, max_similarity, mean_and_max):
        assert function(similarities, none).tolist() == [0]
        assert gradient(function(similarities, none), similarities) == [[0, 0]]
        assert function(torch.zeros(2, 0), torch.zeros(2, 0, dtype=torch.bool)).tolist() == [0, 0]


def test_equal_maxima_share_the_gradient():
    similarities = tensor([0.5, 0.5, 0.1, 0.5])
    value = max_similarity(similarities, mask([True, True, True, False]))
    assert gradient(value, similarities) == [[0.5, 0.5, 0, 0]]


def test_cap_stops_the_pull_above_and_not_at_the_bound():
    similarities = tensor([0.2, 0.3, 0.4], [0.2, 0.3, 0.4])
    value = cap(similarities, torch.tensor([0.3, 0.1], dtype=torch.float64))
    assert value.tolist() == [[0.2, 0.3, 0.3], [0.1, 0.1, 0.1]]
    assert gradient(value, similarities) == [[1, 1, 0], [0, 0, 0]]


def test_floor_stops_the_push_below_and_not_at_the_bound():
    similarities = tensor([0.2, 0.3, 0.4], [0.2, 0.3, 0.4])
    value = floor(similarities, torch.tensor([0.3, 0.5], dtype=torch.float64))
    assert value.tolist() == [[0.3, 0.3, 0.4], [0.5, 0.5, 0.5]]
    assert gradient(value, similarities) == [[0, 1, 1], [0, 0, 0]]


def test_satisfied_negatives_pull_no_more_even_through_the_maximum():
    """All at the floor is a tie of the maximum; the gradient it shares out ends at the clamps."""
    similarities = tensor([0.1, 0.15, 0.05])
    value = mean_and_max(floor(similarities, torch.tensor([0.2], dtype=torch.float64)), mask([True] * 3))
    assert value.tolist() == approximately([0.2])
    assert gradient(value, similarities) == [[0, 0, 0]]


def test_weighted_similarity_of_positives():
    similarities = tensor([0.2, 0.6, 0.9])
    value = weighted_similarity(similarities, torch.tensor([[0.75, 0.25, 0]], dtype=torch.float64))
    assert value.tolist() == approximately([0.3])
    assert gradient(value, similarities) == [[0.75, 0.25, 0]]


def test_eq3_as_a_whole():
    one = torch.ones(1, dtype=torch.float64)
    assert contrast_loss(0.4 * one, 0.3 * one, one, 2 * one).tolist() == approximately([0.4 + 2 * (1 - 0.3)])
    # Weights as given, 1.5 in all: λ Σ w (1 − c)
    assert contrast_loss(0 * one, 0.3 * one, 1.5 * one, one).tolist() == approximately([1.2])
    # No positives: nothing, whatever λ
    assert contrast_loss(0.4 * one, 0 * one, 0 * one, 5 * one).tolist() == approximately([0.4])


def test_eq5_by_weights():
    similarities = tensor([0.2, 0.8], [0.5, 0.9])
    weights = torch.tensor([[0.7, 0.3], [1.0, 0.0]], dtype=torch.float64)
    value = mix_loss(similarities, weights)
    assert value.tolist() == approximately([1 - 0.14 - 0.24, 0.5])
    assert gradient(value, similarities) == [[-0.7, -0.3], [-1, 0]]


def test_eq5_of_no_parents_is_nothing():
    assert mix_loss(torch.zeros(2, 0), torch.zeros(2, 0)).tolist() == [0, 0]


def test_cosine_is_of_unit_vectors_in_float32_at_least():
    a, b = torch.tensor([3.0, 4.0], dtype=torch.bfloat16), torch.tensor([4.0, 3.0], dtype=torch.bfloat16)
    assert cosine(a, b).dtype == torch.float32
    assert cosine(a, b).item() == pytest.approx(0.96, abs=1e-6)
    assert normalise(a.double()).dtype == torch.float64


def test_ablations_are_other_functions():
    assert bounds(Settings()) == (cap, floor) and bounds(Settings(clamp=False)) == (unbounded, unbounded)
    assert negative_term(Settings()) is mean_and_max and negative_term(Settings(s_max=False)) is mean_similarity


@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=6),
    st.lists(st.floats(-1, 1), max_size=4),
    st.randoms(use_true_random=False),
)
def test_neither_order_nor_padding_matters(similarities, padding, random):
    shuffled = random.sample(similarities, len(similarities))
    for function in (mean_similarity, max_similarity, mean_and_max):
        plain = function(tensor(similarities), mask([True] * len(similarities)))
        padded = tensor([*shuffled, *padding])
        other = function(padded, mask([True] * len(similarities) + [False] * len(padding)))
        assert plain.item() == pytest.approx(other.item(), abs=1e-12)
        assert not any(gradient(other, padded)[0][len(similarities) :])
