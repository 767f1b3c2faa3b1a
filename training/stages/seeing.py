"""Stages `teacher`, `tower` and `judge`: networks that embed and name pictures."""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

from core.emoji.networks import SIDE, JudgeNet, WordNet
from training import models
from training.bank import seen
from training.fit import half_precision
from training.learning import length_penalty
from training.models import WIDTH
from training.pictures import MOVED, OTHER, SHARE, THING, PictureSource
from training.render import held_out_pairs
from training.teacher import thumbnail_loss, word_loss
from training.workshop import PARTS, Workshop

JUDGE_CHANNELS, JUDGE_WIDTH = (48, 96, 144), 128
TEACHER_CHANNELS = (48, 96, 192, 384)
ANCHORED = 0.5  # of the teacher's steps: until then, ever less, it stays near the earlier tower
JUDGE_SPLIT = 7  # the seed of the judge's own held-out drawings and pairs
Namer = TypeVar("Namer", WordNet, JudgeNet)


def new_judge(shop: Workshop) -> JudgeNet:
    return JudgeNet(JUDGE_CHANNELS, JUDGE_WIDTH, len(shop.words.all))


def train_teacher(shop: Workshop) -> WordNet:
    """The teacher learns names, attributes and thumbnails.

    If an earlier tower is committed, the teacher begins near its embeddings of real drawings, so that text tower, prior
    and decoder, which begin with their earlier weights, find a space much like theirs.
    """
    torch.manual_seed(shop.seed)
    model = shop.place(WordNet(TEACHER_CHANNELS, WIDTH, len(shop.words.all)))
    return _train_word_net("teacher", model, shop, shop.small_source, steps=6000, seed=1, anchor=_earlier_tower(shop))


def _earlier_tower(shop: Workshop) -> CLIPVisionModelWithProjection | None:
    folder = shop.weights / PARTS["tower"]
    if shop.from_scratch or not folder.is_dir():
        return None
    return shop.place(CLIPVisionModelWithProjection.from_pretrained(folder).float().eval().requires_grad_(False))


def train_judge(shop: Workshop) -> JudgeNet:
    """The judge has other drawings, pairs, batches and another shape, so that its errors are its own."""
    drawings = shop.drawings
    split = ~held_out_pairs(drawings.thing, drawings.style, seed=JUDGE_SPLIT)
    torch.manual_seed(shop.seed + 7)
    model = shop.place(new_judge(shop))
    if shop.stands("judge", model):
        return model
    source = PictureSource(drawings, split.nonzero()[0], SIDE, shop.device, pairs_seed=JUDGE_SPLIT)
    return _train_word_net("judge", model, shop, source, steps=5000, seed=8)


def _train_word_net(
    name: str,
    model: Namer,
    shop: Workshop,
    source: PictureSource,
    steps: int,
    seed: int,
    anchor: CLIPVisionModelWithProjection | None = None,
) -> Namer:
    supply = shop.supply(source, shop.batch(48, 512), MOVED)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        batch = supply.next(generator)
        with half_precision(shop.device):
            embeds = model(batch.pixels.contiguous(memory_format=torch.channels_last)).float()
        loss, logits = word_loss(embeds, model.words, model.scale, shop.words, batch)
        thumbnail = thumbnail_loss(model.thumbnail, embeds, batch.pixels)
        names = logits[:, : len(shop.words.things)]
        figures = {"top1": (names.argmax(1) == _largest(batch.truth)).float().mean(), "thumbnail": thumbnail.detach()}
        loss = loss + 6 * thumbnail
        if anchor is not None:
            size = anchor.config.image_size
            small = F.interpolate(batch.pixels, (size, size), mode="area")
            with torch.no_grad(), half_precision(shop.device):
                known = F.normalize(anchor(pixel_values=small * 2 - 1).image_embeds.float(), dim=1)
            real = (batch.truth[:, OTHER] < 0).float()
            apart = ((1 - (embeds * known).sum(1)) * real).sum() / real.sum().clamp_min(1)
            held = max(0.0, 1 - progress / ANCHORED)
            loss, figures["apart"] = loss + 2 * held * apart, apart.detach()
        return loss, figures

    shop.fit(name, model, loss_of_step, steps=steps, peak=3e-3, seed=seed, weight_decay=0.05)
    return model


def _largest(truth: Tensor) -> Tensor:
    """The thing with the larger share of each picture ``[n]``."""
    return torch.where(truth[:, SHARE] >= 50, truth[:, THING], truth[:, OTHER])


def train_tower(shop: Workshop) -> CLIPVisionModelWithProjection:
    """The image tower learns the teacher's embedding, and the same words and thumbnails, from varied pictures."""
    torch.manual_seed(shop.seed + 2)
    tower = shop.place(models.image_tower())
    if shop.stands("tower", tower):
        return tower
    teacher = shop.once(train_teacher).requires_grad_(False)

    supply = shop.supply(shop.small_source, shop.batch(48, 512), MOVED)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        batch = supply.next(generator)
        with torch.no_grad(), half_precision(shop.device):
            wanted = teacher(batch.pixels.contiguous(memory_format=torch.channels_last)).float()
        with half_precision(shop.device):
            raw = tower(pixel_values=seen(batch.pixels)).image_embeds.float()
        embeds = F.normalize(raw, dim=1)
        apart = 1 - (embeds * wanted).sum(1).mean()
        loss, logits = word_loss(embeds, teacher.words, teacher.scale, shop.words, batch)
        thumbnail = thumbnail_loss(teacher.thumbnail, embeds, batch.pixels)
        found = (logits[:, : len(shop.words.things)].argmax(1) == _largest(batch.truth)).float().mean()
        total = 8 * apart + 0.5 * loss + 6 * thumbnail + 0.1 * length_penalty(raw)
        return total, {"apart": apart.detach(), "top1": found, "thumbnail": thumbnail.detach()}

    shop.fit("tower", tower, loss_of_step, steps=3400, peak=2e-3, seed=3, weight_decay=0.05)
    return tower
