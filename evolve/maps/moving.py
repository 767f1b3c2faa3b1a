"""Moving a picture along the axes of a chart, as an image embedding, before a variation is learned.

A concept that stands at the values v of the axes is to stand at the values t. Of all changes of its embedding that do
this, the one that the category itself shows most easily is taken: with Σ the covariance of what the stack can reach
there (`phrases.reachable`) and D the axes' directions, the smallest by Mahalanobis' distance,

    x' = x + Σ D (Dᵀ Σ D)⁻¹ (t − v)

at length 1, repeated until the values are right. One axis moves without the other, and what varies together in the
category changes together. Phrases as further positives of Eq. 3 hardly move a concept (docs/map.md).
"""

from __future__ import annotations

import numpy as np

from core.concept import Array as Images
from evolve.maps.chart import Array, Chart

RIDGE = 0.01  # share of the mean variance that every direction has, where members are few
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
