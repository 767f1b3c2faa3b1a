"""`conceptree seed`, `breed` and `evolve`: make a plan and its job, work on the job, show the concepts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from core.stack.backbone import Backbone
from core.wording import counted
from evolve import Individual, Run
from evolve.jobs.job import Job
from evolve.jobs.options import BreedOptions, SeedOptions
from evolve.jobs.planning import (
    parsed_parent,
    parsed_take,
    plan_children,
    plan_evolution,
    plan_founders,
    plan_variations,
)
from evolve.jobs.plans import Evolve, Plan
from evolve.jobs.stored import new_job
from evolve.jobs.work import check, work
from ui.asking import ask
from ui.console import say
from ui.pictures import Pictures, candidates_asked, draw_all, sheet_of, undrawn
from ui.runs import forgotten_if_empty, new_run, open_run
from ui.stack import can_draw, open_stack, open_stack_of, words_unknown_in
from ui.telling import Telling, say_choice, say_evolved, say_next, say_stopped
from ui.workers import conduct_asked, learner_for


def seed(options: SeedOptions, name: str | None, runs: Path, model: str, out: Console) -> None:
    """Learn founders and store them in a new run. name: the run's, by default the category."""
    stack = open_stack(model, out)
    plan = plan_founders(stack, options)
    if unknown := words_unknown_in(stack, " ".join(plan.templates)):
        words = ", ".join(dict.fromkeys(unknown))
        say(out, f"Note: to the stack {stack.version} these words of the templates mean nothing: {words}")
    conduct = conduct_asked()
    run = new_run(runs, name, options.category, lambda folder: Run.create(folder, plan.category, stack, options.kind))
    with forgotten_if_empty(run):
        carry_out(new_job(run, plan, conduct), run, stack, out)
    _conclude(run, stack, out)


def breed(
    name: str,
    parents: Sequence[str],
    photos: Sequence[str] = (),
    takes: Sequence[str] = (),
    *,
    runs: Path,
    model: str | None,
    out: Console,
    **given: Any,
) -> None:
    """Learn children of a run's concepts by Eq. 5, and store them there. given: further fields of `BreedOptions`."""
    run = open_run(runs, name)
    stack = open_stack_of(run, model, out)
    options = BreedOptions(
        parents=[parsed_parent(text) for text in parents],
        photos=[parsed_parent(text, "--photo") for text in photos],
        takes=[parsed_take(text) for text in takes],
        **given,
    )
    _learn(plan_children(run, stack, options), run, stack, out)


def vary(name: str, concept: str, *, runs: Path, model: str | None, out: Console, **given: Any) -> None:
    """Learn variations of a concept, and store them in its run. given: of `plan_variations`."""
    run = open_run(runs, name)
    stack = open_stack_of(run, model, out)
    _learn(plan_variations(run, stack, concept, **given), run, stack, out)


def evolve(name: str, *, runs: Path, model: str | None, out: Console, **given: Any) -> None:
    """Evolve a run's concepts for some generations. given: of `plan_evolution`."""
    run = open_run(runs, name)
    stack = open_stack_of(run, model, out)
    job = _learn(plan_evolution(run, stack, **given), run, stack, out)
    go_on(job, run, stack, out)


def go_on(job: Job, run: Run, stack: Backbone, out: Console) -> None:
    """Ask a person for what an evolution waits for, at a terminal; elsewhere say what to type."""

    def breed() -> None:
        carry_out(job, run, stack, out)
        show_founders(run, stack, out)

    if not ask(job, run, out, breed):
        say_choice(job, run, stack, out)


def _learn(plan: Plan, run: Run, stack: Backbone, out: Console) -> Job:
    """Carry out a new job of a run."""
    job = new_job(run, plan, conduct_asked())
    carry_out(job, run, stack, out)
    _conclude(run, stack, out)
    return job


def _conclude(run: Run, stack: Backbone, out: Console) -> None:
    show_founders(run, stack, out)
    say_next(run, stack, out)


def carry_out(job: Job, run: Run, stack: Backbone, out: Console, since: float = 0.0) -> list[Individual]:
    """Work on a job to its end, print what happens, and return its concepts. After a stop, finished concepts are kept.
    since: see `Job.working`.
    """
    try:
        with job.working(since):
            plan = job.plan
            check(plan, run, stack)
            with learner_for(job, stack, out) as learner, Telling(job, run, stack, out) as telling:
                review = partial(telling.person.asked, telling.names) if telling.person else None
                with closing(work(job, run, learner, review, candidates_asked())) as events:
                    for happened in events:
                        telling.tell(happened)
    except KeyboardInterrupt:
        say_stopped(job, run, stack, out)
        raise
    if isinstance(plan, Evolve):
        say_evolved(job, run, out)
    return telling.found


def show_founders(run: Run, stack: Backbone, out: Console) -> Pictures:
    """Draw the visible concepts of a run that are not drawn yet, and write its sheet; say so if the stack cannot
    draw.
    """
    visible = {each.id for each in run.entries() if not each.note.hidden}
    individuals = [each for each in run.individuals() if each.id in visible]
    if not can_draw(stack):
        say(out, f"\nThe stack {stack.version} has no decoder, so nothing is drawn.")
        return {}
    if new := undrawn(run, individuals):
        say(out, f"\nDrawing {counted(len(new), 'concept')} …")
    pictures = draw_all(run, stack, individuals, out)
    say(out, f"All of them on one sheet: {sheet_of(run, individuals, pictures)}")
    return pictures
