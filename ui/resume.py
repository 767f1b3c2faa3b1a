"""`conceptree resume`: what a killed or stopped command was asked to learn is learned to its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from core.backbone import Backbone
from core.concept import Request
from evolve import Run
from evolve.jobs import Job, unfinished
from evolve.parts import RunError
from ui.breed import learn_children
from ui.console import say
from ui.runs import open_run
from ui.seed import Plan, learn_founders, say_next, show_founders
from ui.stack import open_stack_of


def resume(name: str, *, runs: Path, model: str | None, out: Console) -> None:
    """Go on with all unfinished jobs of a run, oldest first, then draw what is new and say what to do next."""
    run = open_run(runs, name)
    jobs = unfinished(run)
    if not jobs:
        say(out, f"Nothing is left to do in {run.folder}: all that was asked has been learned.")
        return
    backbone = open_stack_of(run, model, out)
    for job in jobs:
        say(out, f"Going on with {job.name}")
        _go_on(job, run, backbone, out)
    show_founders(run, backbone, out)
    say_next(run, runs, out)


def _go_on(job: Job, run: Run, backbone: Backbone, out: Console) -> None:
    try:
        if job.command == "seed":
            plan: Any = Plan.from_json(job.plan, backbone)
        elif job.command == "breed":
            plan = [Request.from_json(text) for text in job.plan["requests"]]
        else:
            raise RunError(f"the job {job.name!r} is of a newer version: this one goes on with seed and breed")
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"the job {str(job.folder)!r} cannot be read: remove that folder to go on without it") from error
    if job.command == "seed":
        learn_founders(job, run, backbone, plan, out)
    else:
        learn_children(job, run, backbone, plan, out)
