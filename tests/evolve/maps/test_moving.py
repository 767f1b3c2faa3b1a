"""A picture is moved to a place on the axes, and otherwise along what varies in the category."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evolve.maps.chart import Axis
from evolve.maps.moving import aimed, moved
from tests.evolve.maps.charts import WIDTH, a_chart


def reach(seed=0):
    """Embeddings in which the third number goes with the first one."""
    drawn = np.random.default_rng(seed).normal(size=(200, WIDTH)) * [0.3, 0.3, 0.05, 0.05]
    drawn[:, 2] += 0.8 * drawn[:, 0]
    drawn[:, 3] += 1
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_it_lands_at_the_place_and_keeps_its_length():
    chart = a_chart()
    images = 3 * reach(1)[:5].astype(np.float32)
    place = np.array([0.7, 0.4])
    found = moved(images, chart, place, reach())
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.linalg.norm(images, axis=1), abs=1e-3)
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    places = np.stack([axis.places(unit @ np.array(axis.direction)) for axis in chart.axes], axis=1)
    assert places == pytest.approx(np.tile(place, (5, 1)), abs=1e-3)


def test_what_varies_together_moves_together():
    image = np.array([[0.0, 0.0, 0.0, 1.0]], dtype=np.float32)
    (found,) = moved(image, a_chart(), np.array([0.7, 0.5]), reach())
    assert found[0] == pytest.approx(0.4, abs=1e-3) and found[2] > 0.25 and abs(found[1]) < 1e-3


def test_axes_that_are_measured_move_nothing_and_few_members_are_enough():
    chart = a_chart()
    measured = Axis(low="varied", high="consistent", knots=(0.5, 1.0), measure="consistent")
    image = np.array([[0.0, 0.0, 0.0, 1.0]], dtype=np.float32)
    one = replace(chart, axes=(chart.axes[0], measured))
    (found,) = moved(image, one, np.array([0.7, 0.9]), reach()[:1])
    assert found[0] == pytest.approx(0.4, abs=1e-3) and found[1] == 0
    assert moved(image, replace(chart, axes=(measured, measured)), np.array([0.7, 0.9]), reach()) is image


def test_parents_are_changed_alike_so_that_their_mixture_lands_at_the_place():
    chart, place, shares = a_chart(), np.array([0.6, 0.45]), (0.35, 0.65)
    images = [3 * reach(2)[:1].astype(np.float32), 2 * reach(3)[:1].astype(np.float32)]
    found = aimed(images, shares, chart, place, reach())
    units = [each / np.linalg.norm(image) for each, image in zip(found, images, strict=True)]
    mean = sum(share * unit for share, unit in zip(shares, units, strict=True))
    mean /= np.linalg.norm(mean)
    places = [axis.places(mean @ np.array(axis.direction))[0] for axis in chart.axes]
    assert places == pytest.approx(place, abs=1e-3)
    changes = [unit - image / np.linalg.norm(image) for unit, image in zip(units, images, strict=True)]
    assert changes[0] == pytest.approx(changes[1], abs=1e-6)
    (alone,) = aimed(images[:1], [1.0], chart, place, reach())
    assert alone == pytest.approx(moved(images[0], chart, place, reach()), abs=1e-5)
