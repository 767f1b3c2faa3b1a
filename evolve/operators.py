"""Breeding: parents in, a Request out. Nothing is learned here; `develop` does that."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from core.concept import Array, Avoid, Concept, Parent, Positive, Request, RequestError
from core.constraints import normalise
from core.depict import check_stack, draw_concept, imagine_concept
from core.prompts import portrait
from core.settings import Settings
from core.streams import stream, stream_seed

Images = MutableMapping[str, Array]
LEAST_SHARE = 0.02  # of a parent whose weight is drawn
NO_SPREAD = 1e-3  # below this the drawn weights are those given, to the digits that are kept of them


def mate(
    parents: Sequence[tuple[Concept, float]],
    backbone: Any,
    seed: int,
    *,
    category: str | None = None,
    settings: Settings | None = None,
    warm: bool | None = None,
    drawn: bool = True,
    images: int = 32,
    keep: int = 4,
    known: Images | None = None,
    photos: Sequence[Parent] = (),
    homes: Mapping[str, str] | None = None,
    words: Sequence[str | Positive] = (),
    inherit: bool = False,
) -> Request:
    """A child of any number of weighted parents, by Eq. 5 (arXiv 2308.02669 §4.3).

    Of each parent `images` pictures are drawn and the `keep` best kept, see `parent_images`; `known` remembers them by
    concept id, for the next child. warm: start from the weighted mean of the parents' vectors, in which the category's
    word stands for photographs, which have none; else from that word, as in the paper. By default warm, unless the
    settings are of another preset than `default`. category: by default that of the heaviest parent; photographs alone
    have none. photos: parents from outside, see `photos.photo_parent`. homes: for parents of other runs, by concept id,
    the names of those runs. words: what it shall be besides ("blue"), with weights where they are positives, by the
    positive part of Eq. 3, whose λ stands in the settings: the loss is then λ (1 − S(words)) plus that of Eq. 5.
    inherit: it shall also be of the category (weight 1 among the words), and keep away from what its parents keep away
    from (Eq. 3); what lies between two members is less of the category.
    """
    if not parents and not photos:
        raise RequestError("a child needs at least one parent")
    if not parents and category is None:
        raise RequestError("a child of photographs alone needs a category: say what it shall be")
    concepts = [concept for concept, _ in parents]
    check_parents(concepts)
    known = {} if known is None else known
    for concept in concepts:
        check_stack(backbone, concept)
        if concept.id not in known:
            known[concept.id] = parent_images(concept, backbone, images, keep, drawn)
    heaviest = max(parents, key=lambda pair: pair[1])[0] if parents else None
    homes = homes or {}
    mixed = [Parent(c.id, weight, known[c.id], "mix", homes.get(c.id, "")) for c, weight in parents]
    category = category or heaviest.request.category  # type: ignore[union-attr]
    kind = heaviest.request.kind if heaviest else "object"
    own = [Positive("" if kind == "style" else category)] if inherit else []
    besides = [Positive(word) if isinstance(word, str) else word for word in words]
    own += [each for each in besides if each.word.lower() not in (one.word.lower() for one in own)]
    heavy_first = sorted(parents, key=lambda pair: -pair[1]) if inherit else []
    negatives = [negative.word for concept, _ in heavy_first for negative in concept.negatives]
    request = Request(
        category=category,
        kind=kind,
        positives=tuple(own),
        negatives=_distinct(negatives, [category, *(each.word for each in own)]),
        parents=(*mixed, *photos),
        seed=seed,
        tokens=len(heaviest.vectors) if heaviest else 1,
        settings=settings,
        fingerprint=backbone.fingerprint,
    )
    warm = (settings is None or settings.preset == "default") if warm is None else warm
    if not warm or not parents:
        return request
    return replace(request, start=_mean_vectors(parents, sum(p.weight for p in photos), request, backbone))


def check_parents(concepts: Sequence[Concept]) -> None:
    """Refuse parents that cannot have a child together.

    Raises:
        RequestError: they are of different kinds, sizes or stacks, or one is given twice.
    """
    for name, values in (
        ("kinds", {concept.request.kind for concept in concepts}),
        ("numbers of vectors", {len(concept.vectors) for concept in concepts}),
        ("stacks", {concept.fingerprint for concept in concepts}),
    ):
        if len(values) > 1:
            raise RequestError(
                f"the parents have different {name} ({', '.join(map(str, sorted(values)))}): choose alike"
            )
    if len({concept.id for concept in concepts}) < len(concepts):
        raise RequestError("a parent is given twice: give it once, with the sum of the weights")


def mutate(
    concept: Concept,
    seed: int,
    *,
    word: str | None = None,
    steps: int | None = None,
    run: str = "",
    words: Sequence[str] = (),
    strength: float = 1.0,
    jitter: float = 0.0,
) -> Request:
    """A variation: learning goes on from the parent's vectors with the parent itself as something to avoid.

    It keeps the parent's negatives, each once; the presets of the paper may also have added the category's own name,
    which is left out. word: a further negative, in place of the parent. words: further positives, what it shall be
    besides. strength: above 0, up to 1; how far it goes: as a share of the parent's steps, and of the way from 1 to the
    similarity at which what is avoided pushes no more, the `avoid_floor`. steps: their number, whatever the strength.
    jitter: how far from the parent's vectors it starts, times their root mean square; by the seed. Without it all
    variations of a parent go the same way.
    """
    if not 0 < strength <= 1:  # NaN is neither
        raise RequestError(f"strength = {strength!r}: expected a number above 0, up to 1")
    request, settings = concept.request, concept.request.chosen
    more = [each for each in words if each.lower() not in (positive.word.lower() for positive in request.positives)]
    positives = request.positives or (Positive("" if request.kind == "style" else request.category),)
    own = [request.category, *(positive.word for positive in positives), *more]
    negatives = _distinct([negative.word for negative in concept.negatives], own)
    if word is not None:
        negatives = _distinct([*negatives, word])  # the category itself is refused here, as in every request
    avoid = request.avoid if word is not None else (*request.avoid, Avoid(concept.id, concept.image_embed))
    return replace(
        request,
        negatives=negatives,
        schedule="list" if negatives else "none",
        parents=(Parent(concept.id, 1.0, concept.image_embed[None], "mutate", run),),
        avoid=avoid,
        positives=(*positives, *map(Positive, more)) if more else request.positives,
        seed=seed,
        start=_shaken(concept.vectors, jitter, seed),
        fingerprint=concept.fingerprint,
        settings=replace(
            settings,
            steps=max(1, round(settings.steps * strength)) if steps is None else steps,
            avoid_floor=settings.avoid_floor if strength == 1 else 1 - strength * (1 - settings.avoid_floor),
        ),
    )


def spread_weights(weights: Sequence[float], spread: float, seed: int) -> list[float]:
    """Weights around the given ones, with the same sum: Dirichlet with a standard deviation of `spread` times the most
    that is possible, √(w (1 − w)); that is a concentration of 1 / spread² − 1. Equal seeds give equal weights.

    Eq. 5 has one optimum: children of the same parents with the same weights come out alike.
    """
    if not 0 <= spread < 1:
        raise RequestError(f"spread = {spread!r}: expected a number from 0 up to, not including, 1")
    if len(weights) < 2 or spread < NO_SPREAD:
        return list(weights)
    shares = np.array(weights, dtype=np.float64) / sum(weights)
    drawn = stream(seed, 0, "weights").dirichlet(shares * (1 / spread**2 - 1))
    drawn = np.maximum(drawn, LEAST_SHARE)  # a parent is there, however little
    return [round(float(share), 3) * sum(weights) for share in drawn / drawn.sum()]


def parent_images(concept: Concept, backbone: Any, images: int = 32, keep: int = 4, drawn: bool = True) -> Array:
    """Image embeddings [keep, width] of a parent: drawn, seen again by the image encoder, the truest ones
    kept.

    A person would keep those that look most like the concept; here those nearest to what the prior imagines
    of it. drawn: False takes the imagined embeddings themselves, for a stack that cannot draw.
    """
    if not 1 <= keep <= images:
        raise RequestError(f"keep = {keep} of images = {images}: keep at least 1, and no more than are drawn")
    prompts = [portrait(concept.request.kind)] * images
    seeds = [stream_seed(concept.request.seed, number, "portrait") for number in range(images)]
    if drawn:
        embeds = backbone.encode_images(draw_concept(backbone, concept, prompts, seeds))
    else:
        embeds = imagine_concept(backbone, concept, prompts, seeds)
    mean = torch.from_numpy(concept.image_embed.copy()).to(embeds)
    similarity = normalise(embeds) @ normalise(mean)
    best = similarity.topk(keep).indices
    return embeds[best].float().cpu().numpy()


def one_of(images: Array, seed: int, of: str) -> Array:
    """One [1, width] of a parent's images [m, width], by a child's seed."""
    place = int(stream(seed, 0, f"portrait of {of}").integers(len(images)))
    return images[place : place + 1]


def _shaken(vectors: Array, jitter: float, seed: int) -> Array:
    if not jitter:
        return vectors
    noise = stream(seed, 0, "start").normal(size=vectors.shape) * np.sqrt(np.mean(np.square(vectors)))
    return (vectors + jitter * noise).astype(np.float32)


def _distinct(words: Sequence[str], but: Sequence[str] = ()) -> tuple[str, ...]:
    """The words in their order, without those in `but` and without repeats, whatever their case."""
    without = {word.lower() for word in but}
    first = {word.lower(): word for word in reversed(words)}
    return tuple(first[word] for word in dict.fromkeys(map(str.lower, words)) if word not in without)


def _mean_vectors(parents: Sequence[tuple[Concept, float]], photos: float, request: Request, backbone: Any) -> Array:
    """The weighted mean [k, d] of the parents' vectors and, by the weight of the photographs, the category's word."""
    weights = np.array([*(weight for _, weight in parents), photos], dtype=np.float64)
    vectors = [concept.vectors for concept, _ in parents]
    word = backbone.word_vector(request.category).float().cpu().numpy() if photos else np.zeros_like(vectors[0])
    stack = np.stack([*vectors, np.broadcast_to(word, vectors[0].shape)])
    return np.tensordot(weights / weights.sum(), stack, axes=1).astype(np.float32)
