"""Early stopping, judged on the fixed panel at the boundaries of segments.

    clamped    every constraint is inside its clamp (Eq. 3, Eq. 4), by its mean over the panel: then the loss has no
               gradient, and only momentum and weight decay still move the vectors
    mixed      the score, one minus the mixing loss (Eq. 5), has risen by at most `GAIN` of that loss

Either must hold at `Settings.patience` boundaries in a row (0: never stop early) under the present constraints.
Adaptive concepts never stop early, since the next negative is only known at the next boundary; nor do concepts whose
pool of negatives is not empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.concept import Request
from core.metrics import scores

GAIN = 0.02  # of the mixing loss, within the patience


def done_early(request: Request, looks: Sequence[Mapping[str, float]], negatives: Sequence[str], pool: int) -> str:
    """Reason to stop early, or "".

    looks: similarities (`metrics.similarities`) at each boundary since the negatives last changed, latest last.
    negatives: the present ones. pool: how many more its schedule will add.
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
    """Whether the clamps leave no gradient: positives at their cap or above, negatives and earlier waves at their floor
    or below.
    """
    settings = request.chosen
    return (
        settings.clamp
        and not request.constraints  # further kinds have no clamp
        and all(found[p.word or request.category] >= settings.max_cosine for p in request.positives)
        and all(found[word] <= settings.min_cosine for word in negatives)
        and all(found[f"avoid:{avoid.id}"] <= settings.avoid_floor for avoid in request.avoid)
    )
