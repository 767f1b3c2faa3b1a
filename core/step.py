"""One step of the optimizer: Eq. 3–5 on imagined embeddings, for a batch of concepts.

`step(state) → state, losses` is pure: template, noise and parents' images follow from each concept's seed and the
number of its step (core/streams.py). It never waits for the device; `check_losses` reads losses between steps.
Ablations are other functions, chosen in `make_step`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate

import torch
from torch import Tensor

from core.concept import Request
from core.constraints import (
    away_loss,
    bounds,
    contrast_loss,
    mix_loss,
    negative_term,
    normalise,
    penalty_of,
    weighted_similarity,
)
from core.errors import ConceptreeError
from core.frames import Frames, ends_of
from core.prompts import GROUPS, NAME, TEMPLATES
from core.settings import Settings
from core.stack.eclipse import CausalPrior
from core.stack.prior import draw_noise
from core.stack.protocols import HasPrior, Prior
from core.stack.text import encode
from core.stack.transfer import sent
from core.state import Constraints, Numbers, State, adamw
from core.streams import stream, stream_seed

Step = Callable[[State], tuple[State, Tensor]]
# (vectors [n, k, d], one draw each) → image embeddings [n, width]
Embed = Callable[[Tensor, Sequence["Draw"]], Tensor]


class DivergedError(ConceptreeError):
    """The loss is not a number."""


@dataclass(frozen=True)
class Draw:
    """The random choices for one concept at one step."""

    kind: str
    template: int  # into `templates`
    images: tuple[int, ...]  # one of each parent's
    noise_seed: int
    own: tuple[str, ...] = ()  # templates of the request; by default those of its kind

    @property
    def templates(self) -> tuple[str, ...]:
        return self.own or TEMPLATES[self.kind]

    @property
    def prompt(self) -> str:
        """The prompt, with NAME in place of the concept."""
        return self.templates[self.template].format(NAME)


def draw(request: Request, step: int) -> Draw:
    """The draw of a concept at a step, which does not depend on its batch: a group of templates, then one of it."""
    template = stream(request.seed, step, "template")
    groups = (request.templates,) if request.templates else GROUPS[request.kind]
    group = int(template.integers(len(groups)))
    before = sum(len(each) for each in groups[:group])
    image = stream(request.seed, step, "image")
    return Draw(
        kind=request.kind,
        template=before + int(template.integers(len(groups[group]))),
        images=tuple(int(image.integers(len(parent.image_embeds))) for parent in request.mixed),
        noise_seed=stream_seed(request.seed, step, "noise"),
        own=request.templates,
    )


def in_text_space(request: Request) -> bool:
    """Whether a request's constraints are on the text embedding."""
    settings = request.chosen
    return not settings.through_prior or (bool(request.mixed) and not settings.mix_through_prior)


def make_loss(
    settings: Settings, text_space: bool = False
) -> Callable[[Tensor, Constraints, Numbers, Sequence[Draw]], Tensor]:
    """The loss [n] of imagined unit embeddings [n, width]: Eq. 3 with 4, Eq. 5, and the repulsion of earlier waves and
    of parents with weights below 0.

    Earlier waves are a term of their own: similarities between images have a higher scale than those between word and
    image, so among the words they would always be the maximum. text_space: the embeddings are of texts, so parents are
    on the scale of words.
    """
    cap, floor = bounds(settings)
    term = negative_term(settings)
    # By their mistake the authors' mix is a mean with the text of the row without prompt too. That is a constant.
    rows_of_text = 2 if text_space and settings.as_coded else 1

    def away_floor(numbers: Numbers) -> Tensor:
        return numbers.min_cosine if text_space else numbers.avoid_floor

    def loss(imagined: Tensor, to: Constraints, numbers: Numbers, draws: Sequence[Draw]) -> Tensor:
        rows = torch.arange(len(imagined), device=imagined.device)
        template = sent(torch.tensor([d.template for d in draws]), imagined.device)
        positive = torch.einsum("nd,npd->np", imagined, to.positives[rows, :, template])
        negative = torch.einsum("nd,nmd->nm", imagined, to.negatives[rows, :, template])
        avoided = torch.einsum("nd,nad->na", imagined, to.avoid)
        parents = torch.einsum("nd,nqd->nq", imagined, _parents_images(to, draws))
        total = (
            contrast_loss(
                negative=term(floor(negative, numbers.min_cosine), to.negative_mask),
                positive=weighted_similarity(cap(positive, numbers.max_cosine), to.positive_weights),
                weight_sum=to.positive_weights.sum(-1),
                lam=numbers.lam,
            )
            + term(floor(avoided, numbers.avoid_floor), to.avoid_mask)
            + mix_loss(parents / rows_of_text, to.parent_weights)
            + away_loss(floor(parents, away_floor(numbers)) / rows_of_text, to.parent_weights)
        )
        for name, words, mask in to.further:
            similarity = torch.einsum("nd,nmd->nm", imagined, words[rows, :, template])
            total = total + torch.where(mask.any(-1), penalty_of(name)(similarity, mask), 0)
        return total

    return loss


