"""Ablations: the whole method against the method without one of its parts (§5.3, Figure 12).

For each category and seed there is one concept by each of `VARIANTS`, from the same word, templates and noise:

    whole               the stack's settings: adaptive negatives, Eq. 3 with Eq. 4, clamps, through the prior
    no prior            CLIP-ConceptLab: constraints on the text embedding; the prior is used for drawing only
    fixed negatives     random members of the category from the start, as many as the whole method finds
    no negatives        the category alone
    no S_max            Eq. 3 without Eq. 4
    no clamps           similarities count at any value
    Stable Diffusion    SD-ConceptLab (core/stack/diffusion.py), if its folder is given

All are compared with the category's known members, not with their negatives, which differ between variants. Drawings in
four prompts with one seed also show whether a concept stays the same in other prompts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any

import pyarrow as pa
import torch

from core.concept import Concept, Request
from core.metrics import consistency
from core.prompts import PANEL, PANEL_SEEDS
from core.settings import Settings
from core.streams import stream, stream_seed
from core.wording import counted
from experiments.categories import TEN
from experiments.conduct import Bench, ByCases, SeededCase, categories_by_seed, has_pictures
from experiments.cost import Work, of_learning
from experiments.drawing import draw_concepts
from experiments.judging import JUDGE, STACK
from experiments.learning import learn, run_of
from experiments.looking import (
    EYES,
    IMAGINED,
    MEASURES,
    Eyes,
    check_categories,
    drawing_bytes,
    drawing_of,
    known_members,
    nearest_members,
    resemblance,
)
from experiments.sheets import bar, contact_sheet
from experiments.statistics import BY_CATEGORY, between, markdown, over_categories, student, there, unit_means

WHOLE, FIXED, NONE, SD = "whole", "fixed negatives", "no negatives", "Stable Diffusion"
SETTINGS: dict[str, dict[str, Any]] = {
    WHOLE: {},
    "no prior": {"through_prior": False},
    FIXED: {},
    NONE: {},
    "no S_max": {"s_max": False},
    "no clamps": {"clamp": False},
}
VARIANTS = (*SETTINGS, SD)
PROMPTS = (
    "a photo of a {}",
    "a photo of a {} on a blue background",
    "a digital cartoon art of a {}",
    "a pencil sketch of a {}",
)
COLLECTED = 8  # pictures of each of these members for Stable Diffusion's concepts
NEAREST = 4  # members nearest to what the prior imagines for the category; Stable Diffusion's concepts avoid them
ALL = (*MEASURES, "consistent")
SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("seed", pa.int32()),
        ("variant", pa.string()),
        ("eyes", pa.string()),
        ("belongs", pa.float64()),  # similarity to the category's word
        ("nearest", pa.float64()),  # to the nearest of its known members
        ("margin", pa.float64()),
        ("consistent", pa.float64()),  # likeness of what it is in different prompts
        ("negatives", pa.list_(pa.string())),
        ("drawing", pa.binary()),  # one for each of `PROMPTS`, in the stack's rows
    ]
)


@dataclass(frozen=True)
class Protocol(ByCases):
    """stable_diffusion: its folder or id; "" for none."""

    choosing = ("categories", "seeds", "stable_diffusion")

    categories: tuple[str, ...] = TEN
    seeds: int = 2
    stable_diffusion: str = ""


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """One for each category and seed, and one of Stable Diffusion if it is given.

    Raises:
        ConceptreeError: as `check_categories`; or there is no such Stable Diffusion.
    """
    check_categories(bench, protocol.categories)
    eyes = Eyes(bench)
    stack = None
    if protocol.stable_diffusion:
        from core.stack.diffusion import StableDiffusion

        stack = StableDiffusion.load(protocol.stable_diffusion, bench.backbone)
    found: list[Case] = []
    for category, seed in categories_by_seed(protocol):
        found.append(Case(protocol, bench, category, seed, eyes))
        if stack is not None:
            found.append(DiffusionCase(protocol, bench, category, seed, eyes, stack))
    return found


@dataclass(frozen=True)
class Case(SeededCase):
    """A category with a seed, by every variant that the stack itself can learn."""

    protocol: Protocol
    eyes: Eyes

    def work(self) -> Work:
        adaptive = [self.request(variant) for variant in SETTINGS if variant not in (FIXED, NONE)]
        others = [self.request(FIXED, negatives=self.by_chance(1)), self.request(NONE, schedule="none")]
        drawings = Work(drawings=len(SETTINGS) * len(PROMPTS))
        return drawings + of_learning(adaptive, self.bench.namer) + of_learning(others)

    def rows(self) -> list[dict[str, Any]]:
        concepts = self.learn()
        self._tell("drawing")
        seeds = [[self._seed_of_drawings()] * len(PROMPTS)] * len(concepts)
        drawings = draw_concepts(self.bench.backbone, list(concepts.values()), PROMPTS, seeds)
        panels = self.eyes.panels(torch.stack([torch.from_numpy(each.vectors.copy()) for each in concepts.values()]))
        rows = []
        for (variant, concept), panel, images in zip(concepts.items(), panels.split(1), drawings, strict=True):
            rows += self.seen(variant, [each.word for each in concept.negatives], images, panel)
        return rows

    def learn(self) -> dict[str, Concept]:
        """The concept of each variant. There are as many fixed negatives as the whole method found."""
        run = run_of(self.bench, self.name, self.category)
        namer, tell = self.bench.namer, self._tell
        adaptive = {variant: self.request(variant) for variant in SETTINGS if variant not in (FIXED, NONE)}
        found = learn(run, list(adaptive.values()), self.bench, "variants with adaptive negatives", tell, namer)
        concepts = dict(zip(adaptive, found, strict=True))
        fixed = self.by_chance(len(concepts[WHOLE].negatives))
        others = {FIXED: self.request(FIXED, negatives=fixed), NONE: self.request(NONE, schedule="none")}
        found = learn(run, list(others.values()), self.bench, "fixed negatives, and none", tell)
        concepts |= zip(others, found, strict=True)
        return {variant: concepts[variant] for variant in SETTINGS}

    def request(self, variant: str, **request: Any) -> Request:
        """The request of a variant. None stops early, so that all learn equally long."""
        settings = self._settings(**{"patience": 0, **self.protocol.settings, **SETTINGS[variant]})
        return Request(self.category, seed=self.seed, settings=settings, **request)

    def by_chance(self, count: int) -> tuple[str, ...]:
        words = known_members(self.bench, self.category)
        order = stream(self.seed, 0, "fixed").permutation(len(words))
        return tuple(words[place] for place in order[: max(1, count)])

    def seen(
        self, variant: str, negatives: Sequence[str], images: Sequence[Any], panel: torch.Tensor | None
    ) -> list[dict[str, Any]]:
        """A row for each of the eyes. images: for `PROMPTS`. panel: imagined [1, templates, seeds, width], if any."""
        words = [self.category, *known_members(self.bench, self.category)]
        similarities = self.eyes.drawn(images, words)
        consistent = self.eyes.likeness(images)
        if panel is not None:
            similarities[IMAGINED] = self.eyes.imagined(panel, words)[0]
            consistent[IMAGINED] = float(consistency(panel))
        about = {"category": self.category, "seed": self.seed, "variant": variant, "negatives": list(negatives)}
        return [
            {
                **about,
                "eyes": eyes,
                **resemblance(similarities[eyes]),
                "consistent": consistent[eyes],
                "drawing": drawing_bytes(images) if eyes == STACK else None,
            }
            for eyes in EYES
            if eyes in similarities
        ]

    def _seed_of_drawings(self) -> int:
        return stream_seed(self.seed, 0, "judged")


@dataclass(frozen=True)
class DiffusionCase(Case):
    """SD-ConceptLab. It has no adaptive negatives, so it avoids pictures of the `NEAREST` members."""

    stack: Any

    @property
    def name(self) -> str:
        return f"{super().name}-diffusion-{self.stack.fingerprint}"

    def work(self) -> Work:
        """The panel is drawn too, since nothing is imagined."""
        settings = Settings(**{"preset": "paper", **self.protocol.settings})
        looks = ceil(settings.steps / settings.segment) + 1
        drawings = NEAREST * COLLECTED + looks * len(PANEL["object"]) * len(PANEL_SEEDS) + len(PROMPTS)
        return Work(1, settings.steps, settings.steps, drawings, glimpses=settings.steps)

    def rows(self) -> list[dict[str, Any]]:
        from core.sd_conceptlab import SDConceptLab, collect_images, image_request

        words = nearest_members(self.bench, self.eyes, self.category, NEAREST)
        self._tell(f"pictures of {', '.join(words)}")
        images = collect_images(self.stack, words, COLLECTED, self.seed)
        request = image_request(self.stack, self.category, images, self.seed, **self.protocol.settings)
        concept: Concept | None = None
        for report in SDConceptLab(self.stack).learn([request]):
            if report.events:
                self._tell(f"step {report.step} of {report.steps}")
            concept = report.concepts[0] if report.concepts else None
        assert concept is not None
        vectors = {"<concept>": torch.from_numpy(concept.vectors.copy())}
        prompts = [prompt.format("<concept>") for prompt in PROMPTS]
        drawings = self.stack.draw(prompts, vectors, seeds=[self._seed_of_drawings()] * len(PROMPTS))
        return self.seen(SD, words, drawings, None)


def summary(table: pa.Table) -> str:
    """In Markdown: each variant's means, and its differences to the whole, by each of the eyes."""
    rows = table.to_pylist()
    found = {measure: unit_means(rows, ("variant", "eyes"), measure, BY_CATEGORY) for measure in ALL}
    units = len({row["category"] for row in rows})
    seeds = len({row["seed"] for row in rows})
    lines = [
        _finding(found, units),
        "",
        f"Means over {counted(units, 'category', 'categories')} with {counted(seeds, 'seed')} each, with Student's 95 %"
        " intervals over the categories; in the lower table paired differences to the whole, and in how many categories"
        " they have the mean's sign. belongs: similarity to the category's word; nearest: to the nearest of its known"
        " members; margin: the difference; consistent: likeness of a concept's pictures in different prompts.",
    ]
    for how, cell in (("", partial(between, how=student)), (" − whole", over_categories)):
        rows_of = []
        for eyes in EYES:
            for variant in VARIANTS:
                if (variant, eyes) not in found["belongs"] or (how and variant == WHOLE):
                    continue
                values = [found[m][variant, eyes] - (found[m][WHOLE, eyes] if how else 0) for m in ALL]
                cells = [cell(each) for each in values]
                rows_of.append([eyes, variant, *cells])
        lines += ["", *markdown(["eyes", f"variant{how}", *ALL], rows_of)]
    if not any(row["variant"] == SD for row in rows):
        lines += ["", f"{SD} (SD-ConceptLab): not measured, it needs a folder of it, --stable-diffusion FOLDER."]
    return "\n".join([*lines, ""])


