"""Sampling of the Kandinsky diffusion prior: exact, cached, differentiable.

The prior reads `[text tokens, text embedding, time, noisy image, query]` with causal attention. As published, every
denoising step runs all of it, padded to 77 text tokens, once with and once without the prompt. These shortcuts do not
change the result (docs/design.md):

- keys and values of text and text embedding serve all denoising steps; padding is left out;
- no time token sees the noisy image, so the time tokens of all steps are computed together with the text;
- the first noisy image is known in advance, so the first denoising step runs in the same pass;
- the branch without prompt has constant keys and values up to and including its time tokens;
- each later step runs two tokens for each branch, both branches in one sequence that a mask keeps apart;
- the last layer runs for the query tokens only; of the others it needs just keys and values;
- the tokens before a concept's vectors are constants, read once for all steps of learning (core/frames.py).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import ConceptreeError, StackError
from core.stack.text import Past, TextFeatures, additive
from core.stack.transfer import sent
from core.stack.transformer import check_tokens, embed_token, joined, predicted, run, text_tokens

if TYPE_CHECKING:
    from diffusers import PriorTransformer, UnCLIPScheduler

ADDITIONAL = 4  # tokens after the text: text embedding, time, noisy image, query


@dataclass(frozen=True)
class Denoise:
    """One step of UnCLIPScheduler as numbers: `previous = predicted · clip(x_0) + current · latent + sigma · noise`."""

    timestep: int
    predicted: float
    current: float
    sigma: float


def denoising_steps(scheduler: UnCLIPScheduler, steps: int) -> list[Denoise]:
    """The coefficients of UnCLIPScheduler in each of `steps` steps (Eq. 7 of arXiv 2006.11239).

    They are computed in float32, as in the scheduler, in any precision of the model.
    """
    if steps < 2:
        raise ConceptreeError(f"prior steps = {steps}: expected at least 2")
    config = scheduler.config
    if (config.prediction_type, config.variance_type) != ("sample", "fixed_small_log"):
        raise StackError(
            "the prior's scheduler must predict 'sample' with variance 'fixed_small_log',"
            f" got {config.prediction_type!r} and {config.variance_type!r}"
        )
    scheduler = copy.deepcopy(scheduler)
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps.tolist()
    result = []
    for t, previous in zip(timesteps, [*timesteps[1:], -1], strict=True):
        alpha_prod = scheduler.alphas_cumprod[t]
        alpha_prod_prev = scheduler.alphas_cumprod[previous] if previous >= 0 else scheduler.one
        beta_prod, beta_prod_prev = 1 - alpha_prod, 1 - alpha_prod_prev
        if previous == t - 1:
            beta, alpha = scheduler.betas[t], scheduler.alphas[t]
        else:
            beta = 1 - alpha_prod / alpha_prod_prev
            alpha = 1 - beta
        predicted = alpha_prod_prev**0.5 * beta / beta_prod
        current = alpha**0.5 * beta_prod_prev / beta_prod
        # The scheduler multiplies the noise with what it calls variance: for fixed_small_log, its square root.
        sigma = scheduler._get_variance(t, prev_timestep=previous).item() if t > 0 else 0.0
        result.append(Denoise(t, predicted.item(), current.item(), sigma))
    return result


def draw_noise(seeds: Sequence[int], steps: int, width: int) -> Tensor:
    """`[steps, n, width]` float32 noise, each row from its own seed, in the order in which diffusers draws it.

    The first is the initial latent; the scheduler adds the others. A row depends on its seed alone.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    rows = [torch.cat([torch.randn(1, width, generator=each) for _ in range(steps)]) for each in generators]
    return torch.stack(rows, dim=1)


