"""`conceptree seed`: founders of a category, wave by wave, shown as they come to be."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from rich.console import Console

from core.backbone import Backbone
from core.concept import Concept, Request
from core.namers import name_of
from core.negatives import Namer
from core.optimizer import ConceptLab, Report
from core.segments import Event
from core.settings import Settings
from evolve import Individual, Run, develop, founders, likeness
from ui.console import Course, own_command, say
from ui.pictures import Pictures, draw_all, sheet_of
from ui.runs import forget_if_empty, new_run
from ui.stack import can_draw, check_words, chosen_settings, namer_of, negatives_from, open_stack

MOST_ANSWERS = 4  # of a namer, as shown


@dataclass(frozen=True)
class Plan:
    """What is to be learned, checked before a run is made."""

    category: str
    count: int
    wave: int
    seed: int
    settings: Settings
    request: dict[str, Any]  # further arguments of Request
    namer: Namer | None

    @property
    def waves(self) -> int:
        return ceil(self.count / self.wave)


def seed(
    category: str,
    *,
    count: int,
    wave: int,
    name: str | None,
    runs: Path,
    model: str,
    negatives: str,
    kind: str,
    seed: int,
    preset: str,
    out: Console,
    **settings: Any,
) -> None:
    """Learn founders, store them in a new run, draw them, and say what to do next."""
    backbone = open_stack(model)
    chosen = chosen_settings(backbone, preset, kind, **settings)
    plan = plan_founders(backbone, category, count, wave, negatives, kind, seed, chosen)
    run = new_run(runs, name, category, lambda folder: Run.create(folder, plan.category, backbone, kind))
    grow(run, backbone, plan, out)
    show_founders(run, backbone, out)
    say_next(run, runs, out)


def plan_founders(
    backbone: Backbone, category: str, count: int, wave: int, negatives: str, kind: str, seed: int, settings: Settings
) -> Plan:
    """A plan whose requests the stack can learn, or an error that says why it cannot."""
    check_words(backbone, [category], "category")
    request = {"kind": kind, "settings": settings, **negatives_from(backbone, category, kind, negatives)}
    namer = namer_of(backbone) if request["schedule"] == "adaptive" else None
    first = ConceptLab(backbone, settings, namer).prepared(Request(category, seed=seed, **request))
    return Plan(first.category, count, wave, seed, settings, request, namer)


def grow(run: Run, backbone: Backbone, plan: Plan, out: Console) -> list[Individual]:
    """The plan's founders, stored wave by wave: what is finished when a person stops it is kept."""
    if plan.request["schedule"] == "adaptive":
        by = f"the stack's {name_of(plan.namer)} model" if plan.namer else "the stack's vocabulary"
        say(out, f"Negatives are named by {by}, after each {plan.settings.segment} steps.")
    concepts: list[Concept] = []
    found: list[Individual] = []
    try:
        with Course(out, plan.settings.steps * plan.waves) as course:
            waves = founders(plan.category, plan.count, concepts, wave=plan.wave, seed=plan.seed, **plan.request)
            for number, requests in enumerate(waves):
                numbers = range(len(concepts) + 1, len(concepts) + len(requests) + 1)
                say(out, f"\nWave {number + 1} of {plan.waves}: {_numbered(numbers)}, {plan.settings.steps} steps")
                watch = _Watch(out, course, [f"founder {n}" for n in numbers], number * plan.settings.steps)
                concepts += develop(requests, backbone, run, namer=plan.namer, on_report=watch)
                by_id = {each.id: each for each in run.individuals()}
                new = [by_id[concept.id] for concept in concepts[-len(requests) :]]
                for n, each in zip(numbers, new, strict=True):
                    say(out, f"  founder {n} is {summary(each)}")
                found += new
                if len(concepts) > 1:
                    say(out, f"  mean pairwise similarity of the {len(concepts)} so far: {likeness(concepts):.2f}")
    except KeyboardInterrupt:
        if forget_if_empty(run):
            say(out, "Nothing was finished, so there is no run.")
        else:
            say(out, f"Finished and kept in {run.folder}: {', '.join(each.name for each in run.individuals())}")
        raise
    return found


