"""The stages of the embedded model's training, in order. Each reads what earlier ones left and can be run again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import PriorTransformer, UNet2DConditionModel
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import (
    CLIPTextModelWithProjection,
    CLIPVisionModelWithProjection,
    PreTrainedTokenizerFast,
    ViltForQuestionAnswering,
)

from core.backbone import EMOJI
from core.emoji import models
from core.emoji.autoencoder import Rebuild, new_autoencoder, rebuild_loss, standardise
from core.emoji.bank import Bank, look_at, make_bank, seen
from core.emoji.captions import MAX_LENGTH, CaptionWriter, vocabulary
from core.emoji.fit import fit, half_precision, load_average
from core.emoji.learning import (
    contrast,
    decoder_loss,
    length_penalty,
    prior_loss,
    sample_captions,
    text_features,
)
from core.emoji.models import WIDTH
from core.emoji.pictures import MOVED, STILL, PictureSource
from core.emoji.questions import KINDS, STYLES, QuestionWriter, answers, style_answer
from core.emoji.render import Drawings, held_out_pairs, render
from core.emoji.teacher import WordNet, Words, thumbnail_loss, word_loss
from core.emoji.tokenizer import word_tokenizer

BEFORE = "before"  # in a stage's log: the steps and minutes of the weights that it goes on from
JUDGE_CHANNELS, JUDGE_WIDTH = (24, 48, 96, 160), 128

# Where in the stack each stage's result lies.
PARTS = {
    "autoencoder": "decoder/movq",
    "tower": "prior/image_encoder",
    "text": "prior/text_encoder",
    "prior": "prior/prior",
    "sketcher": "decoder/unet",
    "decoder": "decoder/unet",
    "vqa": "vqa",
    "judge": "judge",
}


@dataclass
class Workshop:
    """What the stages share: the drawings, the words, where checkpoints lie, and how long to train."""

    cache: Path
    effort: float = 1.0  # scales every stage's steps
    seed: int = 0
    from_scratch: bool = False
    weights: Path = EMOJI
    only: frozenset[str] = frozenset()  # the stages that were asked for by name; empty for all

    @cached_property
    def drawings(self) -> Drawings:
        return render(self.cache)

    @cached_property
    def words(self) -> Words:
        return Words.of(self.drawings)

    @cached_property
    def source(self) -> PictureSource:
        """The drawings that stages may learn from."""
        return PictureSource(self.drawings, self.drawings.split(held_out=False))

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        return word_tokenizer(vocabulary(self.words), MAX_LENGTH)

    @cached_property
    def bank(self) -> Bank:
        return self.bank_as_seen_by(self.tower)

    def bank_as_seen_by(self, eyes: nn.Module) -> Bank:
        count = max(64, round(64_000 * min(1.0, self.effort)))
        return make_bank(self.cache / "bank", self.source, self.autoencoder, eyes.eval(), count, self.seed)

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

    def trained(self) -> dict[str, Any]:
        """The parts of the stack as their last checkpoints have them, whether their stages are finished or not.

        With stages asked for by name, a part without a checkpoint is the committed one.
        """
        text = TextAndScale(models.text_tower(self.tokenizer))
        parts: dict[str, Any] = {
            "tower": models.image_tower(),
            "text": text,
            "prior": models.prior_transformer(),
            "decoder": models.unet(),
            "vqa": Answerer(models.question_answerer(self.tokenizer, answers(self.words))),
            "judge": WordNet(JUDGE_CHANNELS, JUDGE_WIDTH, len(self.words.all)),
        }
        for name, model in parts.items():
            inner = {"text": "tower", "vqa": "model"}.get(name)
            if not self.begin(name, getattr(model, inner) if inner else model):
                load_average(self.checkpoints, name, model)
        module = self.autoencoder
        if (self.checkpoints / "polish.safetensors").is_file():
            load_average(self.checkpoints, "polish", module)
        return {**parts, "text": text.tower, "vqa": parts["vqa"].model, "autoencoder": module.model}

    def begin(self, name: str, model: nn.Module) -> bool:
        """Without a checkpoint of its own a stage goes on from the committed weights, where there are any.

        Returns whether it stands as committed: other stages were asked for, and it is only what they build on.
        """
        committed = self.weights / PARTS[name] / "model.safetensors"
        if not committed.is_file():
            committed = committed.with_name("diffusion_pytorch_model.safetensors")
        if self.from_scratch or not committed.is_file() or (self.checkpoints / f"{name}.safetensors").is_file():
            return False
        tensors = load_file(committed)
        if {k: v.shape for k, v in model.state_dict().items()} != {k: v.shape for k, v in tensors.items()}:
            return False
        model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
        stands = bool(self.only) and name not in self.only
        print(f"{name}: {'the committed weights' if stands else 'going on from the committed weights'}", flush=True)
        if not stands and name != "sketcher":  # whose committed weights are those that the decoder learned from it
            self.log_before(name)
        model.eval()
        return stands

    def log_before(self, name: str) -> None:
        """The stage's log begins with what the weights that it goes on from were trained for."""
        stored = self.weights / "training.json"
        about = json.loads(stored.read_text(encoding="utf-8")).get(name) if stored.is_file() else None
        if about:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            with open(self.checkpoints / f"{name}.jsonl", "a", encoding="utf-8") as log:
                log.write(json.dumps({BEFORE: {what: about[what] for what in ("steps", "minutes")}}) + "\n")

    def steps(self, count: int) -> int:
        return max(2, round(count * self.effort))


