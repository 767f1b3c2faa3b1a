"""`conceptree evolve` and `choose`: generations that improve, by fitness, by a person's choice, or both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from core.stack.backbone import Backbone
from evolve.jobs.generations import NoParentChosenError, awaits_choice
from evolve.jobs.generations import choose as choose_parents
from evolve.jobs.job import Job, new_job, unfinished
from evolve.jobs.planning import plan_evolution
from evolve.jobs.plans import USER, Evolve
from ui.runs import open_run
from ui.stack import open_stack_of
from ui.workers import conduct_asked
from ui.working import carry_out, say_choice, say_next, show_founders


def evolve(name: str, *, runs: Path, model: str | None, out: Console, **given: Any) -> None:
    """Evolve a run's concepts for some generations, draw all, and say what to do next. given: of `plan_evolution`."""
    run = open_run(runs, name)
    stack = open_stack_of(run, model, out)
    job = new_job(run, plan_evolution(run, stack, **given), conduct_asked())
    carry_out(job, run, stack, out)
    show_founders(run, stack, out)
    say_next(run, stack, runs, out)
    say_choice(job, run, stack, out)


def choose(name: str, concepts: Sequence[str], *, runs: Path, model: str | None, out: Console) -> None:
    """Choose the parents of the next generation, where a person selects, and learn it."""
    run = open_run(runs, name)
    waiting = [(job, number) for job in unfinished(run) if (number := _awaits(job))]
    if not waiting:
        raise NoParentChosenError(
            f"no evolution in {run.folder.name!r} waits for a choice: begin one with evolve --select {USER}"
        )
    job, number = waiting[-1]
    ids = list(dict.fromkeys(run.entry(called).id for called in concepts))
    stack: Backbone = open_stack_of(run, model, out)
    choose_parents(job, number, ids)
    carry_out(job, run, stack, out)
    show_founders(run, stack, out)
    say_choice(job, run, stack, out)


def _awaits(job: Job) -> int:
    plan = job.plan if job.command == Evolve.command else None
    return awaits_choice(job, plan) if isinstance(plan, Evolve) else 0
