"""Does it evolve? Generations under selection against chance, and against as much learning without any breeding.

For each category and seed, three arms that begin with the same independent founders:

    tournament   each generation's parents and survivors by tournaments on the mean rank (or another of
                 `evolve.selection.METHODS`, by the protocol)
    random       the same, but parents and survivors by chance
    founders     no breeding: more founders, until as many steps are learned as under selection; the population is the
                 fittest of them, by the same method

What counts is what the judge says of the population after each generation (`experiments.judging`). The runs lie
beside the tables, and are gone on with as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from core.concept import Concept, Request
from core.errors import ConceptreeError
from core.optimizer import Report
from core.options import Options
from core.settings import Settings
from core.wording import counted
from evolve.fitness import OBJECTIVES, measured, novelties
from evolve.jobs.develop import learner_of
from evolve.jobs.evolution import evolve
from evolve.jobs.generations import generations
from evolve.jobs.learning import learned
from evolve.jobs.plans import Evolve
from evolve.members import mean_ranks, members
from evolve.population import founder_seed, starts
from evolve.selection import METHODS, survivors
from evolve.store.run import Run
from evolve.toolbox import seeded
from experiments.conduct import Bench, ByCases, SeededCase
from experiments.judging import Array, diversity, judged
from experiments.learning import RUNS, job_of, run_of
from experiments.statistics import by_unit, interval, signed

CHANCE, FOUNDERS = "random", "founders"
MEASURES = (*OBJECTIVES, "overall", "diversity")
AT_ONCE = 24  # concepts that are judged together
SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("seed", pa.int32()),
        ("arm", pa.string()),
        ("generation", pa.int32()),
        ("concept", pa.string()),
        ("steps", pa.int64()),  # learned in this arm up to this generation, over all concepts
        *((name, pa.float64()) for name in OBJECTIVES),  # by the judge
        *((f"stack_{name}", pa.float64()) for name in OBJECTIVES),  # by the stack, as selection sees it
        ("diversity", pa.float64()),  # of the population, by the judge
    ]
)


@dataclass(frozen=True)
class Protocol(ByCases):
    """What is compared: so many generations, the founders among them, of so many concepts. select: by what method."""

    categories: tuple[str, ...] = ("pet", "fruit", "musical instrument")
    seeds: int = 5
    select: str = "tournament"
    generations: int = 5
    population: int = 24
    mutation: float = 0.2
    inherit: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)  # instead of what is calibrated for the stack

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.select, CHANCE, FOUNDERS)


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """Every category with one seed, then with the next: what is there so far is never of one category alone.

    Raises:
        ConceptreeError: the judge does not know a category, or selection is what it is compared with.
    """
    if protocol.select not in METHODS or protocol.select == CHANCE:
        others = ", ".join(method for method in METHODS if method != CHANCE)
        raise ConceptreeError(f"select = {protocol.select!r}: choose {others}")
    for category in protocol.categories:
        if category not in bench.judge.categories:
            raise ConceptreeError(f"the judge does not know the category {category!r}: choose others with --category")
    return [
        Case(protocol, bench, category, seed, arm)
        for seed in range(protocol.seeds)
        for category in protocol.categories
        for arm in protocol.arms
    ]


class Stage(NamedTuple):
    """An arm after a generation: its population (ids), and how many concepts were learned by then, the first of its
    run: they are the archive that novelty is against.
    """

    population: list[str]
    learned: int


@dataclass(frozen=True)
class Case(SeededCase):
    """One arm for one category and seed."""

    protocol: Protocol
    arm: str

    @property
    def name(self) -> str:
        return f"{self.group}-{self.arm}"

    @property
    def group(self) -> str:
        """All arms begin with the founders of one."""
        return super().name

    @property
    def bred(self) -> Case:
        """The arm that selects: the others begin with its founders, and take as many steps."""
        return replace(self, arm=self.protocol.select)

    def rows(self) -> list[dict[str, Any]]:
        return self.judge_all(self.learn())

    def learn(self) -> list[Stage]:
        """The arm after each generation; whatever is missing is learned."""
        run = self._run()
        if self.arm == FOUNDERS:
            return self._more_founders(run)
        asked = Evolve(
            generations=self.protocol.generations - 1,
            population=self.protocol.population,
            children=self.protocol.population,
            select=self.arm,
            mutation=self.protocol.mutation,
            inherit=self.protocol.inherit,
            images=2,  # each child sees one of them
            keep=1,
            seed=self.seed,
            settings=self._settings(mixing=True),
        )
        job = job_of(run, asked.to_json())
        for generation in evolve(asked, run, self.bench.backbone, job, on_report=self._watch):
            self._tell(f"generation {generation.number} is there, {generation.record['stay']} stay")
        populations = [self._first(run), *(list(generation.survivors) for generation in generations(job))]
        size = self.protocol.population
        return [Stage(population, size * number) for number, population in enumerate(populations, 1)]

    def _settings(self, mixing: bool = False) -> Settings:
        given = self.protocol.settings
        return Settings.for_stack(self.bench.backbone, mixing=mixing, category=self.category, **given)

    def run_there(self) -> Run:
        return Run.open(self.bench.folder / RUNS / self.name)

    def _run(self) -> Run:
        """The arm's run, with the founders that all arms begin with."""
        run = run_of(self.bench, self.name, self.category)
        if self.arm == self.protocol.select:
            self._learn_founders(run, 0, self.protocol.population)
        elif not run.entries():
            first = self.bred._run()  # which may not have begun, where several processes share the cases
            run.add([first.find(id_).concept for id_ in self._first(first)])
        return run

    def _learn_founders(self, run: Run, before: int, count: int) -> list[Concept]:
        """So many independent founders, the ones after so many others."""
        sides = starts(self.bench.backbone, self.category, seed=self.seed)
        requests = [
            Request(
                self.category,
                seed=founder_seed(self.seed, number),
                initializer=sides[number % len(sides)] if sides else None,
                settings=self._settings(),
            )
            for number in range(before, before + count)
        ]
        watch = lambda report: self._watch(0, report)  # noqa: E731
        job, learner = job_of(run, {"founders": before}), learner_of(self.bench.backbone)
        return learned(job, requests, run, learner, Options(namer=None), on_report=watch)

    def _first(self, run: Run) -> list[str]:
        return [each.id for each in run.entries()[: self.protocol.population]]

    def _more_founders(self, run: Run) -> list[Stage]:
        """At each generation the fittest of as many founders as could be learned in the selecting arm's steps."""
        bred = self.bred
        budget = bred.steps(bred.learn())
        # All founders take the same number of steps: their negatives are found on the way, so that none is done early.
        of_one = self._steps(run, self._first(run)) // self.protocol.population
        more = budget[-1] // of_one - self.protocol.population
        if more > 0:
            self._learn_founders(run, self.protocol.population, more)
        entries, embeds = run.entries(), run.image_embeds()
        stages = []
        for number, allowed in enumerate(budget):
            there = entries[: allowed // of_one]
            new = novelties({each.id: embeds[each.id] for each in there})
            values = {each.id: {**measured(each), "novel": new[each.id]} for each in there}
            with seeded(self.seed, number, "founders"):
                stay = survivors(self.protocol.select, members(values, {}), self.protocol.population)  # type: ignore[arg-type]
            stages.append(Stage([each.id for each in stay], len(there)))
            self._tell(f"{counted(len(there), 'founder')} by the steps of generation {number}")
        return stages

    def steps(self, stages: Sequence[Stage]) -> list[int]:
        """Steps learned up to each stage, over all concepts."""
        run = self.run_there()
        ids = [each.id for each in run.entries()]
        return [self._steps(run, ids[: stage.learned]) for stage in stages]

    def _steps(self, run: Run, ids: Sequence[str]) -> int:
        """Those that were taken: a concept that is done early takes fewer than it might."""
        return sum(run.find(id_).concept.steps for id_ in ids)

    def judge_all(self, stages: Sequence[Stage]) -> list[dict[str, Any]]:
        """A row for each member of each generation's population, as in `SCHEMA`."""
        run = self.run_there()
        everybody = [each.id for each in run.entries()]
        stack, imagined = {each.id: measured(each) for each in run.entries()}, run.image_embeds()
        found: dict[str, dict[str, float]] = {}
        embeds: dict[str, Array] = {}
        for start in range(0, len(everybody), AT_ONCE):
            chunk = everybody[start : start + AT_ONCE]
            self._tell(f"judging, {start} of {len(everybody)} done")
            seen = judged([run.find(id_).concept for id_ in chunk], self.bench.backbone, self.bench.judge)
            for id_, (values, embed) in zip(chunk, seen, strict=True):
                found[id_], embeds[id_] = values, embed
        rows = []
        for generation, (stage, steps) in enumerate(zip(stages, self.steps(stages), strict=True)):
            population, archive = stage.population, everybody[: stage.learned]
            new = novelties({id_: embeds[id_] for id_ in archive}, population)
            own = novelties({id_: imagined[id_] for id_ in archive}, population)
            spread = diversity([embeds[id_] for id_ in population])
            for id_ in population:
                by_stack = {**stack[id_], "novel": own[id_]}
                rows.append(
                    {
                        "category": self.category,
                        "seed": self.seed,
                        "arm": self.arm,
                        "generation": generation,
                        "concept": id_,
                        "steps": steps,
                        **found[id_],
                        "novel": new[id_],
                        **{f"stack_{name}": by_stack[name] for name in OBJECTIVES},
                        "diversity": spread,
                    }
                )
        return rows

    def _watch(self, number: int, report: Report) -> None:
        if report.events and not report.events[0].draft:
            self._tell(f"generation {number}, step {report.step} of {report.steps}")


def with_overall(table: pa.Table) -> pa.Table:
    """With the column `overall`: a member's mean rank by the judge among all arms' members of its category, seed and
    generation, from 0 to 1 (`selection.mean_ranks`); chance alone would give an arm 0.5.

    Objectives that stand against each other (novel against consistent) cannot all rise: this says what they come to.
    """
    rows = table.to_pylist()
    among: dict[tuple[Any, ...], list[int]] = {}
    for place, row in enumerate(rows):
        among.setdefault((row["category"], row["seed"], row["generation"]), []).append(place)
    overall = [0.5] * len(rows)
    for places in among.values():
        ranks = mean_ranks([[rows[place][name] for name in OBJECTIVES] for place in places])
        for place, rank in zip(places, ranks, strict=True):
            overall[place] = rank
    return table.append_column("overall", pa.array(overall, pa.float64()))


def summary(table: pa.Table) -> str:
    """The last generation in Markdown: each arm's mean and best, and by how much selection is ahead, with intervals."""
    table = with_overall(table)
    select, *others = arms = _arms(table)
    last = max(table.column("generation").to_pylist())
    units = len({(row["category"], row["seed"]) for row in table.select(["category", "seed"]).to_pylist()})
    header = ["measure", "founders at the start", select, CHANCE, "founders, equal steps"]
    header += [f"{select} − {arm}" for arm in others]
    lines = [
        f"Generation {last}, by the judge; means over {counted(units, 'pair')} of category and seed, 95 % bootstrap"
        " intervals.",
        "",
        f"| {' | '.join(header)} |",
        "|" + "---|" * len(header),
    ]
    for measure in MEASURES:
        for how, name in ((np.mean, measure), (np.max, f"{measure}, best")):
            if measure == "diversity" and how is np.max:
                continue
            found = by_unit(table, measure, how)
            values = [found[(select, 0)], *(found[(arm, last)] for arm in arms)]
            ahead = [found[(select, last)] - found[(arm, last)] for arm in others]
            cells = [f"{interval(each)[0]:.3f}" for each in values] + [signed(each) for each in ahead]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def figures(table: pa.Table) -> dict[str, Any]:
    """matplotlib's figure `curves`: each measure over the generations, its mean (line) and best (dashed), with
    intervals.
    """
    from matplotlib.figure import Figure

    table = with_overall(table)
    arms = _arms(table)
    figure = Figure(figsize=(3.1 * len(MEASURES) / 2, 6.0), layout="constrained")
    colours = dict(zip(arms, ("#1f6f5c", "#b5651d", "#6b6b6b"), strict=True))
    for axis, measure in zip(figure.subplots(2, len(MEASURES) // 2).flat, MEASURES, strict=True):
        for how, style in ((np.mean, "-"), (np.max, "--")):
            if measure == "diversity" and how is np.max:
                continue
            found = by_unit(table, measure, how)
            for arm in arms:
                numbers = sorted(generation for name, generation in found if name == arm)
                mean, low, high = zip(*(interval(found[arm, number]) for number in numbers), strict=True)
                axis.plot(numbers, mean, style, color=colours[arm], label=arm if style == "-" else None)
                if style == "-":
                    axis.fill_between(numbers, low, high, color=colours[arm], alpha=0.15, linewidth=0)
        axis.set_title(measure)
        axis.set_xlabel("generation")
        axis.xaxis.get_major_locator().set_params(integer=True)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return {"curves": figure}


def _arms(table: pa.Table) -> list[str]:
    return list(dict.fromkeys(table.column("arm").to_pylist()))
