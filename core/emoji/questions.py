"""What the question answerer is asked in training, and what the right answers are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from core.emoji.pictures import BACKGROUNDS, LOOKS
from core.emoji.sources import SETS
from core.emoji.teacher import Words

KINDS = ("thing", "category", "style", "background")
STYLES = len(LOOKS) - 1 + len(SETS)


def answers(words: Words) -> tuple[str, ...]:
    """Every answer: names, then looks and sets, then backgrounds."""
    return (*words.things, *LOOKS[1:], *(art.style for art in SETS), *BACKGROUNDS)


def style_answer(style: int, look: int) -> int:
    """Which of the STYLES answers is right about a picture of that set and look: the look, where it has one."""
    return look - 1 if look else len(LOOKS) - 1 + style


@dataclass(frozen=True)
class Question:
    """A question, its kind, the index of its answer, and the answers that could be given at all (bool mask)."""

    text: str
    kind: str
    answer: int
    possible: np.ndarray


class QuestionWriter:
    def __init__(self, words: Words):
        self.words = words
        self.things = len(words.things)
        count = len(answers(words))
        self.members = {}
        for column, category in enumerate(words.categories):
            mask = np.zeros(count, dtype=bool)
            mask[: self.things] = words.belongs[:, column].numpy()
            self.members[category] = mask
        spans = np.cumsum([0, self.things, STYLES, len(BACKGROUNDS)])
        self.spans = [np.isin(np.arange(count), np.arange(a, b)) for a, b in pairwise(spans)]

    def write(self, kind: str, truth: Sequence[int], generator: np.random.Generator) -> Question:
        """A question of that kind about a picture whose thing, set, look and background are ``truth``.

        A thing without a category is asked about by itself.
        """
        thing, style, look, background = truth
        if kind == "category":
            members = [c for c, mask in self.members.items() if mask[thing]]
            if members:
                category = members[generator.integers(len(members))]
                return Question(f"what kind of {category} is in this photo?", kind, thing, self.members[category])
            kind = "thing"
        if kind == "thing":
            return Question("what is in this photo?", kind, thing, self.spans[0])
        if kind == "style":
            scene = ("a dog", f"a {self.words.things[thing]}", "a horse and a barn")[generator.integers(3)]
            answer = self.things + style_answer(style, look)
            return Question(f"what art style was used in this photo of {scene}?", kind, answer, self.spans[1])
        answer = self.things + STYLES + background
        return Question("what color is the background?", kind, answer, self.spans[2])