def _finding(found: Mapping[str, Mapping[tuple[Any, ...], Any]], units: int) -> str:
    """The variants whose margin or consistency differs from the whole's by the judge: the interval excludes zero."""
    if units < 2:
        return "Of one category alone, no difference can be told from chance."
    told = []
    for measure in ("margin", "consistent"):
        of = {variant: found[measure].get((variant, JUDGE)) for variant in VARIANTS if variant != WHOLE}
        differ = {
            variant: student(values - found[measure][WHOLE, JUDGE])
            for variant, values in of.items()
            if values is not None
        }
        less = ", ".join(variant for variant, (_, _, high) in differ.items() if high < 0) or "none"
        more = ", ".join(variant for variant, (_, low, _) in differ.items() if low > 0) or "none"
        told.append(f"{measure}, less than the whole: {less}; more: {more}")
    return (
        f"By the judge, as far as intervals leave zero out: {'. '.join(told).replace('consistent', 'Consistent', 1)}."
    )


def figures(table: pa.Table) -> dict[str, Any]:
    """`differences`: of each variant to the whole. `drawings`: the first seed of the first five categories in two
    prompts, as in Figure 12.
    """
    from matplotlib.figure import Figure

    rows = table.to_pylist()
    found = {measure: unit_means(rows, ("variant", "eyes"), measure, BY_CATEGORY) for measure in ALL}
    variants = [variant for variant in VARIANTS if variant != WHOLE and (variant, STACK) in found["belongs"]]
    figure = Figure(figsize=(11.5, 1.2 + 0.62 * len(variants)), layout="constrained")
    colours = dict(zip(EYES, ("#6b6b6b", "#b5651d", "#1f6f5c"), strict=True))
    for axis, measure in zip(figure.subplots(1, len(ALL), sharey=True), ALL, strict=True):
        for row, variant in enumerate(variants):
            for place, eyes in enumerate(EYES):
                if (variant, eyes) in found[measure]:
                    differences = there(found[measure][variant, eyes] - found[measure][WHOLE, eyes])
                    dot = {"markersize": 4, "label": eyes if row == 0 else None}
                    bar(axis, differences, row + 0.2 * (place - 1), colours[eyes], 1.5, student, **dot)
        axis.axvline(0, color="grey", lw=0.6)
        axis.set(title=measure, xlabel="difference to the whole")
        axis.set_yticks(range(len(variants)), variants)
    figure.axes[0].invert_yaxis()
    figure.axes[-1].legend(frameon=False, fontsize=8)
    return {"differences": figure, **({"drawings": _drawings(rows)} if has_pictures(table) else {})}


def _drawings(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Rows: variants; columns: categories, each as a cartoon and as a sketch."""
    first = min(row["seed"] for row in rows)
    shown = {(r["variant"], r["category"]): r["drawing"] for r in rows if r["eyes"] == STACK and r["seed"] == first}
    variants = [variant for variant in VARIANTS if any(variant == of for of, _ in shown)]
    categories = list(dict.fromkeys(category for _, category in shown))[:5]

    def pictures(variant: str, category: str) -> list[Any]:
        row = drawing_of(shown[variant, category])
        side = row.width // len(PROMPTS)
        return [row.crop((side * place, 0, side * (place + 1), row.height)) for place in (2, 3)]

    return contact_sheet(
        [[each for category in categories for each in pictures(variant, category)] for variant in variants],
        variants,
        [f"{category}, {how}" for category in categories for how in ("cartoon", "sketch")],
        "Each variant, as a cartoon and as a sketch",
    )
