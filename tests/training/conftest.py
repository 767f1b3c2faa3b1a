"""Six tiny drawings in four sets, pictures of them, and their words."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.tiny import SIDE
from training.pictures import PictureSource
from training.render import SIZE, Drawings
from training.sources import Thing
from training.teacher import Words


@pytest.fixture(scope="module")
def drawings() -> Drawings:
    """Six things in four sets: a disc, a square, a cross, and three parts to wear; each set in another colour."""
    things = (
        Thing("cat", ("animal", "pet"), ("1f408",)),
        Thing("dog", ("animal", "pet"), ("1f415",)),
        Thing("red apple", ("fruit",), ("1f34e",)),
        Thing("crown", ("clothing",), ("1f451",)),
        Thing("top hat", ("clothing",), ("1f3a9",)),
        Thing("wing", ("object",), ("1fabd",)),
    )
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    disc, square, cross = (x**2 + y**2) < 2000, np.maximum(abs(x), abs(y)) < 40, np.minimum(abs(x), abs(y)) < 12
    shapes = (disc, square, cross, square, square, disc)
    count = 4 * len(shapes)
    rgba = np.zeros((count, SIZE, SIZE, 4), dtype=np.uint8)
    for row in range(count):
        rgba[row, ..., :3] = (40 + 50 * (row % 4), 90, 200 - 40 * (row % 4))
        rgba[row, ..., 3] = 255 * shapes[row // 4]
    thing, style = np.arange(count) // 4, np.arange(count) % 4
    return Drawings(rgba, thing, style, np.arange(count) % 4 == 3, things)


@pytest.fixture(scope="module")
def source(drawings: Drawings) -> PictureSource:
    return PictureSource(drawings, drawings.split(held_out=False), SIDE)


@pytest.fixture(scope="module")
def words(drawings: Drawings) -> Words:
    return Words.of(drawings)
