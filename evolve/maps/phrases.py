"""Axes of two phrases, such as "cute:scary", and their scale in a category.

The direction of an axis is the mean difference of the text embeddings of both phrases, over known members of the
category: "a photo of a scary cat" minus "a photo of a cute cat", and so on. A concept's value along it is the
difference of its similarities to both phrases. Differences within one noun separate colours and patterns better than
the phrases alone, and things equally well (docs/map.md).

The scale: known members of the category, imagined as concepts are, and the equal mixtures of any two of them are what
the stack can reach. The knots of an axis are quantiles of their values, so an n-th of them lies in each of n columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from weakref import WeakKeyDictionary

import numpy as np
import torch

from core.aspects import described
from core.concept import LONGEST_WORD, checked_word
from core.constraints import normalise
from core.metrics import imagine_word
from core.negatives import says_again
from core.prompts import portrait
from core.settings import Settings
from core.stack.protocols import Learns
from core.texts import checked_text
from evolve.maps.chart import MEASURES, Array, Axis, Chart, MapError

MEMBERS = 32  # of a category that are imagined, evenly spread over its list
KNOTS = 33  # quantiles of an axis
LEAST_LENGTH = 0.03  # of a direction: phrases that are closer mean the same to the stack
# Axes for a start: a pair of kinds of the category with so many known members each, and colours that the stack knows.
LEAST_KIND, MOST_KIND = 5, 0.8  # members; share of the category
COLOURS = ("black:white", "red:blue", "brown:green")
MOST_ALIKE = 0.98  # cosine of two directions, positive or negative; above it, no picture can move along one axis only

_known: WeakKeyDictionary[Learns, dict[tuple[str, str], Array]] = WeakKeyDictionary()


def chart_of(stack: Learns, category: str, axes: Sequence[str], cells: tuple[int, int], kind: str = "object") -> Chart:
    """A chart for a category. axes: two of "LOW:HIGH" or a name of `MEASURES`.

    Raises:
        MapError: there are not two axes, the stack cannot tell the phrases of one apart, or both axes are the same one.
    """
    if len(axes) != 2 or len(set(axes)) < 2:
        raise MapError(f"{len(set(axes))} axes: a map has two different ones, such as cute:scary and smooth:fluffy")
    across, up = (axis_of(stack, category, text, kind) for text in axes)
    if across.direction and up.direction:
        one, other = np.array(across.direction), np.array(up.direction)
        if abs(one @ other) > MOST_ALIKE * np.linalg.norm(one) * np.linalg.norm(other):
            raise MapError(f"the axes {across.name!r} and {up.name!r} are the same to the stack: choose another one")
    settings = Settings.for_stack(stack, kind=kind, category=category)
    cap, floor = settings.max_cosine, settings.min_cosine
    return Chart(axes=(across, up), cells=cells, cap=cap, floor=min(floor, cap - 0.01))


def axis_of(stack: Learns, category: str, text: str, kind: str = "object") -> Axis:
    """An axis of two phrases, "LOW:HIGH", or of a measured number by its name.

    Raises:
        MapError: it is neither, or the stack does not know a phrase, or cannot tell both apart.
    """
    if text in MEASURES:
        measure = MEASURES[text]
        even = np.linspace(measure.least, measure.most, KNOTS)
        return Axis(low=measure.low, high=measure.high, knots=tuple(even.tolist()), measure=text)
    low, high = parsed_axis(text)
    for phrase in (low, high):
        if not stack.knows(phrase):
            raise MapError(
                f"the stack {stack.version} does not know {phrase!r}: choose a phrase of words that it knows"
            )
    direction = _direction(stack, category, low, high, kind)
    if np.linalg.norm(direction) < LEAST_LENGTH:
        raise MapError(
            f"the stack {stack.version} cannot tell {low!r} from {high!r} in the category {category!r}: choose phrases"
            " that differ more"
        )
    reach = reachable(stack, category, kind) @ direction
    knots = np.quantile(reach, np.linspace(0, 1, KNOTS))
    rising = np.maximum.accumulate(knots + np.arange(KNOTS) * 1e-9)  # quantiles may be equal
    return Axis(low=low, high=high, knots=tuple(rising.tolist()), direction=tuple(direction.tolist()))


def usual_axes(stack: Learns, category: str, kind: str = "object") -> tuple[str, str] | None:
    """Two axes to begin with, such as bird:mammal and black:white; None if the stack does not know enough words."""
    lists, members = stack.vocabulary.categories, set(stack.vocabulary.members(category, kind))
    kinds = sorted((name for name in lists if name != category), key=lambda name: -len(members & {*lists[name]}))
    kinds = [each for each in kinds if LEAST_KIND <= len(members & {*lists[each]}) <= MOST_KIND * len(members)]
    apart = [(one, other) for one, other in combinations(kinds, 2) if not {*lists[one]} & {*lists[other]} & members]
    pairs = [":".join(sorted(pair)) for pair in apart[:1] if kind == "object"]
    colours = [axis for axis in COLOURS if all(map(stack.knows, axis.split(":")))]
    return (both[0], both[1]) if len(both := [*pairs, *colours]) > 1 else None


def parsed_axis(text: str) -> tuple[str, str]:
    """`cute:scary` → ("cute", "scary"), each in NFC with single spaces."""
    low, colon, high = (each.strip() for each in text.partition(":"))
    if not colon or not low or not high or ":" in high or low.casefold() == high.casefold():
        known = f", or the name of a measure: {', '.join(MEASURES)}" if MEASURES else ""
        raise MapError(f"the axis {text[:LONGEST_WORD]!r}: write two different phrases as LOW:HIGH{known}")
    first, second = (checked_text(checked_word(each, "phrase"), "phrase", error=MapError) for each in (low, high))
    return first, second


@torch.no_grad()
def reachable(stack: Learns, category: str, kind: str = "object") -> Array:
    """Unit embeddings `[n, width]` of what the stack can reach in a category: members, and the mixtures of any two.

    Of a category whose members the stack does not list, words of its vocabulary count, or else the category itself.
    """
    known = _known.setdefault(stack, {})
    if (category, kind) not in known:
        words = _members(stack, category, kind) or [category]
        members = [imagine_word(stack, kind, word).flatten(0, 2) for word in words]
        rows = members[0] if len(members) == 1 else torch.stack([each.mean(0) for each in members])
        unit = normalise(rows.double().cpu()).numpy()
        mixed = [one + other for one, other in combinations(unit, 2)]
        every = np.concatenate([unit, np.stack(mixed)]) if mixed else unit
        known[category, kind] = every / np.linalg.norm(every, axis=1, keepdims=True)
    return known[category, kind]


@torch.no_grad()
def _direction(stack: Learns, category: str, low: str, high: str, kind: str) -> Array:
    nouns = [category, *_members(stack, category, kind)]
    prompts = [portrait(kind).format(described(phrase, noun)) for phrase in (low, high) for noun in nouns]
    from_low, to_high = normalise(stack.encode_text(prompts).double().cpu()).view(2, len(nouns), -1).mean(1).numpy()
    return np.asarray((to_high - from_low).round(7))


def _members(stack: Learns, category: str, kind: str) -> list[str]:
    words = [word for word in stack.vocabulary.members(category, kind) if not says_again(word, category)]
    if len(words) <= MEMBERS:
        return words
    return [words[place * len(words) // MEMBERS] for place in range(MEMBERS)]
