"""`conceptree evolve`, `choose` and `mark`: generations that improve, by fitness, by a person's choice, or both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from core.optimizer import Report
from core.stack.backbone import Backbone
from core.wording import counted
from evolve import Run
from evolve.jobs.evolution import (
    USER,
    Evolution,
    EvolutionError,
    Generation,
    NobodyChosenError,
    asked_of,
    awaits_choice,
    generations,
    logbook,
    makes_parent,
)
from evolve.jobs.evolution import (
    choose as choose_parents,
)
from evolve.jobs.evolution import (
    evolve as generations_of,
)
from evolve.jobs.job import Job, new_job, unfinished
from ui.breed import IMAGES, KEEP
from ui.console import Course, say, to_type
from ui.pictures import draw_all
from ui.runs import open_run
from ui.seed import say_next, say_stopped, show_founders
from ui.stack import can_draw, check_precision, check_words, chosen_settings, open_stack_of, options_for, precision_of
from ui.workers import learning

COMMAND = "evolve"


def evolve(
    name: str,
    *,
    select: str,
    chosen: Sequence[str],
    weights: str | None,
    words: Sequence[str],
    seed: int | None,
    steps: int | None,
    runs: Path,
    model: str | None,
    out: Console,
    **numbers: Any,
) -> None:
    """Evolve a run's concepts for some generations, draw all, and say what came of it. numbers: of `Evolution`."""
    run = open_run(runs, name)
    backbone = open_stack_of(run, model, out)
    plan = plan_evolution(
        run, backbone, select=select, chosen=chosen, weights=weights, words=words, seed=seed, steps=steps, **numbers
    )
    job = new_job(run, COMMAND, plan.to_json())
    learn_generations(job, run, backbone, out)
    show_founders(run, backbone, out)
    say_next(run, backbone, runs, out)
    say_choice(job, run, backbone, out)


def plan_evolution(
    run: Run,
    backbone: Backbone,
    *,
    chosen: Sequence[str] = (),
    weights: str | None = None,
    words: Sequence[str] = (),
    seed: int | None = None,
    steps: int | None = None,
    **numbers: Any,
) -> Evolution:
    """What is asked, checked. chosen: names of the first parents, where a person selects. weights: "0.7,0.3", by
    default drawn. seed: by default another one each time. numbers: of `Evolution`.

    Raises:
        ConceptreeError: it cannot be done; the first reason.
    """
    check_words(backbone, words, "word", backbone.vocabulary.words)
    first = [run.entry(called).id for called in chosen]
    if first and numbers.get("select") != USER:
        raise EvolutionError(f"--parent {chosen[0]}: who selects is {numbers.get('select')}; add --select {USER}")
    if numbers.get("select") == USER and not first and not any(map(makes_parent, run.entries())):
        raise NobodyChosenError()
    if sum(not each.note.hidden for each in run.entries()) < 2:
        raise EvolutionError(
            f"{run.folder.name!r} has fewer than 2 concepts that are not hidden: seed or breed more first"
        )
    return Evolution(
        weights=_numbers(weights),
        words=tuple(words),
        chosen=tuple(dict.fromkeys(first)),
        seed=len(run.entries()) if seed is None else seed,
        settings=chosen_settings(
            backbone, kind=run.about["kind"], mixing=True, category=run.about["category"], steps=steps
        ),
        images=IMAGES,
        keep=KEEP,
        drawn=can_draw(backbone),
        dtype=precision_of(backbone),
        **numbers,
    )


def learn_generations(job: Job, run: Run, backbone: Backbone, out: Console, since: float = 0.0) -> None:
    """The generations of a job that are not there yet; where a person selects, one of them.

    since: see `Job.working`.
    """
    asked = asked_of(job)
    check_precision(asked.dtype, backbone)
    try:
        with job.working(since), learning(job, backbone, out) as learner:
            done = generations(job)
            each = asked.settings.steps if asked.settings else 1
            with Course(out, each * asked.generations) as course:
                children = counted(asked.children, "child", "children")
                say(out, f"{counted(asked.generations, 'generation')} of {children}")

                def watch(number: int, report: Report) -> None:
                    step = round(each * (number - 1 + report.step / max(1, report.steps)))
                    course.to(step)
                    job.tell(step, course.steps)
                    if report.events and not report.events[0].draft:
                        course.tell()

                for generation in generations_of(asked, run, learner, job, on_report=watch):
                    done.append(generation)
                    _tell(run, backbone, generation, job, out)
            if len(done) == asked.generations:
                job.finish()
    except KeyboardInterrupt:
        say_stopped(job, run, backbone, out)
        raise
    if done:
        say(out, f"\n{str(logbook(done)).expandtabs(2)}")
        names = {each.id: each.name for each in run.entries()}
        best = [names.get(id_, id_) for id_ in done[-1].front]
        say(out, f"Better than whom nobody is in all respects: {', '.join(best)}")


def say_choice(job: Job, run: Run, backbone: Backbone, out: Console) -> None:
    """What a person who selects has to do next, if it is their turn."""
    asked = asked_of(job)
    if number := awaits_choice(job, asked):
        name, options, runs = run.folder.name, options_for(run, backbone), run.folder.parent
        call = to_type("resume", name, "--parent", "NAME", "--parent", "NAME", *options, runs=runs)
        say(out, f"\nChoose the parents of generation {number} of {asked.generations}: {call}")
        call = to_type("resume", name, *options, runs=runs)
        say(out, f"or mark favourites, or rate some with 4 or 5, in the workbench, then: {call}")


def choose(name: str, concepts: Sequence[str], *, runs: Path, model: str | None, out: Console) -> None:
    """Name the parents of the next generation, where a person selects, and learn it."""
    run = open_run(runs, name)
    waiting = [
        (job, number)
        for job in unfinished(run)
        if job.command == COMMAND and (number := awaits_choice(job, asked_of(job)))
    ]
    if not waiting:
        raise NobodyChosenError(
            f"no evolution in {run.folder.name!r} waits for a choice: begin one with evolve --select {USER}"
        )
    job, number = waiting[-1]
    ids = list(dict.fromkeys(run.entry(called).id for called in concepts))
    backbone = open_stack_of(run, model, out)
    choose_parents(job, number, ids)
    learn_generations(job, run, backbone, out)
    show_founders(run, backbone, out)
    say_choice(job, run, backbone, out)


def _tell(run: Run, backbone: Backbone, generation: Generation, job: Job, out: Console) -> None:
    """Draw a generation's children, and say who was born and how the population is."""
    born = [run.find(id_) for id_ in generation.children]
    means = [f"{name} {value['mean']:.2f}" for name, value in generation.record.items() if isinstance(value, dict)]
    say(out, f"Generation {generation.number}: {', '.join(each.name for each in born)}")
    say(out, f"  {counted(generation.record['stay'], 'of them stays', 'of them stay')}; on average {', '.join(means)}")
    if can_draw(backbone):
        job.does("drawing what was learned")
        draw_all(run, backbone, born, out)


def _numbers(text: str | None) -> tuple[float, ...]:
    if text is None:
        return ()
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError:
        raise EvolutionError(f"weights = {text[:100]!r}: expected numbers with commas between, as in 0.7,0.3") from None
