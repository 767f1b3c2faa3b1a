"""Map: how much of a category MAP-Elites fills, against as many independent founders and random breeding.

For each category, seed and pair of axes all arms begin with the same founders and learn as many concepts:

    map        generations by the emitter `gain`
    random     children of two random concepts with random weights, by Eq. 5, with the same steps; unlike those of
               `gain` they inherit the category and their parents' negatives (Eq. 3), as `breed` does
    founders   independent founders

Coverage is the share of filled cells, the QD score the sum of their qualities (docs/map.md). Both are measured twice:
by the stack, from imagined embeddings, as the map itself goes by them; and by the judge, from one drawing of each
concept, on a scale of its own from drawings of known members and their mixtures. So the axes need words of the judge.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from core.errors import ConceptreeError
from core.negatives import says_again
from core.streams import stream, stream_seed
from core.wording import counted
from evolve import Run
from evolve.jobs.options import SeedOptions
from evolve.jobs.planning import plan_map
from evolve.jobs.plans import Map
from evolve.jobs.work import evolve
from evolve.maps.archive import archive_of
from evolve.maps.chart import Axis, Chart, Placed, placed
from evolve.maps.emitters import EMITTERS, Emitter
from evolve.maps.phrases import KNOTS, chart_of, reachable
from evolve.maps.recipes import MATE, Recipe
from evolve.toolbox import draw_weights
from experiments.conduct import Bench, ByCases, SeededCase, categories_by_seed
from experiments.cost import Work, of_learning, stand_ins
from experiments.drawing import check_draws, draw_many
from experiments.judging import JUDGE, STACK
from experiments.looking import check_categories
from experiments.statistics import between, cell, markdown, unit_means

MAP, RANDOM, FOUNDERS = ARMS = ("map", "random", "founders")
SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("seed", pa.int32()),
        ("axes", pa.string()),
        ("arm", pa.string()),
        ("by", pa.string()),
        ("concepts", pa.int32()),
        ("coverage", pa.float64()),
        ("qd", pa.float64()),
        ("steps", pa.int32()),  # of learning, without the founders that all arms share
        ("seconds", pa.float64()),  # that these took
    ]
)
AXES = {
    "pet": (("bird:mammal", "reptile:insect"), ("fish:dog", "cat:parrot")),
    "fruit": (("banana:strawberry", "lemon:cherries"), ("watermelon:grapes", "pineapple:tomato")),
    "musical instrument": (("drum:guitar", "trumpet:violin"), ("accordion:bell", "flute:banjo")),
}
REFERENCE = 72  # drawings of members and mixtures that the judge's scale goes by
PLAIN = Axis(low="low", high="high", knots=(0.0, 1.0), direction=(1.0,))  # stands for any: steps do not depend on it
Array = npt.NDArray[np.float64]


class Random(Emitter):
    """Children of two random concepts with random weights."""

    def recipes(self) -> list[Recipe]:
        chance, count = self.ground.chance, len(self.ground.found)
        pairs = [chance.choice(count, 2, replace=False).tolist() for _ in range(self.count)] if count > 1 else []
        return [Recipe(MATE, one, other, draw_weights(2, chance)[0]) for one, other in pairs]


@dataclass(frozen=True)
class Protocol(ByCases):
    """axes: pairs of axes by category; by default two pairs for each of three categories. pairs: how many of them.

    cells: of a row and of a column. founders: that all arms share. generations, children: of the map after these.
    """

    categories: tuple[str, ...] = tuple(AXES)
    seeds: int = 5
    pairs: int = 2
    axes: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=lambda: dict(AXES))
    cells: int = 8
    founders: int = 12
    generations: int = 4
    children: int = 13
    negatives: str = "adaptive"


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """One for each category, seed and pair of axes.

    Raises:
        ConceptreeError: the stack cannot draw, or a category is unknown or has no axes.
    """
    check_draws(bench.backbone)
    check_categories(bench, protocol.categories)
    if missing := [name for name in protocol.categories if not protocol.axes.get(name)]:
        raise ConceptreeError(f"no axes for {missing[0]!r}: this experiment has them for {', '.join(protocol.axes)}")
    return [
        Case(protocol, bench, category, seed, axes)
        for category, seed in categories_by_seed(protocol)
        for axes in protocol.axes[category][: protocol.pairs]
    ]


@dataclass(frozen=True)
class Case(SeededCase):
    """All arms of one category, seed and pair of axes."""

    protocol: Protocol
    axes: tuple[str, str]

    @property
    def name(self) -> str:
        words = "-".join(self.axes).replace(":", "-").replace(" ", "-")
        return f"{super().name}-{words}"

    def work(self) -> Work:
        """At most: a drawing of each concept, and those of members and mixtures by which the judge has its scale."""
        plan = self.plan(Chart(axes=(PLAIN, PLAIN), cap=1.0, floor=0.0), MAP)
        protocol = self.protocol
        bred = protocol.generations * protocol.children
        first, more = (
            of_learning(stand_ins(self.category, count, plan.founders.settings, mixed=False))
            for count in (protocol.founders, bred)
        )
        generation = of_learning(stand_ins(self.category, protocol.children, plan.settings))
        drawings = Work(drawings=REFERENCE + len(ARMS) * (protocol.founders + bred))
        return sum([generation] * (2 * protocol.generations), first + more + drawings)

    def rows(self) -> list[dict[str, Any]]:
        backbone, protocol = self.bench.backbone, self.protocol
        chart = chart_of(backbone, self.category, self.axes, (protocol.cells, protocol.cells))
        found = []
        with tempfile.TemporaryDirectory() as folder:
            runs, seconds = self._arms(chart, Path(folder))
            eye = self._eye(runs[MAP])
            for arm in ARMS:
                learned = runs[arm].individuals()[protocol.founders :]
                steps = sum(each.concept.request.chosen.steps for each in learned)
                for by, there in ((STACK, placed(runs[arm], chart)), (JUDGE, self._seen(runs[arm], eye))):
                    stats = archive_of(chart, there).stats
                    found.append(
                        {
                            "category": self.category,
                            "seed": self.seed,
                            "axes": ", ".join(self.axes),
                            "arm": arm,
                            "by": by,
                            "concepts": len(there),
                            "coverage": float(stats.coverage),
                            "qd": float(stats.qd_score),
                            "steps": steps,
                            "seconds": seconds[arm],
                        }
                    )
        return found

    def plan(self, chart: Chart, arm: str) -> Map:
        """The plan of an arm, for a run that has the founders already."""
        protocol, steps = self.protocol, self.protocol.settings.get("steps")
        options = SeedOptions(
            category=self.category, count=protocol.founders, negatives=protocol.negatives, seed=self.seed, steps=steps
        )
        shares = {MAP: {"gain": 1.0}, RANDOM: {RANDOM: 1.0}, FOUNDERS: {"founders": 1.0}}[arm]
        plan = plan_map(
            self.bench.backbone,
            chart,
            options,
            children=protocol.children,
            steps=steps,
            generations=protocol.generations + 1,
            emitters=shares,
        )
        everything = protocol.founders + protocol.generations * protocol.children
        return replace(plan, generations=1, first=everything) if arm == FOUNDERS else plan

    def _arms(self, chart: Chart, folder: Path) -> tuple[dict[str, Run], dict[str, float]]:
        """The run of each arm, and how long it learned. The founders of the first one are those of the others."""
        runs, seconds = {}, {}
        EMITTERS[RANDOM] = Random
        for arm in ARMS:
            self._tell(f"learning {arm}")
            run = runs[arm] = Run.create(folder / arm, self.category, self.bench.backbone)
            if arm != MAP:
                founders = runs[MAP].individuals()[: self.protocol.founders]
                run.add([each.concept for each in founders])
            began = time.perf_counter()
            for generation in evolve(self.plan(chart, arm), run, self.bench.backbone):
                if generation.number == 1 and arm != FOUNDERS:
                    began = time.perf_counter()
            seconds[arm] = time.perf_counter() - began
        return runs, seconds

    def _eye(self, run: Run) -> Eye:
        """The judge's scale, from drawings of members and mixtures."""
        self._tell("drawing members and mixtures")
        reach = reachable(self.bench.backbone, self.category)
        words = [
            word for word in self.bench.judge.categories.get(self.category, ()) if not says_again(word, self.category)
        ]
        order = stream(self.seed, 0, "reference").permutation(len(reach))[:REFERENCE]
        length = np.mean([np.linalg.norm(each) for each in run.image_embeds().values()])
        eye = Eye(self.axes, self.category, tuple(words))
        values, belongs, nearest = self._looked(reach[order] * length, eye)
        knots = np.quantile(values, np.linspace(0, 1, KNOTS), axis=0)
        cap = float(np.median(belongs))
        return replace(eye, knots=knots, cap=cap, floor=min(2 * cap - float(np.median(nearest)), cap - 0.01))

    def _seen(self, run: Run, eye: Eye) -> Placed:
        """A run's concepts as the judge sees their drawings."""
        embeds = run.image_embeds()
        values, belongs, nearest = self._looked(np.stack(list(embeds.values())), eye)
        even = np.linspace(0, 1, len(eye.knots))
        places = np.stack([np.interp(values[:, at], eye.knots[:, at], even) for at in range(2)], axis=1)
        margin = np.clip((belongs - nearest + eye.cap - eye.floor) / (2 * eye.cap - eye.floor), 0, 1)
        quality = np.clip(belongs / eye.cap, 0, 1) * margin
        return Placed(tuple(embeds), np.zeros((len(embeds), 1)), values, places, quality)

    @torch.no_grad()
    def _looked(self, embeds: npt.NDArray[Any], eye: Eye) -> tuple[Array, Array, Array]:
        """What the judge sees in drawings: values ``[n, 2]``, similarity to the category and to the nearest member."""
        seeds = [stream_seed(self.seed, number, "judged") for number in range(len(embeds))]
        drawn = draw_many(self.bench.backbone, torch.from_numpy(embeds.astype(np.float32)), seeds)
        ends = [word for axis in eye.axes for word in axis.split(":")]
        seen = self.bench.judge.similarity(drawn, [*ends, self.category, *eye.members]).double().cpu().numpy()
        values = np.stack([seen[:, 1] - seen[:, 0], seen[:, 3] - seen[:, 2]], axis=1)
        return values, seen[:, 4], seen[:, 5:].max(1)


