"""Colour and proportions of a drawn thing, on rectangles."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from experiments.pixels import colour_of, height_by_width, thing_of


def drawn(colour, box=(10, 10, 29, 49), ground="white"):
    picture = Image.new("RGB", (64, 64), ground)
    ImageDraw.Draw(picture).rectangle(box, fill=colour)
    return picture


def test_a_thing_is_what_differs_from_the_border_with_the_holes_that_do_not_reach_it():
    picture = drawn("red")
    ImageDraw.Draw(picture).rectangle((15, 15, 20, 20), fill="white")  # an eye
    expected = np.zeros((64, 64), dtype=bool)
    expected[10:50, 10:30] = True
    assert np.array_equal(thing_of(picture), expected)
    assert not thing_of(Image.new("RGB", (8, 8), "blue")).any()


def test_a_noisy_background_is_no_thing():
    noise = np.random.default_rng(0).integers(236, 256, (64, 64, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    picture.paste((0, 0, 200), (10, 10, 30, 50))
    assert thing_of(picture).sum() == 20 * 40 and colour_of(picture) == "blue"


@pytest.mark.parametrize(
    ("rgb", "word"),
    [
        ((214, 48, 49), "red"),
        ((245, 130, 30), "orange"),
        ((250, 225, 60), "yellow"),
        ((80, 175, 90), "green"),
        ((150, 200, 240), "blue"),
        ((65, 130, 225), "blue"),
        ((140, 85, 200), "purple"),
        ((245, 150, 190), "pink"),
        ((120, 75, 40), "brown"),
        ((128, 128, 128), "gray"),
        ((10, 10, 10), "black"),
    ],
)
def test_colours_have_the_names_that_people_give_them(rgb, word):
    assert colour_of(drawn(rgb)) == word
    assert colour_of(drawn("white", ground=rgb)) == "white"


def test_the_most_frequent_colour_counts():
    picture = drawn("blue")
    ImageDraw.Draw(picture).rectangle((10, 10, 29, 27), fill="red")
    assert colour_of(picture) == "blue"
    ImageDraw.Draw(picture).rectangle((10, 10, 29, 30), fill="red")
    assert colour_of(picture) == "red"


def test_height_by_width_leaves_out_specks():
    assert height_by_width(drawn("red")) == pytest.approx(2, rel=0.05)
    assert height_by_width(drawn("red", (10, 10, 49, 29))) == pytest.approx(0.5, rel=0.05)
    speck = drawn("red")
    ImageDraw.Draw(speck).point((60, 30), fill="red")
    assert height_by_width(speck) == pytest.approx(2, rel=0.05)


def test_nothing_drawn_has_neither_colour_nor_proportions():
    nothing = Image.new("RGB", (8, 8), "white")
    assert colour_of(nothing) == "" and np.isnan(height_by_width(nothing))
