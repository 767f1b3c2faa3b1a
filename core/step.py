"""One step of the optimizer: Eq. 3–5 on what the prior imagines, for a whole batch of concepts at once.

`step(state) → state, losses` is pure: the template, the noise and the parents' images of a step follow from
each concept's seed and the number of its step (core/streams.py). Ablations are other functions, chosen in
`make_step`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from core.concept import Request
from core.constraints import bounds, contrast_loss, mix_loss, negative_term, normalise, weighted_similarity
from core.errors import ConceptreeError
from core.prior import draw_noise
from core.prompts import GROUPS, TEMPLATES
from core.settings import Settings
from core.state import Constraints, Numbers, State, adamw
from core.streams import stream, stream_seed
from core.text import TextFeatures, encode_rows, tokenize

Step = Callable[[State], tuple[State, list[float]]]
Imagine = Callable[[TextFeatures, Sequence[int]], Tensor]
# (prompts in which NAME stands, vectors [n, k, d] for them, one draw each) → image embeddings [n, width]
Embed = Callable[[Sequence[str], Tensor, Sequence["Draw"]], Tensor]
NAME = "<concept>"


class DivergedError(ConceptreeError):
    """The loss is no longer a number."""


@dataclass(frozen=True)
class Draw:
    """What chance decides for one concept at one step."""

    template: int  # into TEMPLATES[kind]
    images: tuple[int, ...]  # one of each parent's
    noise_seed: int


def draw(request: Request, step: int) -> Draw:
    """The draw of a concept at a step, the same in whatever batch. First the group of templates, then one of
    the group.
    """
    template = stream(request.seed, step, "template")
    groups = GROUPS[request.kind]
    group = int(template.integers(len(groups)))
    before = sum(len(each) for each in groups[:group])
    image = stream(request.seed, step, "image")
    return Draw(
        template=before + int(template.integers(len(groups[group]))),
        images=tuple(int(image.integers(len(parent.image_embeds))) for parent in request.mixed),
        noise_seed=stream_seed(request.seed, step, "noise"),
    )


def through_prior(backbone: Any, settings: Settings) -> Imagine:
    """P(E_y(v)): what the prior imagines for the text features, one noise seed for each row."""
    prior = backbone.cached_prior(settings.prior_steps, settings.guidance_scale)

    def imagine(features: TextFeatures, seeds: Sequence[int]) -> Tensor:
        return prior.sample(features, draw_noise(seeds, settings.prior_steps, features.embeds.shape[-1]))

    return imagine


def text_embedding(features: TextFeatures, seeds: Sequence[int]) -> Tensor:
    """E_y(v) itself: the ablation CLIP-ConceptLab, and what the authors' code mixes on."""
    return features.embeds


def in_text_space(request: Request) -> bool:
    """Whether a request's constraints are on the text embedding."""
    settings = request.chosen
    return not settings.through_prior or (bool(request.mixed) and not settings.mix_through_prior)


def make_loss(settings: Settings) -> Callable[[Tensor, Constraints, Numbers, Sequence[Draw]], Tensor]:
    """The loss [n] of imagined unit embeddings [n, width]: Eq. 3 with 4, plus Eq. 5, plus what earlier waves
    repel.

    Earlier waves are a term of their own: their similarities, image to image, have a higher scale than word
    to image, and in one set with the words they would always be the maximum.
    """
    cap, floor = bounds(settings)
    term = negative_term(settings)

    def loss(imagined: Tensor, to: Constraints, numbers: Numbers, draws: Sequence[Draw]) -> Tensor:
        rows = torch.arange(len(imagined), device=imagined.device)
        template = torch.tensor([d.template for d in draws], device=imagined.device)
        positive = torch.einsum("nd,npd->np", imagined, to.positives[rows, :, template])
        negative = torch.einsum("nd,nmd->nm", imagined, to.negatives[rows, :, template])
        avoided = torch.einsum("nd,nad->na", imagined, to.avoid)
        parents = torch.einsum("nd,nqd->nq", imagined, _parents_images(to, draws))
        return (
            contrast_loss(
                negative=term(floor(negative, numbers.min_cosine), to.negative_mask),
                positive=weighted_similarity(cap(positive, numbers.max_cosine), to.positive_weights),
                weight_sum=to.positive_weights.sum(-1),
                lam=numbers.lam,
            )
            + term(floor(avoided, numbers.avoid_floor), to.avoid_mask)
            + mix_loss(parents, to.parent_weights)
        )

    return loss


