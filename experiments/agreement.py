"""Agreement of raters: Krippendorff's α for ratings on a scale; some may be missing.

    α = 1 − D_o / D_e

    D_o = 1/n Σ_u 1/(m_u − 1) Σ_{i≠j} (v_ui − v_uj)²     how different the ratings of one thing are
    D_e = 1/(n (n − 1)) Σ_{i≠j} (v_i − v_j)²             how different any two ratings are

u: things with m_u ≥ 2 ratings, n ratings in all; other things do not count. α is 1 for full agreement and 0 for
agreement by chance (K. Krippendorff, Content Analysis, §11.3, with the difference function of interval data). Written
here because the package `krippendorff` is under the GPL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def krippendorff(units: Iterable[Sequence[float]]) -> float:
    """α of each thing's ratings; NaN if nothing was rated twice or all ratings are equal."""
    pairable = [np.asarray(values, dtype=np.float64) for values in units if len(values) >= 2]
    if not pairable:
        return float("nan")
    every = np.concatenate(pairable)
    n = len(every)
    observed = sum(_differences(values) / (len(values) - 1) for values in pairable) / n
    expected = _differences(every) / (n * (n - 1))
    return 1 - observed / expected if expected else float("nan")


def _differences(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Σ (v_i − v_j)² over all ordered pairs."""
    return float(((values[:, None] - values[None]) ** 2).sum())
