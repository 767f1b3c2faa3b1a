"""Means over repetitions with their intervals, as numbers and as cells of Markdown tables.

A unit is a repetition. Concepts of one category are alike whatever their seed, so claims have the category as unit,
with Student's interval over the means of the categories (`BY_CATEGORY`, `student`). Some experiments have pairs of
category and seed, with intervals of `scipy.stats.bootstrap`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import bootstrap, ttest_1samp

Array = npt.NDArray[np.float64]
Interval = tuple[float, float, float]  # mean, low, high
RESAMPLES, CONFIDENCE = 4_000, 0.95
BY_CATEGORY = ("category",)  # as a unit


def student(values: Array, confidence: float = CONFIDENCE) -> Interval:
    """(mean, low, high) of values [n] without NaNs, by Student's t distribution; NaN bounds for fewer than two."""
    values = there(values)
    mean = float(np.mean(values)) if len(values) else np.nan
    if len(values) < 2:
        return mean, np.nan, np.nan
    if _equal(values):
        return mean, mean, mean
    low, high = ttest_1samp(values, 0).confidence_interval(confidence)
    return mean, float(low), float(high)


def interval(values: Array) -> Interval:
    """(mean, low, high): the mean over units [n] with its 95 % bootstrap interval. The mean thrice for one unit."""
    mean = float(np.mean(values))
    if len(values) < 2 or _equal(values):
        return mean, mean, mean
    rng = np.random.default_rng(0)
    found = bootstrap((values,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE, rng=rng)
    return mean, float(found.confidence_interval.low), float(found.confidence_interval.high)


def _equal(values: Array) -> bool:
    """Whether values are equal up to rounding."""
    return np.allclose(values, np.mean(values), rtol=1e-9, atol=1e-12)


def signed(values: Array) -> str:
    """`+0.012 (+0.003 … +0.020)`: a mean difference with its interval, or without one for a single unit."""
    mean, low, high = interval(values)
    return f"{mean:+.3f} ({low:+.3f} … {high:+.3f})" if len(values) > 1 else f"{mean:+.3f}"


def over_categories(values: Array) -> str:
    """`+0.012 (+0.003 … +0.020), 9 of 10`: a mean difference of categories with Student's interval, and how many of
    them have its sign; NaNs are left out.
    """
    values = there(values)
    mean, low, high = student(values)
    if len(values) < 2:
        return "–" if np.isnan(mean) else f"{mean:+.3f}"
    same = int((np.sign(values) == np.sign(mean)).sum())
    return f"{mean:+.3f} ({low:+.3f} … {high:+.3f}), {same} of {len(values)}"


def between(values: Array, how: Callable[[Array], Interval] = interval) -> str:
    """`0.412 (0.398 … 0.425)`: a mean without NaNs with its interval, or without one for a single unit."""
    values = there(values)
    if len(values) < 2:
        return cell(values)
    mean, low, high = how(values)
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
