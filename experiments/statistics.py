"""Means over repetitions with bootstrap intervals, from an experiment's table."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
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
    if len(values) < 2 or np.allclose(values, mean, rtol=1e-9, atol=1e-12):  # equal, up to rounding: no bootstrap can
        return mean, mean, mean
    rng = np.random.default_rng(0)
    found = bootstrap((values,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE, rng=rng)
    return mean, float(found.confidence_interval.low), float(found.confidence_interval.high)


def signed(values: Array) -> str:
    """`+0.012 (+0.003 … +0.020)`: a mean difference and its interval; of one unit there is none."""
    mean, low, high = interval(values)
    return f"{mean:+.3f} ({low:+.3f} … {high:+.3f})" if len(values) > 1 else f"{mean:+.3f}"


def between(values: Array) -> str:
    """`0.412 (0.398 … 0.425)`: a mean and its interval, without units that are NaN; of one unit there is none."""
    values = there(values)
    if len(values) < 2:
        return cell(values)
    mean, low, high = interval(values)
    return f"{mean:.3f} ({low:.3f} … {high:.3f})"


def unit_means(
    rows: Sequence[Mapping[str, Any]],
    keys: Sequence[str],
    measure: str,
    unit: Sequence[str] = ("category", "seed"),
) -> dict[tuple[Any, ...], Array]:
    """By the values of `keys` the means [units] of a measure over each unit's rows, in one order of all units.

    NaN where a unit has no such row, or where each of them is NaN (which else are left out).
    """
    units = sorted({tuple(row[name] for name in unit) for row in rows})
    found: dict[tuple[Any, ...], dict[tuple[Any, ...], list[float]]] = {}
    for row in rows:
        of = found.setdefault(tuple(row[name] for name in keys), {each: [] for each in units})
        if not np.isnan(row[measure]):
            of[tuple(row[name] for name in unit)].append(row[measure])
    means = {key: [np.mean(of[each]) if of[each] else np.nan for each in units] for key, of in found.items()}
    return {key: np.array(values, dtype=np.float64) for key, values in means.items()}


def there(values: Array) -> Array:
    """Without those that are NaN."""
    return values[~np.isnan(values)]


def cell(values: Array, digits: int = 3) -> str:
    """The mean over the units that there are, for a table; – without any."""
    values = there(values)
    return f"{np.mean(values):.{digits}f}" if len(values) else "–"
