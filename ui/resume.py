"""`conceptree resume` and `conceptree stop`: what was asked is learned to its end, or no further."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from core.stack.backbone import Backbone
from core.wording import counted
from evolve import Run
from evolve.jobs.job import Job, job_named, jobs, unfinished
from evolve.store.parts import RunError
from ui.breed import learn_planned
from ui.console import say, to_type
from ui.evolve import learn_generations, say_choice
from ui.runs import open_run
from ui.seed import Plan, learn_founders, say_next, show_founders
from ui.stack import open_stack_of

COMMANDS = ("seed", "breed", "vary", "evolve")


def resume(name: str, *, job: str | None, runs: Path, model: str | None, out: Console, since: float = 0.0) -> None:
    """Go on with all unfinished jobs of a run, oldest first, then draw what is new and say what to do next.

    job: only that one, from nothing or from where it is. since: when this was asked; see `Job.working`.
    """
    run = open_run(runs, name)
    if job is not None:
        _resume_one(job_named(run, job), run, model, out, since)
        return
    left = unfinished(run)
    if not left:
        say(out, f"Nothing is left to do in {run.folder}: all that was asked has been learned.")
        return
    backbone = open_stack_of(run, model, out)
    for each in left:
        say(out, f"Going on with {each.name}")
        _go_on(each, run, backbone, out, since)
    show_founders(run, backbone, out)
    say_next(run, backbone, runs, out)


def stop(name: str, *, job: str | None, runs: Path, out: Console) -> None:
    """Ask the jobs of a run that are at work, or the one given, to stop at their next step."""
    run = open_run(runs, name)
    asked = [job_named(run, job)] if job is not None else jobs(run)
    working = [each for each in asked if each.status().state == "working"]
    for each in working:
        each.request_stop()
    if not working:
        what = f"The job {job!r} is not at work" if job is not None else "No job is at work"
        say(out, f"{what} in {run.folder}: nothing is to be stopped.")
        return
    names = ", ".join(each.name for each in working)
    say(out, f"Asked {counted(len(working), 'job')} to stop at the next step: {names}.")
    say(out, f"To go on: {to_type('resume', run.folder.name, runs=runs)}")


def _resume_one(job: Job, run: Run, model: str | None, out: Console, since: float) -> None:
    """A job by itself, as pages start it: whatever goes wrong is also told in the job's exit.json."""
    if job.finished:
        say(out, f"Nothing is left to do in {job.folder}: all that was asked has been learned.")
        return
    with job.working(since):
        _go_on(job, run, open_stack_of(run, model, out), out, since)


def _go_on(job: Job, run: Run, backbone: Backbone, out: Console, since: float) -> None:
    if job.command not in COMMANDS:
        raise RunError(f"the job {job.name!r} is of a newer version: this one goes on with {', '.join(COMMANDS)}")
    if job.command == "evolve":
        learn_generations(job, run, backbone, out, since)
        say_choice(job, run, backbone, out)
        return
    if job.command != "seed":
        learn_planned(job, run, backbone, out, since)
        return
    try:
        plan = Plan.from_json(job.plan, backbone)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"the job {str(job.folder)!r} cannot be read: remove that folder to go on without it") from error
    learn_founders(job, run, backbone, plan, out, since)
