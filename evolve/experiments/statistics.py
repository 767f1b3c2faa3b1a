"""Means over repetitions with bootstrap intervals, from an experiment's table."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.stats import bootstrap

Array = npt.NDArray[np.float64]
RESAMPLES, CONFIDENCE = 4_000, 0.95


def by_unit(table: pa.Table, measure: str, how: Callable[[Any], float] = np.mean) -> dict[tuple[str, int], Array]:
    """By (arm, generation) the figures [units] of a measure's mean, or best, in the populations of each category and
    seed, in one order.
    """
    frame = table.select(["category", "seed", "arm", "generation", measure]).to_pylist()
    frame.sort(key=lambda row: (row["arm"], row["generation"], row["category"], row["seed"]))
    units = {
        key: float(how([row[measure] for row in rows]))
        for key, rows in itertools.groupby(
            frame, key=lambda row: (row["arm"], row["generation"], row["category"], row["seed"])
        )
    }
    found: dict[tuple[str, int], list[float]] = {}
    for (arm, generation, _, _), value in units.items():
        found.setdefault((arm, generation), []).append(value)
    return {key: np.array(values) for key, values in found.items()}


def interval(values: Array) -> tuple[float, float, float]:
    """(mean, low, high): the mean over units with its 95 % bootstrap interval; of one unit, the mean alone."""
    mean = float(np.mean(values))
    if len(values) < 2 or np.ptp(values) == 0:
        return mean, mean, mean
    rng = np.random.default_rng(0)
    found = bootstrap((values,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE, rng=rng)
    return mean, float(found.confidence_interval.low), float(found.confidence_interval.high)


def signed(values: Array) -> str:
    """`+0.012 (+0.003 … +0.020)`: a mean difference and its interval; of one unit there is none."""
    mean, low, high = interval(values)
    return f"{mean:+.3f} ({low:+.3f} … {high:+.3f})" if len(values) > 1 else f"{mean:+.3f}"