def make_embed(backbone: Any, settings: Settings, text_space: bool = False) -> Embed:
    """P(E_y(v)), or in text space E_y(v), of prompts."""
    imagine = text_embedding if text_space else through_prior(backbone, settings)

    def embed(prompts: Sequence[str], vectors: Tensor, draws: Sequence[Draw]) -> Tensor:
        tokens = tokenize(backbone.tokenizer, prompts, {NAME: vectors.shape[1]}).to(vectors.device)
        features = encode_rows(backbone.text_encoder, tokens, vectors)
        return imagine(features, [d.noise_seed for d in draws])

    return embed


def make_step(backbone: Any, settings: Settings, text_space: bool = False, embed: Embed | None = None) -> Step:
    """The step for a batch whose requests agree in `settings.together()`. text_space: see `in_text_space`. embed: what
    stands in place of text tower and prior, for models that have none (core/diffusion.py).
    """
    embed = embed or make_embed(backbone, settings, text_space)
    loss = make_loss(settings)

    def step(state: State) -> tuple[State, list[float]]:
        """One step of every row that still learns; losses [n] of this step, NaN for frozen rows."""
        active = state.active
        index = torch.tensor(active, device=state.vectors.device)
        draws = [draw(state.requests[i], state.step[i]) for i in active]
        vectors = state.vectors[index].detach().requires_grad_()
        prompts = [
            TEMPLATES[state.requests[i].kind][d.template].format(NAME) for i, d in zip(active, draws, strict=True)
        ]
        imagined = normalise(embed(prompts, vectors, draws))
        numbers = state.numbers.rows(index)
        losses = loss(imagined, state.constraints.rows(index), numbers, draws)
        # Summed, never averaged: a concept's gradient must not depend on how many learn beside it.
        (gradient,) = torch.autograd.grad(losses.sum(), vectors)
        count = torch.tensor([state.step[i] + 1 for i in active], device=vectors.device)
        values = losses.tolist()
        _check(values, active, state)
        moments = state.exp_avg[index], state.exp_avg_sq[index]
        new = adamw(vectors.detach(), gradient, *moments, count, numbers, settings)
        state = replace(
            state,
            vectors=state.vectors.index_copy(0, index, new[0]),
            exp_avg=state.exp_avg.index_copy(0, index, new[1]),
            exp_avg_sq=state.exp_avg_sq.index_copy(0, index, new[2]),
            step=tuple(done + (i in active) for i, done in enumerate(state.step)),
        )
        by_row = dict(zip(active, values, strict=True))
        return state, [by_row.get(i, float("nan")) for i in range(len(state.requests))]

    return step


def _parents_images(to: Constraints, draws: Sequence[Draw]) -> Tensor:
    """[n, q, width]: of each parent the image drawn; rows with fewer parents stay zero."""
    n, q = to.parent_weights.shape
    if q == 0:
        return to.parents.new_zeros(n, 0, to.parents.shape[-1])
    images = [[*d.images, *[0] * (q - len(d.images))] for d in draws]
    place = torch.tensor(images)
    return to.parents[torch.arange(n)[:, None], torch.arange(q), place]


def _check(losses: Sequence[float], active: Sequence[int], state: State) -> None:
    for i, loss in zip(active, losses, strict=True):
        if loss != loss:
            rate = state.requests[i].chosen.learning_rate
            raise DivergedError(
                f"the loss of {state.requests[i].category!r} (seed {state.requests[i].seed}) is not a number at step"
                f" {state.step[i]}: try a learning rate below {rate:g}"
            )
