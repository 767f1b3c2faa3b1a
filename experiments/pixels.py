"""What can be measured on a drawing's pixels: the colour and the proportions of the drawn thing.

A drawing's background is the area at its border that has the border's colour; the thing is the rest. A pixel's colour
is the nearest of the names in XKCD's survey (people named colours on their screens; matplotlib has the list) that end
in one of the eleven basic words, such as "light blue" or "forest green".
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor
from scipy.ndimage import label
from scipy.spatial import cKDTree

from core.aspects import ASPECTS

TOLERANCE = 24  # of 255: by this a channel of the background may differ from the border's colour
OUTLYING = 0.02  # of the thing's pixels at either end count neither for its height nor for its width


def thing_of(picture: Image.Image) -> npt.NDArray[np.bool_]:
    """[height, width]: the pixels of the drawn thing."""
    pixels = np.asarray(picture.convert("RGB"), dtype=np.int16)
    edge = np.ones(pixels.shape[:2], dtype=bool)
    edge[1:-1, 1:-1] = False
    like = np.abs(pixels - np.median(pixels[edge], axis=0)).max(-1) <= TOLERANCE
    areas, _ = label(like)
    return ~(like & np.isin(areas, np.unique(areas[edge & like])))


def colour_of(picture: Image.Image) -> str:
    """The most frequent of the eleven colours among the thing's pixels; "" if nothing is drawn."""
    pixels = np.asarray(picture.convert("RGB"))[thing_of(picture)]
    if not len(pixels):
        return ""
    names, tree = _survey()
    return ASPECTS["colour"][int(np.bincount(names[tree.query(pixels)[1]]).argmax())]


def height_by_width(picture: Image.Image) -> float:
    """The thing's height divided by its width; NaN if nothing is drawn."""
    places = np.nonzero(thing_of(picture))
    if not len(places[0]):
        return float("nan")
    low, high = np.quantile(places, [OUTLYING, 1 - OUTLYING], axis=1)
    height, width = high - low + 1
    return float(height / width)


@cache
def _survey() -> tuple[npt.NDArray[np.int64], Any]:
    """The basic colour of each name [names], as a place in `ASPECTS`, and a tree of the names' RGB values."""
    from matplotlib.colors import XKCD_COLORS

    words = ASPECTS["colour"]
    last = {name: name.removeprefix("xkcd:").split(" ")[-1].replace("grey", "gray") for name in XKCD_COLORS}
    known = {name: word for name, word in last.items() if word in words}
    return (
        np.array([words.index(word) for word in known.values()]),
        cKDTree([ImageColor.getrgb(XKCD_COLORS[name]) for name in known]),
    )
