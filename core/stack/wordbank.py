"""Text embeddings of constraint words: constants, encoded once and looked up (docs/design.md, shortcut 5).

A word is always encoded as one batch of all its prompts. The shapes are fixed, so every run that meets the word gets
the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from core.constraints import normalise
from core.prompts import PANEL, fill

EncodeText = Callable[[list[str]], Tensor]


class WordBank:
    """Unit text embeddings of words in the templates that concepts learn in, and in those of the fixed panel.

    encode: prompts → [n, width], such as the stack's `encode_text`, or its `encode_multilingual` as the authors did.
    """

    def __init__(self, encode: EncodeText, width: int) -> None:
        self._encode = encode
        self.width = width
        self._known: dict[tuple[tuple[str, ...], str], Tensor] = {}

    def templates(self, templates: tuple[str, ...], word: str) -> Tensor:
        """[templates, width], in their order: `prompts.TEMPLATES[kind]`, or a request's own."""
        return self._look_up(templates, word)

    def panel(self, kind: str, word: str) -> Tensor:
        """[panel templates, width], in the order of `prompts.PANEL[kind]`."""
        return self._look_up(PANEL[kind], word)

    def panels(self, kind: str, words: Sequence[str]) -> Tensor:
        """[words, panel templates, width]"""
        return torch.stack([self.panel(kind, word) for word in words])

    def _look_up(self, templates: tuple[str, ...], word: str) -> Tensor:
        key = (templates, word)
        if key not in self._known:
            with torch.no_grad():
                embeds = self._encode([fill(template, word) for template in templates])
                self._known[key] = normalise(embeds)
        return self._known[key]
