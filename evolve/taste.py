"""A person's taste: a rating for any concept, rated or not, with its uncertainty, from ratings and comparisons.

A concept's appeal f is a Gaussian process over its mean imagined embedding x, in the directions in which the run varies
(principal components). Two kinds of answers are evidence of it in one likelihood:

    a rating y of 1 … 5         P(y ≤ k) = Φ((b_k − f) / σ)            ordered probit (McCullagh 1980)
    i is preferred to j         P = 1 / (1 + exp((f_j − f_i) / σ))     Bradley–Terry (1952)

The thresholds b follow from how often the person gives each rating. Laplace's approximation gives the posterior
(Rasmussen and Williams 2006, §3.4; Chu and Ghahramani 2005), and its evidence chooses the length scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, pi, sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from core.wording import counted
from evolve.answers import LEVELS, LIKED, PASSED, Judgements, TasteError, all_judgements, judgements, read, store
from evolve.store.run import Run

__all__ = [
    "LEAST",
    "LEVELS",
    "LIKED",
    "NOISE",
    "PASSED",
    "Array",
    "Judgements",
    "Taste",
    "TasteError",
    "alike",
    "all_judgements",
    "correlations",
    "expected_ratings",
    "fit",
    "information",
    "judgements",
    "most_telling",
    "read",
    "reasons",
    "store",
]

Array = npt.NDArray[np.float64]

LEAST = 3  # judged concepts, before a taste says anything
NOISE = 0.5  # σ, of answers, as a share of the appeal's spread
LENGTHS = (0.5, 1.0, 2.0)  # length scales that are tried, in median distances
EXPLAINED, MOST = 0.95, 24  # of the variance, by so many principal components at most
_NEWTON, _CLOSE = 50, 1e-8
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Taste:
    """The posterior over the appeal of concepts.

    Attributes:
        centre, directions: ``[width]``, ``[width, k]``: an embedding's place is ``(unit x − centre) @ directions``.
        places: ``[n, k]`` of the judged concepts, in units of the length scale.
        slope: ``[n]`` of the log likelihood at the most probable appeals.
        spread: ``[n, n]``: the variance at a place with kernel k to the judged ones is ``1 − k @ spread @ k``.
        thresholds: ``[4]`` between ratings.
        evidence: the log evidence of the answers.
    """

    centre: Array
    directions: Array
    places: Array
    slope: Array
    spread: Array
    thresholds: Array
    evidence: float

    def appeal(self, embeds: Array) -> tuple[Array, Array]:
        """Mean and covariance of the appeal, ``[m]`` and ``[m, m]``, of embeddings ``[m, width]``."""
        places = (_unit(embeds) - self.centre) @ self.directions
        near = _kernel(places, self.places)
        return near @ self.slope, _kernel(places, places) - near @ self.spread @ near.T

    def rating(self, embeds: Array) -> tuple[Array, Array]:
        """The expected rating, 1 to 5, and how far it moves with the appeal's standard deviation, ``[m]`` each."""
        mean, covariance = self.appeal(embeds)
        unsure = np.sqrt(np.clip(np.diag(covariance), 0, None))
        high, low = (self._expected(mean + sign * unsure, NOISE) for sign in (1, -1))
        return self._expected(mean, np.sqrt(NOISE**2 + unsure**2)), (high - low) / 2

    def _expected(self, appeal: Array, noise: Array | float) -> Array:
        return np.asarray(1 + np.sum([_cdf((appeal - threshold) / noise) for threshold in self.thresholds], axis=0))


def fit(told: Judgements, around: Sequence[npt.NDArray[np.float32]] = ()) -> Taste:
    """The taste that a person's answers show.

    around: embeddings of further concepts; the directions in which all of them vary count.

    Raises:
        TasteError: fewer than `LEAST` concepts are judged.
    """
    ids = told.concepts
    if len(ids) < LEAST:
        raise TasteError(
            f"only {counted(len(ids), 'concept is', 'concepts are')} judged: rate or compare at least {LEAST}"
        )
    judged = _unit(np.stack([told.embeds[id_] for id_ in ids]).astype(np.float64))
    every = np.concatenate([judged, _unit(np.stack(around).astype(np.float64))]) if len(around) else judged
    centre, directions = _components(every)
    places = (judged - centre) @ directions
    row = {id_: place for place, id_ in enumerate(ids)}
    ratings = [(row[id_], level) for id_, level in told.ratings]
    pairs = [(row[better], row[other]) for better, other in told.preferred]
    thresholds = _thresholds([level for _, level in ratings])
    found = [_posterior(places / length, ratings, pairs, thresholds) for length in LENGTHS]
    best = max(range(len(LENGTHS)), key=lambda place: found[place][2])
    slope, spread, evidence = found[best]
    length = LENGTHS[best]
    return Taste(centre, directions / length, places / length, slope, spread, thresholds, evidence)


