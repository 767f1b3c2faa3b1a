"""What a person is asked next, and which parents they may like; both by their taste (`evolve.taste`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from evolve.fitness import of_one_width
from evolve.store.likes import rounds
from evolve.store.run import Run
from evolve.taste import LEAST, LIKED, NOISE, Array, Taste, alike, all_judgements, fit, information

SHOWN = 6  # concepts of a round
NEWEST = 512  # concepts that a round and parents are chosen from, since a page waits for it
BEST = 24  # concepts among which parents are looked for


@dataclass(frozen=True)
class Suggestion:
    """Parents (ids) for the next child, and the rating, 1 to 5, that their mixture is expected to get."""

    parents: tuple[str, str]
    expected: float


def next_round(run: Run, count: int = SHOWN, among: Collection[str] | None = None) -> list[str]:
    """Ids of the concepts to show next: of those that are not judged and not hidden, at most `count`.

    Half of them are those whose answers teach most, half those that are expected to be liked. While fewer than `LEAST`
    concepts are judged, they are far apart. among: ids to choose from, by default all.
    """
    told = all_judgements(run)
    asked = {id_ for each in rounds(run) for id_ in each.shown} | set(told.concepts)
    embeds = alike(run, told) if told.embeds else of_one_width(run.image_embeds())
    there = [each for each in run.entries() if each.id not in asked and not each.note.hidden and each.id in embeds]
    ids = [each.id for each in there if among is None or each.id in among][-NEWEST:]
    if not ids:
        return []
    rows = np.stack([embeds[id_] for id_ in ids]).astype(np.float64)
    taste = fit(told, [embeds[id_] for id_ in ids]) if len(told.concepts) >= LEAST else None
    return [ids[row] for row in (chosen(taste, rows, count) if taste else far_apart(rows, count))]


def chosen(taste: Taste, embeds: Array, count: int) -> list[int]:
    """Rows of ``[m, width]``: half that teach most, each given the others, and half of the largest expected appeal."""
    mean, covariance = taste.appeal(embeds)
    border = float(taste.thresholds[LIKED - 2])  # between a rating of `LIKED` and the one below
    found: list[int] = []
    for _ in range(min(count // 2, len(embeds))):
        variance = np.clip(np.diag(covariance), 0, None)
        teaches = information(mean - border, variance, NOISE**2)
        teaches[found] = -np.inf
        row = int(np.argmax(teaches))
        found.append(row)
        # What is left to learn once this answer is known.
        covariance = covariance - np.outer(covariance[row], covariance[row]) / (variance[row] + NOISE**2)
    liked = [int(row) for row in np.argsort(-mean, kind="stable") if row not in found]
    return [*found, *liked[: count - len(found)]]


def far_apart(embeds: Array, count: int) -> list[int]:
    """Rows of ``[m, width]``: the one nearest to the mean, then always the one farthest from those before."""
    unit = embeds / np.maximum(np.linalg.norm(embeds, axis=1, keepdims=True), 1e-12)
    found = [int(np.argmax(unit @ unit.mean(0)))]
    near = unit @ unit[found[0]]
    while len(found) < min(count, len(unit)):
        near[found] = np.inf
        found.append(int(np.argmin(near)))
        near = np.maximum(near, unit @ unit[found[-1]])
    return found


def may_like(run: Run, count: int = 3) -> list[Suggestion]:
    """Pairs of parents whose child the person is expected to like, best first; none before `LEAST` judgements.

    Each concept is in one pair at most. Left out are pairs that have a child, and pairs more alike than half of all
    pairs of the liked concepts, since a child of twins is one more twin.
    """
    told = all_judgements(run)
    if len(told.concepts) < LEAST:
        return []
    embeds, entries = alike(run, told), run.entries()
    kind = run.about["kind"]
    there = [each for each in entries if each.id in embeds and not each.note.hidden and each.kind == kind][-NEWEST:]
    if len(there) < 2:
        return []
    taste = fit(told, [embeds[each.id] for each in there])
    rows = np.stack([embeds[each.id] for each in there]).astype(np.float64)
    expected, _ = taste.rating(rows)
    best = np.argsort(-expected, kind="stable")[:BEST]
    unit = rows[best] / np.maximum(np.linalg.norm(rows[best], axis=1, keepdims=True), 1e-12)
    near = unit @ unit.T
    usual = float(np.median(near[np.triu_indices(len(best), 1)]))
    couples = {frozenset(parent.id for parent in each.parents) for each in entries}
    pairs = [
        (one, other)
        for one, other in combinations(range(len(best)), 2)
        if near[one, other] <= usual and frozenset((there[best[one]].id, there[best[other]].id)) not in couples
    ]
    if not pairs:
        return []
    worth, _ = taste.rating(np.stack([unit[one] + unit[other] for one, other in pairs]))
    order = [(pairs[place], float(worth[place])) for place in np.argsort(-worth, kind="stable")]
    return _disjoint([((there[best[one]].id, there[best[other]].id), value) for (one, other), value in order], count)


def _disjoint(pairs: Sequence[tuple[tuple[str, str], float]], count: int) -> list[Suggestion]:
    """The first pairs, each concept once."""
    found: list[Suggestion] = []
    used: set[str] = set()
    for ids, value in pairs:
        if used.isdisjoint(ids) and len(found) < count:
            found.append(Suggestion(ids, value))
            used.update(ids)
    return found
