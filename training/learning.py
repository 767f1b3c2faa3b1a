"""The losses of the later stages: image tower, text tower, prior, decoder and question answerer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, PriorTransformer, UnCLIPScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModelWithProjection

from training.bank import Bank
from training.captions import CaptionWriter
from training.fit import half_precision


def length_penalty(embeds: Tensor) -> Tensor:
    """Penalty that keeps embeddings near length √width, so that their entries have about unit variance."""
    return (embeds.norm(dim=1) / embeds.shape[1] ** 0.5 - 1).square().mean()


def text_features(tower: CLIPTextModelWithProjection, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Pooled ``[n, width]`` and per-token ``[n, length, width]`` features, cut to the longest caption."""
    length = int(mask.sum(1).max())
    out = tower(input_ids=ids[:, :length], attention_mask=mask[:, :length])
    return out.text_embeds, out.last_hidden_state


def sample_captions(
    bank: Bank, writer: CaptionWriter, count: int, generator: torch.Generator
) -> tuple[Tensor, list[str], np.ndarray]:
    """Rows of the bank ``[count]``, a caption for each, and what the captions say ``[count, TRUTHS]``."""
    draw: dict[str, Any] = {"generator": generator, "device": generator.device}
    rows = torch.randint(len(bank.truth), (count,), **draw)
    numbers = np.random.default_rng(int(torch.randint(2**31, (1,), **draw)))
    written = [writer.write(bank.truth[row].tolist(), numbers) for row in rows.tolist()]
    return rows, [text for text, _ in written], np.array([said for _, said in written])


def contrast(texts: Tensor, images: Tensor, fits: Tensor, scale: Tensor) -> Tensor:
    """Cross entropy both ways; many captions fit many pictures, so every fitting one is a positive.

    Args:
        texts: ``[n, width]``; images: ``[m, width]``; fits: ``[n, m]``, how far each text holds for each picture,
            0 … 1; more than 0 somewhere in every row.
    """
    logits = F.normalize(texts, dim=1) @ F.normalize(images, dim=1).T * scale
    wanted = fits
    by_text = -(wanted / wanted.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).mean()
    reached = (fits > 0).any(0)
    columns = wanted[:, reached] / wanted[:, reached].sum(0)
    by_image = -(columns * logits[:, reached].log_softmax(0)).sum(0).mean()
    return by_text + 0.5 * by_image


def predict_embeds(
    prior: PriorTransformer, noisy: Tensor, timestep: Tensor, pooled: Tensor, hidden: Tensor, mask: Tensor
) -> Tensor:
    """`PriorTransformer.forward` on captions cut to the longest; the padding that it omits is masked anyway.

    Args:
        noisy: ``[n, width]``; timestep: ``[n]``; pooled: ``[n, width]``; hidden: ``[n, length, width]``;
        mask: ``[n, length]``.
    """
    count, length = mask.shape
    time = prior.time_embedding(prior.time_proj(timestep).to(noisy.dtype))
    text = [prior.encoder_hidden_states_proj(hidden), prior.embedding_proj(pooled)[:, None]]
    rest = [time[:, None], prior.proj_in(noisy)[:, None], prior.prd_embedding.expand(count, -1, -1)]
    position = prior.positional_embedding
    x = torch.cat([*text, *rest], 1) + torch.cat([position[:, :length], position[:, -4:]], 1)
    device = mask.device
    hidden_keys = torch.cat([~mask.bool(), torch.zeros(count, 4, dtype=torch.bool, device=device)], 1)
    causal = torch.full((length + 4, length + 4), -10000.0, device=device).triu(1)
    bias = causal + torch.where(hidden_keys, -10000.0, 0.0)[:, None]
    bias = bias.repeat_interleave(prior.config.num_attention_heads, 0)
    for block in prior.transformer_blocks:
        x = block(x, attention_mask=bias)
    return prior.proj_to_clip_embeddings(prior.norm_out(x)[:, -1])


def prior_loss(
    prior: PriorTransformer,
    scheduler: UnCLIPScheduler,
    wanted: Tensor,
    features: tuple[Tensor, Tensor, Tensor],
    generator: torch.Generator,
) -> Tensor:
    """Eq. 2: the squared error of the predicted, standardised image embedding ``[n, width]``."""
    draw: dict[str, Any] = {"generator": generator, "device": wanted.device}
    noise = torch.randn(wanted.shape, **draw)
    timestep = torch.randint(1000, (len(wanted),), **draw)
    noisy = scheduler.add_noise(wanted, noise, timestep)
    with half_precision(noise.device):
        predicted = predict_embeds(prior, noisy, timestep, *features)
    return F.mse_loss(predicted.float(), wanted)


def decoder_loss(
    unet: UNet2DConditionModel,
    scheduler: DDIMScheduler,
    latents: Tensor,
    embeds: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Squared error of the velocity, the first half of the UNet's output (the rest is an unused variance)."""
    draw: dict[str, Any] = {"generator": generator, "device": latents.device}
    noise = torch.randn(latents.shape, **draw)
    # More often late than early: the layout is decided at high noise, and details are learned anyway.
    timestep = (1000 * torch.rand(len(latents), **draw).sqrt()).long().clamp_max(999)
    noisy = scheduler.add_noise(latents, noise, timestep)
    velocity = scheduler.get_velocity(latents, noise, timestep)
    with half_precision(noise.device):
        out = unet(noisy, timestep, encoder_hidden_states=None, added_cond_kwargs={"image_embeds": embeds}).sample
    return F.mse_loss(out[:, : latents.shape[1]].float(), velocity)
