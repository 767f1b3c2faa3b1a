"""Figures of inventions: the judge's beliefs about portraits of founders and their children.

The judge's belief in a category is a sum over known things, so an animal unlike all of them scores low. The figures
therefore include its belief in a broader group, and similarities to words, which do not depend on known things.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image
from torch import Tensor

from core.emoji.judge import Judge

# The paper's categories, and two more whose founders the docs show.
CATEGORIES = ("pet", "plant", "fruit", "furniture", "musical instrument")
SHOWN = (*CATEGORIES, "bird", "vehicle")

# The judge's categories that together make the broad group of each category.
BROAD: dict[str, tuple[str, ...]] = {
    "pet": ("animal",),  # a new pet need not be a kind of animal that people keep
    "plant": ("plant", "flower", "tree"),  # two of its own parts; food is no plant here
    "fruit": ("food",),  # a new fruit may look like a vegetable or a dessert
    "furniture": ("furniture", "household", "lamp"),  # what stands in a home; half of its members are in these as well
    "musical instrument": ("musical instrument", "sound"),  # horns and bells are in both
    "bird": ("animal",),
    "vehicle": ("vehicle", "boat", "aircraft", "train", "car"),  # all of them vehicles
}
PAIRS = ((0, 1), (2, 3), (4, 5))  # founders that have a child together, each with half of the weight


def belief(judge: Judge, probabilities: Tensor, categories: Sequence[str]) -> list[float]:
    """The belief that each picture shows a member of any of the categories, from ``[n, things]``.

    A member of several categories counts once.
    """
    members = {thing for category in categories for thing in judge.categories[category]}
    columns = [place for place, thing in enumerate(judge.things) if thing in members]
    return probabilities[:, columns].sum(1).tolist()


def others_of(judge: Judge, category: str) -> list[str]:
    """The judge's categories that share no member with this one; for "pet" not "animal" and "bird"."""
    own = set(judge.categories[category])
    return [name for name, members in judge.categories.items() if not own & set(members)]


def judged(judge: Judge, portraits: Sequence[Image.Image], category: str) -> list[dict[str, Any]]:
    """The judge's figures of each portrait.

    category and broad: belief in the category and in its broad group. known: the largest belief in one known thing,
    and known_as its name. word: similarity to the category's word; other_word: that to the nearest word of
    `others_of`, and other its name.
    """
    probabilities = judge.probabilities(portraits)
    known, places = probabilities.max(1)
    others = others_of(judge, category)
    similarity = judge.similarity(portraits, [category, *others])
    nearest, nearest_places = similarity[:, 1:].max(1)
    columns = {
        "category": belief(judge, probabilities, [category]),
        "broad": belief(judge, probabilities, BROAD[category]),
        "known": known.tolist(),
        "known_as": [judge.things[place] for place in places.tolist()],
        "word": similarity[:, 0].tolist(),
        "other_word": nearest.tolist(),
        "other": [others[place] for place in nearest_places.tolist()],
    }
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [{k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} for row in rows]
