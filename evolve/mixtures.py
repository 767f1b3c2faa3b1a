"""Mixtures of parents before anything is learned: means of their image embeddings, and the weights of a map of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.concept import Array

Vectors = npt.NDArray[np.float64]
Weights = tuple[float, ...]
SWEEPS = 200  # at most, over the parents with weights below 0


def mixture(
    embeds: Sequence[Array],
    shares: Sequence[float],
    *,
    away: Sequence[tuple[Array, float]] = (),
    floor: float = 1.0,
    push: Vectors | None = None,
) -> Array:
    """Image embedding of a mixture, `[width]`, with the mean length of the parents' embeddings.

    Its direction is the optimum of Eq. 5, also with weights below 0 (docs/design.md, "Weights below 0"), over all
    embeddings. A learned child is as near to it as the prior can imagine.

    embeds: of each parent, `[width]` or several, `[n, width]`. shares: of each, with any positive sum. Directions are
    averaged, so that a long embedding counts no more than its share. away: embeddings of parents with weights below 0,
    each with the size of its weight. floor: the similarity below which these no longer count. push: `[width]`, added to
    the parents' mean direction, such as that of a word.
    """
    weights = np.asarray(shares, dtype=np.float64)
    if len(embeds) != len(weights) or not len(weights) or weights.min() < 0 or not weights.sum() > 0:
        raise ValueError(f"expected one share, not negative, for each of {len(embeds)} parents, got {list(shares)}")
    weights = weights / weights.sum()
    each = [np.atleast_2d(np.asarray(embed, dtype=np.float64)) for embed in embeds]
    directions = np.stack([_direction(rows) for rows in each])  # [parents, width]
    lengths = np.array([np.linalg.norm(rows, axis=1).mean() for rows in each])
    pull = weights @ directions
    if push is not None:
        pull = pull + push
    if away:
        unlike = np.stack([_direction(np.atleast_2d(np.asarray(embed, dtype=np.float64))) for embed, _ in away])
        pull = _away(pull, unlike, [weight for _, weight in away], floor)
    return (_unit(pull) * (weights @ lengths)).astype(np.float32)


def direction_of(to: Array, start: Array) -> Vectors:
    """The way `[width]` from the mean direction of embeddings `[n, width]` to that of others."""
    return _direction(np.asarray(to, dtype=np.float64)) - _direction(np.asarray(start, dtype=np.float64))


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


def weights_of_square(side: int) -> list[list[Weights]]:
    """Weights of four parents in rows of a square with `side` cells at each side.

    The parents are at its corners: the first two above, the others below. Between them the weights are bilinear.
    """
    line = weights_of_line(side)
    return [[(up * a, up * b, down * a, down * b) for a, b in line] for up, down in line]


def _away(pull: Vectors, unlike: Vectors, weights: Sequence[float], floor: float) -> Vectors:
    """The direction m with the largest ⟨pull, m⟩ − Σ w_j max(⟨unlike_j, m⟩, floor), not normalised.

    m is pull − Σ a_j unlike_j. An a_j is 0 where the similarity is below the floor, w_j where it is above, and else
    what keeps it at the floor: found one after the other until none changes.
    """
    held = np.zeros(len(weights))
    slope = floor / np.sqrt(max(1 - floor**2, 1e-12))
    for _ in range(SWEEPS):
        before = held.copy()
        for row, weight in enumerate(weights):
            held[row] = 0
            rest = pull - held @ unlike
            along = rest @ unlike[row]
            held[row] = np.clip(along - slope * np.linalg.norm(rest - along * unlike[row]), 0, weight)
        if np.abs(held - before).max() < 1e-9:
            break
    return pull - held @ unlike


def _direction(rows: Vectors) -> Vectors:
    """The mean direction of rows `[n, width]`."""
    return _unit((rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(axis=0))


def _unit(vector: Vectors) -> Vectors:
    length = np.linalg.norm(vector)
    return vector / length if length else vector
