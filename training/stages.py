"""The stages of the embedded model's training, in order. Each reads what earlier ones left and can be run again."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import PriorTransformer, UNet2DConditionModel, VQModel
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import (
    CLIPTextModelWithProjection,
    CLIPVisionModelWithProjection,
    PreTrainedTokenizerFast,
    ViltForQuestionAnswering,
)

from core.emoji.judge import whole
from core.emoji.networks import SIDE, JudgeNet, WordNet
from core.errors import ConceptreeError
from core.stack.backbone import EMOJI
from training import models
from training.autoencoder import Rebuild, new_autoencoder, rebuild_loss, standardise
from training.bank import Bank, look_at, make_bank, seen
from training.captions import MAX_LENGTH, CaptionWriter, vocabulary
from training.fit import fit, half_precision, load_average, on_device
from training.inherit import Rows, inherit
from training.learning import (
    contrast,
    decoder_loss,
    length_penalty,
    prior_loss,
    sample_captions,
    text_features,
)
from training.models import WIDTH
from training.pictures import LOOK, MOVED, OTHER, REAL, SHARE, STYLE, THING, PictureSource
from training.questions import KINDS, STYLES, QuestionWriter, answers, style_answer
from training.render import Drawings, held_out_pairs, render
from training.teacher import Words, thumbnail_loss, word_loss
from training.tokenizer import word_tokenizer

BEFORE = "before"  # in a stage's log: the steps and minutes of the weights that it goes on from
JUDGE_CHANNELS, JUDGE_WIDTH = (48, 96, 144), 128
JUDGE_SPLIT = 7  # the seed of the judge's own held-out drawings and pairs
SHARDS = 10  # of the bank, of 4,096 pictures each; on a GPU four times as many

# Where in the stack each stage's result lies.
PARTS = {
    "autoencoder": "decoder/movq",
    "tower": "prior/image_encoder",
    "text": "prior/text_encoder",
    "prior": "prior/prior",
    "decoder": "decoder/unet",
    "vqa": "vqa",
    "judge": "judge",
}
# What the stages and the bank have of a limited time, in their order; the rest goes to loading and putting together.
SHARES = {
    "autoencoder": 0.12,
    "teacher": 0.10,
    "tower": 0.12,
    "bank": 0.04,
    "text": 0.04,
    "prior": 0.08,
    "decoder": 0.28,
    "polish": 0.06,
    "vqa": 0.08,
    "judge": 0.05,
}


@dataclass
class Workshop:
    """What the stages share: the drawings, the words, the device, where checkpoints lie, and how long to train."""

    cache: Path
    effort: float = 1.0  # scales every stage's steps
    seed: int = 0
    from_scratch: bool = False
    weights: Path = EMOJI
    only: frozenset[str] = frozenset()  # the stages that were asked for by name; empty for all
    device: str = "cpu"
    minutes: float = 0.0  # for all stages together, in place of steps
    began: float = field(default_factory=time.monotonic)

    @cached_property
    def drawings(self) -> Drawings:
        return render(self.cache)

    @cached_property
    def words(self) -> Words:
        return Words.of(self.drawings)

    @cached_property
    def source(self) -> PictureSource:
        """The drawings that stages may learn from, at full size."""
        return PictureSource(self.drawings, self.drawings.split(held_out=False), device=self.device)

    @cached_property
    def small_source(self) -> PictureSource:
        """The same as teacher, tower and question answerer see them."""
        return PictureSource(self.drawings, self.drawings.split(held_out=False), SIDE, self.device)

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        return word_tokenizer(vocabulary(self.words), MAX_LENGTH)

    @cached_property
    def bank(self) -> Bank:
        shards = max(1, round(SHARDS * min(1.0, self.effort))) * (4 if self.device != "cpu" else 1)
        autoencoder, tower = self.autoencoder, self.tower  # their time is not the bank's
        seconds = self.seconds("bank")
        return make_bank(self.cache / "bank", self.source, autoencoder, tower, shards, self.seed, seconds)

    @cached_property
    def autoencoder(self) -> Rebuild:
        return train_autoencoder(self)

    @cached_property
    def teacher(self) -> WordNet:
        return train_teacher(self)

    @cached_property
    def tower(self) -> CLIPVisionModelWithProjection:
        return train_tower(self)

    @cached_property
    def text(self) -> CLIPTextModelWithProjection:
        return train_text(self)

    @property
    def checkpoints(self) -> Path:
        return self.cache / "checkpoints"

    def place(self, model: Any) -> Any:
        return on_device(model, torch.device(self.device))

    def batch(self, count: int) -> int:
        """A stage's batch on this device: ``count`` on a processor, eight times as many on a GPU."""
        return count if self.device == "cpu" else 8 * count

    def fit(self, name: str, model: nn.Module, loss_of_step: Any, *, steps: int, **settings: Any) -> None:
        """`fit` with the steps, or the stage's share of the minutes.

        A stage that others build on, while they alone were asked for, stands as its checkpoint has it.
        """
        if self.only and name not in self.only and (self.checkpoints / f"{name}.safetensors").is_file():
            load_average(self.checkpoints, name, model)
            return
        seconds, steps = self.seconds(name), self.steps(steps)
        fit(name, model, loss_of_step, self.checkpoints, steps=steps, seconds=seconds, **settings)
        if seconds:
            print(
                f"{name} is done after {(time.monotonic() - self.began) / 60:.1f} of {self.minutes:g} min", flush=True
            )

    def seconds(self, name: str) -> float:
        """A stage's share of the minutes, 0 without a limit.

        It gets less where loading has taken more than its part, so that all stages end in time; and more where only
        some stages were asked for.
        """
        if not self.minutes:
            return 0.0
        shares = {k: v for k, v in SHARES.items() if not self.only or k in (name, "bank", *self.only)}
        total = 60 * self.minutes * sum(SHARES.values())
        left = total - (time.monotonic() - self.began)
        coming = sum(list(shares.values())[list(shares).index(name) :])
        return max(0.1, shares[name] * min(total / sum(shares.values()), left / coming))

    def steps(self, count: int) -> int:
        return max(2, round(count * self.effort))

    def trained(self) -> dict[str, Any]:
        """The parts of the stack as their last checkpoints have them, whether their stages are finished or not.

        A part without a checkpoint is the committed one.
        """
        parts: dict[str, Any] = {
            "tower": models.image_tower(),
            "text": TextAndScale(models.text_tower(self.tokenizer)),
            "prior": models.prior_transformer(),
            "decoder": models.unet(),
            "vqa": Answerer(models.question_answerer(self.tokenizer, answers(self.words))),
            "judge": self._new_judge(),
        }
        for name, model in parts.items():
            if (self.checkpoints / f"{name}.safetensors").is_file():
                load_average(self.checkpoints, name, model)
            elif self.begin(name, _inner(name, model)) < 1:
                raise ConceptreeError(f"stage {name} has neither a checkpoint nor weights that fit: train it first")
        # Its stage ends with more than its checkpoint has: `standardise`.
        parts["autoencoder"] = self.autoencoder
        if (self.checkpoints / "polish.safetensors").is_file():
            load_average(self.checkpoints, "polish", self.autoencoder)
        return {name: _inner(name, model) for name, model in parts.items()}

    def _new_judge(self) -> JudgeNet:
        return JudgeNet(JUDGE_CHANNELS, JUDGE_WIDTH, len(self.words.all))

    def begin(self, name: str, model: nn.Module) -> float:
        """Without a checkpoint of its own a stage goes on from the committed weights, as far as they fit.

        Returns the share that fits, 0 … 1.
        """
        if self.from_scratch or (self.checkpoints / f"{name}.safetensors").is_file():
            return 0.0
        committed = self.weights / PARTS[name] / "model.safetensors"
        if not committed.is_file():
            committed = committed.with_name("diffusion_pytorch_model.safetensors")
        if not committed.is_file():
            return 0.0
        share = inherit(model, whole(load_file(committed)), self._rows(name))
        print(f"{name}: {share:.0%} of it begins with the committed weights", flush=True)
        return share

    def stands(self, name: str, model: nn.Module) -> bool:
        """Begin with the committed weights; whether they stand as they are, since other stages were asked for."""
        share = self.begin(name, _inner(name, model))
        stands = share == 1 and bool(self.only) and name not in self.only
        if share > 0.9 and not stands:
            self.log_before(name)
        model.eval()
        return stands

    def _rows(self, name: str) -> Rows:
        """The tables whose rows stand for words: which words they have been, and which they are."""
        folder = self.weights / ("vqa" if name == "vqa" else "prior/tokenizer")
        if name not in ("text", "vqa") or not (folder / "tokenizer.json").is_file():
            return {}
        earlier = PreTrainedTokenizerFast.from_pretrained(folder)
        before = [earlier.convert_ids_to_tokens(i) for i in range(len(earlier))]
        now = [self.tokenizer.convert_ids_to_tokens(i) for i in range(len(self.tokenizer))]
        if name == "text":
            return {"text_model.embeddings.token_embedding.weight": (before, now)}
        labels = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"]
        said = [labels[str(i)] for i in range(len(labels))]
        rows: dict[str, tuple[Any, Any]] = {"vilt.embeddings.text_embeddings.word_embeddings.weight": (before, now)}
        rows |= {f"classifier.3.{kind}": (said, answers(self.words)) for kind in ("weight", "bias")}
        return rows

    def log_before(self, name: str) -> None:
        """The stage's log begins with what the weights that it goes on from were trained for."""
        stored = self.weights / "training.json"
        about = json.loads(stored.read_text(encoding="utf-8")).get(name) if stored.is_file() else None
        if about:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            with open(self.checkpoints / f"{name}.jsonl", "a", encoding="utf-8") as log:
                log.write(json.dumps({BEFORE: {what: about[what] for what in ("steps", "minutes")}}) + "\n")


