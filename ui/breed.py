"""`conceptree breed`, `vary` and `draw`: children of weighted parents, variations of one, a concept in any prompt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from core.stack.backbone import Backbone
from evolve import Run
from evolve.jobs.job import new_job
from evolve.jobs.planning import SPREAD, parsed_parent, plan_children, plan_variations
from evolve.jobs.plans import Plan
from ui.console import say
from ui.pictures import checked_prompt, drawings_of
from ui.runs import open_run
from ui.stack import open_stack_of, words_unknown_in
from ui.workers import conduct_asked
from ui.working import carry_out, say_next, show_founders


def breed(
    name: str,
    parents: Sequence[str],
    *,
    photos: Sequence[str] = (),
    cutout: bool = False,
    words: Sequence[str] = (),
    inherit: bool | None = None,
    category: str | None = None,
    children: int,
    images: int,
    spread: float = SPREAD,
    seed: int | None,
    runs: Path,
    model: str | None,
    preset: str,
    steps: int | None,
    out: Console,
) -> None:
    """Learn children of a run's concepts by Eq. 5, store them there, draw them, and say what to do next."""
    run = open_run(runs, name)
    stack = open_stack_of(run, model, out)
    plan = plan_children(
        run,
        stack,
        parents=[parsed_parent(text) for text in parents],
        photos=[parsed_parent(text, "--photo") for text in photos],
        cutout=cutout,
        words=words,
        inherit=inherit,
        category=category,
        children=children,
        images=images,
        spread=spread,
        seed=seed,
        preset=preset,
        steps=steps,
    )
    _carry_out(plan, run, stack, runs, out)


def vary(
    name: str,
    concept: str,
    *,
    children: int,
    strength: float,
    words: Sequence[str],
    seed: int | None,
    runs: Path,
    model: str | None,
    out: Console,
) -> None:
    """Learn variations of a concept, store them in its run, draw them, and say what to do next."""
    run = open_run(runs, name)
    stack = open_stack_of(run, model, out)
    plan = plan_variations(run, stack, concept, children=children, strength=strength, words=words, seed=seed)
    _carry_out(plan, run, stack, runs, out)


def _carry_out(plan: Plan, run: Run, stack: Backbone, runs: Path, out: Console) -> None:
    carry_out(new_job(run, plan, conduct_asked()), run, stack, out)
    show_founders(run, stack, out)
    say_next(run, stack, runs, out)


def draw(
    name: str,
    concept: str,
    prompts: Sequence[str],
    *,
    count: int,
    seed: int,
    runs: Path,
    model: str | None,
    out: Console,
) -> None:
    """Draw a stored concept in prompts, keep the pictures in the run, and say where they are."""
    for prompt in prompts:
        checked_prompt(prompt)
    run = open_run(runs, name)
    each = run.find(concept)
    stack = open_stack_of(run, model)
    for prompt in prompts:
        unknown = words_unknown_in(stack, prompt)
        if unknown:
            say(out, f"Note: to the stack {stack.version} these words mean nothing: {', '.join(unknown)}")
    pairs = [(prompt, seed + number) for prompt in prompts for number in range(count)]
    drawings = drawings_of(run, stack, each, [prompt for prompt, _ in pairs], [number for _, number in pairs])
    for drawing in drawings:
        say(out, f"{drawing.file}  {drawing.prompt.replace('{}', each.name)}, seed {drawing.seed}")
