"""Drawings at two or four times their size."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from core.upscaling import LARGEST, UpscaleError, upscaled


def disc(side: int, blurred: float = 0.0) -> Image.Image:
    """A red disc on blue: two colours of equal brightness differ in their channels only."""
    large = Image.new("RGB", (4 * side, 4 * side), (0, 60, 200))
    ImageDraw.Draw(large).ellipse((side, side, 3 * side, 3 * side), fill=(220, 40, 0))
    return large.resize((side, side), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(blurred))


@pytest.mark.parametrize("factor", [2, 4])
def test_an_edge_is_narrower_than_by_smooth_enlarging_and_stays_in_its_place(factor):
    drawn = disc(48, blurred=0.8)
    smooth = np.asarray(drawn.resize((48 * factor, 48 * factor), Image.Resampling.BICUBIC), dtype=int)
    sharp = np.asarray(upscaled(drawn, factor), dtype=int)
    assert sharp.shape == smooth.shape

    def mixed(picture):
        return ((picture[..., 0] > 40) & (picture[..., 0] < 180)).mean()

    def inside(picture):
        return (picture[..., 0] > 110).mean()

    assert mixed(sharp) < 0.6 * mixed(smooth)
    assert inside(sharp) == pytest.approx(inside(smooth), rel=0.05)


def test_there_are_no_halos_and_no_new_colours():
    drawn = disc(48, blurred=0.8)
    low, high = np.asarray(drawn).min((0, 1)), np.asarray(drawn).max((0, 1))
    sharp = np.asarray(upscaled(drawn, 4)).reshape(-1, 3)
    assert (sharp >= low.astype(int) - 3).all() and (sharp <= high.astype(int) + 3).all()
    # All colours are on the line between the two.
    share = (sharp[:, 0] - float(low[0])) / (float(high[0]) - float(low[0]))
    assert np.abs(sharp[:, 2] - (high[2] + share * (float(low[2]) - float(high[2])))).max() < 8


def test_a_flat_picture_stays_flat_and_others_need_not_be_square():
    flat = np.asarray(upscaled(Image.new("RGB", (9, 5), (10, 200, 90)), 2))
    assert flat.shape == (10, 18, 3) and (flat == (10, 200, 90)).all()


@pytest.mark.parametrize(("side", "factor"), [(16, 3), (16, 1), (LARGEST // 4 + 1, 4)])
def test_another_factor_and_a_large_result_are_refused(side, factor):
    with pytest.raises(UpscaleError, match=str(factor)):
        upscaled(Image.new("RGB", (side, 4)), factor)
