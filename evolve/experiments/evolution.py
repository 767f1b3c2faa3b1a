"""Does it evolve? Generations under selection against chance, and against as much learning without any breeding.

For each category and seed, three arms that begin with the same independent founders:

    nsga2      each generation's parents and survivors by NSGA-II (`evolve.evolution`)
    random     the same, but parents and survivors by chance
    founders   no breeding: more founders, until as many steps are learned as by nsga2; the population is the fittest of
               them, by NSGA-II as well

What counts is what the judge says of the population after each generation (`evolve.experiments.judging`). The folder
has the runs, and one table for each category, seed and arm, which is there once that is done: a killed experiment goes
on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.concept import Concept, Request
from core.errors import ConceptreeError
from core.files import write_atomically
from core.optimizer import Report
from core.settings import Settings
from evolve.develop import develop
from evolve.evolution import Evolution, evolve, generations
from evolve.experiments.judging import Array, Judge, diversity, judged
from evolve.experiments.statistics import by_unit, interval, signed
from evolve.fitness import OBJECTIVES, measured, novelties
from evolve.jobs import Job, jobs, new_job
from evolve.population import founder_seed, starts
from evolve.run import Run
from evolve.selection import members, survivors
from evolve.toolbox import seeded

ARMS = ("nsga2", "random", "founders")
MEASURES = (*OBJECTIVES, "diversity")
COMMAND = "experiment"
HEADER = (
    "measure", "founders at the start", "nsga2", "random", "founders, equal steps",
    "nsga2 − random", "nsga2 − founders",
)  # fmt: skip
Tell = Callable[[str], None]
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
class Protocol:
    """What is compared: so many generations, the founders among them, of so many concepts."""

    categories: tuple[str, ...] = ("pet", "fruit", "musical instrument")
    seeds: int = 5
    generations: int = 5
    population: int = 24
    mutation: float = 0.2
    settings: Mapping[str, Any] = field(default_factory=dict)  # instead of what is calibrated for the stack

    def cases(self) -> Iterator[tuple[str, int]]:
        """Every category with one seed, then with the next: what is there so far is never of one category alone."""
        return ((category, seed) for seed in range(self.seeds) for category in self.categories)


def conduct(protocol: Protocol, folder: Path, backbone: Any, judge: Judge, tell: Tell) -> pa.Table:
    """Learn and judge what is not there yet, in `folder`; the whole table. tell: is called with what is going on.

    Raises:
        ConceptreeError: the judge does not know a category.
    """
    for category in protocol.categories:
        if category not in judge.categories:
            raise ConceptreeError(f"the judge does not know the category {category!r}: choose others with --category")
    tables = []
    for category, seed in protocol.cases():
        for arm in ARMS:
            case = Case(protocol, folder, backbone, category, seed, arm, tell)
            if not case.table.is_file():
                rows = case.judge_all(judge, case.learn())
                content = pa.BufferOutputStream()
                pq.write_table(pa.Table.from_pylist(rows, SCHEMA), content)
                write_atomically(case.table, content.getvalue().to_pybytes())
            tables.append(pq.read_table(case.table, schema=SCHEMA))
    return pa.concat_tables(tables)


class Stage(NamedTuple):
    """An arm after a generation: its population (ids), and how many concepts were learned by then, the first of its
    run: they are the archive that novelty is against.
    """

    population: list[str]
    learned: int


@dataclass(frozen=True)
class Case:
    """One arm for one category and seed."""

    protocol: Protocol
    folder: Path
    backbone: Any
    category: str
    seed: int
    arm: str
    tell: Tell

    @property
    def name(self) -> str:
        return f"{self.category.replace(' ', '-')}-{self.seed}-{self.arm}"

    @property
    def table(self) -> Path:
        return self.folder / f"{self.name}.parquet"

    def other(self, arm: str) -> Case:
        return Case(self.protocol, self.folder, self.backbone, self.category, self.seed, arm, self.tell)

    def learn(self) -> list[Stage]:
        """The arm after each generation; whatever is missing is learned."""
        run = self._run()
        if self.arm == "founders":
            return self._more_founders(run)
        asked = Evolution(
            generations=self.protocol.generations - 1,
            population=self.protocol.population,
            children=self.protocol.population,
            select=self.arm,
            mutation=self.protocol.mutation,
            images=2,  # each child sees one of them
            keep=1,
            seed=self.seed,
            settings=self._settings(mixing=True),
        )
        job = _job(run, asked.to_json())
        for generation in evolve(asked, run, self.backbone, job, on_report=self._watch):
            self.tell(f"{self.name}: generation {generation.number} is there, {generation.record['stay']} stay")
        populations = [self._first(run), *(list(generation.survivors) for generation in generations(job))]
        size = self.protocol.population
        return [Stage(population, size * number) for number, population in enumerate(populations, 1)]

    def _settings(self, mixing: bool = False) -> Settings:
        given = self.protocol.settings
        return Settings.for_stack(self.backbone, mixing=mixing, category=self.category, **given)

    def run_there(self) -> Run:
        return Run.open(self.folder / "runs" / self.name)

    def _run(self) -> Run:
        """The arm's run, with the founders that all arms begin with."""
        place = self.folder / "runs" / self.name
        if not (place / "run.json").is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            Run.create(place, self.category, self.backbone)
        run = Run.open(place)
        if self.arm == ARMS[0]:
            self._learn_founders(run, 0, self.protocol.population)
        elif not run.entries([]):
            first = self.other(ARMS[0]).run_there()
            run.add([first.find(id_).concept for id_ in self._first(first)])
        return run

    def _learn_founders(self, run: Run, before: int, count: int) -> list[Concept]:
        """So many independent founders, the ones after so many others."""
        sides = starts(self.backbone, self.category, seed=self.seed)
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
        return develop(requests, self.backbone, run, job=_job(run, {"founders": before}), on_report=watch)

    def _first(self, run: Run) -> list[str]:
        return [each.id for each in run.entries([])[: self.protocol.population]]

    def _more_founders(self, run: Run) -> list[Stage]:
        """At each generation the fittest of as many founders as could be learned in nsga2's steps."""
        bred = self.other(ARMS[0])
        budget = bred.steps(bred.learn())
        # All founders take the same number of steps: their negatives are found on the way, so that none is done early.
        of_one = self._steps(run, self._first(run)) // self.protocol.population
        more = budget[-1] // of_one - self.protocol.population
        if more > 0:
            self._learn_founders(run, self.protocol.population, more)
        entries, embeds = run.entries([]), run.image_embeds()
        stages = []
        for number, allowed in enumerate(budget):
            there = entries[: allowed // of_one]
            new = novelties({each.id: embeds[each.id] for each in there})
            values = {each.id: {**measured(each), "novel": new[each.id]} for each in there}
            with seeded(self.seed, number, "founders"):
                stay = survivors("nsga2", members(values, {}), self.protocol.population)  # type: ignore[arg-type]
            stages.append(Stage([each.id for each in stay], len(there)))
            self.tell(f"{self.name}: {len(there)} founders by the steps of generation {number}")
        return stages

    def steps(self, stages: Sequence[Stage]) -> list[int]:
        """Steps learned up to each stage, over all concepts."""
        run = self.run_there()
        ids = [each.id for each in run.entries([])]
        return [self._steps(run, ids[: stage.learned]) for stage in stages]

    def _steps(self, run: Run, ids: Sequence[str]) -> int:
        """Those that were taken: a concept that is done early takes fewer than it might."""
        return sum(run.find(id_).concept.steps for id_ in ids)

    def judge_all(self, judge: Judge, stages: Sequence[Stage]) -> list[dict[str, Any]]:
        """A row for each member of each generation's population, as in `SCHEMA`."""
        run = self.run_there()
        everybody = [each.id for each in run.entries([])]
        stack, imagined = {each.id: measured(each) for each in run.entries([])}, run.image_embeds()
        found: dict[str, dict[str, float]] = {}
        embeds: dict[str, Array] = {}
        for number, id_ in enumerate(everybody):
            found[id_], embeds[id_] = judged(run.find(id_).concept, self.backbone, judge)
            if not number % 24:
                self.tell(f"{self.name}: judged {number} of {len(everybody)}")
        rows = []
        for generation, (stage, steps) in enumerate(zip(stages, self.steps(stages), strict=True)):
            population, archive = stage.population, everybody[: stage.learned]
            seen = novelties({id_: embeds[id_] for id_ in archive}, population)
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
                        "novel": seen[id_],
                        **{f"stack_{name}": by_stack[name] for name in OBJECTIVES},
                        "diversity": spread,
                    }
                )
        return rows

    def _watch(self, number: int, report: Report) -> None:
        if report.events and not report.events[0].draft:
            self.tell(f"{self.name}: generation {number}, step {report.step} of {report.steps}")


