"""Variation: parents in, a Request out. `develop` learns it."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from core.aspects import checked_aspect, subspace, with_aspect
from core.concept import TAKES, Array, Avoid, Concept, Parent, Positive, Request, RequestError
from core.constraints import normalise
from core.depict import check_stack, draw_concept, imagine_concept
from core.prompts import portrait
from core.settings import Settings
from core.stack.protocols import Draws, Learns
from core.streams import stream, stream_seed

LEAST_SHARE = 0.02  # the least weight that is drawn for a parent
NO_SPREAD = 1e-3  # below this, rounded drawn weights equal the given ones


@dataclass
class Portraits:
    """How a parent's images are made, see `parent_images`, and those `known` by concept id, which children share."""

    images: int = 32
    keep: int = 4
    drawn: bool = True
    known: MutableMapping[str, Array] = field(default_factory=dict)

    def of(self, concept: Concept, stack: Draws) -> Array:
        """A parent's image embeddings [m, width]: known ones, or new ones, known from now on."""
        if concept.id not in self.known:
            self.known[concept.id] = parent_images(concept, stack, self.images, self.keep, self.drawn)
        return self.known[concept.id]


def mate(
    parents: Sequence[tuple[Concept, float] | Parent],
    stack: Draws,
    seed: int,
    *,
    category: str | None = None,
    settings: Settings | None = None,
    portraits: Portraits | None = None,
    words: Sequence[str | Positive] = (),
    inherit: bool = False,
    takes: Sequence[tuple[str, Concept]] = (),
) -> Request:
    """A request for a child of weighted parents, by Eq. 5 (arXiv 2308.02669 §4.3).

    With the preset `default` it starts from the weighted mean of the parents' vectors, in which the category's word
    stands for photographs; with others from that word, as in the paper.

    parents: concepts with their weights, and photographs, see `photos.photo_parent`. A child moves away from parents
        with weights below 0, and takes neither start, category nor negatives from them.
    category: by default that of the heaviest parent; required if there are only photographs.
    settings: by default those that are calibrated for the stack.
    portraits: of the parents. Give one value to all children of the same parents, so that these are drawn once.
    words: positive words beside the parents. The loss is then λ (1 − S(words)), as in Eq. 3, plus that of Eq. 5.
    inherit: add the category to the positives, and the parents' negatives (Eq. 3). A mixture without them belongs less
        to the category than its parents do.
    takes: aspects, such as "colour", each with the concept that gives it. In the images of Eq. 5 this aspect of the
        parents is replaced by that of the concept, see `core.aspects`; one after the other.

    Raises:
        AspectError: the stack does not know an aspect.
        RequestError: no parents, or parents that do not fit together, see `check_parents`.
        StackError: a parent was learned on another stack.
    """
    photos = [each for each in parents if isinstance(each, Parent)]
    pairs = [each for each in parents if not isinstance(each, Parent)]
    if not parents:
        raise RequestError("a child needs at least one parent")
    if category is None and not any(weight > 0 for _, weight in pairs):
        raise RequestError("a child of photographs alone needs a category: give one")
    portraits = portraits or Portraits()
    check_parents([concept for concept, _ in pairs])
    for concept in (*(concept for concept, _ in pairs), *(giver for _, giver in takes)):
        check_stack(stack, concept)
    mixed = [Parent(concept.id, weight, portraits.of(concept, stack), "mix") for concept, weight in pairs]
    towards = [(concept, weight) for concept, weight in pairs if weight > 0]
    heaviest = max(towards, key=lambda pair: pair[1])[0] if towards else None
    category = category or heaviest.request.category  # type: ignore[union-attr]
    kind = heaviest.request.kind if heaviest else "object"
    own = [Positive("" if kind == "style" else category)] if inherit else []
    besides = [Positive(word) if isinstance(word, str) else word for word in words]
    own += [each for each in besides if each.word.lower() not in (one.word.lower() for one in own)]
    heavy_first = sorted(towards, key=lambda pair: -pair[1]) if inherit else []
    negatives = [negative.word for concept, _ in heavy_first for negative in concept.negatives]
    request = Request(
        category=category,
        kind=kind,
        positives=tuple(own),
        negatives=_distinct(negatives, [category, *(each.word for each in own)]),
        parents=_with_aspects([*mixed, *photos], takes, portraits, stack),
        seed=seed,
        tokens=len(heaviest.vectors) if heaviest else 1,
        settings=settings,
        fingerprint=stack.fingerprint,
    )
    if not towards or (settings is not None and settings.preset != "default"):
        return request
    seen = sum(photo.weight for photo in photos if photo.weight > 0)
    return replace(request, start=_mean_vectors(towards, seen, request, stack))


def _with_aspects(
    parents: Sequence[Parent], takes: Sequence[tuple[str, Concept]], portraits: Portraits, stack: Draws
) -> tuple[Parent, ...]:
    """The parents, those above weight 0 with the taken aspects in their images, and the concepts that give these."""
    givers = []
    for given, giver in takes:
        aspect, of = checked_aspect(given), portraits.of(giver, stack)
        directions = subspace(stack, aspect)
        parents = [
            replace(each, image_embeds=with_aspect(each.image_embeds, of, directions)) if each.weight > 0 else each
            for each in parents
        ]
        givers.append(Parent(giver.id, 0, of, f"{TAKES}{aspect}"))
    return (*parents, *givers)


