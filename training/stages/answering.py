"""Stage `vqa`: the question answerer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import ViltForQuestionAnswering

from training import models
from training.bank import seen
from training.fit import half_precision
from training.models import WIDTH
from training.pictures import LOOK, MOVED, STYLE
from training.questions import KINDS, STYLES, QuestionWriter, answers, style_answer
from training.stages.seeing import train_teacher
from training.workshop import Workshop


class Answerer(nn.Module):
    """The question answerer with two heads for its training: one predicts the teacher's embedding, one the style.

    From answers alone a small transformer does not learn to see; the teacher's embedding says much of things and
    little of styles.
    """

    def __init__(self, model: ViltForQuestionAnswering):
        super().__init__()
        self.model = model
        self.from_patches, self.from_answer = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.style_of_patches = nn.Linear(WIDTH, STYLES)

    def forward(self, ids: Tensor, attention: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(logits of answers ``[n, answers]``, unit embeddings ``[n, width]`` from the patches, the same from the
        answering token, logits of styles ``[n, STYLES]``).
        """
        shown = self.patches(pixels)
        out = self.model(
            input_ids=ids,
            attention_mask=attention,
            image_embeds=shown,
            pixel_mask=torch.ones(shown.shape[:2], dtype=torch.long, device=ids.device),
            output_hidden_states=True,
        )
        patches = out.hidden_states[-2][:, ids.shape[1] :].mean(1)
        answering = out.hidden_states[-1][:, 0]
        told, answered = (
            F.normalize(each.float(), dim=1) for each in (self.from_patches(patches), self.from_answer(answering))
        )
        return out.logits.float(), told, answered, self.style_of_patches(patches).float()

    def patches(self, pixels: Tensor) -> Tensor:
        """The image's part of ViLT's input ``[n, 1 + patches, width]``, from pixels of the size that it is made for.

        transformers' `visual_embed` gives the same in another order of patches, which has no meaning. It takes pictures
        of any size, one at a time, and on a GPU waits for each.
        """
        embeddings = self.model.vilt.embeddings
        shown = embeddings.patch_embeddings(seen(pixels)).flatten(2).mT
        return torch.cat([embeddings.cls_token.expand(len(shown), -1, -1), shown], 1) + embeddings.position_embeddings


def train_vqa(shop: Workshop) -> ViltForQuestionAnswering:
    """The question answerer learns the right answers, softened by the teacher's belief, and the teacher's embedding."""
    torch.manual_seed(shop.seed + 6)
    model = shop.place(Answerer(models.question_answerer(shop.tokenizer, answers(shop.words))))
    if shop.stands("vqa", model):
        return model.model
    teacher, writer, things = (
        shop.once(train_teacher).requires_grad_(False),
        QuestionWriter(shop.words),
        len(shop.words.things),
    )

    supply = shop.supply(shop.small_source, shop.batch(48, 512), MOVED)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        batch = supply.next(generator)
        draw: dict[str, Any] = {"generator": generator, "device": shop.device}
        numbers = np.random.default_rng(int(torch.randint(2**31, (1,), **draw)))
        truth = batch.truth.tolist()
        kinds = numbers.choice(KINDS, size=len(truth), p=(0.2, 0.45, 0.25, 0.1))
        asked = [writer.write(str(k), t, numbers) for k, t in zip(kinds, truth, strict=True)]
        wanted = torch.from_numpy(np.stack([q.wanted for q in asked])).to(shop.device)
        possible = torch.from_numpy(np.stack([q.possible for q in asked])).to(shop.device)
        ids, attention = shop.tokens([q.text for q in asked])
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