def _unit(embeds: npt.NDArray[np.floating]) -> Array:
    rows = np.asarray(embeds, dtype=np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12))


def _components(embeds: Array) -> tuple[Array, Array]:
    """The mean, and the principal components, scaled so that the median distance of two rows is 1."""
    centre = embeds.mean(0)
    _, lengths, components = np.linalg.svd(embeds - centre, full_matrices=False)
    share = np.cumsum(lengths**2) / max(float((lengths**2).sum()), 1e-12)
    count = min(int(np.searchsorted(share, EXPLAINED)) + 1, MOST, len(components))
    directions = components[:count].T
    places = (embeds - centre) @ directions
    apart = np.sqrt(_squares(places, places)[np.triu_indices(len(places), 1)])
    return centre, directions / max(float(np.median(apart)), 1e-12)


def _squares(one: Array, other: Array) -> Array:
    """Squared distances ``[n, m]``."""
    found = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    return np.asarray(np.clip(found, 0, None))


def _kernel(one: Array, other: Array) -> Array:
    return np.asarray(np.exp(-_squares(one, other) / 2))


def _cdf(x: Array) -> Array:
    """Φ, elementwise."""
    return np.vectorize(_NORMAL.cdf, otypes=[np.float64])(x)


def _density(x: Array) -> Array:
    return np.asarray(np.exp(-(x**2) / 2) / sqrt(2 * pi))


def _thresholds(levels: Sequence[int]) -> Array:
    """b_1 … b_4 that explain the shares of the ratings, each counted half a time more than it was given."""
    counts = np.bincount(np.asarray(levels, dtype=np.int64), minlength=LEVELS + 1)[1:] + 0.5
    below = np.cumsum(counts)[:-1] / counts.sum()
    return np.array([_NORMAL.inv_cdf(float(share)) for share in below]) * sqrt(1 + NOISE**2)


def _likelihood(
    appeal: Array, ratings: Sequence[tuple[int, int]], pairs: Sequence[tuple[int, int]], thresholds: Array
) -> tuple[float, Array, Array]:
    """The log likelihood of the answers, its slope ``[n]``, and its negative curvature ``[n, n]``."""
    value, slope, curvature = 0.0, np.zeros(len(appeal)), np.zeros((len(appeal),) * 2)
    if ratings:
        rows, levels = np.array(ratings).T
        edges = np.concatenate([[-np.inf], thresholds, [np.inf]])
        low, high = ((edges[levels + at] - appeal[rows]) / NOISE for at in (-1, 0))
        chance = np.maximum(_cdf(high) - _cdf(low), 1e-12)
        at_low, at_high = _density(low), _density(high)
        ratio = (at_low - at_high) / chance
        bent = (
            ratio**2
            + (np.where(np.isfinite(high), high, 0) * at_high - np.where(np.isfinite(low), low, 0) * at_low) / chance
        )
        value += float(np.log(chance).sum())
        np.add.at(slope, rows, ratio / NOISE)
        np.add.at(curvature, (rows, rows), np.clip(bent, 0, None) / NOISE**2)
    if pairs:
        better, other = np.array(pairs).T
        gain = (appeal[better] - appeal[other]) / NOISE
        lost = 1 / (1 + np.exp(np.clip(gain, -500, 500)))  # the chance of the other answer
        value += float(-np.logaddexp(0, -gain).sum())
        np.add.at(slope, better, lost / NOISE)
        np.add.at(slope, other, -lost / NOISE)
        bent = lost * (1 - lost) / NOISE**2
        for one, two, sign in ((better, better, 1), (other, other, 1), (better, other, -1), (other, better, -1)):
            np.add.at(curvature, (one, two), sign * bent)
    return value, slope, curvature


