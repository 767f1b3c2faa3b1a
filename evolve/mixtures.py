"""Mixtures of parents before anything is learned: means of their image embeddings, and the weights of a map of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.concept import Array

Vectors = npt.NDArray[np.float64]
Weights = tuple[float, ...]


def mixture(embeds: Sequence[Array], shares: Sequence[float]) -> Array:
    """Image embedding of a mixture, `[width]`, with the mean length of the parents' embeddings.

    embeds: of each parent, `[width]` or several, `[n, width]`. shares: of each, with any positive sum. Directions are
    averaged, so that a long embedding counts no more than its share.
    """
    weights = np.asarray(shares, dtype=np.float64)
    if len(embeds) != len(weights) or not len(weights) or weights.min() < 0 or not weights.sum() > 0:
        raise ValueError(f"expected one share, not negative, for each of {len(embeds)} parents, got {list(shares)}")
    weights = weights / weights.sum()
    each = [np.atleast_2d(np.asarray(embed, dtype=np.float64)) for embed in embeds]
    directions = np.stack([_direction(rows) for rows in each])  # [parents, width]
    lengths = np.array([np.linalg.norm(rows, axis=1).mean() for rows in each])
    return (_unit(weights @ directions) * (weights @ lengths)).astype(np.float32)


def weights_of_line(cells: int) -> list[Weights]:
    """Weights of two parents in `cells` equal steps, from the first parent alone to the second alone."""
    return [(1 - step / (cells - 1), step / (cells - 1)) for step in range(cells)]


def weights_of_triangle(side: int) -> list[list[Weights]]:
    """Weights of three parents in rows of a triangle with `side` cells at each side.

    Row r has r + 1 cells; the first row is the first parent alone, the last row goes from the second to the third.
    """
    most = side - 1
    counts = [[(most - row, row - place, place) for place in range(row + 1)] for row in range(side)]
    return [[(one / most, two / most, three / most) for one, two, three in row] for row in counts]


def _direction(rows: Vectors) -> Vectors:
    """The mean direction of rows `[n, width]`."""
    return _unit((rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(axis=0))


def _unit(vector: Vectors) -> Vectors:
    length = np.linalg.norm(vector)
    return vector / length if length else vector
