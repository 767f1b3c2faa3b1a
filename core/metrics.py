"""Measures of a concept on a fixed panel of templates and seeds (`prompts.PANEL`, `prompts.PANEL_SEEDS`).

The panel is the same for every concept, step and preset, so numbers can be compared. Shapes: `imagined`
[n, templates, seeds, width] are the prior's image embeddings; similarities are cosines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from core.concept import Array, Request
from core.constraints import normalise, penalty_of
from core.negatives import says_again
from core.prompts import PANEL, PANEL_SEEDS
from core.stack.protocols import Learns
from core.stack.wordbank import WordBank

PANEL_STEPS, PANEL_GUIDANCE = 5, 4.0


@torch.no_grad()
def imagine_panel(stack: Learns, kind: str, vectors: Tensor) -> Tensor:
    """Imagined embeddings [n, templates, seeds, width] of concepts [n, k, d] on the panel of their kind."""
    names = [f"<concept-{i}>" for i in range(len(vectors))]
    templates = PANEL[kind]
    prompts = [template.format(name) for name in names for template in templates for _ in PANEL_SEEDS]
    imagined = stack.imagine(
        prompts,
        vectors=dict(zip(names, vectors, strict=True)),
        seeds=list(PANEL_SEEDS) * (len(names) * len(templates)),
        steps=PANEL_STEPS,
        guidance_scale=PANEL_GUIDANCE,
    )
    return imagined.view(len(names), len(templates), len(PANEL_SEEDS), -1)


@torch.no_grad()
def imagine_word(stack: Learns, kind: str, word: str) -> Tensor:
    """The same for a word: [1, templates, seeds, width]."""
    templates = PANEL[kind]
    prompts = [template.format(word) for template in templates for _ in PANEL_SEEDS]
    imagined = stack.imagine(
        prompts, seeds=list(PANEL_SEEDS) * len(templates), steps=PANEL_STEPS, guidance_scale=PANEL_GUIDANCE
    )
    return imagined.view(1, len(templates), len(PANEL_SEEDS), -1)


def word_similarity(imagined: Tensor, texts: Tensor) -> Tensor:
    """Similarity [n, words] to words `texts` [words, templates, width] (unit), each in the prompt of its own
    template.
    """
    return torch.einsum("ntsd,wtd->nwts", normalise(imagined), texts).mean((-1, -2))


def image_similarity(imagined: Tensor, image_embeds: Tensor) -> Tensor:
    """Similarity [n] to a set of images [m, width], over all of the panel and all images."""
    return torch.einsum("ntsd,md->nmts", normalise(imagined), normalise(image_embeds)).mean((-1, -2, -3))


def consistency(imagined: Tensor) -> Tensor:
    """[n] how alike a concept looks in different prompts: mean cosine between templates, of the same seed."""
    unit = normalise(imagined).transpose(1, 2)  # [n, seeds, templates, width]
    return _mean_pairwise(unit).mean(-1)


def mean_pairwise_similarity(image_embeds: Tensor) -> float:
    """Mean cosine between the members of a population [n, width]; NaN for fewer than two."""
    if len(image_embeds) < 2:
        return float("nan")
    return float(_mean_pairwise(normalise(image_embeds)))


def similarities(request: Request, imagined: Tensor, negatives: Sequence[str], bank: WordBank) -> dict[str, float]:
    """Similarity of one concept (imagined [1, templates, seeds, width]) to each of its constraints, by name.

    Names: the word (the category, for a style's own positive), "avoid:<id>", "parent:<id>", "<constraint>:<word>" for
    further kinds of constraints.
    """
    words = [p.word for p in request.positives] + list(negatives)
    found: dict[str, float] = {}
    if words:
        values = word_similarity(imagined, bank.panels(request.kind, words))[0].tolist()
        found = {word or request.category: value for word, value in zip(words, values, strict=True)}
    for name, of in request.constraints:
        values = word_similarity(imagined, bank.panels(request.kind, of))[0].tolist()
        found |= {f"{name}:{word}": value for word, value in zip(of, values, strict=True)}
    for avoid in request.avoid:
        found[f"avoid:{avoid.id}"] = float(image_similarity(imagined, _like(avoid.image_embed[None], imagined)))
    for parent in request.mixed:
        found[f"parent:{parent.id}"] = float(image_similarity(imagined, _like(parent.image_embeds, imagined)))
    return found


def scores(request: Request, found: Mapping[str, float], negatives: Sequence[str]) -> dict[str, float]:
    """Scores of a checkpoint, from its `similarities`. The checkpoint with the highest `score` is kept.

    score = min(belongs, cap) − max(nearest, floor) − max(crowded − avoid_floor, 0) + resembles − away. A part is 0 if
    the request has no such constraint. belongs: to the positives, by their weights; nearest: to the nearest negative;
    crowded: to the nearest concept of an earlier wave; resembles: to the parents, by their weights. margin = belongs −
    nearest (Fig. 11). away = Σ |w| max(similarity, avoid_floor) over the parents with weights below 0; repelled: the
    mean similarity to these. A further kind of constraint counts with its negated penalty, under its name.
    """
    settings = request.chosen
    clamped = settings.clamp
    parts: dict[str, float] = {}
    score = 0.0
    if request.positives:
        weights = [p.weight for p in request.positives]
        values = [found[p.word or request.category] for p in request.positives]
        parts["belongs"] = _average(values, weights)
        score += _average([min(v, settings.max_cosine) if clamped else v for v in values], weights)
    if negatives:
        parts["nearest"] = max(found[word] for word in negatives)
        score -= max(parts["nearest"], settings.min_cosine) if clamped else parts["nearest"]
        if "belongs" in parts:
            parts["margin"] = parts["belongs"] - parts["nearest"]
    if request.avoid:
        parts["crowded"] = max(found[f"avoid:{avoid.id}"] for avoid in request.avoid)
        score -= max(parts["crowded"] - settings.avoid_floor, 0.0)
    if request.mixed:
        near = [(found[f"parent:{p.id}"], p.weight) for p in request.mixed if p.weight > 0]
        far = [(found[f"parent:{p.id}"], -p.weight) for p in request.mixed if p.weight < 0]
        parts["resembles"] = _average(*zip(*near, strict=True))
        score += parts["resembles"]
        if far:
            parts["repelled"] = _average(*zip(*far, strict=True))
            total = sum(weight for _, weight in near)
            score -= sum(w / total * (max(v, settings.avoid_floor) if clamped else v) for v, w in far)
    for name, of in request.constraints:
        similarity = torch.tensor([[found[f"{name}:{word}"] for word in of]])
        parts[name] = -float(penalty_of(name)(similarity, torch.ones_like(similarity, dtype=torch.bool)))
        score += parts[name]
    return {"score": score, **parts}


def membership(
    request: Request, imagined: Tensor, bank: WordBank, known: Sequence[str], negatives: Sequence[str] = ()
) -> dict[str, float]:
    """Membership of one concept (imagined [1, templates, seeds, width]) in its category, for any request.

    category: similarity to the category's word. differs: that, minus the similarity to the nearest of the `known`
    members, or of its negatives if there are none; left out if there are neither.
    """
    own = "" if request.kind == "style" else request.category
    others = [word for word in known if not says_again(word, own)] or list(negatives)
    category, *near = word_similarity(imagined, bank.panels(request.kind, [own, *others]))[0].tolist()
    return {"category": category} | ({"differs": category - max(near)} if near else {})


def nearest_words(
    imagined: Tensor, bank: WordBank, stack: Learns, kind: str, category: str, count: int = 5
) -> list[list[tuple[str, float]]]:
    """For each concept, its most similar words of the category: (word, similarity), nearest first."""
    words = stack.vocabulary.members(category, kind)
    if not words:
        return [[] for _ in imagined]
    similarity = word_similarity(imagined, bank.panels(kind, words))
    values, places = similarity.topk(min(count, len(words)), dim=-1)
    return [
        [(words[place], value) for place, value in zip(row_places, row_values, strict=True)]
        for row_places, row_values in zip(places.tolist(), values.tolist(), strict=True)
    ]


def _average(values: Sequence[float], weights: Sequence[float]) -> float:
    return sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)


def _like(array: Array, tensor: Tensor) -> Tensor:
    return torch.from_numpy(array.copy()).to(tensor)


def _mean_pairwise(unit: Tensor) -> Tensor:
    """Mean cosine between different ones of [..., n, width] unit vectors: [...]"""
    n = unit.shape[-2]
    total = (unit @ unit.transpose(-1, -2)).sum((-1, -2))
    return (total - n) / (n * (n - 1))