class CachedPrior:
    """The prior with its scheduler, for a fixed number of steps and guidance; equal to diffusers' pipeline.

    `unconditional` are the features (one row) of the empty prompt, the meaning of `negative_prompt=None` in the
    pipeline, or of a negative prompt. Guidance of 1 or less leaves that branch out. Several rows of the same length
    differ in their pooling (`text.encode_empty`), and `sample` chooses among them.
    """

    def __init__(
        self,
        prior: PriorTransformer,
        scheduler: UnCLIPScheduler,
        steps: int,
        guidance_scale: float,
        unconditional: TextFeatures,
    ) -> None:
        check_tokens(prior, ADDITIONAL)
        self.prior = prior
        self.steps = steps
        self.guidance_scale = float(guidance_scale)
        self.guided = guidance_scale > 1
        self.denoising = denoising_steps(scheduler, steps)
        self.clip = scheduler.config.clip_sample_range if scheduler.config.clip_sample else float("inf")
        with torch.no_grad():
            _, time, self._noisy_position, query = prior.positional_embedding[0, -ADDITIONAL:]
            timesteps = torch.tensor([each.timestep for each in self.denoising], device=time.device)
            self._times = prior.time_embedding(prior.time_proj(timesteps).to(time.dtype)) + time
            self._query = prior.prd_embedding[0] + query
            self._layout, self._real, self._past = _no_tokens(time.device), unconditional.mask[:1, :0], []
            if self.guided:
                layout = _prefix_layout(0, unconditional.mask.shape[1], steps, False, time.device)
                real = _real(layout, unconditional.mask[:1])
                mask = _visible(layout, layout, real, time.dtype)
                self._past = run(prior, self._prefix(unconditional, None), [], mask, needed=0)[1]
                self._layout, self._real = layout, real

    @torch.no_grad()
    def read(self, features: TextFeatures) -> Past:
        """The tokens of prompts, as the `past` of `sample`."""
        layout = _text_layout(features.mask.shape[1], features.mask.device)
        mask = _visible(layout, layout, features.mask, features.hidden.dtype)
        return Past.of(run(self.prior, text_tokens(self.prior, features, None), [], mask, needed=0)[1], features.mask)

    def sample(
        self, features: TextFeatures, noise: Tensor, past: Past | None = None, without: Tensor | None = None
    ) -> Tensor:
        """Image embeddings `[n, width]` as diffusers' pipeline returns them, differentiable in `features`.

        `noise` is `[steps, n, width]`, from `draw_noise`. past: the tokens before those of `features`, from `read`.
        without: `[n]` the row of `unconditional` for each row, by default the first. The result is in float32 at least.
        """
        n, length = features.mask.shape
        expected = [self.steps, n, self.prior.config.embedding_dim]
        if list(noise.shape) != expected:
            raise ConceptreeError(f"expected noise of shape [steps, n, width] = {expected}, got {list(noise.shape)}")
        device, dtype = features.embeds.device, features.embeds.dtype
        # Denoising is in float32 at least: guidance would magnify the rounding of half precision.
        noise = sent(noise, device).to(torch.promote_types(dtype, torch.float32))

        before = 0 if past is None else past.mask.shape[1]
        prefix = _prefix_layout(before, length, self.steps, True, device)
        seen = torch.cat([self._layout, _text_layout(before, device), prefix], dim=1)
        real = [self._real.expand(n, -1), *([past.mask] if past else []), _real(prefix, features.mask)]
        visible = torch.cat(real, dim=1)
        if without is None:
            known = [(key[:1].expand(n, -1, -1, -1), value[:1].expand(n, -1, -1, -1)) for key, value in self._past]
        else:
            known = [(key[without], value[without]) for key, value in self._past]
        if past is not None:
            known = [joined(known[i : i + 1], past.layer(i)) for i in range(len(self.prior.transformer_blocks))]

        latent = noise[0]
        for step in range(self.steps):
            tail = _tail_layout(step, self.guided, device)
            tokens, layout = self._tail(latent.to(dtype)), tail
            if step == 0:
                tokens = torch.cat([self._prefix(features, past), tokens], dim=1)
                layout = torch.cat([prefix, tail], dim=1)
            keys = torch.cat([seen, tail], dim=1)
            mask = _visible(layout, keys, F.pad(visible, (0, tail.shape[1]), value=True), dtype)
            hidden, keys_values = run(self.prior, tokens, known, mask, needed=2 if self.guided else 1)
            if step == 0:
                known = [(key[:, :, : seen.shape[1]], value[:, :, : seen.shape[1]]) for key, value in keys_values]
            latent = self._denoise(step, self._predict(hidden), latent, noise)
        return self.prior.post_process_latents(latent)

    def _prefix(self, features: TextFeatures, past: Past | None) -> Tensor:
        """`[n, length + 1 + steps, inner]` text tokens, text embedding and the time tokens of all steps."""
        times = self._times.expand(len(features.mask), -1, -1)
        embed = embed_token(self.prior, features)[:, None]
        return torch.cat([text_tokens(self.prior, features, past), embed, times], dim=1)

    def _tail(self, latent: Tensor) -> Tensor:
        """`[n, 2 or 4, inner]` noisy image and query, for each branch."""
        noisy = (self.prior.proj_in(latent) + self._noisy_position)[:, None]
        query = self._query.expand(len(latent), -1, -1)
        return torch.cat([noisy, noisy, query, query] if self.guided else [noisy, query], dim=1)

    def _predict(self, hidden: Tensor) -> Tensor:
        """The predicted image embedding `[n, width]` under classifier-free guidance."""
        told = predicted(self.prior, hidden)
        if not self.guided:
            return told[:, 0]
        prompted, unprompted = told.unbind(dim=1)
        return unprompted + self.guidance_scale * (prompted - unprompted)

    def _denoise(self, step: int, predicted: Tensor, latent: Tensor, noise: Tensor) -> Tensor:
        now = self.denoising[step]
        latent = now.predicted * predicted.clamp(-self.clip, self.clip) + now.current * latent
        return latent + now.sigma * noise[step + 1] if step + 1 < self.steps else latent