def check_parents(concepts: Sequence[Concept]) -> None:
    """Check that parents can be mixed.

    Raises:
        RequestError: they differ in kind, number of vectors or stack, or one is given twice.
    """
    for name, values in (
        ("kinds", {concept.request.kind for concept in concepts}),
        ("numbers of vectors", {len(concept.vectors) for concept in concepts}),
        ("stacks", {concept.fingerprint for concept in concepts}),
    ):
        if len(values) > 1:
            raise RequestError(
                f"the parents have different {name} ({', '.join(map(str, sorted(values)))}): choose others"
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
    """A request for a variation: it starts from the parent's vectors and avoids the parent.

    It keeps the parent's negatives without repeats and without the category's own name, which presets of the paper may
    have added.

    word: one more negative, which is then avoided instead of the parent.
    steps: by default the parent's steps × strength.
    run: name of the parent's run, if it is another one.
    words: further positives.
    strength: above 0, up to 1. Scales the steps, and the distance to the parent: the `avoid_floor` moves from 1 towards
        its value in the settings.
    jitter: standard deviation of the noise on the start, times the root mean square of the parent's vectors. Without
        it, all variations of a parent with equal arguments come out alike.

    Raises:
        RequestError: strength is out of range, or a word contradicts the request.
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
    """Weights drawn around the given ones, with the same sum; equal seeds give equal weights. Those below 0 stay.

    From a Dirichlet distribution of concentration 1 / spread² − 1, so that a share w has the standard deviation
    spread × √(w (1 − w)). Eq. 5 has one optimum: without spread, children of the same parents come out alike.

    Raises:
        RequestError: spread is not in [0, 1).
    """
    if not 0 <= spread < 1:
        raise RequestError(f"spread = {spread!r}: expected a number from 0 up to, not including, 1")
    towards = [weight for weight in weights if weight > 0]
    if len(towards) < len(weights):
        drawn = iter(spread_weights(towards, spread, seed))
        return [next(drawn) if weight > 0 else weight for weight in weights]
    if len(weights) < 2 or spread < NO_SPREAD:
        return list(weights)
    shares = np.array(weights, dtype=np.float64) / sum(weights)
    found = np.maximum(stream(seed, 0, "weights").dirichlet(shares * (1 / spread**2 - 1)), LEAST_SHARE)
    return [round(float(share), 3) * sum(weights) for share in found / found.sum()]


def parent_images(concept: Concept, stack: Draws, images: int = 32, keep: int = 4, drawn: bool = True) -> Array:
    """Image embeddings [keep, width] of a parent's portraits: the `keep` of `images` nearest to its `image_embed`.

    drawn: draw the portraits and encode the pictures. If False, take the prior's embeddings, for a stack that cannot
    draw.

    Raises:
        RequestError: keep is not from 1 to images.
    """
    if not 1 <= keep <= images:
        raise RequestError(f"keep = {keep} of images = {images}: keep from 1 to that many")
    prompts = [portrait(concept.request.kind)] * images
    seeds = [stream_seed(concept.request.seed, number, "portrait") for number in range(images)]
    if drawn:
        embeds = stack.encode_images(draw_concept(stack, concept, prompts, seeds))
    else:
        embeds = imagine_concept(stack, concept, prompts, seeds)
    mean = torch.from_numpy(concept.image_embed.copy()).to(embeds)
    similarity = normalise(embeds) @ normalise(mean)
    best = similarity.topk(keep).indices
    return embeds[best].float().cpu().numpy()


def one_of(images: Array, seed: int, of: str) -> Array:
    """One [1, width] of a parent's images [m, width], by a child's seed. of: the parent's id."""
    place = int(stream(seed, 0, f"portrait of {of}").integers(len(images)))
    return images[place : place + 1]


def _shaken(vectors: Array, jitter: float, seed: int) -> Array:
    if not jitter:
        return vectors
    noise = stream(seed, 0, "start").normal(size=vectors.shape) * np.sqrt(np.mean(np.square(vectors)))
    shaken: Array = (vectors + jitter * noise).astype(np.float32)
    return shaken


def _distinct(words: Sequence[str], but: Sequence[str] = ()) -> tuple[str, ...]:
    """The words in order, without repeats and without those in `but`; case does not count."""
    without = {word.lower() for word in but}
    first = {word.lower(): word for word in reversed(words)}
    return tuple(first[word] for word in dict.fromkeys(map(str.lower, words)) if word not in without)


def _mean_vectors(parents: Sequence[tuple[Concept, float]], photos: float, request: Request, stack: Learns) -> Array:
    """Weighted mean [k, d] of the parents' vectors; the category's word stands for photos of weight `photos`."""
    weights = np.array([*(weight for _, weight in parents), photos], dtype=np.float64)
    vectors = [concept.vectors for concept, _ in parents]
    word = stack.word_vector(request.category).float().cpu().numpy() if photos else np.zeros_like(vectors[0])
    rows = np.stack([*vectors, np.broadcast_to(word, vectors[0].shape)])
    return np.tensordot(weights / weights.sum(), rows, axes=1).astype(np.float32)
