"""Questions for the question answerer's training, with their right answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from training.pictures import BACKGROUND, BACKGROUNDS, LOOK, LOOKS, OTHER, SHARE, STYLE, THING
from training.sources import SETS
from training.teacher import Words

KINDS = ("thing", "category", "style", "background")
STYLES = len(LOOKS) - 1 + len(SETS)


def answers(words: Words) -> tuple[str, ...]:
    """Every answer: names, then looks and sets, then backgrounds."""
    return (*words.things, *LOOKS[1:], *(art.style for art in SETS), *BACKGROUNDS)


def style_answer(style: int, look: int) -> int:
    """The right one of the STYLES answers for a set and a look: the look if there is one, else the set."""
    return look - 1 if look else len(LOOKS) - 1 + style


@dataclass(frozen=True)
class Question:
    """A question, its kind, the right answers and the possible ones.

    Attributes:
        wanted: ``[answers]`` float32 target of each answer: 1 for the only right one, shares for a hybrid.
        possible: ``[answers]`` bool, the answers of the question's kind.
    """

    text: str
    kind: str
    wanted: np.ndarray
    possible: np.ndarray

    @property
    def answer(self) -> int:
        return int(self.wanted.argmax())


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
        """A question of a kind about a picture with ``truth`` (the columns of `pictures`).

        A thing without a category gets the question about the thing.
        """
        thing, other, share = truth[THING], truth[OTHER], truth[SHARE] / 100
        if kind == "category":
            shown = [thing] if other < 0 else [thing, other]
            asked = [c for c, mask in self.members.items() if any(mask[each] for each in shown)]
            if asked:
                category = asked[generator.integers(len(asked))]
                possible = self.members[category]
                return Question(
                    f"what kind of {category} is in this photo?",
                    kind,
                    self._shares(thing, other, share, possible),
                    possible,
                )
            kind = "thing"
        if kind == "thing":
            possible = self.spans[0]
            return Question("what is in this photo?", kind, self._shares(thing, other, share, possible), possible)
        if kind == "style":
            scene = ("a dog", f"a {self.words.things[thing]}", "a horse and a barn")[generator.integers(3)]
            answer = self.things + style_answer(truth[STYLE], truth[LOOK])
            return Question(
                f"what art style was used in this photo of {scene}?", kind, self._one(answer), self.spans[1]
            )
        answer = self.things + STYLES + truth[BACKGROUND]
        return Question("what color is the background?", kind, self._one(answer), self.spans[2])

    def _one(self, answer: int) -> np.ndarray:
        wanted = np.zeros(len(self.spans[0]), dtype=np.float32)
        wanted[answer] = 1
        return wanted

    def _shares(self, thing: int, other: int, share: float, possible: np.ndarray) -> np.ndarray:
        wanted = self._one(thing) * share
        if other >= 0:
            wanted[other] += 1 - share
        wanted = wanted * possible
        return wanted / wanted.sum()
