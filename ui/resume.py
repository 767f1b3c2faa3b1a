"""`conceptree resume` and `conceptree stop`: resume or stop jobs, choose the parents that an evolution waits for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from core.stack.backbone import Backbone
from core.wording import counted
from evolve import Run
from evolve.jobs.generations import NoParentChosenError, answer_round, awaits_choice
from evolve.jobs.generations import choose as choose_parents
from evolve.jobs.job import Job
from evolve.jobs.plans import TASTE, USER, EvolutionError, Evolve
from evolve.jobs.stored import job_named, jobs, unfinished
from ui.asking import chosen_of, round_of
from ui.console import say, to_type
from ui.learning import carry_out, go_on, show_founders
from ui.runs import is_unasked, open_run
from ui.stack import open_stack_of
from ui.telling import say_next


def resume(name: str, *, job: str | None, runs: Path, model: str | None, out: Console, since: float = 0.0) -> None:
    """Resume all unfinished jobs of a run, oldest first, then draw new concepts and say what to do next.

    job: only this one. since: when the command started; see `Job.working`.
    """
    run = open_run(runs, name)
    if job is not None:
        _resume_one(job_named(run, job), run, model, out, since)
        return
    left = unfinished(run)
    if not left and is_unasked(run):
        call = to_type("seed", run.about["category"], "--run", run.folder.name, runs=runs)
        say(out, f"{run.folder} has no jobs and no concepts. To begin: {call}")
        return
    if not left:
        say(out, f"Nothing is left to do in {run.folder}: all jobs are finished.")
        return
    stack = open_stack_of(run, model, out)
    for each in left:
        say(out, f"Resuming {each.name}")
        carry_out(each, run, stack, out, since)
        go_on(each, run, stack, out)
    show_founders(run, stack, out)
    say_next(run, stack, out)


def choose(name: str, concepts: Sequence[str], *, runs: Path, model: str | None, out: Console) -> None:
    """Choose the parents of the next generation, where a person selects, and learn it."""
    run = open_run(runs, name)
    waiting = _waiting(run, USER)
    if not waiting:
        raise NoParentChosenError(
            f"no evolution in {run.folder.name!r} waits for a choice: begin one with evolve --select {USER}"
        )
    job, number = waiting
    ids = list(dict.fromkeys(run.entry(called).id for called in concepts))
    stack = open_stack_of(run, model, out)
    choose_parents(job, number, ids)
    _next_generation(job, run, stack, out)


def like(name: str, concepts: Sequence[str], *, runs: Path, model: str | None, out: Console) -> None:
    """Answer the round that an evolution by taste waits for, and learn its next generation. concepts: names or numbers
    of those that the person likes, which may be none.
    """
    run = open_run(runs, name)
    waiting = _waiting(run, TASTE)
    if not waiting:
        raise EvolutionError(
            f"no evolution in {run.folder.name!r} waits for what you like: begin one with evolve --select {TASTE}"
        )
    job, number = waiting
    shown = round_of(job, run, number)
    liked = chosen_of(run, shown, concepts)
    stack = open_stack_of(run, model, out)
    answer_round(job, run, number, shown, liked)
    _next_generation(job, run, stack, out)


def _next_generation(job: Job, run: Run, stack: Backbone, out: Console) -> None:
    carry_out(job, run, stack, out)
    show_founders(run, stack, out)
    go_on(job, run, stack, out)


def _waiting(run: Run, select: str) -> tuple[Job, int] | None:
    """The latest evolution by `select` that waits for a person, and the number of its next generation."""
    found = None
    for job in unfinished(run):
        plan = job.plan if job.command == Evolve.command else None
        if isinstance(plan, Evolve) and plan.select == select and (number := awaits_choice(job, plan)):
            found = job, number
    return found


def stop(name: str, *, job: str | None, runs: Path, out: Console) -> None:
    """Ask the jobs of a run that are at work, or the one given, to stop at their next step."""
    run = open_run(runs, name)
    asked = [job_named(run, job)] if job is not None else jobs(run)
    working = [each for each in asked if each.status().state == "working"]
    for each in working:
        each.request_stop()
    if not working:
        what = f"The job {job!r} is not at work" if job is not None else "No job is at work"
        say(out, f"{what} in {run.folder}: nothing to stop.")
        return
    names = ", ".join(each.name for each in working)
    say(out, f"Asked {counted(len(working), 'job')} to stop at the next step: {names}.")
    say(out, f"To resume: {to_type('resume', run.folder.name, runs=runs)}")


def _resume_one(job: Job, run: Run, model: str | None, out: Console, since: float) -> None:
    """Resume one job, as pages do: every error is also written to the job's exit.json."""
    if job.finished:
        say(out, f"Nothing is left to do in {job.folder}: all jobs are finished.")
        return
    with job.working(since):
        stack = open_stack_of(run, model, out)
        carry_out(job, run, stack, out, since)
        go_on(job, run, stack, out)
