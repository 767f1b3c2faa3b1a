"""Evolution: generations under selection against random ones, and against equal learning without breeding.

For each category and seed, three arms start with the same independent founders:

    tournament   parents and survivors of each generation by tournaments on the mean rank (or another of
                 `evolve.selection.METHODS`, as the protocol says)
    random       the same, with random parents and survivors
    founders     no breeding: more founders with the same number of steps as under selection; the population is the
                 fittest of them, by the same method

The judge measures the population after each generation (`experiments.judging`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.concept import Concept
from core.errors import ConceptreeError
from core.optimizer import Report
from core.options import Options
from core.wording import counted
from evolve.developing import learner_of
from evolve.fitness import OBJECTIVES, measured, novelties
from evolve.jobs.generations import generations
from evolve.jobs.plans import Evolve
from evolve.jobs.work import evolve, learned
from evolve.members import mean_ranks, members
from evolve.selection import METHODS, survivors
from evolve.store.run import Run
from evolve.toolbox import seeded
from experiments.categories import TEN
from experiments.conduct import Bench, ByCases, SeededCase, categories_by_seed
from experiments.cost import Work, of_learning, stand_ins
from experiments.judging import PROMPTS, diversity, judged
from experiments.learning import RUNS, founders_of, job_of, run_of
from experiments.sheets import curve
from experiments.statistics import BY_CATEGORY, Array, cell, markdown, over_categories, student, unit_means

CHANCE, FOUNDERS = "random", "founders"
MEASURES = (*OBJECTIVES, "overall", "diversity")
IMAGES = 2  # drawings of a parent
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
    """generations: including the founders. population: concepts of each. select: the method compared with chance."""

    categories: tuple[str, ...] = TEN
    seeds: int = 1
    select: str = "tournament"
    generations: int = 5
    population: int = 24
    mutation: float = 0.2
    inherit: bool = True

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.select, CHANCE, FOUNDERS)


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """One for each category, seed and arm.

    Raises:
        ConceptreeError: the judge does not know a category, or the method to compare with chance is chance.
    """
    if protocol.select not in METHODS or protocol.select == CHANCE:
        others = ", ".join(method for method in METHODS if method != CHANCE)
        raise ConceptreeError(f"select = {protocol.select!r}: choose {others}")
    for category in protocol.categories:
        if category not in bench.judge.categories:
            raise ConceptreeError(f"the judge does not know the category {category!r}: choose others with --category")
    return [
        Case(protocol, bench, category, seed, arm)
        for category, seed in categories_by_seed(protocol)
        for arm in protocol.arms
    ]


class Stage(NamedTuple):
    """An arm after a generation: its population (ids), and the number of concepts learned by then.

    These are the first of its run, and the archive for novelty.
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
        """One for all arms, since they start with the same founders."""
        return super().name

    @property
    def bred(self) -> Case:
        """The arm that selects. The others start with its founders and take as many steps."""
        return replace(self, arm=self.protocol.select)

    def work(self) -> Work:
        """At most: generations share parents, and of independent founders there are as many as fit into the steps.

        The founders are counted with the arm that selects.
        """
        size, more = self.protocol.population, self.protocol.generations - 1
        founders = of_learning(stand_ins(self.category, size, self._settings(), mixed=False))
        children = of_learning(stand_ins(self.category, size, self._settings(mixing=True)))
        work = Work(drawings=size * (more + 1) * len(PROMPTS))
        if self.arm == self.protocol.select:
            work += founders
        generation = founders if self.arm == FOUNDERS else children + Work(drawings=IMAGES * size)
        return sum([generation] * more, work)

    def rows(self) -> list[dict[str, Any]]:
        return self.judge_all(self.learn())

    def learn(self) -> list[Stage]:
        """The arm after each generation. Missing concepts are learned."""
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
            images=IMAGES,  # each child sees one of them
            keep=1,
            seed=self.seed,
            settings=self._settings(mixing=True),
        )
        job = job_of(run, asked.to_json())
        for generation in evolve(asked, run, learner_of(self.bench.backbone), job, on_report=self._watch):
            self._tell(f"generation {generation.number} is there, {generation.record['stay']} stay")
        populations = [self._first(run), *(list(generation.survivors) for generation in generations(job))]
        size = self.protocol.population
        return [Stage(population, size * number) for number, population in enumerate(populations, 1)]

    def run_there(self) -> Run:
        return Run.open(self.bench.folder / RUNS / self.name)

    def _run(self) -> Run:
        """The arm's run, with the founders that all arms start with."""
        run = run_of(self.bench, self.name, self.category)
        if self.arm == self.protocol.select:
            self._learn_founders(run, 0, self.protocol.population)
        elif not run.entries():
            first = self.bred._run()  # another process may not have begun it
            run.add([first.find(id_).concept for id_ in self._first(first)])
        return run

    def _learn_founders(self, run: Run, before: int, count: int) -> list[Concept]:
        """`count` independent founders, numbered after `before` others."""
        requests = founders_of(self.bench.backbone, self.category, before + count, self._settings(), self.seed)[before:]
        watch = lambda report: self._watch(0, report)  # noqa: E731
        job, learner = job_of(run, {"founders": before}), learner_of(self.bench.backbone)
        return learned(job, requests, run, learner, Options(namer=None), on_report=watch)

    def _first(self, run: Run) -> list[str]:
        return [each.id for each in run.entries()[: self.protocol.population]]

    def _more_founders(self, run: Run) -> list[Stage]:
        """For each generation the fittest of the founders that fit into the selecting arm's steps."""
        bred = self.bred
        budget = bred.steps(bred.learn())
        # All founders take the same number of steps: with adaptive negatives none stops early.
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
        """The steps that were taken; a concept may stop early."""
        return sum(run.find(id_).concept.steps for id_ in ids)

    def judge_all(self, stages: Sequence[Stage]) -> list[dict[str, Any]]:
        """A row of `SCHEMA` for each member of each generation's population."""
        run = self.run_there()
        everything = [each.id for each in run.entries()]
        stack, imagined = {each.id: measured(each) for each in run.entries()}, run.image_embeds()
        found: dict[str, dict[str, float]] = {}
        embeds: dict[str, npt.NDArray[np.float32]] = {}
        for start in range(0, len(everything), AT_ONCE):
            chunk = everything[start : start + AT_ONCE]
            self._tell(f"judging, {start} of {len(everything)} done")
            seen = judged([run.find(id_).concept for id_ in chunk], self.bench.backbone, self.bench.judge)
            for id_, (values, embed) in zip(chunk, seen, strict=True):
                found[id_], embeds[id_] = values, embed
        rows = []
        for generation, (stage, steps) in enumerate(zip(stages, self.steps(stages), strict=True)):
            population, archive = stage.population, everything[: stage.learned]
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
    """The table with a column `overall`: a member's mean rank by the judge among the members of all arms with its
    category, seed and generation, from 0 to 1 (`members.mean_ranks`). An arm by chance has 0.5.

    Conflicting objectives (novel, consistent) cannot all rise; this sums them up.
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


def of_populations(
    table: pa.Table, measure: str, how: Callable[[Any], float] = np.mean
) -> dict[tuple[Any, ...], Array]:
    """By (arm, generation) a measure [categories] of populations: the mean over the seeds of each category.

    how: reduces a population's values to one, such as `np.mean` or `np.max`.
    """
    key = ("category", "seed", "arm", "generation")
    populations: dict[tuple[Any, ...], list[float]] = {}
    for row in table.select([*key, measure]).to_pylist():
        populations.setdefault(tuple(row[name] for name in key), []).append(row[measure])
    rows = [dict(zip(key, of, strict=True), value=float(how(values))) for of, values in populations.items()]
    return unit_means(rows, ["arm", "generation"], "value", BY_CATEGORY)


def summary(table: pa.Table) -> str:
    """In Markdown: each arm's mean and best in the last generation, and by how much selection is ahead."""
    table = with_overall(table)
    select, *others = arms = _arms(table)
    last = max(table.column("generation").to_pylist())
    units = len(set(table.column("category").to_pylist()))
    header = ["measure", "founders at the start", select, CHANCE, "founders, equal steps"]
    header += [f"{select} − {arm}" for arm in others]
    lines = [
        f"Generation {last}, by the judge; means over {counted(units, 'category', 'categories')}. Differences have"
        " Student's 95 % intervals over categories; \"2 of 3\" counts those with the mean's sign.",
        "",
    ]
    rows = []
    for measure in MEASURES:
        for how, name in ((np.mean, measure), (np.max, f"{measure}, best")):
            if measure == "diversity" and how is np.max:
                continue
            found = of_populations(table, measure, how)
            values = [found[(select, 0)], *(found[(arm, last)] for arm in arms)]
            ahead = [found[(select, last)] - found[(arm, last)] for arm in others]
            cells = [cell(each) for each in values] + [over_categories(each) for each in ahead]
            rows.append([name, *cells])
    return "\n".join([*lines, *markdown(header, rows), ""])