def _inner(name: str, model: Any) -> Any:
    """The part of a stage's model that the stack keeps."""
    inner = {"autoencoder": "model", "text": "tower", "vqa": "model"}.get(name)
    return getattr(model, inner) if inner else model


def train_autoencoder(shop: Workshop) -> Rebuild:
    """The autoencoder. Where the committed one has fewer latent channels, the first ones become those.

    A decoder that begins with its earlier weights then knows them, and has only the other channels to learn.
    """
    torch.manual_seed(shop.seed)
    module = shop.place(Rebuild(new_autoencoder()))
    if shop.stands("autoencoder", module):
        return module
    earlier = _earlier_autoencoder(shop)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        pixels = shop.source.sample(shop.batch(8), generator, REAL).pixels
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        loss, figures = rebuild_loss(module, pixels, generator)
        if earlier is not None:
            with half_precision(shop.device):
                reached = module.encode(pixels).float()
            with torch.no_grad(), half_precision(shop.device):
                known = earlier.encode(F.interpolate(pixels, scale_factor=0.5, mode="area") * 2 - 1).latents.float()
            apart = F.mse_loss(reached[:, : known.shape[1]], known)
            loss, figures["apart"] = loss + apart, apart.detach()
        return loss, figures

    shop.fit("autoencoder", module, loss_of_step, steps=3000, peak=2e-3, average_over=150)
    with torch.no_grad():
        generator = torch.Generator(shop.device).manual_seed(shop.seed)
        latents = torch.cat([module.encode(shop.source.sample(32, generator).pixels) for _ in range(8)])
    standardise(module.model, latents)
    return module