def make_embed(stack: HasPrior, settings: Settings, text_space: bool = False) -> Embed:
    """P(E_y(v)) of each draw or, in text space, E_y(v): the ablation CLIP-ConceptLab, and the space in which the
    authors' code mixes.
    """
    steps = settings.prior_steps
    prior = None if text_space else stack.cached_prior(steps, settings.guidance_scale)
    if prior is not None and not isinstance(prior, CausalPrior):
        return _plain_embed(stack, prior, steps)

    @lru_cache(maxsize=1)
    def frames(lists: tuple[tuple[str, ...], ...], k: int) -> tuple[Frames, dict[tuple[str, ...], int]]:
        """The frames of some lists of templates, and where those of each begin."""
        first = dict(zip(lists, accumulate([0, *map(len, lists)]), strict=False))
        templates = [each for of in lists for each in of]
        if prior is None or not settings.as_coded:
            return Frames(stack, templates, k, prior), first
        ends = ends_of(stack, templates, k)
        distinct = sorted(set(ends))
        pooling = stack.cached_prior(steps, settings.guidance_scale, distinct)
        if pooling is prior:  # it reads no empty prompt
            return Frames(stack, templates, k, prior), first
        assert isinstance(pooling, CausalPrior)
        return Frames(stack, templates, k, pooling, [distinct.index(end) for end in ends]), first

    def embed(vectors: Tensor, draws: Sequence[Draw]) -> Tensor:
        lists = dict(sorted({(d.kind, d.own): d.templates for d in draws}.items()))
        of, first = frames(tuple(dict.fromkeys(lists.values())), vectors.shape[1])
        noise = draw_noise([d.noise_seed for d in draws], steps, stack.width) if prior else None
        return of.embeds([first[d.templates] + d.template for d in draws], vectors, noise)

    return embed


def _plain_embed(stack: HasPrior, prior: Prior, steps: int) -> Embed:
    """P(E_y(v)) by any prior, without the caches that a `CausalPrior` allows: whole prompts at each step."""

    def embed(vectors: Tensor, draws: Sequence[Draw]) -> Tensor:
        names = [f"<concept-{row}>" for row in range(len(draws))]
        prompts = [d.prompt.replace(NAME, name) for d, name in zip(draws, names, strict=True)]
        features = encode(stack.text_encoder, stack.tokenizer, prompts, dict(zip(names, vectors, strict=True)))
        return prior.sample(features, draw_noise([d.noise_seed for d in draws], steps, stack.width))

    return embed


def make_step(stack: HasPrior, settings: Settings, text_space: bool = False, embed: Embed | None = None) -> Step:
    """The step for a batch whose requests agree in `settings.together()`. text_space: see `in_text_space`. embed:
    replaces text tower and prior, for models without a prior (core/sd_conceptlab.py).
    """
    embed = embed or make_embed(stack, settings, text_space)
    loss = make_loss(settings, text_space)

    def step(state: State) -> tuple[State, Tensor]:
        """One step of every active row; losses [n] of this step, NaN for frozen rows."""
        active, device = state.active, state.vectors.device
        index = sent(torch.tensor(active), device)
        draws = [draw(state.requests[i], state.step[i]) for i in active]
        vectors = state.vectors[index].detach().requires_grad_()
        imagined = normalise(embed(vectors, draws))
        numbers = state.numbers.rows(index)
        losses = loss(imagined, state.constraints.rows(index), numbers, draws)
        # Summed, not averaged: a concept's gradient must not depend on the size of its batch.
        (gradient,) = torch.autograd.grad(losses.sum(), vectors)
        count = sent(torch.tensor([state.step[i] + 1 for i in active]), device)
        moments = state.exp_avg[index], state.exp_avg_sq[index]
        new = adamw(vectors.detach(), gradient, *moments, count, numbers, settings)
        every = torch.full((len(state.requests),), torch.nan, dtype=losses.dtype, device=device)
        state = replace(
            state,
            vectors=state.vectors.index_copy(0, index, new[0]),
            exp_avg=state.exp_avg.index_copy(0, index, new[1]),
            exp_avg_sq=state.exp_avg_sq.index_copy(0, index, new[2]),
            step=tuple(done + (i in active) for i, done in enumerate(state.step)),
        )
        return state, every.index_copy(0, index, losses.detach())

    return step


def check_losses(losses: Sequence[tuple[State, Tensor]]) -> None:
    """Wait for steps, each given as its initial state and its losses [n].

    Raises:
        DivergedError: the first loss that is not a number, with its step.
    """
    if not losses:
        return
    values = torch.stack([each for _, each in losses]).tolist()
    for (state, _), row in zip(losses, values, strict=True):
        for i in state.active:
            if row[i] != row[i]:
                request = state.requests[i]
                raise DivergedError(
                    f"the loss of {request.category!r} (seed {request.seed}) is not a number at step {state.step[i]}:"
                    f" try a learning rate below {request.chosen.learning_rate:g}"
                )


def _parents_images(to: Constraints, draws: Sequence[Draw]) -> Tensor:
    """[n, q, width]: the drawn image of each parent; zeros for rows with fewer parents."""
    n, q = to.parent_weights.shape
    if q == 0:
        return to.parents.new_zeros(n, 0, to.parents.shape[-1])
    images = [[*d.images, *[0] * (q - len(d.images))] for d in draws]
    device = to.parents.device
    rows, parents = torch.arange(n, device=device), torch.arange(q, device=device)
    return to.parents[rows[:, None], parents, sent(torch.tensor(images), device)]