def figures(table: pa.Table) -> dict[str, Any]:
    """`curves`: mean (line) and best (dashed) of each measure over the generations, with intervals of the mean."""
    from matplotlib.figure import Figure

    table = with_overall(table)
    arms = _arms(table)
    figure = Figure(figsize=(3.1 * len(MEASURES) / 2, 6.0), layout="constrained")
    colours = dict(zip(arms, ("#1f6f5c", "#b5651d", "#6b6b6b"), strict=True))
    for axis, measure in zip(figure.subplots(2, len(MEASURES) // 2).flat, MEASURES, strict=True):
        for how, style in ((np.mean, "-"), (np.max, "--")):
            if measure == "diversity" and how is np.max:
                continue
            found = of_populations(table, measure, how)
            for arm in arms:
                numbers = sorted(generation for name, generation in found if name == arm)
                label, band = (arm, 0.15) if style == "-" else (None, 0.0)
                of = [found[arm, number] for number in numbers]
                curve(axis, numbers, of, colours[arm], band, student, linestyle=style, label=label)
        axis.set_title(measure)
        axis.set_xlabel("generation")
        axis.xaxis.get_major_locator().set_params(integer=True)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return {"curves": figure}


def _arms(table: pa.Table) -> list[str]:
    return list(dict.fromkeys(table.column("arm").to_pylist()))