def _earlier_autoencoder(shop: Workshop) -> VQModel | None:
    """The committed autoencoder, if it makes as many latents with fewer channels from pictures of half the side."""
    folder = shop.weights / PARTS["autoencoder"]
    if shop.from_scratch or not folder.is_dir():
        return None
    earlier = VQModel.from_pretrained(folder).float().eval().requires_grad_(False)
    fewer = earlier.config.latent_channels < models.LATENT_CHANNELS
    return shop.place(earlier) if fewer and len(earlier.config.block_out_channels) == 3 else None


def train_polish(shop: Workshop) -> Rebuild:
    """The autoencoder's decoder alone goes on learning, for fine detail: latents, and what depends on them, stay."""
    module = train_autoencoder(shop)
    module.model.encoder.requires_grad_(False)
    module.model.quant_conv.requires_grad_(False)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        batch = shop.source.sample(shop.batch(8), generator, REAL)
        pixels = batch.pixels.contiguous(memory_format=torch.channels_last)
        return rebuild_loss(module, pixels, generator, fine=2.0)

    shop.fit("polish", module, loss_of_step, steps=2400, peak=1e-3, seed=11, average_over=300)
    return module


def train_teacher(shop: Workshop) -> WordNet:
    """The teacher learns names, attributes and thumbnails.

    Where an earlier tower is committed, the teacher also stays near what that sees in real drawings: text tower,
    prior and decoder, which begin with their earlier weights, then find the space that they know.
    """
    torch.manual_seed(shop.seed)
    model = shop.place(WordNet((32, 48, 96, 192), WIDTH, len(shop.words.all)))
    return _train_word_net("teacher", model, shop, shop.small_source, steps=6000, seed=1, anchor=_earlier_tower(shop))


