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
from core.optimizer import Report, total_steps
from core.settings import Settings
from core.streams import stream_seed
from evolve import Individual, Run, develop, mate
from evolve.jobs import Job, new_job
from evolve.parts import RunError
from evolve.photos import photo_parent
from ui.console import Course, say
from ui.pictures import checked_prompt, drawings_of, parentage
from ui.runs import open_run
from ui.seed import say_next, say_stopped, show_founders
from ui.stack import can_draw, check_words, chosen_settings, open_stack_of, words_unknown_in

LIGHTEST, HEAVIEST = 0.001, 1000  # of a parent: beyond that the others would not count
Weighted = Sequence[tuple[Individual, float]]


class ParentError(ConceptreeError):
    """A parent that is not written as NAME:WEIGHT."""


def breed(
    name: str,
    parents: Sequence[str],
    *,
    photos: Sequence[str] = (),
    category: str | None = None,
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
    if not parents and not photos:
        raise ParentError("no parents: name some with --parent NAME:WEIGHT or --photo FILE:WEIGHT")
    weighted, homes = [], {}
    for parent, weight in (parsed_parent(text) for text in parents):
        home, slash, called = parent.rpartition("/")  # neither a run's nor a concept's name has one
        elsewhere = slash and (runs / home / "run.json").is_file()
        try:
            each = open_run(runs, home).find(called) if elsewhere else run.find(parent)
        except RunError as error:
            raise RunError(f"{error}; nor is there a run {home!r}") if slash and not elsewhere else error from None
        weighted.append((each, weight))
        homes |= {each.id: home} if elsewhere else {}
    backbone = open_stack_of(run, model, out)
    if category is not None:
        check_words(backbone, [category], "category")
    kind = weighted[0][0].concept.request.kind if weighted else "object"
    settings = chosen_settings(backbone, preset, kind, mixing=True, steps=steps)
    first = len(run.entries([])) if seed is None else seed
    options: dict[str, Any] = {
        "photos": [photo_parent(file, w, backbone) for file, w in (parsed_parent(text, "--photo") for text in photos)],
        "category": category or (None if weighted else run.about["category"]),
        "homes": homes,
        "images": images,
        "known": {},
    }
    if weighted:
        say(out, f"Drawing the parents ({', '.join(each.name for each, _ in weighted)}) …")
    requests = [child(weighted, backbone, child_seed(first, n), settings, **options) for n in range(children)]
    learn_children(new_job(run, "breed", plan_of(requests)), run, backbone, requests, out)
    show_founders(run, backbone, out)
    say_next(run, runs, out)


def plan_of(requests: Sequence[Request]) -> dict[str, Any]:
    """What a job remembers of the children that were asked for: all of it, their parents' images too."""
    return {"requests": [request.to_json() for request in requests]}


def child(parents: Weighted, backbone: Backbone, seed: int, settings: Settings, **options: Any) -> Request:
    """The request for one child; options are those of `mate`."""
    concepts = [(each.concept, weight) for each, weight in parents]
    return mate(concepts, backbone, seed, settings=settings, drawn=can_draw(backbone), **options)


def learn_children(
    job: Job, run: Run, backbone: Backbone, requests: Sequence[Request], out: Console
) -> list[Individual]:
    """Learn them as one batch and store them; say of each how much it resembles its parents."""
    before = {each.id for each in run.entries([])}
    steps = total_steps(requests)
    say(out, f"Learning {len(requests)} {'child' if len(requests) == 1 else 'children'}, {steps} steps")
    try:
        with job.working(), Course(out, steps) as course:

            def watch(report: Report) -> None:
                course.to(report.step)
                job.tell(report.step, report.steps)
                if report.events:
                    course.tell()

            concepts = develop(requests, backbone, run, job=job, on_report=watch)
            job.finish()
    except KeyboardInterrupt:
        say_stopped(run, out)
        raise
    found = {each.id: each for each in run.individuals([])}
    names = {each.id: each.name for each in found.values()}
    for concept in concepts:
        each = found[concept.id]
        again = ", which the run has already" if each.id in before else ""
        likeness = f", resembles them {concept.scores['resembles']:.2f}" if "resembles" in concept.scores else ""
        say(out, f"  {each.name} = {parentage(each, names)}{likeness}, {concept.seconds:.0f} s{again}")
    return [found[concept.id] for concept in concepts]


def parsed_parent(text: str, option: str = "--parent") -> tuple[str, float]:
    """`moku:0.7` → ("moku", 0.7); without a weight it is 1."""
    name, colon, weight = text.rpartition(":")
    if not colon:
        return text, 1.0
    try:
        number = float(weight)
    except ValueError:
        number = math.nan
    if not name or not LIGHTEST <= number <= HEAVIEST:  # NaN is neither
        what, bounds = "FILE" if option == "--photo" else "NAME", f"{LIGHTEST:g} to {HEAVIEST:g}"
        raise ParentError(f"{option} {text[:100]!r}: write {what}:WEIGHT with a weight from {bounds}, as in moku:0.7")
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
