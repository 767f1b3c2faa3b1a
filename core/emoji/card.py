"""`python -m core.emoji.card`: measures the embedded stack on held-out drawings; writes CARD.md and its sheet.

Held out are whole (thing, set) pairs: no stage has seen that set's drawing of that thing, nor any variant of it.
The figures go through `Backbone`, the code that the product runs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from core.backbone import EMOJI, Backbone
from core.emoji.judge import Judge
from core.emoji.pictures import BARE, STILL, PictureSource
from core.emoji.questions import KINDS, QuestionWriter, answers
from core.emoji.render import SIZE, held_out_pairs, render
from core.emoji.sources import NAMES_PACKAGE, SETS
from core.emoji.teacher import Words
from core.emoji.train import cache_folder
from core.namers import vqa_namer

HERE = Path(__file__).parent
TWINS = {"fluent", "3d"}  # styles that are the same drawings, once as gradients and once rendered


def as_images(pixels: Tensor) -> list[Image.Image]:
    """``[n, 3, h, w]`` in 0 … 1 → PIL pictures."""
    return [Image.fromarray(p) for p in (pixels * 255).round().byte().permute(0, 2, 3, 1).numpy()]


def found(ranked: Tensor, truth: Tensor, k: int) -> float:
    """Share of rows of ``[n, candidates]`` scores whose true column is among the ``k`` highest."""
    return float((ranked.topk(k, dim=1).indices == truth[:, None]).any(1).float().mean())


def psnr(images: list[Image.Image], rebuilt: list[Image.Image]) -> float:
    """Decibels, the mean over the pictures."""
    errors = [
        np.mean((np.asarray(a, np.float32) - np.asarray(b, np.float32)) ** 2)
        for a, b in zip(images, rebuilt, strict=True)
    ]
    return float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-3))))


class Exam:
    """The held-out drawings and everything that is asked about them."""

    def __init__(self, backbone: Backbone, judge: Judge, cache: Path, seed: int = 0):
        self.backbone, self.judge = backbone, judge
        self.drawings = render(cache)
        self.words = Words.of(self.drawings)
        self.source = PictureSource(self.drawings, self.drawings.split(held_out=True))
        batch = self.source.vary(self.source.indices, torch.Generator().manual_seed(seed), BARE)
        self.thing, self.style = batch.thing, batch.style
        self.images = as_images(batch.pixels)
        self.embeds = backbone.encode_images(self.images)
        self.names = F.normalize(backbone.encode_text([f"a photo of a {name}" for name in self.words.things]), dim=1)

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
        prompts = [self.prompt(i) for i in range(len(self.thing))]
        imagined = F.normalize(self.backbone.imagine(prompts, seeds=list(range(len(prompts)))), dim=1)
        self.imagined = imagined * self.embeds.norm(dim=1).mean()
        true = F.normalize(self.embeds, dim=1)
        other = torch.roll(torch.arange(len(true)), len(true) // 2)
        other = torch.where(self.thing[other] == self.thing, torch.roll(other, 7), other)
        return {
            "imagined to true picture": float((imagined * true).sum(1).mean()),
            "imagined to another thing's": float((imagined * true[other]).sum(1).mean()),
            "imagined nearest to own name, top-1": found(imagined @ self.names.T, self.thing, 1),
            "imagined nearest to own name, top-5": found(imagined @ self.names.T, self.thing, 5),
        }

    def prompt(self, row: int) -> str:
        return f"a {self.words.things[int(self.thing[row])]} in the style of {SETS[int(self.style[row])].style}"

    @torch.no_grad()
    def rebuilding(self) -> dict[str, float]:
        movq = self.backbone.decoder.movq
        figures = {}
        for label, variation in (("as drawn", BARE), ("in all looks and backgrounds", STILL)):
            pixels = self.source.vary(self.source.indices, torch.Generator().manual_seed(1), variation).pixels
            rebuilt = [
                movq.decode(movq.encode(chunk * 2 - 1).latents, force_not_quantize=True).sample / 2 + 0.5
                for chunk in pixels.split(64)
            ]
            figures[f"MoVQ, {label} (dB)"] = psnr(as_images(pixels), as_images(torch.cat(rebuilt).clamp(0, 1)))
        return figures

    def drawing(self) -> dict[str, float]:
        """How often the judge names the thing: on true pictures, drawn from their embeddings, drawn from text."""
        self.drawn = torch.arange(0, len(self.thing), 4)  # every fourth one: drawing is what takes the time
        thing, seeds = self.thing[self.drawn], self.drawn.tolist()
        self.from_embeds = self.backbone.draw(self.embeds[self.drawn], seeds)
        prompts = [f"a photo of a {self.words.things[i]}" for i in thing.tolist()]
        self.from_text = self.backbone.draw(self.backbone.imagine(prompts, seeds=seeds), seeds)
        figures = {}
        for label, images in (
            ("true pictures", [self.images[i] for i in seeds]),
            ("drawn from the true image embedding", self.from_embeds),
            ("drawn from text alone", self.from_text),
        ):
            scores = self.judge.probabilities(images)
            for k in (1, 5):
                figures[f"judge names {label}, top-{k}"] = found(scores, thing, k)
        seen = F.normalize(self.backbone.encode_images(self.from_embeds), dim=1)
        true = F.normalize(self.embeds[self.drawn], dim=1)
        figures["image tower: drawn to true picture"] = float((seen * true).sum(1).mean())
        return figures

    def judging(self) -> dict[str, float]:
        """The judge on what the judge has not seen."""
        split = held_out_pairs(self.drawings.thing, self.drawings.style, seed=7)
        source = PictureSource(self.drawings, np.flatnonzero(split))
        batch = source.vary(source.indices, torch.Generator().manual_seed(2), BARE)
        scores = self.judge.probabilities(as_images(batch.pixels))
        return {f"judge on its own held-out pairs, top-{k}": found(scores, batch.thing, k) for k in (1, 5)}

    def answering(self) -> dict[str, float]:
        namer = vqa_namer(EMOJI / "vqa", answers=1)
        writer = QuestionWriter(self.words)
        batch = self.source.vary(self.source.indices, torch.Generator().manual_seed(3), STILL)
        images = as_images(batch.pixels)
        truth = torch.stack([batch.thing, batch.style, batch.look, batch.background], 1).tolist()
        figures = {}
        labels = {
            "thing": "what is in this photo?",
            "category": "what kind of … is in this photo?",
            "style": "what art style …?",
            "background": "what color is the background?",
        }
        every = answers(self.words)
        for kind in KINDS:
            right, nearly = [], []
            plain = self.images if kind == "category" else images
            for row, (image, facts) in enumerate(zip(plain, truth, strict=True)):
                question = writer.write(kind, facts, np.random.default_rng(row))
                if question.kind != kind:
                    continue
                said, answer = namer([image], question.text)[0][0][0], every[question.answer]
                right.append(said == answer)
                nearly.append(said == answer or {said, answer} == TWINS)
            figures[f"VQA: {labels[kind]}"] = sum(right) / len(right)
            if kind == "style":
                figures[f"VQA: {labels[kind]}, {' and '.join(sorted(TWINS))} as one"] = sum(nearly) / len(nearly)
        return figures

    def sheet(self, path: Path, count: int = 60, seed: int = 4) -> None:
        """Held-out things: the true picture, what is drawn from its embedding, and from its name alone."""
        chosen = np.random.default_rng(seed).choice(len(self.drawn), count, replace=False)
        columns, cell = 10, SIZE
        width, height = columns * (cell * 3 + 14), (count // columns) * (cell + 20)
        page = Image.new("RGB", (width, height), "white")
        pen = ImageDraw.Draw(page)
        for place, drawn in enumerate(sorted(chosen.tolist(), key=lambda i: int(self.thing[self.drawn[i]]))):
            row = int(self.drawn[drawn])
            x, y = place % columns * (cell * 3 + 14), place // columns * (cell + 20)
            for offset, image in enumerate((self.images[row], self.from_embeds[drawn], self.from_text[drawn])):
                page.paste(image, (x + offset * cell, y))
            pen.text((x + 2, y + cell + 2), self.words.things[int(self.thing[row])][:30], fill="black")
        page.save(path, optimize=True)


def _table(figures: dict[str, float]) -> str:
    def shown(name: str, value: float) -> str:
        if "dB" in name:
            return f"{value:.1f}"
        return f"{value:.2f}" if "imagined to" in name or "tower" in name else f"{100 * value:.1f} %"

    return "\n".join(["| figure | value |", "|---|---|", *(f"| {n} | {shown(n, v)} |" for n, v in figures.items())])


def _sizes(folder: Path) -> dict[str, float]:
    return {
        str(file.parent.relative_to(folder)): file.stat().st_size / 1e6
        for file in sorted(folder.rglob("*.safetensors"))
    }


def write_card(backbone: Backbone, exam: Exam, figures: dict[str, float]) -> None:
    held = int(exam.drawings.held_out.sum())
    counts = np.bincount(exam.drawings.style, minlength=len(SETS))
    sets = "\n".join(
        f"| {art.style} | {int(n)} | {art.credit} | `{art.package}` | {art.licence} |"
        for art, n in zip(SETS, counts, strict=True)
    )
    sizes = _sizes(EMOJI)
    weights = "\n".join(f"| {part} | {size:.2f} |" for part, size in sizes.items())
    training = json.loads((EMOJI / "training.json").read_text(encoding="utf-8"))
    stages = "\n".join(
        f"| {name} | {about['steps']} | {about['minutes']:.0f} | {about['figures']} |"
        for name, about in training.items()
    )
    text = (HERE / "card.template.md").read_text(encoding="utf-8")
    values = {
        "version": backbone.version,
        "fingerprint": backbone.fingerprint,
        "drawings": str(len(exam.drawings.rgba)),
        "things": str(len(exam.words.things)),
        "categories": ", ".join(exam.words.categories),
        "held_out": str(held),
        "names": NAMES_PACKAGE,
        "sets": sets,
        "weights": weights,
        "total": f"{sum(sizes.values()):.1f}",
        "stages": stages,
        "minutes": f"{sum(about['minutes'] for about in training.values()):.0f}",
        "figures": _table(figures),
    }
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    (HERE / "CARD.md").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=0, help="threads of PyTorch")
    parser.add_argument("--figures-only", action="store_true", help="print the figures, write nothing")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    backbone, judge = Backbone.load("emoji"), Judge.load()
    exam = Exam(backbone, judge, cache_folder())
    figures: dict[str, float] = {}
    parts = (exam.retrieval, exam.imagining, exam.rebuilding, exam.drawing, exam.judging, exam.answering)
    for part in parts:
        measured = part()
        figures |= measured
        print("\n".join(f"{name:55} {value:.3f}" for name, value in measured.items()), flush=True)
    if not arguments.figures_only:
        exam.sheet(HERE / "held-out.png")
        write_card(backbone, exam, figures)


if __name__ == "__main__":
    main()