def show_founders(run: Run, backbone: Backbone, out: Console) -> Pictures:
    """Draw all of a run's concepts, and write its sheet; a stack that cannot draw says so."""
    individuals = run.individuals()
    if not can_draw(backbone):
        say(out, f"\nThe stack {backbone.version} has no decoder, so nothing is drawn.")
        return {}
    say(out, f"\nDrawing {len(individuals)} concepts …")
    pictures = draw_all(run, backbone, individuals, out)
    say(out, f"All of them on one sheet: {sheet_of(run, individuals, pictures)}")
    return pictures


def summary(each: Individual) -> str:
    """`moku: kept from step 500 of 600, pet 0.53, nearest negative 0.28, 5 negatives, 21 s`"""
    concept = each.concept
    told = [f"kept from step {concept.kept_step} of {concept.steps}"]
    if "belongs" in concept.scores:
        told.append(f"{concept.request.category} {concept.scores['belongs']:.2f}")
    if "nearest" in concept.scores:
        told.append(f"nearest negative {concept.scores['nearest']:.2f}")
    if "crowded" in concept.scores:
        told.append(f"nearest earlier founder {concept.scores['crowded']:.2f}")
    told.append(f"{len(concept.negatives)} negative{'' if len(concept.negatives) == 1 else 's'}")
    return f"{each.name}: {', '.join(told)}, {concept.seconds:.0f} s"


def say_next(run: Run, runs: Path, out: Console) -> None:
    """Commands that go on from here, to be copied."""
    names = [each.name for each in run.individuals()]
    where = "" if runs == Path("runs") else f" --runs {shlex.quote(str(runs))}"
    call, name = own_command(), shlex.quote(run.folder.name)
    say(out, "\nNext:")
    if len(names) > 1:
        parents = f"--parent {names[0]}:0.7 --parent {names[1]}:0.3"
        say(out, f"  {call} breed {name} {parents} --children 2{where}")
    say(out, f'  {call} draw {name} {names[-1]} --prompt "a painting of a {{}} in the snow"{where}')


class _Watch:
    """Shows the reports of one wave."""

    def __init__(self, out: Console, course: Course, names: Sequence[str], before: int) -> None:
        self.out, self.course, self.names, self.before = out, course, names, before

    def __call__(self, report: Report) -> None:
        self.course.to(self.before + report.step)
        for event in report.events:
            say(self.out, f"  step {event.step:<4} {self.names[event.index]}  {told(event)}")
        if report.events:
            self.course.tell()


def told(event: Event) -> str:
    """How a concept is at a boundary; who named which negative, and what was done with the answers."""
    own = [p.word or event.request.category for p in event.request.positives]
    parts = [f"{word} {event.similarities[word]:.2f}" for word in own if word in event.similarities]
    for negative in event.negatives:
        by = {"vocabulary": "from the vocabulary", "request": "as asked", "user": "by you"}
        who = by.get(negative.by, f"named by {negative.by}")
        parts.append(f"new negative {negative.word} ({event.similarities[negative.word]:.2f}) {who}")
    # Which word the vocabulary gave stands there already.
    notes = [note for note in event.note.split("; ") if note and not note.endswith("from the vocabulary")]
    if any(negative.by != "vocabulary" for negative in event.negatives) and event.answers:
        answers = dict.fromkeys(answer for answer, _ in event.answers)
        notes.append(f"answers: {', '.join(list(answers)[:MOST_ANSWERS])}")
    return "; ".join([*parts, *notes])


def _numbered(numbers: range) -> str:
    first, last = numbers[0], numbers[-1]
    return f"founder {first}" if first == last else f"founders {first} to {last}"