@dataclass(frozen=True)
class Eye:
    """The judge's scale: knots ``[k, 2]`` of both axes, and the clamps of quality."""

    axes: tuple[str, str]
    category: str
    members: tuple[str, ...]
    knots: Array = field(default_factory=lambda: np.zeros((0, 2)))
    cap: float = 1.0
    floor: float = 0.0


def summary(table: pa.Table) -> str:
    """In Markdown: the finding, and the figures of each arm."""
    rows = table.to_pylist()
    unit = ("category", "seed", "axes")
    figures_of = {name: unit_means(rows, ["by", "arm"], name, unit) for name in ("coverage", "qd", "steps", "seconds")}
    count = len(figures_of["coverage"][STACK, MAP])
    concepts = sorted({row["concepts"] for row in rows})
    lines = []
    for by in (STACK, JUDGE):
        told = []
        for name, called in (("coverage", "the coverage"), ("qd", "the QD score")):
            of = figures_of[name]
            ratios = [
                between(of[by, MAP] / np.where(of[by, arm] > 0, of[by, arm], np.nan)) for arm in (FOUNDERS, RANDOM)
            ]
            told.append(f"{ratios[0]} times {called} of founders and {ratios[1]} times that of random breeding")
        lines.append(f"By the {by}, a map has {' and '.join(told)}.")
    lines += [
        "",
        "A map against as many founders, by category (means of ratios):",
        "",
        *markdown(["by", "category", "maps", "coverage", "QD score"], _by_category(rows)),
        "",
        f"Means, and means of ratios, over {counted(count, 'map')} (category, seed and pair of axes), with 95 %"
        " bootstrap intervals over them if there are several. Each arm has"
        f" {' to '.join(map(str, dict.fromkeys((concepts[0], concepts[-1]))))} concepts.",
        "",
    ]
    cells = [
        [
            by,
            arm,
            *(between(figures_of[name][by, arm]) for name in ("coverage", "qd")),
            *(cell(figures_of[name][by, arm], 0) for name in ("steps", "seconds")),
        ]
        for by in (STACK, JUDGE)
        for arm in ARMS
    ]
    return "\n".join([*lines, *markdown(["by", "arm", "coverage", "QD score", "steps", "seconds"], cells)]) + "\n"


def _by_category(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A row for each eye and category, the unit over which maps may differ most: what a map has against founders."""
    found = []
    for by in (STACK, JUDGE):
        for category in dict.fromkeys(row["category"] for row in rows):
            own = [row for row in rows if (row["by"], row["category"]) == (by, category)]
            of = {name: unit_means(own, ["arm"], name, ("seed", "axes")) for name in ("coverage", "qd")}
            ratios = [each[MAP,] / np.where(each[FOUNDERS,] > 0, each[FOUNDERS,], np.nan) for each in of.values()]
            found.append([by, category, str(len(ratios[0])), *(cell(ratio, 2) for ratio in ratios)])
    return found


def figures(table: pa.Table) -> dict[str, Any]:
    """No figures: the table has all of it."""
    return {}
