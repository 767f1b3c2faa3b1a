"""Nearest neighbours of a concept: words of the stack, and other concepts of its run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import streamlit as st
import torch

from core.metrics import imagine_panel, nearest_words
from core.stack.backbone import Backbone
from core.stack.wordbank import WordBank
from evolve import Individual
from evolve.fitness import NEIGHBOURS, OBJECTIVES, evaluate

WORDS = 8
Embeds = Mapping[str, npt.NDArray[np.float32]]


def relatives(embeds: Embeds, id_: str, count: int) -> list[tuple[str, float]]:
    """Nearest concepts by cosine of their image embeddings, nearest first. embeds: [width] by id."""
    if id_ not in embeds:
        return []
    ids = [other for other, embed in embeds.items() if other != id_ and embed.shape == embeds[id_].shape]
    if not ids:
        return []
    others = np.stack([embeds[other] for other in ids])  # [n, width]
    own = embeds[id_]
    lengths = np.linalg.norm(others, axis=1) * np.linalg.norm(own)
    cosines = others @ own / np.maximum(lengths, np.finfo(np.float32).tiny)
    nearest = np.argsort(-cosines, kind="stable")[:count]
    return [(ids[place], float(cosines[place])) for place in nearest]


def words(backbone: Backbone, each: Individual, count: int = WORDS) -> list[tuple[str, float]]:
    """The category's words that a concept resembles most, nearest first."""
    return _words(backbone.fingerprint, each.id, count, backbone, each)


def fitness(backbone: Backbone, each: Individual, embeds: Embeds) -> dict[str, float]:
    """Value of each objective (`evolve.fitness`), with novelty against all others of the run."""
    values = dict(zip(OBJECTIVES, _fitness(backbone.fingerprint, each.id, backbone, each), strict=True))
    near = [cosine for _, cosine in relatives(embeds, each.id, NEIGHBOURS)]
    return values | {"novel": 1 - sum(near) / len(near) if near else 1.0}


@st.cache_resource(max_entries=4, show_spinner=False)
def _bank(fingerprint: str, _backbone: Backbone) -> WordBank:
    return WordBank(_backbone.encode_text, _backbone.width)


@st.cache_data(max_entries=512, show_spinner=False)
def _words(fingerprint: str, id_: str, count: int, _backbone: Backbone, _each: Individual) -> list[tuple[str, float]]:
    concept = _each.concept
    imagined = imagine_panel(_backbone, concept.request.kind, torch.from_numpy(concept.vectors.copy())[None])
    bank = _bank(fingerprint, _backbone)
    return nearest_words(imagined, bank, _backbone, concept.request.kind, concept.request.category, count)[0]


@st.cache_data(max_entries=512, show_spinner=False)
def _fitness(fingerprint: str, id_: str, _backbone: Backbone, _each: Individual) -> tuple[float, ...]:
    return evaluate([_each.concept], _backbone)[0]
