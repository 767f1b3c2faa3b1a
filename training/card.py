"""`python -m training.card`: measures the embedded stack; writes CARD.md, its sheet held-out.webp and figures.json.

Held out are whole (thing, set) pairs, of which no stage has seen that set's drawing of that thing nor any variant of
it, and whole pairs of things, which no stage has seen joined. The figures go through `Backbone`, the code
that the product runs. Those of inventions are measured above this package (`make inventions`) and read from
inventions.json.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
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
from core.stack.backbone import EMOJI, Backbone
from training import hybrids
from training.figures import as_images, both_found, crispness, found, psnr
from training.pictures import BARE, REAL, PictureSource, held_out_pair
from training.questions import KINDS, QuestionWriter, answers
from training.render import SIZE, held_out_pairs, render
from training.sources import NAMES_PACKAGE, SETS
from training.stages import JUDGE_SPLIT
from training.teacher import Words
from training.train import STAGES, cache_folder

TEMPLATE = Path(__file__).with_name("card.template.md")
CARD = EMOJI.with_name("CARD.md")  # with its figures and its sheet beside it
TWINS = {"fluent", "3d"}  # styles that are the same drawings, once as gradients and once rendered
QUICK = 4  # of the pictures one in so many
HYBRIDS, UNRELATED = 96, 32
FIELD = re.compile(r"\{\{(\w+)\}\}")  # of the template
MOST_KNOWN = 0.40  # belief in one known thing; above it a founder counts as that thing
SHOWN_NAMES, SHOWN_HYBRIDS, COLUMNS = 40, 20, 5  # on the sheet

CRISP, SECONDS = "crispness", "seconds for a picture"


@dataclass(frozen=True)
class Aim:
    """A figure, what emoji-2 had, and what is aimed at. most: the aim is an upper bound."""

    text: str
    key: str
    before: str
    aim: float
    most: bool = False


# The keys of figures that aims name; the aims and emoji-2's figures are those that were set before emoji-3 was trained.
OF_CATEGORY, OF_GROUP = "founders: belief in the category", "founders: belief in the broad group"
LEAST, ALIKE = "founders: lowest category's belief", "founders: similarity to each other"
NEW, CHILDREN = "founders: no known thing above 0.40", "children: belief in the category"
FROM_NAMES, FOUNDERS = f"{CRISP}, drawn from names", f"founders: {CRISP}"
UNSEEN = "judge names unseen pairs drawn from text, top-1"
BOTH = "judge names both of a hybrid, drawn from text, top-5"
KIND, STYLE = "VQA: what kind of … is in this photo?", "VQA: what art style …?"
REBUILT = "MoVQ, as drawn (dB)"
AIMS = (
    Aim("judge's belief: a founder is of its category", OF_CATEGORY, "pet 0.36; others 0.20 to 0.70", 0.65),
    Aim("the same in the category where it is lowest", LEAST, "0.20", 0.50),
    Aim("judge's belief: a founder is of its broad group", OF_GROUP, "not measured", 0.80),
    Aim("similarity of six founders to each other", ALIKE, "0.94 (0.70 in waves)", 0.70, most=True),
    Aim("founders of which no known thing is believed above 0.40", NEW, "not measured", 0.90),
    Aim("judge's belief: a child is of its category", CHILDREN, "0.09", 0.50),
    Aim("crispness, drawn from names", FROM_NAMES, "0.68", 0.90),
    Aim("crispness of founders", FOUNDERS, "0.28 to 0.50", 0.80),
    Aim("held-out name drawn from text: judge, top-1", UNSEEN, "97.7 %, on pairs known to the judge", 0.90),
    Aim("hybrids of held-out pairs drawn from text: judge names both among five", BOTH, "not measured", 0.70),
    Aim("question answerer: kinds", KIND, "85.6 %", 0.90),
    Aim("question answerer: styles", STYLE, "61.2 %", 0.75),
    Aim("MoVQ on held-out drawings (dB)", REBUILT, "28.2, at 64 pixels", 30.0),
    Aim("seconds to draw a picture, on the machine that measured", SECONDS, "not measured", 0.5, most=True),
)


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

    The drawings themselves may have been seen; only the pairs are chosen. related: both things share a category, as
    those of all pairs that training joins; False: they share none.
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
    """Which pairs of things neither the stack nor the judge has seen joined."""
    return held_out_pair(one, two) & held_out_pair(one, two, JUDGE_SPLIT)


class Exam:
    """The held-out drawings and everything that is asked about them.

    Args:
        vqa: the folder of the question answerer.
        every: use one in so many of the held-out drawings.
    """

    def __init__(self, backbone: Backbone, judge: Judge, cache: Path, vqa: Path, every: int = 1, seed: int = 0):
        self.backbone, self.judge, self.vqa, self.every = backbone, judge, vqa, every
        self.drawings = render(cache)
        self.words = Words.of(self.drawings)
        if self.words.things != judge.things:
            raise ConceptreeError(f"{judge.version} knows other things than are drawn: train it with these sources")
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
        self.drawn = torch.arange(0, len(self.thing), 4)  # every fourth one: drawing is what takes the time
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
        """Pairs of thing and style that neither the stack nor the judge has seen, drawn from text; two of each."""
        drawings = self.drawings
        held = drawings.held_out & held_out_pairs(drawings.thing, drawings.style, seed=JUDGE_SPLIT)
        rows = np.flatnonzero(held)[:: self.every].repeat(2)
        prompts = [self.prompt(drawings.thing[row], drawings.style[row]) for row in rows]
        seeds = range(len(rows))
        scores = self.judge.probabilities(self.backbone.draw(self._imagined(prompts, seeds), seeds))
        thing = torch.from_numpy(drawings.thing[rows]).long()
        return {UNSEEN: found(scores, thing, 1), UNSEEN.replace("top-1", "top-5"): found(scores, thing, 5)}

    def mixing(self) -> dict[str, float]:
        """Hybrids of pairs that neither stack nor judge has seen joined: true ones, and what is drawn for them."""
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
        """Figures; what is drawn from the embeddings and from text; the imagined and the true embeddings."""
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
        """The judge on what the judge has not seen."""
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
                figures[f"{labels[kind]}, {' and '.join(sorted(TWINS))} as one"] = float(np.mean(nearly))
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
        page.save(path, "WEBP", quality=85, method=6)


def inventions_figures(measured: Mapping[str, Any], categories: Sequence[str]) -> dict[str, float]:
    """Means over the categories of what `make inventions` measured."""
    every = [measured["categories"][category] for category in categories]

    def mean(which: str, what: str) -> float:
        return float(np.mean([np.mean([each[what] for each in of[which]]) for of in every]))

    founders = [each for of in every for each in of["founders"]]
    lowest = min(np.mean([each["category"] for each in of["founders"]]) for of in every)
    return {
        OF_CATEGORY: mean("founders", "category"),
        LEAST: float(lowest),
        OF_GROUP: mean("founders", "broad"),
        ALIKE: float(np.mean([of["similarity"] for of in every])),
        NEW: float(np.mean([each["known"] <= MOST_KNOWN for each in founders])),
        FOUNDERS: float(np.mean([of["crispness"] for of in every])),
        CHILDREN: mean("children", "category"),
    }


def inventions_table(measured: Mapping[str, Any], categories: Sequence[str]) -> str:
    """A row for each category."""
    heads = (
        "category | seeds | category | broad group | similarity to each other | at most 0.40 in one thing |"
        " its word / nearest other | crispness | children: category / broad group | seconds for founders / children"
    )
    lines = [f"| {heads} |", "|" + "---|" * (heads.count("|") + 1)]
    for category in categories:
        of = measured["categories"][category]
        founders, children = of["founders"], of["children"]

        def mean(which: Sequence[Mapping[str, float]], what: str) -> str:
            return f"{np.mean([each[what] for each in which]):.2f}" if which else "–"

        cells = (
            category,
            ", ".join(str(each["seed"]) for each in founders),
            mean(founders, "category"),
            mean(founders, "broad"),
            f"{of['similarity']:.2f}",
            f"{sum(each['known'] <= MOST_KNOWN for each in founders)} of {len(founders)}",
            f"{mean(founders, 'word')} / {mean(founders, 'other_word')}",
            f"{of['crispness']:.2f}",
            f"{mean(children, 'category')} / {mean(children, 'broad')}",
            f"{of['seconds']:.0f} / {of.get('children_seconds', 0):.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def read_inventions(path: Path, backbone: Backbone) -> dict[str, Any] | None:
    """What `make inventions` measured; None where there is none of this very stack."""
    if not path.is_file():
        return None
    measured = json.loads(path.read_text(encoding="utf-8"))
    return measured if measured["stack"] == [backbone.fingerprint, backbone.drawing_fingerprint] else None


def shown(name: str, value: float) -> str:
    """Shares in per cent; decibels, seconds, cosines, beliefs and ratios as numbers."""
    if "dB" in name:
        return f"{value:.1f}"
    plain = ("imagined to", "tower", CRISP, "belief", "similarity", "seconds")
    return f"{value:.2f}" if any(word in name for word in plain) else f"{100 * value:.1f} %"


def figures_table(figures: Mapping[str, float]) -> str:
    return "\n".join(["| figure | value |", "|---|---|", *(f"| {n} | {shown(n, v)} |" for n, v in figures.items())])


def aims_table(figures: Mapping[str, float], version: str) -> str:
    """Before, now, and the aim; by how much it is missed."""
    lines = [f"| figure | emoji-2 | {version} | aim | |", "|---|---|---|---|---|"]
    for aim in AIMS:
        wanted = f"{'≤' if aim.most else '≥'} {shown(aim.key, aim.aim)}"
        value = figures.get(aim.key)
        if value is None:
            lines.append(f"| {aim.text} | {aim.before} | not measured | {wanted} | |")
            continue
        short = value - aim.aim if aim.most else aim.aim - value
        verdict = "met" if short <= 0 else f"missed by {shown(aim.key, short)}"
        lines.append(f"| {aim.text} | {aim.before} | {shown(aim.key, value)} | {wanted} | {verdict} |")
    return "\n".join(lines)


def _sizes(folder: Path) -> dict[str, float]:
    return {
        str(file.parent.relative_to(folder)): file.stat().st_size / 1e6
        for file in sorted(folder.rglob("*.safetensors"))
    }


def write_card(backbone: Backbone, judge: Judge, figures: dict[str, float], inventions: dict[str, Any] | None) -> None:
    drawings = render(cache_folder())
    words = Words.of(drawings)
    held = drawings.held_out
    counts = np.bincount(drawings.style, minlength=len(SETS))
    sets = "\n".join(
        f"| {art.style} | {int(n)} | {art.credit} | `{art.package}` | {art.licence} |"
        for art, n in zip(SETS, counts, strict=True)
    )
    sizes = _sizes(EMOJI)
    training = json.loads((EMOJI / "training.json").read_text(encoding="utf-8"))
    training = {name: training[name] for name in STAGES if name in training}
    stages = "\n".join(
        f"| {name} | {about['steps']} | {about['minutes']:.0f} | {about['figures']} |"
        for name, about in training.items()
    )
    table = "Not measured on these weights: run `make inventions`."
    aimed = dict(figures)
    if inventions:
        if set(inventions["aimed"]) <= set(inventions["categories"]):
            aimed |= inventions_figures(inventions, inventions["aimed"])
        table = inventions_table(inventions, list(inventions["categories"]))
    unseen = held & held_out_pairs(drawings.thing, drawings.style, seed=JUDGE_SPLIT)
    text = TEMPLATE.read_text(encoding="utf-8")
    values = {
        "version": backbone.version,
        "fingerprint": backbone.fingerprint,
        "side": str(backbone.drawing["size"]),
        "drawings": str(len(drawings.rgba)),
        "rendered": str(SIZE),
        "things": str(len(words.things)),
        "categories": ", ".join(words.categories),
        "held_out": str(int(held.sum())),
        "unseen": str(int(unseen.sum())),
        "hybrids": str(HYBRIDS),
        "unrelated": str(UNRELATED),
        "names": NAMES_PACKAGE,
        "sets": sets,
        "judge": judge.version,
        "weights": "\n".join(f"| {part} | {size:.2f} |" for part, size in sizes.items()),
        "total": f"{sum(sizes.values()):.1f}",
        "stages": stages,
        "minutes": f"{sum(about['minutes'] for about in training.values()):.0f}",
        "figures": figures_table(figures),
        "inventions": table,
        "aims": aims_table(aimed, backbone.version),
    }
    text = FIELD.sub(lambda field: values[field[1]], text)
    CARD.write_text(text, encoding="utf-8")


def _measured_before(kept: Path, backbone: Backbone) -> dict[str, float]:
    about = json.loads(kept.read_text(encoding="utf-8"))
    if about["every"] > 1 or about["fingerprint"] != backbone.fingerprint:
        raise ConceptreeError(f"{str(kept)!r} is of another stack, or of a quarter of the pictures: measure again")
    return about["figures"]


def measure(exam: Exam, sheet: Path | None, keep: Path | None) -> dict[str, float]:
    """All figures, printed and kept part by part, so that a failure loses only what comes after it."""
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


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.card", description=__doc__)
    parser.add_argument("--weights", type=Path, help="another stack in the same layout; writes its figures, no card")
    parser.add_argument("--sheet", type=Path, help="where the sheet goes, with figures.json beside it (core/emoji)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, default=0, help="threads of PyTorch")
    parser.add_argument("--quick", action="store_true", help="with a quarter of the pictures; writes no card")
    parser.add_argument("--figures-only", action="store_true", help="print the figures, write nothing")
    parser.add_argument("--again", action="store_true", help="write the card from the figures.json that is there")
    arguments = parser.parse_args(given)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    weights = arguments.weights or EMOJI
    sheet = arguments.sheet or (Path("held-out.webp") if arguments.weights else CARD.with_name("held-out.webp"))
    kept = sheet.with_name("figures.json")
    try:
        backbone = Backbone.load(str(arguments.weights) if arguments.weights else "emoji", arguments.device)
        judge = Judge.load(weights / "judge")
        if arguments.again:
            figures = _measured_before(kept, backbone)
        else:
            exam = Exam(backbone, judge, cache_folder(), weights / "vqa", QUICK if arguments.quick else 1)
            writes = not arguments.figures_only
            sheet.parent.mkdir(parents=True, exist_ok=True)
            figures = measure(exam, sheet if writes else None, kept if writes else None)
        if not (arguments.weights or arguments.figures_only or arguments.quick):
            write_card(backbone, judge, figures, read_inventions(CARD.with_name("inventions.json"), backbone))
    except (ConceptreeError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