def _job(run: Run, plan: Mapping[str, Any]) -> Job:
    """The run's job of this plan, made if it is not there."""
    plan = json.loads(json.dumps(plan))
    return next((job for job in jobs(run, []) if job.plan == plan), None) or new_job(run, COMMAND, plan)


def summary(table: pa.Table) -> str:
    """The last generation in Markdown: each arm's mean and best, and by how much nsga2 is ahead, with intervals."""
    last = max(table.column("generation").to_pylist())
    units = len({(row["category"], row["seed"]) for row in table.select(["category", "seed"]).to_pylist()})
    lines = [
        f"Generation {last}, by the judge; means over {units} pairs of category and seed, 95 % bootstrap intervals.",
        "",
        f"| {' | '.join(HEADER)} |",
        "|" + "---|" * len(HEADER),
    ]
    for measure in MEASURES:
        for how, name in ((np.mean, measure), (np.max, f"{measure}, best")):
            if measure == "diversity" and how is np.max:
                continue
            found = by_unit(table, measure, how)
            arms = [found[("nsga2", 0)], *(found[(arm, last)] for arm in ARMS)]
            ahead = [found[("nsga2", last)] - found[(arm, last)] for arm in ARMS[1:]]
            cells = [f"{interval(values)[0]:.3f}" for values in arms] + [signed(values) for values in ahead]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def curves(table: pa.Table) -> Any:
    """A matplotlib figure: each measure over the generations, its mean (line) and best (dashed), with intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.1 * len(MEASURES), 3.2), layout="constrained")
    colours = dict(zip(ARMS, ("#1f6f5c", "#b5651d", "#6b6b6b"), strict=True))
    for axis, measure in zip(figure.subplots(1, len(MEASURES)), MEASURES, strict=True):
        for how, style in ((np.mean, "-"), (np.max, "--")):
            if measure == "diversity" and how is np.max:
                continue
            found = by_unit(table, measure, how)
            for arm in ARMS:
                numbers = sorted(generation for name, generation in found if name == arm)
                mean, low, high = zip(*(interval(found[arm, number]) for number in numbers), strict=True)
                axis.plot(numbers, mean, style, color=colours[arm], label=arm if style == "-" else None)
                if style == "-":
                    axis.fill_between(numbers, low, high, color=colours[arm], alpha=0.15, linewidth=0)
        axis.set_title(measure)
        axis.set_xlabel("generation")
        axis.xaxis.get_major_locator().set_params(integer=True)
    figure.axes[0].legend(frameon=False)
    return figure
