"""Preview of a mixture of parents before anything is learned: the mean of their image embeddings, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import streamlit as st
import torch
from PIL.Image import Image

from core.concept import Array
from core.stack.backbone import Backbone
from evolve.mixtures import mixture

STEPS = 8  # of the decoder: enough for a preview, in a third of the time
COARSE = 0.05  # shares are rounded to it, so that moving a slider back finds the cached picture
SEED = 1
# Drawing sets the steps of the stack's scheduler, which all sessions share.
drawing = Lock()


def preview(backbone: Backbone, embeds: Sequence[Array], shares: Sequence[float]) -> Image:
    """Draw a mixture of parents (see `mixture`) in a few steps."""
    mixed = torch.from_numpy(mixture(embeds, shares))[None]
    with drawing:
        return backbone.draw(mixed, SEED, steps=STEPS)[0]


def rounded(shares: Sequence[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """Parents and their rounded shares, sorted: the cache key of a preview."""
    total = sum(share for _, share in shares) or 1.0
    near = [(id_, round(round(share / total / COARSE) * COARSE, 2)) for id_, share in shares]
    kept = [(id_, share) for id_, share in near if share] or [(id_, share / total) for id_, share in shares]
    return tuple(sorted(kept))


def remembered(backbone: Backbone, embeds: dict[str, Array], shares: Sequence[tuple[str, float]]) -> Image:
    """`preview` of parents by id, cached for the same parents with nearly the same shares."""
    return _remembered(backbone.drawing_fingerprint, rounded(shares), backbone, embeds)


@st.cache_resource(max_entries=256, show_spinner=False)
def _remembered(
    stack: str, shares: tuple[tuple[str, float], ...], _backbone: Backbone, _embeds: dict[str, Array]
) -> Image:
    return preview(_backbone, [_embeds[id_] for id_, _ in shares], [share for _, share in shares])
