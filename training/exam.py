"""Measure a stack on drawings and pairs that its training has not seen.

Held out are whole (thing, set) pairs, of which no stage has seen that set's drawing of that thing nor a variant of it,
and whole pairs of things, which no stage has seen joined. Figures go through `Backbone`, the code that the product
runs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from core.emoji.judge import Judge
from core.errors import ConceptreeError
from core.files import write_atomically
from core.namers import vqa_namer
from core.stack.backbone import Backbone
from training import hybrids
from training.figures import as_images, both_found, crispness, found, psnr
from training.pictures import BARE, REAL, PictureSource, held_out_pair
from training.questions import KINDS, QuestionWriter, answers
from training.render import SIZE, held_out_pairs, render
from training.sources import SETS
from training.stages.seeing import JUDGE_SPLIT
from training.teacher import Words

TWINS = {"fluent", "3d"}  # styles that are the same drawings, once as gradients and once rendered
HYBRIDS, UNRELATED = 96, 32
SHOWN_NAMES, SHOWN_HYBRIDS, COLUMNS = 40, 20, 5  # on the sheet

# Names of figures that the aims use too.
CRISP, SECONDS = "crispness", "seconds for a picture"
FROM_NAMES = f"{CRISP}, drawn from names"
UNSEEN = "judge names unseen pairs drawn from text, top-1"
BOTH = "judge names both of a hybrid, drawn from text, top-5"
BOTH_TRUE = "judge names both of a hybrid, true, top-5"
KIND, STYLE = "VQA: what kind of … is in this photo?", "VQA: what art style …?"
STYLES_JOINED = f"{STYLE}, {' and '.join(sorted(TWINS))} as one"
REBUILT = "MoVQ, as drawn (dB)"


@dataclass(frozen=True)
class Hybrids:
    """True hybrids of two things each.

    Attributes:
        first, second: ``[n]`` the things.
    """

    images: list[Image.Image]
    first: Tensor
    second: Tensor


Pairing = Callable[[Tensor, Tensor], Tensor]  # which pairs of things, [n] each, may be joined: [n] bool


def true_hybrids(source: PictureSource, count: int, pairing: Pairing, related: bool = True, seed: int = 0) -> Hybrids:
    """Hybrids of two drawings of one set, joined as in training, each pair of things once.

    Training may have seen the drawings themselves; only pairs are held out. related: whether both things share a
    category, as in all pairs that training joins.
    """
    generator = torch.Generator().manual_seed(seed)
    belongs = Words.of(source.drawings).belongs.float()
    seen: set[tuple[int, int]] = set()
    images: list[Image.Image] = []
    pairs: list[tuple[int, int]] = []

    def drawn() -> Tensor:
        return source.indices[torch.randint(len(source.indices), (20_000,), generator=generator)]

    for _ in range(20):
        chosen = drawn()
        other = source.relative(chosen, generator) if related else drawn()
        one, two = source.thing[chosen], source.thing[other]
        fits = (one != two) & (source.style[chosen] == source.style[other]) & pairing(one, two)
        fits &= ((belongs[one] * belongs[two]).sum(1) > 0) == related
        rows = fits.nonzero().flatten()[: 2 * count]
        if not len(rows):
            continue
        first, second = (source.premultiplied(each[rows]) for each in (chosen, other))
        joined, _, done = hybrids.join(first, second, generator)
        pictures = as_images((joined[:, :3] + 1 - joined[:, 3:]).clamp(0, 1))
        for row, picture, good in zip(rows.tolist(), pictures, done.tolist(), strict=True):
            pair = int(one[row]), int(two[row])
            if good and (min(pair), max(pair)) not in seen and len(pairs) < count:
                seen.add((min(pair), max(pair)))
                images.append(picture)
                pairs.append(pair)
        if len(pairs) == count:
            break
    table = torch.tensor(pairs, dtype=torch.long).view(-1, 2)
    return Hybrids(images, table[:, 0], table[:, 1])


def new_to_both(one: Tensor, two: Tensor) -> Tensor:
    """Mask [n] of the pairs of things that neither the stack nor the judge has seen joined."""
    return held_out_pair(one, two) & held_out_pair(one, two, JUDGE_SPLIT)


class Exam:
    """Held-out drawings, and the measurements on them.

    Args:
        vqa: the folder of the question answerer.
        every: use one in so many of the held-out drawings.
    """

    def __init__(self, backbone: Backbone, judge: Judge, cache: Path, vqa: Path, every: int = 1, seed: int = 0):
        self.backbone, self.judge, self.vqa, self.every = backbone, judge, vqa, every
        self.drawings = render(cache)
        self.words = Words.of(self.drawings)
        if self.words.things != judge.things:
            raise ConceptreeError(f"{judge.version} knows other things than the drawings show: train it on them")
        self.side = min(SIZE, int(backbone.drawing["size"]))  # true pictures are as large as drawn ones
        self.source = self._source(self.drawings.held_out)
        batch = self.source.vary(self.source.indices, torch.Generator().manual_seed(seed), BARE)
        self.thing, self.style = batch.thing, batch.style
        self.images = as_images(batch.pixels)
        self.embeds = self._seen(self.images)
        texts = backbone.encode_text([f"a photo of a {name}" for name in self.words.things])
        self.names = F.normalize(texts.float().cpu(), dim=1)

    def _source(self, chosen: np.ndarray) -> PictureSource:
        return PictureSource(self.drawings, np.flatnonzero(chosen)[:: self.every], self.side)

    def _seen(self, images: Sequence[Image.Image]) -> Tensor:
        return self.backbone.encode_images(images).float().cpu()

    def _imagined(self, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        return self.backbone.imagine(prompts, seeds=seeds).float().cpu()

    def retrieval(self) -> dict[str, float]:
        images = F.normalize(self.embeds, dim=1)
        similarity = images @ self.names.T
        asked = self.thing.unique()
        by_text = self.names[asked] @ images.T
        best = self.thing[by_text.topk(5, dim=1).indices] == asked[:, None]
        return {
            "image to name, top-1": found(similarity, self.thing, 1),
            "image to name, top-5": found(similarity, self.thing, 5),
            "name to image, top-1": float(best[:, 0].float().mean()),
            "name to image, top-5": float(best.any(1).float().mean()),
        }

    def imagining(self) -> dict[str, float]:
        """Cosine of imagined and true image embeddings, against that of a random other thing's picture."""
        prompts = [self.prompt(*pair) for pair in zip(self.thing.tolist(), self.style.tolist(), strict=True)]
        imagined = F.normalize(self._imagined(prompts, range(len(prompts))), dim=1)
        true = F.normalize(self.embeds, dim=1)
        other = torch.roll(torch.arange(len(true)), len(true) // 2)
        other = torch.where(self.thing[other] == self.thing, torch.roll(other, 7), other)
        return {
            "imagined to true picture": float((imagined * true).sum(1).mean()),
            "imagined to another thing's": float((imagined * true[other]).sum(1).mean()),
            "imagined nearest to own name, top-1": found(imagined @ self.names.T, self.thing, 1),
            "imagined nearest to own name, top-5": found(imagined @ self.names.T, self.thing, 5),
        }

    def prompt(self, thing: int, style: int) -> str:
        return f"a {self.words.things[thing]} in the style of {SETS[style].style}"

    def rebuilding(self) -> dict[str, float]:
        figures: dict[str, float] = {}
        for label, variation in (("as drawn", BARE), ("in all looks and backgrounds", REAL)):
            pixels = self.source.vary(self.source.indices, torch.Generator().manual_seed(1), variation).pixels
            figures |= self._rebuilt(label, as_images(pixels))
        return figures

    @torch.no_grad()
    def _rebuilt(self, label: str, images: Sequence[Image.Image]) -> dict[str, float]:
        movq, device, dtype = self.backbone.decoder.movq, self.backbone.device, self.backbone.dtype
        pixels = torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2) / 255
        rebuilt: list[Image.Image] = []
        for chunk in pixels.split(32):
            latents = movq.encode((chunk * 2 - 1).to(device, dtype)).latents
            sample = movq.decode(latents, force_not_quantize=True).sample
            rebuilt += as_images((sample.float() / 2 + 0.5).clamp(0, 1))
        return {f"MoVQ, {label} (dB)": psnr(images, rebuilt), f"{CRISP}, MoVQ, {label}": crispness(rebuilt, images)}

    def drawing(self) -> dict[str, float]:
        """How often the judge names the thing: on true pictures, drawn from their embeddings, drawn from text."""
        self.drawn = torch.arange(0, len(self.thing), 4)  # every fourth one: drawing takes the time
        thing, seeds = self.thing[self.drawn], self.drawn.tolist()
        self.backbone.draw(self.embeds[:1], [0])  # the first picture also loads the decoder
        began = time.perf_counter()
        self.from_embeds = self.backbone.draw(self.embeds[self.drawn], seeds)
        seconds = (time.perf_counter() - began) / len(seeds)
        prompts = [f"a photo of a {self.words.things[i]}" for i in thing.tolist()]
        self.from_text = self.backbone.draw(self._imagined(prompts, seeds), seeds)
        true = [self.images[i] for i in seeds]
        figures = {}
        for label, images in (
            ("true pictures", true),
            ("drawn from the true image embedding", self.from_embeds),
            ("drawn from text alone", self.from_text),
        ):
            scores = self.judge.probabilities(images)
            for k in (1, 5):
                figures[f"judge names {label}, top-{k}"] = found(scores, thing, k)
        seen, wanted = F.normalize(self._seen(self.from_embeds), dim=1), F.normalize(self.embeds[self.drawn], dim=1)
        figures["image tower: drawn to true picture"] = float((seen * wanted).sum(1).mean())
        figures[f"{CRISP}, drawn from the true image embedding"] = crispness(self.from_embeds, true)
        figures[FROM_NAMES] = crispness(self.from_text, true)
        figures[SECONDS] = seconds
        return figures

    def unseen(self) -> dict[str, float]:
        """Thing and style pairs that neither the stack nor the judge has seen, each drawn twice from text."""
        drawings = self.drawings
        held = drawings.held_out & held_out_pairs(drawings.thing, drawings.style, seed=JUDGE_SPLIT)
        rows = np.flatnonzero(held)[:: self.every].repeat(2)
        prompts = [self.prompt(drawings.thing[row], drawings.style[row]) for row in rows]
        seeds = range(len(rows))
        scores = self.judge.probabilities(self.backbone.draw(self._imagined(prompts, seeds), seeds))
        thing = torch.from_numpy(drawings.thing[rows]).long()
        return {UNSEEN: found(scores, thing, 1), UNSEEN.replace("top-1", "top-5"): found(scores, thing, 5)}

    def mixing(self) -> dict[str, float]:
        """Hybrids of pairs that neither the stack nor the judge has seen joined: true and drawn ones."""
        everything = PictureSource(self.drawings, np.arange(len(self.drawings.thing)), self.side)
        self.hybrids = true_hybrids(everything, HYBRIDS // self.every, new_to_both)
        figures, drawn, imagined, embeds = self._mixed("a hybrid", self.hybrids)
        self.hybrids_from_embeds, self.hybrids_from_text = drawn
        figures["imagined to true hybrid"] = float(F.cosine_similarity(imagined, embeds, dim=1).mean())
        for label, images in zip(("the true image embedding", "text"), drawn, strict=True):
            figures[f"{CRISP}, hybrids drawn from {label}"] = crispness(images, self.hybrids.images)
        figures |= self._rebuilt("true hybrids", self.hybrids.images)
        # No stage joins things that share no category: these pairs are new to both as well, and stranger.
        strange = true_hybrids(everything, UNRELATED // self.every, lambda one, two: one != two, related=False)
        figures |= self._mixed("a hybrid of unrelated things", strange)[0]
        return figures

    def _mixed(self, what: str, true: Hybrids) -> tuple[dict[str, float], list[list[Image.Image]], Tensor, Tensor]:
        """(figures, pictures drawn from the embeddings and from text, imagined embeddings, true embeddings)"""
        seeds = list(range(len(true.images)))
        pairs = zip(true.first.tolist(), true.second.tolist(), strict=True)
        prompts = [f"a mix of a {self.words.things[i]} and a {self.words.things[j]}" for i, j in pairs]
        embeds, imagined = self._seen(true.images), self._imagined(prompts, seeds)
        drawn = [self.backbone.draw(each, seeds) for each in (embeds, imagined)]
        figures = {}
        for label, images in zip(
            ("true", "drawn from the true image embedding", "drawn from text"), (true.images, *drawn), strict=True
        ):
            scores = self.judge.probabilities(images)
            likeliest = scores.argmax(1)
            figures[f"judge names both of {what}, {label}, top-5"] = both_found(scores, true.first, true.second)
            either = (likeliest == true.first) | (likeliest == true.second)
            figures[f"judge names one of {what}, {label}, top-1"] = float(either.float().mean())
        return figures, drawn, imagined, embeds

    def judging(self) -> dict[str, float]:
        """The judge on drawings that it has not seen."""
        source = self._source(held_out_pairs(self.drawings.thing, self.drawings.style, seed=JUDGE_SPLIT))
        batch = source.vary(source.indices, torch.Generator().manual_seed(2), BARE)
        scores = self.judge.probabilities(as_images(batch.pixels))
        return {f"judge on its own held-out drawings, top-{k}": found(scores, batch.thing, k) for k in (1, 5)}

    def answering(self) -> dict[str, float]:
        namer = vqa_namer(self.vqa, self.backbone.device, answers=1, dtype=self.backbone.dtype)
        writer, every = QuestionWriter(self.words), answers(self.words)
        varied = self.source.vary(self.source.indices, torch.Generator().manual_seed(3), REAL)
        images, truth = as_images(varied.pixels), varied.truth.tolist()
        figures = {}
        labels = {
            "thing": "VQA: what is in this photo?",
            "category": KIND,
            "style": STYLE,
            "background": "VQA: what color is the background?",
        }
        for kind in KINDS:
            asked: dict[str, list[tuple[Image.Image, str]]] = {}
            for row, (image, facts) in enumerate(zip(images, truth, strict=True)):
                question = writer.write(kind, facts, np.random.default_rng(row))
                if question.kind == kind:
                    picture = self.images[row] if kind == "category" else image
                    asked.setdefault(question.text, []).append((picture, every[question.answer]))
            pairs = [
                (said[0][0], answer)
                for text, group in asked.items()
                for said, (_, answer) in zip(namer([picture for picture, _ in group], text), group, strict=True)
            ]
            figures[labels[kind]] = float(np.mean([said == answer for said, answer in pairs]))
            if kind == "style":
                nearly = [said == answer or {said, answer} == TWINS for said, answer in pairs]
                figures[STYLES_JOINED] = float(np.mean(nearly))
        return figures

    def sheet(self, path: Path, seed: int = 4) -> None:
        """Held-out things, then hybrids: the true picture, what is drawn from its embedding, and from its name."""
        random = np.random.default_rng(seed)
        shown = random.choice(len(self.drawn), min(SHOWN_NAMES, len(self.drawn)), replace=False).tolist()
        rows = [(int(self.drawn[i]), i) for i in sorted(shown, key=lambda i: int(self.thing[self.drawn[i]]))]
        panel: list[tuple[Any, ...]] = [
            (self.words.things[int(self.thing[row])], self.images[row], self.from_embeds[i], self.from_text[i])
            for row, i in rows
        ]
        panel += [("",)] * (-len(panel) % COLUMNS)  # hybrids begin a row
        mixed = self.hybrids
        for i in range(min(SHOWN_HYBRIDS, len(mixed.images))):
            name = " + ".join(self.words.things[int(of[i])] for of in (mixed.first, mixed.second))
            panel.append((name, mixed.images[i], self.hybrids_from_embeds[i], self.hybrids_from_text[i]))
        cell, gap = self.from_text[0].width, 14
        width, height = COLUMNS * (cell * 3 + gap), -(-len(panel) // COLUMNS) * (cell + 20)
        page = Image.new("RGB", (width, height), "white")
        pen = ImageDraw.Draw(page)
        for place, (name, *images) in enumerate(panel):
            x, y = place % COLUMNS * (cell * 3 + gap), place // COLUMNS * (cell + 20)
            for offset, image in enumerate(images):
                page.paste(image, (x + offset * cell, y))
            pen.text((x + 2, y + cell + 2), name[: cell // 2], fill="black")
        page.save(path, "WEBP", quality=75, method=6)


def measure(exam: Exam, sheet: Path | None, keep: Path | None) -> dict[str, float]:
    """All figures. Print and store them part by part, so that a failure loses only later parts."""
    figures: dict[str, float] = {}
    for part in (
        exam.retrieval,
        exam.imagining,
        exam.rebuilding,
        exam.drawing,
        exam.unseen,
        exam.mixing,
        exam.judging,
        exam.answering,
    ):
        measured = part()
        figures |= measured
        print("\n".join(f"{name:65} {value:.3f}" for name, value in measured.items()), flush=True)
        about = {"version": exam.backbone.version, "fingerprint": exam.backbone.fingerprint, "every": exam.every}
        if keep:
            write_atomically(keep, (json.dumps({**about, "figures": figures}, indent=1) + "\n").encode())
        if sheet and part == exam.mixing:
            exam.sheet(sheet)
    return figures
