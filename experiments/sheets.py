"""Figures: contact sheets of pictures, and means with their intervals as curves and bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import fill, wrap
from typing import Any

from PIL import Image

from experiments.statistics import Array, Interval, interval

WIDEST = 12.0  # inches, 1,320 pixels as figures are written
LEADING = 1.2  # from line to line, as matplotlib sets them
SMALL = 96  # pixels, the longer side of a drawing in a table


def small(picture: Image.Image) -> Image.Image:
    """A copy of at most `SMALL` pixels a side, as tables keep them; a smaller picture is returned unchanged."""
    if max(picture.size) <= SMALL:
        return picture
    picture = picture.copy()
    picture.thumbnail((SMALL, SMALL))
    return picture


def contact_sheet(pictures: Sequence[Sequence[Any]], rows: Sequence[str], columns: Sequence[str], title: str) -> Any:
    """matplotlib's figure of pictures [rows][columns], all of one shape; None leaves a place empty."""
    from matplotlib.figure import Figure

    left = 1.6  # inches for the rows' labels
    long = next((max(1.0, each.width / each.height) for of in pictures for each in of if each is not None), 1.0)
    width = min(1.15 * long, (WIDEST - left) / len(columns))
    height = width / long
    figure = Figure(figsize=(left + width * len(columns), 1.1 + (height + 0.04) * len(rows)), layout="constrained")
    figure.suptitle(title, fontsize=10)
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for line, of, label in zip(axes, pictures, rows, strict=True):
        for axis, picture, column in zip(line, of, columns, strict=True):
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
            if picture is not None:
                axis.imshow(picture, interpolation="nearest")
            if axis in axes[0]:
                axis.set_title(fill(column, 14), fontsize=7)
        words, points = _fitting(label, height)
        line[0].set_ylabel(words, fontsize=points, rotation=0, ha="right", va="center")
    return figure


def _fitting(label: str, height: float) -> tuple[str, float]:
    """A row's label in lines and its font size in points, small enough to fit the row's height."""
    for points in (7.0, 6.0, 5.0, 4.5):
        lines = wrap(label, round(22 * 7 / points))
        if len(lines) * points * LEADING / 72 <= height:
            break
    return "\n".join(lines), points


def curve(
    axis: Any,
    x: Sequence[float],
    of: Sequence[Array],
    colour: Any,
    band: float = 0.15,
    how: Callable[[Array], Interval] = interval,
    **line: Any,
) -> None:
    """Draw the means of values [units] at each x as a line, with their intervals as a band.

    band: its opacity; 0 leaves it out. how: makes an interval of values. line: further arguments of `Axes.plot`.
    """
    mean, low, high = zip(*map(how, of), strict=True)
    axis.plot(x, mean, color=colour, **line)
    if band:
        axis.fill_between(x, low, high, color=colour, alpha=band, linewidth=0)


def bar(
    axis: Any,
    values: Array,
    y: float,
    colour: Any,
    width: float = 1.0,
    how: Callable[[Array], Interval] = interval,
    **dot: Any,
) -> None:
    """Draw a mean as a dot at height y, with its interval as a horizontal line.

    how: makes an interval of the values. dot: further arguments of `Axes.plot`.
    """
    mean, low, high = how(values)
    axis.plot([low, high], [y, y], color=colour, linewidth=width)
    axis.plot([mean], [y], "o", color=colour, **dot)