def train_autoencoder(shop: Workshop) -> Rebuild:
    module = Rebuild(new_autoencoder()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if shop.begin("autoencoder", module.model):
        return module.eval()

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, float]]:
        batch = shop.source.sample(8, generator, STILL)
        return rebuild_loss(module, batch.pixels.contiguous(memory_format=torch.channels_last), generator)

    fit("autoencoder", module, loss_of_step, shop.checkpoints, steps=shop.steps(3000), peak=2e-3, average_over=150)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(shop.seed)
        latents = torch.cat([module.encode(shop.source.sample(64, generator).pixels) for _ in range(8)])
    standardise(module.model, latents)
    return module


def train_polish(shop: Workshop) -> Rebuild:
    """The autoencoder's decoder alone goes on learning: the latents, and all that depends on them, stay as they are."""
    module = train_autoencoder(shop)
    module.model.encoder.requires_grad_(False)
    module.model.quant_conv.requires_grad_(False)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, float]]:
        batch = shop.source.sample(8, generator, STILL)
        return rebuild_loss(module, batch.pixels.contiguous(memory_format=torch.channels_last), generator)

    fit("polish", module, loss_of_step, shop.checkpoints, steps=shop.steps(2400), peak=1e-3, seed=11, average_over=300)
    return module


def train_teacher(shop: Workshop) -> WordNet:
    torch.manual_seed(shop.seed)
    model = WordNet((32, 48, 96, 192), WIDTH, len(shop.words.all))
    return _train_word_net("teacher", model, shop, shop.source, steps=6000, seed=1)


def train_judge(shop: Workshop) -> WordNet:
    """The judge sees other drawings, other batches and has another shape, so that its errors are its own."""
    drawings = shop.drawings
    split = ~held_out_pairs(drawings.thing, drawings.style, seed=7)
    torch.manual_seed(shop.seed + 7)
    model = WordNet(JUDGE_CHANNELS, JUDGE_WIDTH, len(shop.words.all))
    source = PictureSource(drawings, split.nonzero()[0])
    if shop.begin("judge", model):
        return model
    return _train_word_net("judge", model, shop, source, steps=4000, seed=8)


def _train_word_net(name: str, model: WordNet, shop: Workshop, source: PictureSource, steps: int, seed: int) -> WordNet:
    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, float]]:
        batch = source.sample(48, generator, MOVED)
        with half_precision():
            embeds = model(batch.pixels.contiguous(memory_format=torch.channels_last)).float()
        loss, logits = word_loss(embeds, model.words, model.scale, shop.words, batch)
        thumbnail = thumbnail_loss(model.thumbnail, embeds, batch.pixels)
        names = logits[:, : len(shop.words.things)]
        found = (names.argmax(1) == batch.thing).float().mean()
        return loss + 6 * thumbnail, {"top1": float(found), "thumbnail": float(thumbnail.detach())}

    fit(name, model, loss_of_step, shop.checkpoints, steps=shop.steps(steps), peak=3e-3, seed=seed, weight_decay=0.05)
    return model


