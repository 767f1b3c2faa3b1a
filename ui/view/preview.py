"""What a mixture of parents looks like before anything is learned: the mean of what they look like, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
import streamlit as st
import torch
from PIL.Image import Image

from core.concept import Array

STEPS = 8  # of the decoder: enough to see what it will be, in a third of the time
COARSE = 0.05  # shares are rounded to it, so that a slider that is moved back finds its picture again
SEED = 1
# Whoever draws sets the steps of the stack's scheduler, which all sessions share.
drawing = Lock()


def mixture(embeds: Sequence[Array], shares: Sequence[float]) -> Array:
    """Where a mixture of parents lies among image embeddings: `[width]`, as long as those of the parents are.

    embeds: what each parent looks like, `[width]` or several of it, `[n, width]`; shares: of each, summing to any
    positive number. Directions are averaged, so that a parent with a longer embedding counts no more than its share.
    """
    weights = np.asarray(shares, dtype=np.float64)
    if len(embeds) != len(weights) or not len(weights) or weights.min() < 0 or not weights.sum() > 0:
        raise ValueError(f"expected one share, not negative, for each of {len(embeds)} parents, got {list(shares)}")
    weights = weights / weights.sum()
    each = [np.atleast_2d(np.asarray(embed, dtype=np.float64)) for embed in embeds]
    directions = np.stack([_direction(rows) for rows in each])  # [parents, width]
    lengths = np.array([np.linalg.norm(rows, axis=1).mean() for rows in each])
    return (_unit(weights @ directions) * (weights @ lengths)).astype(np.float32)


def preview(backbone: Any, embeds: Sequence[Array], shares: Sequence[float]) -> Image:
    """A mixture of parents (see `mixture`), drawn by a stack in a few steps."""
    mixed = torch.from_numpy(mixture(embeds, shares))[None]
    with drawing:
        return backbone.draw(mixed, SEED, steps=STEPS)[0]


def rounded(shares: Sequence[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """Parents and their shares, coarsely and in one order: what a preview is remembered by."""
    total = sum(share for _, share in shares) or 1.0
    near = [(id_, round(round(share / total / COARSE) * COARSE, 2)) for id_, share in shares]
    kept = [(id_, share) for id_, share in near if share] or [(id_, share / total) for id_, share in shares]
    return tuple(sorted(kept))


def remembered(backbone: Any, embeds: dict[str, Array], shares: Sequence[tuple[str, float]]) -> Image:
    """`preview` of parents by id, drawn once for the same parents with nearly the same shares."""
    return _remembered(backbone.drawing_fingerprint, rounded(shares), backbone, embeds)


@st.cache_resource(max_entries=256, show_spinner=False)
def _remembered(stack: str, shares: tuple[tuple[str, float], ...], _backbone: Any, _embeds: dict[str, Array]) -> Image:
    return preview(_backbone, [_embeds[id_] for id_, _ in shares], [share for _, share in shares])


def _direction(rows: Array) -> Array:
    """The mean direction of rows `[n, width]`."""
    return _unit((rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(axis=0))


def _unit(vector: Array) -> Array:
    length = np.linalg.norm(vector)
    return vector / length if length else vector
