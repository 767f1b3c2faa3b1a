"""`conceptree seed`: founders of a category."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from evolve import Run
from evolve.jobs.choices import chosen_settings
from evolve.jobs.job import new_job
from evolve.jobs.planning import plan_founders
from ui.runs import forgotten_if_empty, new_run
from ui.stack import open_stack
from ui.workers import conduct_asked
from ui.working import carry_out, say_next, show_founders


def seed(
    category: str,
    *,
    count: int,
    wave: int | None,
    name: str | None,
    runs: Path,
    model: str,
    negatives: str,
    kind: str,
    seed: int,
    preset: str,
    out: Console,
    ask: bool = False,
    vlm: str | None = None,
    question: str | None = None,
    **settings: Any,
) -> None:
    """Learn founders, store them in a new run, draw them, and say what to do next.

    ask: a person at the terminal decides about each new negative.
    """
    stack = open_stack(model, out)
    chosen = chosen_settings(stack, preset, kind, category=category, **settings)
    given = {"vlm": vlm, "question": question and question.replace("{}", category)}
    asked = {key: value for key, value in given.items() if value}
    plan = plan_founders(stack, category, count, wave, negatives, kind, seed, chosen, asked, ask=ask)
    conduct = conduct_asked()
    run = new_run(runs, name, category, lambda folder: Run.create(folder, plan.category, stack, kind))
    with forgotten_if_empty(run):
        carry_out(new_job(run, plan, conduct), run, stack, out)
    show_founders(run, stack, out)
    say_next(run, stack, runs, out)