def _earlier_tower(shop: Workshop) -> CLIPVisionModelWithProjection | None:
    folder = shop.weights / PARTS["tower"]
    if shop.from_scratch or not folder.is_dir():
        return None
    return shop.place(CLIPVisionModelWithProjection.from_pretrained(folder).float().eval().requires_grad_(False))


def train_judge(shop: Workshop) -> JudgeNet:
    """The judge sees other drawings and pairs, other batches and has another shape, so that its errors are its own."""
    drawings = shop.drawings
    split = ~held_out_pairs(drawings.thing, drawings.style, seed=JUDGE_SPLIT)
    torch.manual_seed(shop.seed + 7)
    model = shop.place(shop._new_judge())
    if shop.stands("judge", model):
        return model
    source = PictureSource(drawings, split.nonzero()[0], SIDE, shop.device, pairs_seed=JUDGE_SPLIT)
    return _train_word_net("judge", model, shop, source, steps=5000, seed=8)


def _train_word_net(
    name: str,
    model: Any,
    shop: Workshop,
    source: PictureSource,
    steps: int,
    seed: int,
    anchor: CLIPVisionModelWithProjection | None = None,
) -> Any:
    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        batch = source.sample(shop.batch(48), generator, MOVED)
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
            loss, figures["apart"] = loss + 2 * apart, apart.detach()
        return loss, figures

    shop.fit(name, model, loss_of_step, steps=steps, peak=3e-3, seed=seed, weight_decay=0.05)
    return model


def _largest(truth: Tensor) -> Tensor:
    """The thing ``[n]`` that has most of each picture."""
    return torch.where(truth[:, SHARE] >= 50, truth[:, THING], truth[:, OTHER])


def train_tower(shop: Workshop) -> CLIPVisionModelWithProjection:
    """The image tower learns the teacher's embedding, and the same words and thumbnails, from varied pictures."""
    torch.manual_seed(shop.seed + 2)
    tower = shop.place(models.image_tower())
    if shop.stands("tower", tower):
        return tower
    teacher = shop.teacher.requires_grad_(False)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        batch = shop.small_source.sample(shop.batch(48), generator, MOVED)
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


class TextAndScale(nn.Module):
    """The text tower with the temperature that its contrast learns."""

    def __init__(self, tower: CLIPTextModelWithProjection):
        super().__init__()
        self.tower = tower
        self.scale = nn.Parameter(torch.tensor(14.0).log())