def train_tower(shop: Workshop) -> CLIPVisionModelWithProjection:
    """The image tower learns the teacher's embedding, and the same words and thumbnails, from varied pictures."""
    torch.manual_seed(shop.seed + 2)
    tower = models.image_tower()
    if shop.begin("tower", tower):
        return tower
    teacher = shop.teacher.requires_grad_(False)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, float]]:
        batch = shop.source.sample(48, generator, MOVED)
        with torch.no_grad(), half_precision():
            wanted = teacher(batch.pixels.contiguous(memory_format=torch.channels_last)).float()
        with half_precision():
            raw = tower(pixel_values=seen(batch.pixels)).image_embeds.float()
        embeds = F.normalize(raw, dim=1)
        apart = 1 - (embeds * wanted).sum(1).mean()
        loss, logits = word_loss(embeds, teacher.words, teacher.scale, shop.words, batch)
        thumbnail = thumbnail_loss(teacher.thumbnail, embeds, batch.pixels)
        found = (logits[:, : len(shop.words.things)].argmax(1) == batch.thing).float().mean()
        total = 8 * apart + 0.5 * loss + 6 * thumbnail + 0.1 * length_penalty(raw)
        return total, {"apart": float(apart.detach()), "top1": float(found), "thumbnail": float(thumbnail.detach())}

    fit("tower", tower, loss_of_step, shop.checkpoints, steps=shop.steps(3400), peak=2e-3, seed=3, weight_decay=0.05)
    return tower


class TextAndScale(nn.Module):
    """The text tower with the temperature that its contrast learns."""

    def __init__(self, tower: CLIPTextModelWithProjection):
        super().__init__()
        self.tower = tower
        self.scale = nn.Parameter(torch.tensor(14.0).log())


def _tokens(shop: Workshop, captions: list[str]) -> tuple[Tensor, Tensor]:
    coded = shop.tokenizer(captions, padding="max_length", truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
    return coded.input_ids, coded.attention_mask


def train_text(shop: Workshop) -> CLIPTextModelWithProjection:
    """The text tower against the frozen image embeddings; every picture that fits a caption is a positive."""
    torch.manual_seed(shop.seed + 3)
    module = TextAndScale(models.text_tower(shop.tokenizer))
    if shop.begin("text", module.tower):
        return module.tower
    bank, writer = shop.bank, CaptionWriter(shop.words)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, float]]:
        rows, captions, said = sample_captions(bank, writer, 128, generator)
        more = torch.randint(len(bank.truth), (384,), generator=generator)
        seen_rows = torch.cat([rows, more])
        fits = torch.from_numpy(writer.fits(said, bank.truth[seen_rows.numpy()]))
        with half_precision():
            pooled = text_features(module.tower, *_tokens(shop, captions))[0].float()
        loss = contrast(pooled, bank.embeds[seen_rows], fits, module.scale.exp().clamp_max(40))
        own = (F.normalize(pooled.detach(), dim=1) * F.normalize(bank.embeds[rows], dim=1)).sum(1).mean()
        return loss + 0.1 * length_penalty(pooled), {"own": float(own)}

    fit("text", module, loss_of_step, shop.checkpoints, steps=shop.steps(1600), peak=1e-3, seed=4, weight_decay=0.05)
    return module.tower


def train_prior(shop: Workshop) -> PriorTransformer:
    torch.manual_seed(shop.seed + 4)
    prior, scheduler = models.prior_transformer(), models.prior_scheduler()
    bank, writer, text = shop.bank, CaptionWriter(shop.words), shop.text.requires_grad_(False)
    # An untrained prior has clip_std 0 and would give zeros.
    prior.clip_mean.data.copy_(bank.embeds.mean(0, keepdim=True))
    prior.clip_std.data.copy_(bank.embeds.std(0, keepdim=True))
    prior.clip_mean.requires_grad_(False)
    prior.clip_std.requires_grad_(False)
    if shop.begin("prior", prior):
        return prior

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, float]]:
        rows, captions, _ = sample_captions(bank, writer, 64, generator)
        dropped = torch.rand(len(captions), generator=generator) < 0.1
        captions = ["" if drop else caption for drop, caption in zip(dropped.tolist(), captions, strict=True)]
        ids, mask = _tokens(shop, captions)
        with torch.no_grad():
            pooled, hidden = text_features(text, ids, mask)
        wanted = (bank.embeds[rows] - prior.clip_mean) / prior.clip_std
        features = (pooled, hidden, mask[:, : hidden.shape[1]])
        return prior_loss(prior, scheduler, wanted, features, generator), {}

    fit("prior", prior, loss_of_step, shop.checkpoints, steps=shop.steps(1800), peak=1e-3, seed=5)
    return prior


def train_sketcher(shop: Workshop) -> UNet2DConditionModel:
    """The decoder's first steps, on what the teacher sees: they need not wait for the image tower to learn it."""
    torch.manual_seed(shop.seed + 5)
    unet = models.unet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if shop.begin("sketcher", unet):
        return unet
    return _train_unet("sketcher", unet, shop, shop.teacher, steps=1800, seed=10, decay=0.0)


