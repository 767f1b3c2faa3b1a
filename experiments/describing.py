"""Describing a picture: the best prompt made of words that a stack's tokenizer knows.

A small CLIP Interrogator (arXiv 2308.02669 §5.3 uses the real one, with longer lists): begin with the word whose prompt
is most similar to the picture. Add one piece at a time (a word, a look, a background, a style): the one that most
increases the similarity of the prompt's text embedding to the picture's embedding. Stop when none increases it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.constraints import normalise
from core.errors import ConceptreeError
from core.prompts import PORTRAIT
from core.stack.backbone import Backbone

LOOKS = (
    PORTRAIT,
    "a pencil sketch of a {}",
    "pixel art of a {}",
    "a black and white photo of a {}",
    "a watercolor painting of a {}",
    "an oil painting of a {}",
    "a neon sign of a {}",
    "a silhouette of a {}",
    "a digital cartoon art of a {}",
    "a sticker of a {}",
    "a toy of a {}",
    "a close-up photo of a {}",
)
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray")
PLACES = ("in a meadow", "at the beach", "at night", "in the snow")
MOST_WORDS = 3
SHORTLIST = 100  # words that may be added: the nearest by themselves
_GAIN = 1e-3  # the least increase for which a piece is added


@dataclass(frozen=True)
class Description:
    """A prompt in pieces. words: the last one is the noun, the others modify it."""

    words: tuple[str, ...]
    look: str = PORTRAIT
    place: str = ""  # or background
    style: str = ""

    @property
    def prompt(self) -> str:
        text = self.look.format(" ".join(self.words))
        return " ".join([text, *([self.place] if self.place else []), *([self.style] if self.style else [])])


class Describer:
    """Finds descriptions with one stack."""

    def __init__(self, backbone: Backbone) -> None:
        """Raises:
        ConceptreeError: the stack lists no words.
        """
        known, listed = backbone.knows, backbone.vocabulary
        styles = listed.categories.get("style", ())
        names = [*listed.words, *listed.categories]
        self.words = [word for word in dict.fromkeys(names) if known(word) and word not in {"style", *styles}]
        if not self.words:
            raise ConceptreeError(f"the stack {backbone.version} lists no words to describe with: choose another")
        backgrounds = [f"on a {colour} background" for colour in COLOURS]
        self.looks = [look for look in LOOKS if known(look.replace("{}", " "))]
        self.places = [place for place in (*backgrounds, *PLACES) if known(place)]
        self.styles = [phrase for phrase in (f"in the style of {style}" for style in styles) if known(phrase)]
        self._backbone = backbone
        self._texts: dict[str, Tensor] = {}

    def nearest(self, target: Tensor, count: int = SHORTLIST) -> list[tuple[str, float]]:
        """Words with their cosines, by their prompts' similarity to an image embedding [width], nearest first."""
        found = self.similarity([Description((word,)).prompt for word in self.words], target)
        values, places = found.topk(min(count, len(self.words)))
        return [(self.words[place], value) for place, value in zip(places.tolist(), values.tolist(), strict=True)]

    def describe(self, target: Tensor) -> dict[str, float]:
        """All prompts that were tried for an image embedding [width], with their cosines, best first."""
        near = self.nearest(target)
        seen = {Description((word,)).prompt: value for word, value in near}
        best, likeness = Description((near[0][0],)), near[0][1]
        while True:
            longer = list(self._longer(best, [word for word, _ in near]))
            values = self.similarity([each.prompt for each in longer], target).tolist()
            seen |= {each.prompt: value for each, value in zip(longer, values, strict=True)}
            top = max(range(len(longer)), key=values.__getitem__, default=None)
            if top is None or values[top] < likeness + _GAIN:
                return dict(sorted(seen.items(), key=lambda pair: -pair[1]))
            best, likeness = longer[top], values[top]

    @torch.no_grad()
    def similarity(self, prompts: Sequence[str], target: Tensor) -> Tensor:
        """Cosines [prompts] of their text embeddings with an image embedding [width]."""
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._texts]
        if new:
            texts = normalise(self._backbone.encode_text(new).float().cpu())
            self._texts |= dict(zip(new, texts, strict=True))
        if not prompts:
            return torch.empty(0)
        return torch.stack([self._texts[prompt] for prompt in prompts]) @ normalise(target.float().cpu())

    def _longer(self, of: Description, words: Sequence[str]) -> Iterator[Description]:
        """Descriptions with one piece more."""
        if len(of.words) < MOST_WORDS:
            yield from (replace(of, words=(word, *of.words)) for word in words if word not in of.words)
        if of.look == PORTRAIT:
            yield from (replace(of, look=look) for look in self.looks if look != PORTRAIT)
        if not of.place:
            yield from (replace(of, place=place) for place in self.places)
        if not of.style:
            yield from (replace(of, style=style) for style in self.styles)
