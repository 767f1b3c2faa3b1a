"""Moving a picture along the axes of a chart, as an image embedding, before a variation is learned.

A concept has the values v on the axes and needs the values t. Of all changes of its embedding that do this, it takes
the smallest by Mahalanobis' distance, which is the most usual one in the category. With Σ the covariance of what the
stack can reach there (`phrases.reachable`) and D the axes' directions:

    x' = x + Σ D (Dᵀ Σ D)⁻¹ (t − v)

at length 1, repeated until the values are right. Each axis moves without the other; properties that vary together in
the category change together. Phrases as further positives of Eq. 3 hardly move a concept (docs/map.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.concept import Array as Images
from evolve.maps.chart import Array, Chart

RIDGE = 0.01  # share of the mean variance that is added to every direction, for categories with few members
TURNS = 6


def moved(images: Images, chart: Chart, places: Array, reachable: Array) -> Images:
    """Image embeddings `[m, width]`, each moved to `places` `[2]` on the axes of two phrases, at its own length.

    reachable: unit embeddings `[n, width]`, which give the covariance.
    """
    along = [number for number, axis in enumerate(chart.axes) if not axis.measure]
    if not along:
        return images
    directions = np.array([chart.axes[number].direction for number in along]).T  # [width, axes]
    targets = np.array([chart.axes[number].value_at(places[number]) for number in along])
    covariance = np.cov(reachable.T) if len(reachable) > 1 else np.zeros((len(directions),) * 2)
    even = RIDGE * np.trace(covariance) / len(directions) or 1.0
    ways = covariance @ directions + even * directions
    steps = ways @ np.linalg.inv(directions.T @ ways)
    lengths = np.linalg.norm(images, axis=1, keepdims=True)
    unit = images / lengths
    for _ in range(TURNS):
        unit = unit + (targets - unit @ directions) @ steps.T
        unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    return np.asarray(unit * lengths, dtype=np.float32)


def aimed(
    images: Sequence[Images], shares: Sequence[float], chart: Chart, places: Array, reachable: Array
) -> list[Images]:
    """The parents' image embeddings, `[1, width]` each, with one difference added to all, so that their mixture is at
    `places`.

    shares: weights of the parents, with the sum 1.
    """
    lengths = [float(np.linalg.norm(each)) for each in images]
    units = [each / length for each, length in zip(images, lengths, strict=True)]
    weighted = [share * unit for share, unit in zip(shares, units, strict=True)]
    mean = np.stack(weighted).sum(0).astype(np.float32)
    change = moved(mean, chart, places, reachable) - mean
    return [np.asarray((unit + change) * length, dtype=np.float32) for unit, length in zip(units, lengths, strict=True)]
