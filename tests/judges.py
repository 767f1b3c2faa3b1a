"""A judge for tests of experiments that compare with all of a category's members."""

from __future__ import annotations

import hashlib

import numpy as np
import torch

from core.errors import ConceptreeError
from tests.stacks import CATEGORIES

STRANGE = "turtle"  # a word that it does not know


class AnyJudge:
    """Sees thumbnails, and has a direction of its own for nearly every word."""

    version = "any judge"
    categories = CATEGORIES

    def embed(self, images):
        small = [np.asarray(image.convert("RGB").resize((2, 2)), dtype=np.float32).ravel() for image in images]
        return torch.nn.functional.normalize(torch.tensor(np.stack(small)) - 100, dim=1)

    def similarity(self, images, words):
        return self.embed(images) @ torch.stack([self._direction(word) for word in words]).T

    def _direction(self, word):
        if word == STRANGE:
            raise ConceptreeError(f"the judge does not know the word {word!r}")
        seed = int(hashlib.sha256(word.encode()).hexdigest()[:8], 16)
        direction = torch.randn(12, generator=torch.Generator().manual_seed(seed))
        return torch.nn.functional.normalize(direction, dim=0)
