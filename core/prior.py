"""Sampling of the Kandinsky diffusion prior: exact, cached, differentiable.

The prior reads `[text tokens, text embedding, time, noisy image, query]` with causal attention. As published, every
denoising step runs all of it, padded to 77 text tokens, once with and once without the prompt. Here, without changing
the result (docs/design.md, the exact shortcuts):

- the keys and values of text and text embedding serve all denoising steps, and padding is left out;
- no time token sees the noisy image, so that those of all steps are computed together with the text;
- the first noisy image is known beforehand, so that the first denoising step goes along in the same pass;
- the branch without prompt has constant keys and values up to and including its time tokens;
- each later step runs two tokens for each branch, both branches in one sequence that a mask keeps apart;
- the last layer runs for the query tokens only: of all others it needs just keys and values.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import ConceptreeError, StackError
from core.text import TextFeatures

KeysValues = list[tuple[Tensor, Tensor]]
"""For each layer, keys and values, each `[n, heads, tokens, head width]`."""


@dataclass(frozen=True)
class Denoise:
    """One step of UnCLIPScheduler as numbers: `previous = predicted · clip(x_0) + current · latent + sigma · noise`."""

    timestep: int
    predicted: float
    current: float
    sigma: float


def denoising_steps(scheduler: Any, steps: int) -> list[Denoise]:
    """What UnCLIPScheduler does in each of `steps` steps (Eq. 7 of arXiv 2006.11239).

    The numbers are computed in float32, as the scheduler does, in whatever precision the model runs.
    """
    if steps < 2:
        raise ConceptreeError(f"the prior needs at least 2 steps, got {steps}")
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

    The first is the initial latent, the others are what the scheduler adds. A row depends on nothing but its seed.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    rows = [torch.cat([torch.randn(1, width, generator=each) for _ in range(steps)]) for each in generators]
    return torch.stack(rows, dim=1)


class CachedPrior:
    """The prior with its scheduler, for a fixed number of steps and guidance; equal to diffusers' pipeline.

    `unconditional` are the features of the empty prompt (one row), which is what `negative_prompt=None` means there.
    Guidance of 1 or less leaves that branch out, as there.
    """

    def __init__(
        self, prior: Any, scheduler: Any, steps: int, guidance_scale: float, unconditional: TextFeatures
    ) -> None:
        if prior.prd_embedding is None or prior.encoder_hidden_states_proj is None or prior.additional_embeddings != 4:
            raise StackError("this prior is not of the Kandinsky kind: it lacks the text tokens or the query token")
        self.prior = prior
        self.steps = steps
        self.guidance_scale = float(guidance_scale)
        self.guided = guidance_scale > 1
        self.denoising = denoising_steps(scheduler, steps)
        self.clip = scheduler.config.clip_sample_range if scheduler.config.clip_sample else float("inf")
        with torch.no_grad():
            self._text_position = prior.positional_embedding[0, :-4]
            self._embed_position, time, self._noisy_position, query = prior.positional_embedding[0, -4:]
            timesteps = torch.tensor([each.timestep for each in self.denoising], device=time.device)
            self._times = prior.time_embedding(prior.time_proj(timesteps).to(time.dtype)) + time
            self._query = prior.prd_embedding[0] + query
            self._layout, self._real, self._past = _no_tokens(time.device), unconditional.mask[:1, :0], []
            if self.guided:
                layout = _prefix_layout(unconditional.mask.shape[1], steps, prompted=False).to(time.device)
                real = _real(layout, unconditional.mask[:1])
                mask = _visible(layout, layout, real, time.dtype)
                self._past = self._run(self._prefix(unconditional), [], mask, needed=0)[1]
                self._layout, self._real = layout, real

    def sample(self, features: TextFeatures, noise: Tensor) -> Tensor:
        """Image embeddings `[n, width]` as diffusers' pipeline returns them, differentiable in `features`.

        `noise` is `[steps, n, width]`, as from `draw_noise`. In float32 at least, whatever the prior is in.
        """
        n, length = features.mask.shape
        expected = [self.steps, n, self.prior.config.embedding_dim]
        if list(noise.shape) != expected:
            raise ConceptreeError(f"expected noise of shape [steps, n, width] = {expected}, got {list(noise.shape)}")
        device, dtype = features.embeds.device, features.embeds.dtype
        # What is denoised stays in float32 at least: guidance would magnify what half precision rounds off.
        noise = noise.to(device, torch.promote_types(dtype, torch.float32))

        prefix = _prefix_layout(length, self.steps, prompted=True).to(device)
        seen = torch.cat([self._layout, prefix], dim=1)
        real = torch.cat([self._real.expand(n, -1), _real(prefix, features.mask)], dim=1)
        past = [(key.expand(n, -1, -1, -1), value.expand(n, -1, -1, -1)) for key, value in self._past]

        latent = noise[0]
        for step in range(self.steps):
            tail = _tail_layout(step, self.guided).to(device)
            tokens, layout = self._tail(latent.to(dtype)), tail
            if step == 0:
                tokens = torch.cat([self._prefix(features), tokens], dim=1)
                layout = torch.cat([prefix, tail], dim=1)
            keys = torch.cat([seen, tail], dim=1)
            mask = _visible(layout, keys, F.pad(real, (0, tail.shape[1]), value=True), dtype)
            hidden, keys_values = self._run(tokens, past, mask, needed=2 if self.guided else 1)
            if step == 0:
                past = [(key[:, :, : seen.shape[1]], value[:, :, : seen.shape[1]]) for key, value in keys_values]
            latent = self._denoise(step, self._predict(hidden), latent, noise)
        return self.prior.post_process_latents(latent)

    def _prefix(self, features: TextFeatures) -> Tensor:
        """`[n, length + 1 + steps, inner]` text tokens, text embedding and the time tokens of all steps."""
        prior, (n, length) = self.prior, features.mask.shape
        embeds = features.embeds if prior.embedding_proj_norm is None else prior.embedding_proj_norm(features.embeds)
        text = prior.encoder_hidden_states_proj(features.hidden) + self._text_position[:length]
        embed = prior.embedding_proj(embeds) + self._embed_position
        return torch.cat([text, embed[:, None], self._times.expand(n, -1, -1)], dim=1)

    def _tail(self, latent: Tensor) -> Tensor:
        """`[n, 2 or 4, inner]` noisy image and query, for each branch."""
        noisy = (self.prior.proj_in(latent) + self._noisy_position)[:, None]
        query = self._query.expand(len(latent), -1, -1)
        return torch.cat([noisy, noisy, query, query] if self.guided else [noisy, query], dim=1)

    def _run(self, tokens: Tensor, past: KeysValues, mask: Tensor, needed: int) -> tuple[Tensor, KeysValues]:
        """Run all layers; returns the last `needed` tokens `[n, needed, inner]` and the keys and values so far."""
        hidden = tokens if self.prior.norm_in is None else self.prior.norm_in(tokens)
        blocks = self.prior.transformer_blocks
        keys_values = []
        for index, block in enumerate(blocks):
            normed = block.norm1(hidden)
            key, value = _heads(block.attn1.to_k(normed), block), _heads(block.attn1.to_v(normed), block)
            if past:
                key, value = torch.cat([past[index][0], key], dim=2), torch.cat([past[index][1], value], dim=2)
            keys_values.append((key, value))
            if index == len(blocks) - 1:
                start = hidden.shape[1] - needed
                # Contiguous, or the projection falls back to one small matrix product for each row.
                hidden, normed, mask = hidden[:, start:], normed[:, start:].contiguous(), mask[:, :, start:]
            if hidden.shape[1]:
                query = _heads(block.attn1.to_q(normed), block)
                mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
                hidden = hidden + block.attn1.to_out[0](mixed.transpose(1, 2).flatten(2))
                hidden = hidden + block.ff(block.norm3(hidden))
        return hidden, keys_values

    def _predict(self, hidden: Tensor) -> Tensor:
        """The predicted image embedding `[n, width]` under classifier-free guidance."""
        predicted = self.prior.proj_to_clip_embeddings(self.prior.norm_out(hidden))
        predicted = predicted.to(torch.promote_types(predicted.dtype, torch.float32))
        if not self.guided:
            return predicted[:, 0]
        prompted, unprompted = predicted.unbind(dim=1)
        return unprompted + self.guidance_scale * (prompted - unprompted)

    def _denoise(self, step: int, predicted: Tensor, latent: Tensor, noise: Tensor) -> Tensor:
        now = self.denoising[step]
        latent = now.predicted * predicted.clamp(-self.clip, self.clip) + now.current * latent
        return latent + now.sigma * noise[step + 1] if step + 1 < self.steps else latent


# A layout tells tokens apart: `[3, tokens]` with the branch (1: with prompt), the place in the prior's sequence, and
# the denoising step (-1: serves all of them). A mask between any two runs of tokens follows from their layouts.
_EVERY_STEP = -1
_EMBED, _TIME, _NOISY, _QUERY = range(10**6, 10**6 + 4)


def _no_tokens(device: torch.device) -> Tensor:
    return torch.zeros(3, 0, dtype=torch.long, device=device)


def _prefix_layout(length: int, steps: int, prompted: bool) -> Tensor:
    places = [*range(length), _EMBED, *[_TIME] * steps]
    return torch.tensor([[int(prompted)] * len(places), places, [_EVERY_STEP] * (length + 1) + list(range(steps))])


def _tail_layout(step: int, guided: bool) -> Tensor:
    branches = (1, 0) if guided else (1,)
    places = [_NOISY] * len(branches) + [_QUERY] * len(branches)
    return torch.tensor([branches * 2, places, [step] * len(places)])


def _real(layout: Tensor, mask: Tensor) -> Tensor:
    """`[n, tokens]` False at the padding of the text, which `mask` `[n, length]` tells."""
    return F.pad(mask, (0, layout.shape[1] - mask.shape[1]), value=True)


def _visible(queries: Tensor, keys: Tensor, real: Tensor, dtype: torch.dtype) -> Tensor:
    """`[n, 1, queries, keys]` what attention adds: 0 where a token sees another, else −∞. `real` is `[n, keys]`.

    diffusers adds −10,000 instead, which leaves a weight of exactly 0 as well.
    """
    branch, place, step = queries[:, :, None].unbind()
    sees = (branch == keys[0]) & (place >= keys[1]) & ((keys[2] == _EVERY_STEP) | (keys[2] == step))
    blocked = ~(sees & real[:, None, None])
    return torch.zeros(blocked.shape, dtype=dtype, device=blocked.device).masked_fill_(blocked, float("-inf"))


def _heads(tokens: Tensor, block: Any) -> Tensor:
    """`[n, tokens, inner]` → `[n, heads, tokens, head width]`"""
    return tokens.unflatten(-1, (block.attn1.heads, -1)).transpose(1, 2)
