"""When a concept is done before its last step, as seen on the fixed panel at the boundaries of its segments.

    clamped    every constraint is inside its clamp (Eq. 3, Eq. 4) by its mean over the panel: in a prompt in which that
               holds the loss has no gradient, and what still moves the vectors is momentum and weight decay
    mixed      the score, which is one minus the mixing loss (Eq. 5) and has no clamp, has not risen by more than `GAIN`
               of that loss

Either has to hold for as many boundaries in a row as `Settings.patience` says, 0 for never, under the constraints that
the concept still has. A concept whose negatives are found by asking is never done early: the next name is only known
at the next boundary. Nor is one whose pool of negatives still holds a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.concept import Request
from core.metrics import scores

GAIN = 0.02  # of the mixing loss, within the patience


def done_early(request: Request, looks: Sequence[Mapping[str, float]], negatives: Sequence[str], pool: int) -> str:
    """Why a concept is done before its last step, in words; "" while it is not.

    looks: its similarities (`metrics.similarities`) at each boundary, the latest last, of those since which its
    negatives are what they are now. negatives: those. pool: how many more are to come by its schedule.
    """
    patience = request.chosen.patience
    if not patience or pool or request.schedule == "adaptive" or len(looks) <= patience:
        return ""
    if not request.mixed:
        inside = all(is_inside(request, found, negatives) for found in looks[-patience:])
        return "done: every constraint is inside its clamp" if inside else ""
    worth = [scores(request, found, negatives) for found in looks]
    before, since = (max(part, key=lambda each: each["score"]) for part in (worth[:-patience], worth[-patience:]))
    gained = since["score"] - before["score"]
    return "done: the mixing loss falls no more" if gained <= GAIN * (1 - before["resembles"]) else ""


def is_inside(request: Request, found: Mapping[str, float], negatives: Sequence[str]) -> bool:
    """Whether every similarity is where its clamp takes the gradient away: positives at the cap or above, negatives
    and earlier waves at their floors or below.
    """
    settings = request.chosen
    return (
        settings.clamp
        and not request.constraints  # further kinds have no clamp
        and all(found[p.word or request.category] >= settings.max_cosine for p in request.positives)
        and all(found[word] <= settings.min_cosine for word in negatives)
        and all(found[f"avoid:{avoid.id}"] <= settings.avoid_floor for avoid in request.avoid)
    )
