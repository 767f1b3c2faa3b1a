"""`conceptree breed` and `conceptree draw`: children of weighted parents, and a concept in any prompt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from core.backbone import Backbone
from core.concept import Request
from core.errors import ConceptreeError
from core.optimizer import Report
from core.settings import Settings
from core.streams import stream_seed
from evolve import Individual, Run, develop, mate
from ui.console import Course, say
from ui.pictures import checked_prompt, drawings_of, parentage
from ui.runs import open_run
from ui.seed import say_next, show_founders
from ui.stack import can_draw, chosen_settings, open_stack_of, words_unknown_in

Weighted = Sequence[tuple[Individual, float]]


class ParentError(ConceptreeError):
    """A parent that is not written as NAME:WEIGHT."""


def breed(
    name: str,
    parents: Sequence[str],
    *,
    children: int,
    images: int,
    seed: int | None,
    runs: Path,
    model: str | None,
    preset: str,
    steps: int | None,
    out: Console,
) -> None:
    """Learn children of a run's concepts by Eq. 5, store them there, draw them, and say what to do next."""
    run = open_run(runs, name)
    weighted = [(run.find(parent), weight) for parent, weight in map(parsed_parent, parents)]
    backbone = open_stack_of(run, model)
    kind = weighted[0][0].concept.request.kind
    settings = chosen_settings(backbone, preset, kind, mixing=True, steps=steps)
    first = len(run.individuals()) if seed is None else seed
    say(out, f"Drawing the parents ({', '.join(each.name for each, _ in weighted)}) …")
    known: dict[str, Any] = {}
    requests = [
        child(weighted, backbone, child_seed(first, number), settings, images=images, known=known)
        for number in range(children)
    ]
    learn_children(run, backbone, requests, out)
    show_founders(run, backbone, out)
    say_next(run, runs, out)


def child(parents: Weighted, backbone: Backbone, seed: int, settings: Settings, **options: Any) -> Request:
    """The request for one child; options are those of `mate`."""
    concepts = [(each.concept, weight) for each, weight in parents]
    return mate(concepts, backbone, seed, settings=settings, drawn=can_draw(backbone), **options)


def learn_children(run: Run, backbone: Backbone, requests: Sequence[Request], out: Console) -> list[Individual]:
    """Learn them as one batch and store them; say of each how much it resembles its parents."""
    before = {each.id for each in run.individuals()}
    steps = max(request.chosen.steps for request in requests)
    say(out, f"Learning {len(requests)} {'child' if len(requests) == 1 else 'children'}, {steps} steps")
    with Course(out, steps) as course:

        def watch(report: Report) -> None:
            course.to(report.step)
            if report.events:
                course.tell()

        concepts = develop(requests, backbone, run, on_report=watch)
    found = {each.id: each for each in run.individuals()}
    names = {each.id: each.name for each in found.values()}
    for concept in concepts:
        each = found[concept.id]
        again = ", which the run has already" if each.id in before else ""
        likeness = f", resembles them {concept.scores['resembles']:.2f}" if "resembles" in concept.scores else ""
        say(out, f"  {each.name} = {parentage(each, names)}{likeness}, {concept.seconds:.0f} s{again}")
    return [found[concept.id] for concept in concepts]


def parsed_parent(text: str) -> tuple[str, float]:
    """`moku:0.7` → ("moku", 0.7); without a weight it is 1."""
    name, colon, weight = text.rpartition(":")
    if not colon:
        return text, 1.0
    try:
        number = float(weight)
    except ValueError:
        number = math.nan
    if not name or not math.isfinite(number) or number <= 0:
        raise ParentError(f"--parent {text[:100]!r}: write NAME:WEIGHT with a weight above 0, as in moku:0.7")
    return name, number


def child_seed(seed: int, number: int) -> int:
    """The seed of a child, small enough to be typed."""
    return stream_seed(seed, number, "child") % 10**9


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
    backbone = open_stack_of(run, model)
    for prompt in prompts:
        unknown = words_unknown_in(backbone, prompt)
        if unknown:
            say(out, f"Note: to the stack {backbone.version} these words mean nothing: {', '.join(unknown)}")
    pairs = [(prompt, seed + number) for prompt in prompts for number in range(count)]
    drawings = drawings_of(run, backbone, each, [prompt for prompt, _ in pairs], [number for _, number in pairs])
    for drawing in drawings:
        say(out, f"{drawing.file}  {drawing.prompt.replace('{}', each.name)}, seed {drawing.seed}")
