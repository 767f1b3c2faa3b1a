"""The best of more founders than are kept: whole, of their category, drawn crisply, and unlike each other.

A founder that is broken cannot be mended by learning on, and learning one more takes seconds. So more are learned, and
the stack's own measures choose; the judge of the embedded stack, which evaluates, has no part in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
import torch
from PIL import Image

from core.concept import Array, Concept
from core.constraints import normalise
from core.depict import log_detail
from core.stack.protocols import Draws

# How much each quality counts, in its standard deviations over the pool.
TRUTH, STEADY, BELONGS, DETAIL = 1.0, 3.0, 1.0, 0.5
# What a cosine of 1 to the nearest chosen founder costs, in the same unit: 0.07 nearer outweighs one deviation.
LIKENESS = 15.0
# How a portrait is drawn over: from noise that leaves its coarse shapes alone, once for each seed.
STRENGTH, SEEDS = 0.65, (7, 8)


@torch.no_grad()
def truth_and_steadiness(
    stack: Draws, concepts: Sequence[Concept], portraits: Sequence[Image.Image]
) -> tuple[Array, Array]:
    """(truth, steadiness) ``[n]`` of portraits.

    truth: the cosine of the concept's imagined embedding to that of its portrait. It is low where the decoder cannot
    draw what the prior imagines. steadiness: the mean cosine of both to the portrait drawn over twice, with its own
    embedding (SDEdit, arXiv 2108.01073). It is low where a shape falls apart: the decoder then makes something else of
    it.
    """
    imagined = normalise(torch.from_numpy(np.stack([each.image_embed for each in concepts])))
    embeds = stack.encode_images(list(portraits))
    drawn, steadiness = normalise(embeds).float().cpu(), torch.zeros(len(portraits))
    for seed in SEEDS:
        again = stack.draw(embeds, [seed] * len(embeds), over=portraits, strength=STRENGTH)
        redrawn = normalise(stack.encode_images(again)).float().cpu()
        steadiness += (redrawn * (imagined + drawn)).sum(1) / (2 * len(SEEDS))
    return (drawn * imagined).sum(1).numpy(), steadiness.numpy()


def best(
    stack: Draws,
    concepts: Sequence[Concept],
    portraits: Sequence[Image.Image],
    count: int,
    first: Collection[int] = (),
) -> list[int]:
    """Places of `count` concepts, ascending: by their qualities, each time with a price for likeness to those chosen.

    Concepts with the same positives, such as "pet" and "blue pet", are a group. Each next concept comes from the group
    with the fewest chosen so far, including those in `first`.

    portraits: one of each concept; none of a stack that draws nothing, and then `belongs` alone counts. first: places
    of concepts that are chosen in any case, such as marked ones; they may be more than `count`.
    """
    if not concepts:
        return []
    units = np.stack([each.image_embed for each in concepts]).astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    quality = BELONGS * _standard([each.scores.get("belongs", np.nan) for each in concepts])
    if portraits:
        truth, steadiness = truth_and_steadiness(stack, concepts, portraits)
        detail = [log_detail(each) for each in portraits]
        quality = quality + TRUTH * _standard(truth) + STEADY * _standard(steadiness) + DETAIL * _standard(detail)
    chosen = sorted(first)
    groups = [tuple(positive.word for positive in each.request.positives) for each in concepts]
    while len(chosen) < min(count, len(concepts)):
        nearest = (units @ units[chosen].T).max(1) if chosen else np.zeros(len(units))
        value = quality - LIKENESS * nearest
        taken = Counter(groups[place] for place in chosen)
        turns = np.array([taken[group] for group in groups], dtype=np.float64)
        turns[chosen] = np.inf
        value[turns > turns.min()] = -np.inf
        chosen.append(int(value.argmax()))
    return sorted(chosen)


def _standard(values: Sequence[float] | Array) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Values ``[n]`` in standard deviations from their mean; 0 for all if one is missing or all are equal."""
    numbers = np.asarray(values, dtype=np.float64)
    spread = numbers.std()
    return (numbers - numbers.mean()) / spread if np.isfinite(spread) and spread > 1e-12 else np.zeros(len(numbers))
