"""Figure 13: how λ of Eq. 3 balances similarity to a category against distance from its members.

For each category and seed there is one concept for each λ, with the clamps and without: with them, a positive that has
reached its cap stops pulling, with any weight. All have the same negatives from the start, the same templates and
noise. The last checkpoint is kept, because the guard for the best one scores with equal weights. The negatives are the
members nearest to what the prior imagines for the category's own word: a concept with weak negatives ends there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from core.concept import Concept, Request
from core.errors import ConceptreeError
from core.prompts import PORTRAIT
from core.settings import Settings
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
    nearest_members,
    resemblance,
)
from experiments.sheets import contact_sheet, curve
from experiments.statistics import between, markdown, signed, unit_means

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
    """negatives: their number. drawings: of each concept in "a photo of a …"."""

    categories: tuple[str, ...] = ("pet", "fruit", "musical instrument")
    seeds: int = 5
    lambdas: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
    negatives: int = 4
    drawings: int = 4


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """One for each category and seed.

    Raises:
        ConceptreeError: as `check_categories`; or fewer than two different λ are given, or one below 0.
    """
    if len(set(protocol.lambdas)) < max(2, len(protocol.lambdas)):
        raise ConceptreeError(f"lambdas = {_list(protocol.lambdas)}: give two or more, each once")
    for lam in protocol.lambdas:
        Settings(lam=lam)  # raises if it is below 0
    check_categories(bench, protocol.categories)
    eyes = Eyes(bench)
    return [Case(protocol, bench, category, seed, eyes) for category, seed in categories_by_seed(protocol)]


@dataclass(frozen=True)
class Case(SeededCase):
    """A category with a seed, at every λ, with the clamps and without."""

    protocol: Protocol
    eyes: Eyes

    def work(self) -> Work:
        requests = self.requests(())
        return Work(drawings=len(requests) * self.protocol.drawings) + of_learning(requests)

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
        """One for each λ, with and without clamps. None stops early, so that all learn equally long."""
        alike = {"keep": "last", "patience": 0, **self.protocol.settings}
        return [
            Request(
                self.category,
                negatives=tuple(negatives),
                seed=self.seed,
                settings=self._settings(**{**alike, "lam": lam, "clamp": clamp}),
            )
            for clamp in CLAMPS
            for lam in self.protocol.lambdas
        ]

    def draw(self, concepts: Sequence[Concept]) -> list[list[Any]]:
        """Drawings of each concept, with the same seeds for every λ."""
        seeds = self._seeds(self.protocol.drawings, "judged")
        return draw_concepts(self.bench.backbone, concepts, [PORTRAIT] * len(seeds), [seeds] * len(concepts))


def summary(table: pa.Table) -> str:
    """In Markdown: the means for each λ, and each margin's difference to that of λ = 1 if this was measured."""
    rows = table.to_pylist()
    lambdas = sorted({row["lam"] for row in rows})
    units = len({(row["category"], row["seed"]) for row in rows})
    found = {measure: unit_means(rows, ("clamp", "eyes", "lam"), measure) for measure in MEASURES}
    lines = [_finding(found, lambdas, clamp) for clamp in CLAMPS]
    lines += [
        "",
        f"Means over {units} pairs of category and seed, with 95 % bootstrap intervals; differences"
        " are paired."
        " belongs: similarity to the category's word; nearest: to the nearest negative; margin: the difference.",
    ]
    for clamp, how in CLAMPS.items():
        header = [how, "λ", *MEASURES, *(["margin − that of λ = 1"] if 1.0 in lambdas else [])]
        rows_of = []
        for eyes in EYES:
            for lam in lambdas:
                cells = [between(found[measure][clamp, eyes, lam]) for measure in MEASURES]
                if 1.0 in lambdas:
                    differs = found["margin"][clamp, eyes, lam] - found["margin"][clamp, eyes, 1.0]
                    cells.append("" if lam == 1 else signed(differs))
                rows_of.append([eyes, f"{lam:g}", *cells])
        lines += ["", *markdown(header, rows_of)]
    return "\n".join([*lines, ""])


def _finding(found: Mapping[str, Mapping[tuple[Any, ...], Any]], lambdas: Sequence[float], clamp: bool) -> str:
    """The effect of small and large λ by the judge, to compare with the paper's text."""
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
    """`curves`: each measure against λ by each of the eyes. `drawings`: each category's first one at each λ."""
    from matplotlib.figure import Figure

    rows = table.to_pylist()
    lambdas = sorted({row["lam"] for row in rows})
    curves = Figure(figsize=(11.0, 6.4), layout="constrained")
    colours = dict(zip(MEASURES, ("#1f6f5c", "#b5651d", "#6b6b6b"), strict=True))
    found = {measure: unit_means(rows, ("clamp", "eyes", "lam"), measure) for measure in MEASURES}
    for line, (clamp, title) in zip(curves.subplots(len(CLAMPS), len(EYES), sharey="col"), CLAMPS.items(), strict=True):
        for axis, eyes in zip(line, EYES, strict=True):
            for measure in MEASURES:
                of = [found[measure][clamp, eyes, lam] for lam in lambdas]
                curve(axis, range(len(lambdas)), of, colours[measure], label=measure, marker="o", markersize=3)
            axis.set_xticks(range(len(lambdas)), [f"{lam:g}" for lam in lambdas])
            axis.set(title=f"{eyes}, {title}", xlabel="λ", ylabel="similarity")
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