# A layout `[3, tokens]` holds each token's branch (1: with prompt), its place in the prior's sequence, and its
# denoising step (-1: all of them). The mask between any two runs of tokens follows from their layouts.
_EVERY_STEP = -1
_EMBED, _TIME, _NOISY, _QUERY = range(10**6, 10**6 + 4)


def _no_tokens(device: torch.device) -> Tensor:
    return torch.zeros(3, 0, dtype=torch.long, device=device)


# Cached, so that a step of learning does not send them to the device again.
@lru_cache(maxsize=1024)
def _text_layout(length: int, device: torch.device) -> Tensor:
    """The layout of a prompt's first tokens."""
    return sent(torch.tensor([[1] * length, [*range(length)], [_EVERY_STEP] * length], dtype=torch.long), device)


@lru_cache(maxsize=1024)
def _prefix_layout(before: int, length: int, steps: int, prompted: bool, device: torch.device) -> Tensor:
    """The layout of `length` text tokens after `before` others, the text embedding, and all time tokens."""
    places = [*range(before, before + length), _EMBED, *[_TIME] * steps]
    when = [_EVERY_STEP] * (length + 1) + list(range(steps))
    return sent(torch.tensor([[int(prompted)] * len(places), places, when]), device)


@lru_cache(maxsize=1024)
def _tail_layout(step: int, guided: bool, device: torch.device) -> Tensor:
    """The layout of the noisy image and the query at one denoising step."""
    branches = (1, 0) if guided else (1,)
    places = [_NOISY] * len(branches) + [_QUERY] * len(branches)
    return sent(torch.tensor([branches * 2, places, [step] * len(places)]), device)


def _real(layout: Tensor, mask: Tensor) -> Tensor:
    """`[n, tokens]` False at the padding of the text, as in `mask` `[n, length]`."""
    return F.pad(mask, (0, layout.shape[1] - mask.shape[1]), value=True)


def _visible(queries: Tensor, keys: Tensor, real: Tensor, dtype: torch.dtype) -> Tensor:
    """`[n, 1, queries, keys]` the mask that attention adds. `real` is `[n, keys]`."""
    branch, place, step = queries[:, :, None].unbind()
    sees = (branch == keys[0]) & (place >= keys[1]) & ((keys[2] == _EVERY_STEP) | (keys[2] == step))
    blocked = ~(sees & real[:, None, None])
    return additive(blocked, dtype)
