"""Charts and placed concepts for tests, without a stack."""

from __future__ import annotations

import numpy as np

from evolve.maps.chart import Axis, Chart, Placed

WIDTH = 4


def a_chart(cells: tuple[int, int] = (4, 3)) -> Chart:
    """Axes along the first two numbers of an embedding, from −1 to 1."""
    across, up = (
        Axis(low=low, high=high, knots=(-1.0, 0.0, 1.0), direction=tuple(np.eye(WIDTH)[number].tolist()))
        for number, (low, high) in enumerate((("red", "blue"), ("small", "old")))
    )
    return Chart(axes=(across, up), cells=cells, cap=0.5, floor=0.4)


def placed_at(*values: tuple[float, float], quality: float = 0.5) -> Placed:
    """Concepts with these values on the axes of `a_chart`; the later, the better by a little."""
    along = np.array(values)
    rest = np.sqrt(np.maximum(1 - (along**2).sum(1), 0))
    unit = np.column_stack([along, rest, np.zeros(len(along))])
    places = (along + 1) / 2
    ids = tuple(f"{number:016x}" for number in range(len(along)))
    return Placed(ids, unit, along, places, quality + np.arange(len(along)) / 1000)