def train_decoder(shop: Workshop) -> UNet2DConditionModel:
    committed = (shop.weights / PARTS["decoder"]).is_dir() and not shop.from_scratch
    if committed and not (shop.checkpoints / "decoder.safetensors").is_file():
        shop.log_before("decoder")
    return _train_unet("decoder", train_sketcher(shop), shop, shop.tower, steps=6200, seed=6, decay=0.35)


def _train_unet(
    name: str,
    unet: UNet2DConditionModel,
    shop: Workshop,
    eyes: nn.Module,
    *,
    steps: int,
    seed: int,
    decay: float,
) -> UNet2DConditionModel:
    bank, scheduler = shop.bank_as_seen_by(eyes), models.decoder_scheduler()
    with torch.no_grad():  # what the Kandinsky pipelines guide away from: the embedding of an all-zero input
        nothing = look_at(eyes, torch.full((1, 3, 64, 64), 0.5))
    spread = bank.embeds.std(0)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, float]]:
        rows = torch.randint(len(bank.latents), (32,), generator=generator)
        # The prior imagines embeddings that are a little off; the decoder must not mind.
        embeds = bank.embeds[rows] + 0.12 * spread * torch.randn(len(rows), WIDTH, generator=generator)
        dropped = torch.rand(len(rows), 1, generator=generator) < 0.1
        embeds = torch.where(dropped, nothing, embeds)
        latents = bank.latents[rows].float().contiguous(memory_format=torch.channels_last)
        return decoder_loss(unet, scheduler, latents, embeds, generator), {}

    count = shop.steps(steps)
    fit(name, unet, loss_of_step, shop.checkpoints, steps=count, peak=1e-3, seed=seed, average_over=600, decay=decay)
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
        mask = torch.ones(len(ids), models.SEEN_SIZE, models.SEEN_SIZE, dtype=torch.long)
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
    model = Answerer(models.question_answerer(shop.tokenizer, answers(shop.words)))
    if shop.begin("vqa", model.model):
        return model.model
    teacher, writer, things = shop.teacher.requires_grad_(False), QuestionWriter(shop.words), len(shop.words.things)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, float]]:
        batch = shop.source.sample(48, generator, MOVED)
        numbers = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        truth = torch.stack([batch.thing, batch.style, batch.look, batch.background], 1).tolist()
        kinds = numbers.choice(KINDS, size=len(truth), p=(0.2, 0.5, 0.2, 0.1))
        asked = [writer.write(str(k), t, numbers) for k, t in zip(kinds, truth, strict=True)]
        right = torch.tensor([q.answer for q in asked])
        possible = torch.from_numpy(np.stack([q.possible for q in asked]))
        ids, attention = _tokens(shop, [q.text for q in asked])
        length = int(attention.sum(1).max())
        with torch.no_grad(), half_precision():
            embeds = teacher(batch.pixels.contiguous(memory_format=torch.channels_last)).float()
        with torch.no_grad():
            names = embeds @ F.normalize(teacher.words[:things], dim=1).T * teacher.scale.exp()
            taken = torch.full(possible.shape, -1e4)
            taken[:, :things] = names
            taken = taken.masked_fill(~possible, -1e4).softmax(1)
        about_things = torch.tensor([q.kind in ("thing", "category") for q in asked])
        wanted = F.one_hot(right, possible.shape[1]).float()
        wanted[about_things] = 0.5 * wanted[about_things] + 0.5 * taken[about_things]
        with half_precision():
            logits, patches, answering, of_style = model(ids[:, :length], attention[:, :length], batch.pixels)
        apart = 1 - (patches * embeds).sum(1).mean()
        apart_answering = (1 - (answering * embeds).sum(1))[about_things].mean()
        loss = -(wanted * logits.log_softmax(1)).sum(1).mean()
        styles = torch.tensor([style_answer(style, look) for _, style, look, _ in truth])
        style_loss = F.cross_entropy(of_style, styles)
        correct = (logits.argmax(1) == right).float()
        figures = {"answer": float(loss.detach()), "apart": float(apart.detach()), "right": float(correct.mean())}
        figures |= {k: float(correct[torch.from_numpy(kinds == k)].mean()) for k in ("category", "style")}
        figures["style_told"] = float((of_style.argmax(1) == styles).float().mean())
        return loss + 4 * apart + 4 * apart_answering + style_loss, figures

    fit("vqa", model, loss_of_step, shop.checkpoints, steps=shop.steps(6000), peak=2e-3, seed=9, weight_decay=0.05)
    return model.model
