"""One aspect of a picture, such as its colour, taken from another picture: both as image embeddings.

An aspect is a subspace of CLIP's space (IP-Composer, arXiv 2502.13951): the directions in which text embeddings differ
when only that aspect differs. With P the projection onto it, a picture e with the aspect of t is

    e − P e + P t

Phrases are "a photo of a red cat", "a photo of a blue cat", "a photo of a red chair", …: every word of the aspect with
every one of some nouns. IP-Composer decomposes all phrases at once. Then most directions are of the nouns, and the
child also takes the shape. So here each word is averaged over the nouns, and the mean of the words is subtracted; the
singular vectors of these few rows span the subspace. docs/evolution.md compares both.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
import torch

from core.concept import Array
from core.constraints import normalise
from core.errors import ConceptreeError
from core.stack.protocols import Learns
from core.texts import checked_text

# "" is a thing without the others.
ASPECTS: dict[str, tuple[str, ...]] = {
    "colour": ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "gray", "black", "white"),
    "pattern": ("", "striped", "spotted", "checkered", "dotted"),
    "shape": ("", "tall", "wide", "round", "square", "thin"),
    "part": ("", "with a crown", "with a top hat", "with wings", "with horns"),
    "look": ("", "as a pencil sketch", "as pixel art", "in black and white", "in watercolor", "in neon"),
    "background": (
        *("on a red background", "on a yellow background", "on a green background", "on a blue background"),
        *("on a purple background", "on a black background", "on a white background"),
    ),
}
OTHER_NAMES = {"color": "colour", "style": "look"}
NOUNS = 24  # so an aspect has 100 to 300 phrases
VARIANCE = 0.98  # of the words, which the subspace explains
LONGEST = 80  # characters of an aspect
_BEHIND = ("with", "as", "in", "on")  # phrases that begin so stand behind the noun

_known: WeakKeyDictionary[Learns, dict[str, Array]] = WeakKeyDictionary()


class AspectError(ConceptreeError):
    """An aspect that the stack has no words for."""


def checked_aspect(aspect: str) -> str:
    """The aspect in NFC and single spaces, by its own name of `ASPECTS` if it is one of them."""
    told = " ".join(checked_text(aspect, "aspect", error=AspectError).split())
    if not told or len(told) > LONGEST or any(c in told for c in "{}<>|="):
        raise AspectError(
            f"the aspect {told[:LONGEST]!r}: write {', '.join(ASPECTS)}, or words such as 'striped' or 'red,blue'"
        )
    return OTHER_NAMES.get(told.lower(), told.lower() if told.lower() in ASPECTS else told)


def words_of(aspect: str, stack: Learns) -> list[str]:
    """The words of an aspect: those of `ASPECTS` that the stack knows, or the given words, with commas between.

    A single word is compared with a thing without it.

    Raises:
        AspectError: the stack does not know a given word, or fewer than two of an aspect's words.
    """
    if aspect in ASPECTS:
        words = [word for word in ASPECTS[aspect] if stack.knows(word)]
        if len(words) < 2:
            raise AspectError(f"the stack {stack.version} knows no words for the aspect {aspect!r}: give some yourself")
        return words
    words = list({word.casefold(): word for word in map(str.strip, aspect.split(",")) if word}.values())
    for word in words:
        if not stack.knows(word):
            raise AspectError(
                f"the stack {stack.version} does not know the aspect {word!r}: choose {', '.join(ASPECTS)}, or words"
                " that it knows"
            )
    if not words:
        raise AspectError(f"the aspect {aspect!r} has no words: choose {', '.join(ASPECTS)}, or give words")
    return words if len(words) > 1 else ["", *words]


def phrases_of(aspect: str, stack: Learns) -> list[str]:
    """The phrases of an aspect: each word with every noun, then the next word.

    Raises:
        AspectError: see `words_of`.
    """
    nouns = _nouns(stack)
    return [f"a photo of a {described(word, noun)}" for word in words_of(aspect, stack) for noun in nouns]


@torch.no_grad()
def subspace(stack: Learns, aspect: str) -> Array:
    """Orthonormal directions [rank, width] of an aspect; as many as explain `VARIANCE` of its words.

    Raises:
        AspectError: see `words_of`.
    """
    known = _known.setdefault(stack, {})
    if aspect not in known:
        words = words_of(aspect, stack)
        embeds = normalise(stack.encode_text(phrases_of(aspect, stack))).double().cpu()
        means = embeds.view(len(words), -1, embeds.shape[-1]).mean(1)
        _, values, directions = np.linalg.svd((means - means.mean(0)).numpy(), full_matrices=False)
        explained = np.cumsum(values**2) / max((values**2).sum(), np.finfo(float).tiny)
        rank = min(int((explained < VARIANCE).sum()) + 1, len(words) - 1)
        known[aspect] = directions[:rank].astype(np.float32)
    return known[aspect]


def with_aspect(images: Array, of: Array, directions: Array) -> Array:
    """Image embeddings e − P e + P t [m, width] of images e [m, width], with the aspect of others t [n, width].

    t is the mean of the others. Both are compared at length 1, and each result has the length of its image.
    directions: orthonormal [rank, width], see `subspace`.
    """
    e, t, basis = (np.asarray(each, dtype=np.float64) for each in (images, of, directions))
    length = np.linalg.norm(e, axis=-1, keepdims=True)
    mean = (t / np.linalg.norm(t, axis=-1, keepdims=True)).mean(0)
    unit = e / length
    composed = unit + (mean / np.linalg.norm(mean) - unit) @ basis.T @ basis
    composed *= length / np.linalg.norm(composed, axis=-1, keepdims=True)
    return composed.astype(np.float32)


def _nouns(stack: Learns) -> Sequence[str]:
    """Words for the phrases, evenly spread over the stack's vocabulary."""
    words = [word for word in stack.vocabulary.words if stack.knows(word)] or ["thing"]
    return [words[place * len(words) // NOUNS] for place in range(NOUNS)] if len(words) > NOUNS else words


def described(word: str, noun: str) -> str:
    """`red cat`, or `cat with wings`: a noun with a word or phrase about it; "" leaves it alone."""
    if word.split(" ")[0] in _BEHIND:
        return f"{noun} {word}"
    return f"{word} {noun}" if word else noun
