"""Shared by tests of experiments: judges, a kill, and rows of a table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from core.errors import ConceptreeError
from tests.stacks import CATEGORIES

STRANGE = "turtle"  # a word that `AnyJudge` does not know


class Killed(BaseException):
    """A kill, as by a signal."""


@contextmanager
def killed_at(message: int) -> Iterator[Callable[[str], None]]:
    """A `tell` of an experiment that kills it at that message; the block ends there."""
    told = []

    def tell(text):
        told.append(text)
        if len(told) == message:
            raise Killed

    with pytest.raises(Killed):
        yield tell


class TinyJudge:
    """Sees the mean colour of a picture; its words are three colours."""

    version = "tiny judge"

    def __init__(self):
        self.categories = {"pet": ["cat", "dog"]}
        self.words = {"pet": (1.0, 0.0, 0.0), "cat": (0.0, 1.0, 0.0), "dog": (0.0, 0.0, 1.0)}

    def embed(self, images):
        colours = [np.asarray(image.convert("RGB"), dtype=np.float32).mean((0, 1)) + 1 for image in images]
        return torch.nn.functional.normalize(torch.tensor(np.stack(colours)), dim=1)

    def similarity(self, images, words):
        return self.embed(images) @ torch.tensor([self.words[word] for word in words]).T


class AnyJudge:
    """Sees thumbnails, and has a random direction for each word but `STRANGE`."""

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


def rows_of(table, **which):
    """The rows of a table with these values."""
    return [row for row in table.to_pylist() if all(row[name] == value for name, value in which.items())]
