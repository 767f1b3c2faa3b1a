"""Stages `text`, `prior` and `decoder`: from a caption to an image embedding, and from that to latents."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from diffusers import PriorTransformer, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModelWithProjection

from core.emoji.networks import SIDE
from training import models
from training.bank import Bank, look_at, make_bank
from training.between import make_between
from training.captions import CaptionWriter
from training.fit import half_precision
from training.learning import (
    contrast,
    decoder_loss,
    length_penalty,
    prior_loss,
    sample_captions,
    text_features,
)
from training.models import WIDTH
from training.stages.pixels import train_autoencoder
from training.stages.seeing import train_tower
from training.workshop import Workshop

SHARDS = 10  # of the bank, of 4,096 pictures each; on a GPU ten times as many
BETWEEN = 16_000  # whole hybrids in the decoder's training; on a GPU four times as many
SHARE_BETWEEN = 0.7  # of the decoder's pictures


def pictures_seen(shop: Workshop) -> Bank:
    """Training pictures with their latents and image embeddings, which these three stages learn from."""
    shards = max(1, round(SHARDS * min(1.0, shop.effort))) * (10 if shop.device != "cpu" else 1)
    autoencoder, tower = shop.once(train_autoencoder), shop.once(train_tower)  # their time is not the bank's
    seconds = shop.seconds("bank")
    return make_bank(shop.cache / "bank", shop.source, autoencoder, tower, shards, shop.seed, seconds)


class TextAndScale(nn.Module):
    """The text tower with the learned temperature of its contrastive loss."""

    def __init__(self, tower: CLIPTextModelWithProjection):
        super().__init__()
        self.tower = tower
        self.scale = nn.Parameter(torch.tensor(14.0).log())


def train_text(shop: Workshop) -> CLIPTextModelWithProjection:
    """The text tower learns from frozen image embeddings; each picture that fits a caption is a positive."""
    torch.manual_seed(shop.seed + 3)
    module = shop.place(TextAndScale(models.text_tower(shop.tokenizer)))
    if shop.stands("text", module) or shop.kept("text", module):
        return module.tower
    bank, writer = shop.once(pictures_seen), CaptionWriter(shop.words)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        count = shop.batch(128, 1024)
        rows, captions, said = sample_captions(bank, writer, count, generator)
        more = torch.randint(len(bank.truth), (3 * count,), generator=generator, device=shop.device)
        seen_rows = torch.cat([rows, more])
        fits = writer.fits(said, bank.truth[seen_rows.cpu().numpy()], shop.device)
        with half_precision(shop.device):
            pooled = text_features(module.tower, *shop.tokens(captions))[0].float()
        loss = contrast(pooled, bank.embeds[seen_rows], fits, module.scale.exp().clamp_max(40))
        own = (F.normalize(pooled.detach(), dim=1) * F.normalize(bank.embeds[rows], dim=1)).sum(1).mean()
        return loss + 0.1 * length_penalty(pooled), {"own": own}

    shop.fit("text", module, loss_of_step, steps=1600, peak=1e-3, seed=4, weight_decay=0.05)
    return module.tower


def train_prior(shop: Workshop) -> PriorTransformer:
    """The prior learns to predict image embeddings from captions (Eq. 2), a tenth of them empty for guidance."""
    torch.manual_seed(shop.seed + 4)
    prior, scheduler = shop.place(models.prior_transformer()), models.prior_scheduler()
    if shop.stands("prior", prior) or shop.kept("prior", prior):
        return prior
    bank, writer, text = (
        shop.once(pictures_seen),
        CaptionWriter(shop.words),
        shop.once(train_text).requires_grad_(False),
    )
    # An untrained prior has clip_std 0 and would give zeros.
    if not (shop.checkpoints / "prior.safetensors").is_file():
        prior.clip_mean.data.copy_(bank.embeds.mean(0, keepdim=True))
        prior.clip_std.data.copy_(bank.embeds.std(0, keepdim=True))
    prior.clip_mean.requires_grad_(False)
    prior.clip_std.requires_grad_(False)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        rows, captions, _ = sample_captions(bank, writer, shop.batch(64, 768), generator)
        dropped = torch.rand(len(captions), generator=generator, device=shop.device) < 0.1
        captions = ["" if drop else caption for drop, caption in zip(dropped.tolist(), captions, strict=True)]
        ids, mask = shop.tokens(captions)
        with torch.no_grad():
            pooled, hidden = text_features(text, ids, mask)
        wanted = (bank.embeds[rows] - prior.clip_mean) / prior.clip_std
        return prior_loss(prior, scheduler, wanted, (pooled, hidden, mask), generator), {}

    shop.fit("prior", prior, loss_of_step, steps=2400, peak=1e-3, seed=5)
    return prior


def train_decoder(shop: Workshop) -> UNet2DConditionModel:
    """The decoder learns the velocity of noisy latents from their image embeddings, a tenth of them dropped.

    Most of its pictures are whole hybrids with an embedding that the prior imagines for the names of both things
    (`between.py`), because the embeddings of concepts lie there.
    """
    torch.manual_seed(shop.seed + 5)
    unet = shop.place(models.unet())
    if shop.stands("decoder", unet) or shop.kept("decoder", unet):
        return unet
    bank, scheduler, tower = shop.once(pictures_seen), models.decoder_scheduler(), shop.once(train_tower)
    autoencoder, text, prior = (shop.once(each) for each in (train_autoencoder, train_text, train_prior))
    count = max(64, round(shop.batch(BETWEEN, 4 * BETWEEN) * min(1.0, shop.effort)))
    between = make_between(shop, autoencoder, tower, text, prior, count, shop.seconds("bank"))
    with torch.no_grad():  # the Kandinsky pipelines guide away from the embedding of an all-zero input
        nothing = look_at(tower, torch.full((1, 3, SIDE, SIDE), 0.5, device=shop.device))
    spread = bank.embeds.std(0)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        draw: dict[str, Any] = {"generator": generator, "device": shop.device}
        size = shop.batch(16, 512)
        rows = torch.randint(len(bank.latents), (size - round(SHARE_BETWEEN * size),), **draw)
        others = torch.randint(len(between.latents), (round(SHARE_BETWEEN * size),), **draw)
        embeds = torch.cat([bank.embeds[rows], between.conditions(others, generator)])
        # The prior imagines embeddings that are a little off, so the decoder learns from noisy ones.
        noise = 0.12 + 0.13 * (torch.rand(size, 1, **draw) < 0.5)
        embeds = embeds + noise * spread * torch.randn(size, WIDTH, **draw)
        dropped = torch.rand(size, 1, **draw) < 0.1
        embeds = torch.where(dropped, nothing, embeds)
        latents = torch.cat([bank.latents[rows], between.latents[others]]).float()
        latents = latents.contiguous(memory_format=torch.channels_last)
        return decoder_loss(unet, scheduler, latents, embeds, generator), {}

    peak = 1e-3 if shop.device == "cpu" else 2e-3  # the batch is larger, so its gradient has less noise
    shop.fit("decoder", unet, loss_of_step, steps=24_000, peak=peak, seed=6, average_over=600, decay=0.35)
    return unet