def _posterior(
    places: Array, ratings: Sequence[tuple[int, int]], pairs: Sequence[tuple[int, int]], thresholds: Array
) -> tuple[Array, Array, float]:
    """Slope and `Taste.spread` at the most probable appeals, by Newton's method, and the log evidence."""
    kernel = _kernel(places, places)
    one = np.eye(len(places))
    appeal = np.zeros(len(places))
    value, slope, curvature = _likelihood(appeal, ratings, pairs, thresholds)
    for _ in range(_NEWTON):
        # f = K (I + W K)⁻¹ (W f + slope): no inverse of K, which is singular where concepts are alike
        step = kernel @ np.linalg.solve(one + curvature @ kernel, curvature @ appeal + slope) - appeal
        appeal = appeal + step
        value, slope, curvature = _likelihood(appeal, ratings, pairs, thresholds)
        if np.abs(step).max() < _CLOSE:
            break
    around = one + curvature @ kernel
    spread = np.asarray(np.linalg.solve(around, curvature), dtype=np.float64)
    _, size = np.linalg.slogdet(around)
    return slope, spread, value - float(appeal @ slope) / 2 - float(size) / 2


def most_telling(taste: Taste, embeds: Array, most: int = 64) -> tuple[int, int]:
    """The two rows of ``[m, width]`` whose comparison would teach most (expected information, arXiv 1112.5745).

    most: rows to choose from, those of the highest expected appeal and uncertainty.

    Raises:
        TasteError: there are fewer than two rows.
    """
    if len(embeds) < 2:
        raise TasteError("only one concept is there: a comparison takes two")
    mean, covariance = taste.appeal(embeds)
    hopeful = np.argsort(-(mean + np.sqrt(np.clip(np.diag(covariance), 0, None))), kind="stable")[:most]
    one, other = (hopeful[place] for place in np.triu_indices(len(hopeful), 1))
    variance = np.diag(covariance)
    apart = np.clip(variance[one] + variance[other] - 2 * covariance[one, other], 0, None)
    # The logistic function of the answer as a normal one of the same slope at 0.
    best = int(np.argmax(information(mean[one] - mean[other], apart, NOISE**2 * 8 / pi)))
    return int(one[best]), int(other[best])


def information(distance: Array, variance: Array, noise: float) -> Array:
    """Expected information, in bits, of an answer that is yes with the chance Φ(x / √noise), for x of this mean
    (distance) and variance (BALD, arXiv 1112.5745, Eq. 3).
    """
    known, gain, ratio = _entropy(_cdf(distance / np.sqrt(noise + variance))), pi * log(2) / 2, variance / noise
    expected = np.sqrt(gain / (ratio + gain)) * np.exp(-(distance**2) / noise / 2 / (ratio + gain))
    return np.asarray(known - expected)


def _entropy(chance: Array) -> Array:
    """Of a yes or no, in bits."""
    p = np.clip(chance, 1e-12, 1 - 1e-12)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)))


def reasons(taste: Taste, embeds: Array, directions: Mapping[str, Array]) -> list[tuple[str, float]]:
    """How the expected appeal of embeddings ``[m, width]`` goes with their similarity to each direction.

    directions: embeddings of words ``[width]``, or anything else of that width, by name.

    Returns:
        (name, correlation, −1 to 1), the strongest first, whichever its sign.
    """
    unit = _unit(embeds)
    return correlations(taste, embeds, {name: unit @ _unit(np.asarray(each)) for name, each in directions.items()})


def correlations(taste: Taste, embeds: Array, along: Mapping[str, Array]) -> list[tuple[str, float]]:
    """How the expected appeal of embeddings ``[m, width]`` goes with other values ``[m]`` of each; see `reasons`."""
    mean, _ = taste.appeal(embeds)
    found = []
    for name, values in along.items():
        both = values.std() * mean.std()
        found.append((name, float(((values - values.mean()) * (mean - mean.mean())).mean() / both) if both else 0.0))
    return sorted(found, key=lambda each: -abs(each[1]))


def expected_ratings(run: Run) -> dict[str, float]:
    """The rating, 1 to 5, that each of a run's concepts is expected to get, by id; none if too few are judged."""
    told = all_judgements(run)
    if len(told.concepts) < LEAST:
        return {}
    there = alike(run, told)
    if not there:
        return {}
    expected, _ = fit(told, list(there.values())).rating(np.stack(list(there.values())).astype(np.float64))
    return dict(zip(there, expected.tolist(), strict=True))


def alike(run: Run, told: Judgements) -> dict[str, npt.NDArray[np.float32]]:
    """The mean imagined embeddings of a run's concepts that are as wide as the judged ones, by id."""
    width = len(next(iter(told.embeds.values())))
    return {id_: embed for id_, embed in run.image_embeds().items() if len(embed) == width}
