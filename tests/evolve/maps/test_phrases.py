"""Axes of two phrases: similarity to one minus similarity to the other, on the scale of what a stack can reach."""

from __future__ import annotations

import numpy as np
import pytest

from core.constraints import normalise
from evolve.maps.chart import MEASURES, MapError
from evolve.maps.phrases import axis_of, chart_of, parsed_axis, reachable
from tests.stacks import CATEGORIES


def test_the_direction_is_the_mean_difference_of_both_phrases_about_members(backbone):
    axis = axis_of(backbone, "pet", "red : blue")
    assert (axis.low, axis.high, axis.name) == ("red", "blue", "red:blue")
    nouns = ["pet", *CATEGORIES["pet"]]
    red, blue = (
        normalise(backbone.encode_text([f"a photo of a {colour} {noun}" for noun in nouns])).double().mean(0).numpy()
        for colour in ("red", "blue")
    )
    assert np.allclose(axis.direction, blue - red, atol=1e-6)


def test_an_equal_share_of_what_can_be_reached_lies_in_each_column(backbone):
    axis = axis_of(backbone, "pet", "red:blue")
    reach = reachable(backbone, "pet")
    assert reach.shape == (8 + 28, backbone.width) and np.allclose(np.linalg.norm(reach, axis=1), 1)
    places = axis.places(reach @ np.array(axis.direction))
    assert np.histogram(places, bins=4, range=(0, 1))[0] == pytest.approx([9] * 4, abs=1)
    assert reachable(backbone, "pet") is reach, "measured once"


def test_the_other_way_round_is_the_mirror_image(backbone):
    axis, mirror = axis_of(backbone, "pet", "red:blue"), axis_of(backbone, "pet", "blue:red")
    reach = reachable(backbone, "pet")
    there, back = (each.places(reach @ np.array(each.direction)) for each in (axis, mirror))
    assert there == pytest.approx(1 - back, abs=1e-3)


def test_a_chart_has_the_clamps_of_the_category_and_takes_measures(backbone):
    chart = chart_of(backbone, "pet", ["red:blue", "consistent"], (4, 4))
    assert chart.width == backbone.width and chart.floor < chart.cap
    measure = MEASURES["consistent"]
    assert (chart.axes[1].knots[0], chart.axes[1].knots[-1]) == (measure.least, measure.most)


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        (["red:blue"], "1 axes: a map has two"),
        (["red:blue", "red:blue"], "1 axes"),
        (["red:blue", "small"], "the axis 'small': write two different phrases as LOW:HIGH"),
        (["red:blue", "small:Small"], "two different phrases"),
        (["red:blue", ":small"], "two different phrases"),
        (["red:blue", "a:b:c"], "two different phrases"),
        (["red:blue", "small:grrr"], "does not know 'grrr'"),
        (["red:blue", "blue:red"], "the axes 'red:blue' and 'blue:red' are the same"),
        (["red:blue", "Red:blue"], "are the same"),
    ],
)
def test_axes_that_cannot_be_are_refused_in_one_line(backbone, axes, said):
    with pytest.raises(MapError, match=said):
        chart_of(backbone, "pet", axes, (4, 4))


def test_phrases_that_mean_the_same_to_the_stack_are_refused(backbone, monkeypatch):
    monkeypatch.setattr("evolve.maps.phrases.LEAST_LENGTH", 10)
    with pytest.raises(MapError, match="cannot tell 'red' from 'blue'"):
        axis_of(backbone, "pet", "red:blue")


def test_phrases_have_single_spaces():
    assert parsed_axis("  with   wings: with horns ") == ("with wings", "with horns")
