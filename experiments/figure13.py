"""Figure 13: what λ of Eq. 3 does, between a category and its members that the concept shall not be.

For each category and seed one concept for each λ, with the clamps and without them: a positive that has reached its cap
pulls no more, however much it weighs. All have the same negatives from the start, the same templates and noise. The
last checkpoint counts, since the guard that keeps the best one would choose by a score in which both sides weigh the
same. The negatives are the members that the category's own word makes the prior imagine, which is where a concept goes
that hardly minds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from core.concept import Concept, Request
from core.errors import ConceptreeError
from core.prompts import PORTRAIT
from core.settings import Settings
from core.streams import stream_seed
from experiments.conduct import Bench, ByCases, SeededCase, has_pictures
from experiments.drawing import draw_concepts
from experiments.learning import learn, run_of
from experiments.looking import (
    EYES,
    IMAGINED,
    JUDGE,
    MEASURES,
    STACK,
    Eyes,
    check_categories,
    drawing_bytes,
    drawing_of,
    nearest_members,
    resemblance,
)
from experiments.sheets import contact_sheet
from experiments.statistics import between, interval, signed, unit_means

SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("seed", pa.int32()),
        ("lam", pa.float64()),
        ("clamp", pa.bool_()),
        ("eyes", pa.string()),
        ("belongs", pa.float64()),  # similarity to the category's word
        ("nearest", pa.float64()),  # to the nearest of its negatives
        ("margin", pa.float64()),
        ("negatives", pa.list_(pa.string())),
        ("drawing", pa.binary()),  # the first one, in the stack's rows
    ]
)
CLAMPS = {True: "with the clamps", False: "without clamps"}


@dataclass(frozen=True)
class Protocol(ByCases):
    """negatives: so many. drawings: of each concept, of "a photo of a …", for the eyes that look at drawings."""

    categories: tuple[str, ...] = ("pet", "fruit", "musical instrument")
    seeds: int = 5
    lambdas: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
    negatives: int = 4
    drawings: int = 4
    settings: Mapping[str, Any] = field(default_factory=dict)  # instead of what is calibrated for the stack


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """Every category with one seed, then with the next.

    Raises:
        ConceptreeError: what `check_categories` says; or fewer than two different λ are given, or one below 0.
    """
    if len(set(protocol.lambdas)) < max(2, len(protocol.lambdas)):
        raise ConceptreeError(f"lambdas = {_list(protocol.lambdas)}: give two or more, each once")
    for lam in protocol.lambdas:
        Settings(lam=lam)  # which says what is wrong with it
    check_categories(bench, protocol.categories)
    eyes = Eyes(bench)
    return [
        Case(protocol, bench, category, seed, eyes)
        for seed in range(protocol.seeds)
        for category in protocol.categories
    ]


@dataclass(frozen=True)
class Case(SeededCase):
    """A category with a seed, at every λ, with the clamps and without."""

    protocol: Protocol
    eyes: Eyes

    def rows(self) -> list[dict[str, Any]]:
        negatives = nearest_members(self.bench, self.eyes, self.category, self.protocol.negatives)
        run = run_of(self.bench, self.name, self.category)
        concepts = learn(run, self.requests(negatives), self.bench, "a concept for each λ", self._tell)
        self._tell("drawing")
        drawings = self.draw(concepts)
        panels = self.eyes.panels(torch.stack([torch.from_numpy(each.vectors.copy()) for each in concepts]))
        imagined = self.eyes.imagined(panels, [self.category, *negatives])
        rows = []
        for concept, of_panel, images in zip(concepts, imagined, drawings, strict=True):
            seen = {IMAGINED: of_panel, **self.eyes.drawn(images, [self.category, *negatives])}
            about = {"category": self.category, "seed": self.seed, "negatives": negatives}
            about |= {name: getattr(concept.request.chosen, name) for name in ("lam", "clamp")}
            shown = {STACK: {"drawing": drawing_bytes(images[:1])}}
            rows += [{**about, "eyes": eyes, **resemblance(seen[eyes]), **shown.get(eyes, {})} for eyes in EYES]
        return rows

    def requests(self, negatives: Sequence[str]) -> list[Request]:
        """With and without clamps one for each λ; none of them is done early, so that all have learned as long."""
        alike = {"keep": "last", "patience": 0, **self.protocol.settings}
        of = {"backbone": self.bench.backbone, "category": self.category}
        return [
            Request(
                self.category,
                negatives=tuple(negatives),
                seed=self.seed,
                settings=Settings.for_stack(**of, **{**alike, "lam": lam, "clamp": clamp}),
            )
            for clamp in CLAMPS
            for lam in self.protocol.lambdas
        ]

    def draw(self, concepts: Sequence[Concept]) -> list[list[Any]]:
        """The same seeds for every λ."""
        numbers = range(self.protocol.drawings)
        seeds = [stream_seed(self.seed, number, "judged") for number in numbers]
        return draw_concepts(self.bench.backbone, concepts, [PORTRAIT] * len(seeds), [seeds] * len(concepts))


def summary(table: pa.Table) -> str:
    """Each λ's means in Markdown, and by how much its margin differs from that of λ = 1 where this is there."""
    rows = table.to_pylist()
    lambdas = sorted({row["lam"] for row in rows})
    units = len({(row["category"], row["seed"]) for row in rows})
    found = {measure: unit_means(rows, ("clamp", "eyes", "lam"), measure) for measure in MEASURES}
    lines = [_finding(found, lambdas, clamp) for clamp in CLAMPS]
    lines += [
        "",
        f"Means over pairs of category and seed, of which there are {units}, with 95 % bootstrap intervals; differences"
        " are paired."
        " belongs: similarity to the category's word; nearest: to the nearest negative; margin: the difference.",
    ]
    for clamp, how in CLAMPS.items():
        header = [how, "λ", *MEASURES, *(["margin − that of λ = 1"] if 1.0 in lambdas else [])]
        lines += ["", f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
        for eyes in EYES:
            for lam in lambdas:
                cells = [between(found[measure][clamp, eyes, lam]) for measure in MEASURES]
                if 1.0 in lambdas:
                    differs = found["margin"][clamp, eyes, lam] - found["margin"][clamp, eyes, 1.0]
                    cells.append("" if lam == 1 else signed(differs))
                lines.append(f"| {eyes} | {lam:g} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _finding(found: Mapping[str, Mapping[tuple[Any, ...], Any]], lambdas: Sequence[float], clamp: bool) -> str:
    """What the paper says of small and large λ, in this table's numbers, as the judge sees it."""
    mean = {m: {lam: float(np.mean(found[m][clamp, JUDGE, lam])) for lam in lambdas} for m in MEASURES}
    best = max(lambdas, key=lambda lam: mean["margin"][lam])
    low, high = lambdas[0], lambdas[-1]
    return (
        f"- By the judge, {CLAMPS[clamp]}, from λ = {low:g} to λ = {high:g} the similarity to the category goes from"
        f" {mean['belongs'][low]:.3f} to {mean['belongs'][high]:.3f} and that to the nearest negative from"
        f" {mean['nearest'][low]:.3f} to {mean['nearest'][high]:.3f}; the margin is largest at λ = {best:g}"
        f" ({mean['margin'][best]:.3f})."
    )


def figures(table: pa.Table) -> dict[str, Any]:
    """matplotlib's figures: `curves`, each measure against λ by each pair of eyes; `drawings`, the first drawing of the
    first seed of each category (rows) at each λ.
    """
    from matplotlib.figure import Figure

    rows = table.to_pylist()
    lambdas = sorted({row["lam"] for row in rows})
    curves = Figure(figsize=(11.0, 6.4), layout="constrained")
    colours = dict(zip(MEASURES, ("#1f6f5c", "#b5651d", "#6b6b6b"), strict=True))
    found = {measure: unit_means(rows, ("clamp", "eyes", "lam"), measure) for measure in MEASURES}
    for line, (clamp, how) in zip(curves.subplots(len(CLAMPS), len(EYES), sharey="col"), CLAMPS.items(), strict=True):
        for axis, eyes in zip(line, EYES, strict=True):
            for measure in MEASURES:
                means = [interval(found[measure][clamp, eyes, lam]) for lam in lambdas]
                mean, low, high = zip(*means, strict=True)
                axis.plot(range(len(lambdas)), mean, "o-", color=colours[measure], label=measure, markersize=3)
                axis.fill_between(range(len(lambdas)), low, high, color=colours[measure], alpha=0.15, linewidth=0)
            axis.set_xticks(range(len(lambdas)), [f"{lam:g}" for lam in lambdas])
            axis.set(title=f"{eyes}, {how}", xlabel="λ", ylabel="similarity")
    curves.axes[0].legend(frameon=False)
    return {"curves": curves, **({"drawings": _drawings(rows, lambdas)} if has_pictures(table) else {})}


def _drawings(rows: Sequence[Mapping[str, Any]], lambdas: Sequence[float]) -> Any:
    first = min(row["seed"] for row in rows)
    shown = {(r["category"], r["clamp"], r["lam"]): r for r in rows if r["eyes"] == STACK and r["seed"] == first}
    lines = list(dict.fromkeys((category, clamp) for category, clamp, _ in shown))
    without = {line: ", ".join(shown[*line, lambdas[0]]["negatives"]) for line in lines}
    return contact_sheet(
        [[drawing_of(shown[*line, lam]["drawing"]) for lam in lambdas] for line in lines],
        [f"{line[0]}, {CLAMPS[line[1]]}; not {without[line]}" for line in lines],
        [f"λ = {lam:g}" for lam in lambdas],
        "A concept of each category, by λ",
    )


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values) or "none"
