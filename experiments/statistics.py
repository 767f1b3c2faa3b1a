"""Means over repetitions with bootstrap intervals, as figures and as cells of Markdown tables.

A unit is a repetition, mostly a category with a seed. Intervals come from `scipy.stats.bootstrap`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.stats import bootstrap

Array = npt.NDArray[np.float64]
RESAMPLES, CONFIDENCE = 4_000, 0.95


def by_unit(table: pa.Table, measure: str, how: Callable[[Any], float] = np.mean) -> dict[tuple[str, int], Array]:
    """By (arm, generation) a measure [units] of each category's and seed's population, in one order of units.

    how: reduces a population's values to one, such as `np.mean` or `np.max`.
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
    """(mean, low, high): the mean over units [n] with its 95 % bootstrap interval. The mean thrice for one unit."""
    mean = float(np.mean(values))
    if len(values) < 2 or np.allclose(values, mean, rtol=1e-9, atol=1e-12):  # equal up to rounding
        return mean, mean, mean
    rng = np.random.default_rng(0)
    found = bootstrap((values,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE, rng=rng)
    return mean, float(found.confidence_interval.low), float(found.confidence_interval.high)


def signed(values: Array) -> str:
    """`+0.012 (+0.003 … +0.020)`: a mean difference with its interval, or without one for a single unit."""
    mean, low, high = interval(values)
    return f"{mean:+.3f} ({low:+.3f} … {high:+.3f})" if len(values) > 1 else f"{mean:+.3f}"


def between(values: Array) -> str:
    """`0.412 (0.398 … 0.425)`: a mean without NaNs with its interval, or without one for a single unit."""
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
    """By the values of `keys` the means [units] of a measure over each unit's rows, in one order of units.

    Rows with NaN are left out; a unit without any other row is NaN.
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
    """The values that are not NaN."""
    return values[~np.isnan(values)]


def cell(values: Array, digits: int = 3) -> str:
    """`0.412`: the mean without NaNs; `–` if there is none."""
    values = there(values)
    return f"{np.mean(values):.{digits}f}" if len(values) else "–"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    return [_line(header), "|" + "---|" * len(header), *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