def _tokens(shop: Workshop, captions: list[str]) -> tuple[Tensor, Tensor]:
    coded = shop.tokenizer(captions, padding="max_length", truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
    length = int(coded.attention_mask.sum(1).max())
    return coded.input_ids[:, :length].to(shop.device), coded.attention_mask[:, :length].to(shop.device)


def train_text(shop: Workshop) -> CLIPTextModelWithProjection:
    """The text tower against the frozen image embeddings; every picture that fits a caption is a positive."""
    torch.manual_seed(shop.seed + 3)
    module = shop.place(TextAndScale(models.text_tower(shop.tokenizer)))
    if shop.stands("text", module):
        return module.tower
    bank, writer = shop.bank, CaptionWriter(shop.words)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        count = shop.batch(128)
        rows, captions, said = sample_captions(bank, writer, count, generator)
        more = torch.randint(len(bank.truth), (3 * count,), generator=generator, device=shop.device)
        seen_rows = torch.cat([rows, more])
        fits = writer.fits(said, bank.truth[seen_rows.cpu().numpy()], shop.device)
        with half_precision(shop.device):
            pooled = text_features(module.tower, *_tokens(shop, captions))[0].float()
        loss = contrast(pooled, bank.embeds[seen_rows], fits, module.scale.exp().clamp_max(40))
        own = (F.normalize(pooled.detach(), dim=1) * F.normalize(bank.embeds[rows], dim=1)).sum(1).mean()
        return loss + 0.1 * length_penalty(pooled), {"own": own}

    shop.fit("text", module, loss_of_step, steps=1600, peak=1e-3, seed=4, weight_decay=0.05)
    return module.tower


def train_prior(shop: Workshop) -> PriorTransformer:
    torch.manual_seed(shop.seed + 4)
    prior, scheduler = shop.place(models.prior_transformer()), models.prior_scheduler()
    if shop.stands("prior", prior):
        return prior
    bank, writer, text = shop.bank, CaptionWriter(shop.words), shop.text.requires_grad_(False)
    # An untrained prior has clip_std 0 and would give zeros.
    if not (shop.checkpoints / "prior.safetensors").is_file():
        prior.clip_mean.data.copy_(bank.embeds.mean(0, keepdim=True))
        prior.clip_std.data.copy_(bank.embeds.std(0, keepdim=True))
    prior.clip_mean.requires_grad_(False)
    prior.clip_std.requires_grad_(False)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        rows, captions, _ = sample_captions(bank, writer, shop.batch(64), generator)
        dropped = torch.rand(len(captions), generator=generator, device=shop.device) < 0.1
        captions = ["" if drop else caption for drop, caption in zip(dropped.tolist(), captions, strict=True)]
        ids, mask = _tokens(shop, captions)
        with torch.no_grad():
            pooled, hidden = text_features(text, ids, mask)
        wanted = (bank.embeds[rows] - prior.clip_mean) / prior.clip_std
        return prior_loss(prior, scheduler, wanted, (pooled, hidden, mask), generator), {}

    shop.fit("prior", prior, loss_of_step, steps=2400, peak=1e-3, seed=5)
    return prior


def train_decoder(shop: Workshop) -> UNet2DConditionModel:
    torch.manual_seed(shop.seed + 5)
    unet = shop.place(models.unet())
    if shop.stands("decoder", unet):
        return unet
    bank, scheduler, tower = shop.bank, models.decoder_scheduler(), shop.tower
    with torch.no_grad():  # what the Kandinsky pipelines guide away from: the embedding of an all-zero input
        nothing = look_at(tower, torch.full((1, 3, SIDE, SIDE), 0.5, device=shop.device))
    spread = bank.embeds.std(0)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        draw: dict[str, Any] = {"generator": generator, "device": shop.device}
        rows = torch.randint(len(bank.latents), (shop.batch(16),), **draw)
        # The prior imagines embeddings that are a little off; the decoder must not mind.
        embeds = bank.embeds[rows] + 0.12 * spread * torch.randn(len(rows), WIDTH, **draw)
        dropped = torch.rand(len(rows), 1, **draw) < 0.1
        embeds = torch.where(dropped, nothing, embeds)
        latents = bank.latents[rows].float().contiguous(memory_format=torch.channels_last)
        return decoder_loss(unet, scheduler, latents, embeds, generator), {}

    shop.fit("decoder", unet, loss_of_step, steps=24_000, peak=1e-3, seed=6, average_over=600, decay=0.35)
    return unet


class Answerer(nn.Module):
    """The question answerer with what only its training needs: heads that read the teacher's embedding and the style
    off it, whatever it was asked.

    A small transformer that is told answers alone does not learn to see; the teacher's embedding is of things, and
    says little of a style.
    """

    def __init__(self, model: ViltForQuestionAnswering):
        super().__init__()
        self.model = model
        self.from_patches, self.from_answer = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.style_of_patches = nn.Linear(WIDTH, STYLES)

    def forward(self, ids: Tensor, attention: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Logits ``[n, answers]``, what the last patches and the answering token tell of the picture, unit
        ``[n, width]`` each, and the patches' logits of its style ``[n, STYLES]``.
        """
        mask = torch.ones(len(ids), models.SEEN_SIZE, models.SEEN_SIZE, dtype=torch.long, device=ids.device)
        out = self.model(
            input_ids=ids,
            attention_mask=attention,
            pixel_values=seen(pixels),
            pixel_mask=mask,
            output_hidden_states=True,
        )
        patches = out.hidden_states[-2][:, ids.shape[1] :].mean(1)
        answering = out.hidden_states[-1][:, 0]
        told, answered = (
            F.normalize(each.float(), dim=1) for each in (self.from_patches(patches), self.from_answer(answering))
        )
        return out.logits.float(), told, answered, self.style_of_patches(patches).float()


def train_vqa(shop: Workshop) -> ViltForQuestionAnswering:
    """The question answerer learns the right answers, softened by what the teacher takes the picture for, and to see
    what the teacher sees.
    """
    torch.manual_seed(shop.seed + 6)
    model = shop.place(Answerer(models.question_answerer(shop.tokenizer, answers(shop.words))))
    if shop.stands("vqa", model):
        return model.model
    teacher, writer, things = shop.teacher.requires_grad_(False), QuestionWriter(shop.words), len(shop.words.things)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        batch = shop.small_source.sample(shop.batch(48), generator, MOVED)
        draw: dict[str, Any] = {"generator": generator, "device": shop.device}
        numbers = np.random.default_rng(int(torch.randint(2**31, (1,), **draw)))
        truth = batch.truth.tolist()
        kinds = numbers.choice(KINDS, size=len(truth), p=(0.2, 0.45, 0.25, 0.1))
        asked = [writer.write(str(k), t, numbers) for k, t in zip(kinds, truth, strict=True)]
        wanted = torch.from_numpy(np.stack([q.wanted for q in asked])).to(shop.device)
        possible = torch.from_numpy(np.stack([q.possible for q in asked])).to(shop.device)
        ids, attention = _tokens(shop, [q.text for q in asked])
        with torch.no_grad(), half_precision(shop.device):
            embeds = teacher(batch.pixels.contiguous(memory_format=torch.channels_last)).float()
        with torch.no_grad():
            names = embeds @ F.normalize(teacher.words[:things], dim=1).T * teacher.scale.exp()
            taken = torch.full(possible.shape, -1e4, device=shop.device)
            taken[:, :things] = names
            taken = taken.masked_fill(~possible, -1e4).softmax(1)
        about_things = torch.tensor([q.kind in ("thing", "category") for q in asked], device=shop.device)
        right = wanted.argmax(1)
        wanted = torch.where(about_things[:, None], 0.5 * wanted + 0.5 * taken, wanted)
        with half_precision(shop.device):
            logits, patches, answering, of_style = model(ids, attention, batch.pixels)
        apart = 1 - (patches * embeds).sum(1).mean()
        apart_answering = (1 - (answering * embeds).sum(1))[about_things].mean()
        loss = -(wanted * logits.log_softmax(1)).sum(1).mean()
        styles = torch.tensor([style_answer(t[STYLE], t[LOOK]) for t in truth], device=shop.device)
        style_loss = F.cross_entropy(of_style, styles)
        correct = (logits.argmax(1) == right).float()
        figures = {"answer": loss.detach(), "apart": apart.detach(), "right": correct.mean()}
        for k in ("category", "style"):
            of_kind = torch.from_numpy(kinds == k).to(shop.device).float()
            figures[k] = (correct * of_kind).sum() / of_kind.sum().clamp_min(1)
        figures["style_told"] = (of_style.argmax(1) == styles).float().mean()
        return loss + 4 * apart + 4 * apart_answering + style_loss, figures

    shop.fit("vqa", model, loss_of_step, steps=6000, peak=2e-3, seed=9, weight_decay=0.05)
    return model.model
