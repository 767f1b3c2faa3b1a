"""Which word becomes the next negative constraint (arXiv 2308.02669 §4.2 and its limitation in §6).

A namer looks at drawings and answers a question about them (`Namer`; models are in core/namers.py). This file chooses
among the answers: the paper's way (`first_answer`), or a way that copes with useless answers (`ranked_answer`):
repeats, the category's own name, and words too specific to push ("boeing 747").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from core.concept import LONGEST_WORD

if TYPE_CHECKING:
    from PIL.Image import Image

Answer = tuple[str, float]  # with its score
Measure = Callable[[Sequence[str]], list[float]]

_LEAD = re.compile(
    r"^(?:(?:it|this|that)(?: is|'s) )?(?:(?:a|an|the|my|some) )?(?:(?:kind|type|picture|photo) of (?:an? )?)?"
)
_UNPRINTED = re.compile(r"[{}<>|_]")
_EMPTY = {"", "yes", "no", "none", "nothing", "unknown", "it", "this", "that", "i don't know", "not sure", "other"}
_IRREGULAR = {
    "mice": "mouse", "geese": "goose", "feet": "foot", "teeth": "tooth", "children": "child", "people": "person",
    "oxen": "ox", "men": "man", "women": "woman", "snowmen": "snowman", "wolves": "wolf", "leaves": "leaf",
    "knives": "knife", "shelves": "shelf", "calves": "calf", "loaves": "loaf", "scarves": "scarf", "hooves": "hoof",
    "elves": "elf", "dwarves": "dwarf", "halves": "half", "thieves": "thief",
}  # fmt: skip
# Answers that repeat the category in other words.
_SYNONYMS = {
    "pet": ("animal", "domestic animal", "companion", "creature"),
    "animal": ("creature", "beast"),
    "fruit": ("food", "fresh fruit"),
    "plant": ("vegetation", "greenery", "houseplant"),
    "furniture": ("piece of furniture", "furnishing"),
    "musical instrument": ("instrument", "music"),
    "bird": ("animal",),
    "vehicle": ("transport", "transportation"),
    "drink": ("beverage",),
    "painting": ("art", "picture", "style", "art style"),
    "art": ("painting", "picture", "style", "art style"),
}  # fmt: skip


class Namer(Protocol):
    """Looks at drawings and answers a question about them: answers to each image, best first."""

    @property
    def name(self) -> str:
        """The `by` of the negatives that it proposes."""

    @property
    def identity(self) -> str:
        """A text that differs if the answers would; part of the ids of concepts whose negatives it proposes."""

    def __call__(self, images: Sequence[Image], question: str, /) -> list[list[Answer]]: ...


@dataclass(frozen=True)
class Choice:
    """The next negative, or None, with a note for people on how it was chosen."""

    word: str | None
    note: str = ""
    replaced: bool = False  # by a word of the stack's vocabulary


def first_answer(
    answers: Sequence[Answer], taken: Sequence[str] = (), repeat: bool = True, as_coded: bool = False
) -> Choice:
    """The paper's way: the first answer without its article. repeat: allow one that is already a negative. as_coded:
    only a leading "a " is an article, as in the authors' code.
    """
    answer = answers[0][0] if answers else ""
    word = _printed(answer).removeprefix("a ")[:LONGEST_WORD].strip() if as_coded else strip_article(answer)
    if not word:
        return Choice(None, "no answer")
    if not repeat and word in taken:
        return Choice(None, f"'{word}' is already a negative")
    return Choice(word)


def ranked_answer(
    answers: Sequence[Answer],
    measure: Measure,
    floor: float,
    category: str,
    taken: Sequence[str] = (),
    vocabulary: Sequence[str] = (),
    known: Callable[[str], bool] = lambda word: True,
) -> Choice:
    """The answer that the concept resembles most, if it pushes; else the nearest word of the vocabulary that does.

    measure: similarities of the concept to words, on the fixed panel. A word pushes if its similarity is above `floor`;
    below it the clamp of the negatives leaves no gradient. Dropped: empty answers, the category and its synonyms, words
    in `taken` (negatives and positives), in singular or plural, and words that the stack's tokenizer does not know.
    """
    words, dropped = _useful(answers, category, taken, known)
    told = [f"dropped {', '.join(dropped)}"] if dropped else []
    best, similarity = _nearest(words, measure)
    if best is not None and similarity > floor:
        if len(words) > 1:
            told.insert(0, f"nearest of {len(words)} answers ({similarity:.2f})")
        return Choice(best, "; ".join(told))
    if best is not None:
        told.insert(0, f"'{best}' ({similarity:.2f}) does not push")
    general, _ = _useful([(word, 0.0) for word in vocabulary], category, [*taken, *words], known)
    nearest, its_similarity = _nearest(general, measure)
    if nearest is None or its_similarity <= floor:
        told.append("no word of the vocabulary pushes: nothing added")
        return Choice(None, "; ".join(told))
    told.insert(0 if best is None else 1, f"'{nearest}' ({its_similarity:.2f}) from the vocabulary")
    return Choice(nearest, "; ".join(told), replaced=True)


def strip_article(answer: str) -> str:
    """`A guide dog.` → `guide dog`; without characters that cannot be part of a prompt."""
    word = _printed(answer).strip(" .,;:!?\"'").lower()
    return _LEAD.sub("", word, count=1)[:LONGEST_WORD].strip()


def _printed(answer: str) -> str:
    """Without characters that cannot be part of a prompt."""
    return " ".join(_UNPRINTED.sub(" ", answer).split())


def says_nothing(answer: str) -> bool:
    """Whether an answer, without its article, names nothing."""
    return answer in _EMPTY


def singulars(word: str) -> frozenset[str]:
    """Possible singulars of a phrase: itself, and those of its last word.

    By spelling alone "axes" may be the plural of "axe", "ax" or "axis", so all are returned. Most candidates are not
    words, so they match no other word's.
    """
    *rest, last = word.lower().replace("-", " ").split() or [""]
    found = {last}
    if last in _IRREGULAR:
        found.add(_IRREGULAR[last])
    if last.endswith("s") and not last.endswith(("ss", "us", "is")):
        found.add(last[:-1])
    if last.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
        found.add(last[:-2])
    if last.endswith(("ses", "xes")):
        found.add(f"{last[:-2]}is")
    if last.endswith("ies"):
        found.add(f"{last[:-3]}y")
    if last.endswith("i"):
        found.add(f"{last[:-1]}us")
    return frozenset(" ".join([*rest, each]) for each in found)


def same_thing(a: str, b: str) -> bool:
    """Whether two words differ only in number, case or hyphens."""
    return not singulars(a).isdisjoint(singulars(b))


def says_again(word: str, category: str) -> bool:
    """Whether an answer is the category itself or a synonym of it."""
    again = (category, *_SYNONYMS.get(category.lower(), ()))
    return any(same_thing(word, other) for other in again)


def _useful(
    answers: Sequence[Answer], category: str, taken: Sequence[str], known: Callable[[str], bool]
) -> tuple[list[str], list[str]]:
    """(words worth measuring, in order and without repeats; what was dropped and why)"""
    words: list[str] = []
    dropped: list[str] = []
    for answer, _ in answers:
        word = strip_article(answer)
        if says_nothing(word):
            dropped.append(f"'{answer}' (says nothing)")
        elif says_again(word, category):
            dropped.append(f"'{word}' (the category itself)")
        elif any(same_thing(word, other) for other in taken):
            dropped.append(f"'{word}' (already a constraint)")
        elif not known(word):
            dropped.append(f"'{word}' (unknown to the stack)")
        elif not any(same_thing(word, other) for other in words):
            words.append(word)
    return words, dropped


def _nearest(words: Sequence[str], measure: Measure) -> tuple[str | None, float]:
    if not words:
        return None, 0.0
    similarities = measure(words)
    place = max(range(len(words)), key=lambda i: (similarities[i], -i))
    return words[place], similarities[place]
