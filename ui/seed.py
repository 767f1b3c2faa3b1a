"""`conceptree seed`: founders of a category, shown as they come to be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

from rich.console import Console

from core.concept import Concept, Request
from core.namers import namer_of, to_remember
from core.negatives import Namer
from core.optimizer import MOST_AT_ONCE, ConceptLab, Report, total_steps
from core.options import Options
from core.review import Decision, Proposal, ReviewError
from core.segments import Event
from core.settings import Settings
from core.stack.backbone import Backbone
from core.wording import counted
from evolve import Individual, Run, founders, likeness
from evolve.jobs.develop import by_id
from evolve.jobs.job import Job, new_job
from evolve.jobs.learning import learned
from evolve.population import start_apart, starts
from ui.console import Course, say, to_type
from ui.pictures import Pictures, draw_all, sheet_of, undrawn
from ui.runs import forgotten_if_empty, new_run
from ui.stack import (
    can_draw,
    check_precision,
    check_words,
    chosen_settings,
    negatives_from,
    open_stack,
    options_for,
    precision_of,
)
from ui.workers import learning

MOST_ANSWERS = 5  # of a namer, as shown
PAGE = "page"  # who is asked about negatives: a person who looks at the job from elsewhere


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
    initializers: Sequence[str] = ()
    ask: bool | str = False  # whether a person decides on each new negative: at the terminal, see `Person`, or "page"
    drafts: bool = False  # draw the founders at each boundary, also where nobody is asked about the drawings
    asked: dict[str, str] = field(default_factory=dict)  # of `namer_of`: vlm, question
    dtype: str = "float32"  # in which the stack is

    def to_json(self) -> dict[str, Any]:
        """What a job remembers of it."""
        names = ("category", "count", "wave", "seed", "initializers", "ask", "drafts", "asked", "dtype")
        request = {name: value for name, value in self.request.items() if name != "settings"}
        plain = {name: getattr(self, name) for name in names}
        return {**plain, "settings": self.settings.to_dict(), "request": request}

    @classmethod
    def from_json(cls, told: dict[str, Any], backbone: Backbone) -> Plan:
        """The plan that a job remembers, on the stack that it was made for."""
        told, settings = dict(told), Settings.from_dict(told["settings"])
        check_precision(told.get("dtype", "float32"), backbone)
        request = {name: tuple(value) if isinstance(value, list) else value for name, value in told["request"].items()}
        namer = namer_of(backbone, **told.get("asked", {})) if request["schedule"] == "adaptive" else None
        return cls(**{**told, "settings": settings, "request": {**request, "settings": settings}, "namer": namer})

    @property
    def waves(self) -> int:
        return ceil(self.count / self.wave)

    @property
    def steps(self) -> int:
        """Over all waves, of which each may be several batches."""
        return self.steps_of(MOST_AT_ONCE)

    def steps_of(self, at_once: int) -> int:
        """Their number in batches of at most so many."""
        whole, rest = divmod(self.count, self.wave)
        batches = whole * ceil(self.wave / at_once) + ceil(rest / at_once)
        return self.settings.steps * batches


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
    """Learn founders, store them in a new run, draw them, and say what to do next. ask: see `Person`."""
    backbone = open_stack(model, out)
    chosen = chosen_settings(backbone, preset, kind, category=category, **settings)
    asked = {"vlm": vlm, "question": question and question.replace("{}", category)}
    asked = {name: value for name, value in asked.items() if value}
    plan = plan_founders(backbone, category, count, wave, negatives, kind, seed, chosen, asked)
    plan = replace(plan, ask=ask)
    run = new_run(runs, name, category, lambda folder: Run.create(folder, plan.category, backbone, kind))
    with forgotten_if_empty(run):
        learn_founders(new_job(run, "seed", plan.to_json()), run, backbone, plan, out)
    show_founders(run, backbone, out)
    say_next(run, backbone, runs, out)


def plan_founders(
    backbone: Backbone,
    category: str,
    count: int,
    wave: int | None,
    negatives: str,
    kind: str,
    seed: int,
    settings: Settings,
    asked: dict[str, str] | None = None,
) -> Plan:
    """A plan whose requests the stack can learn, or an error that says why it cannot.

    wave: how many learn side by side; by default all, or one where founders do not start far enough apart. asked: of
    `namer_of`.
    """
    check_words(backbone, [category], "category")
    request = {"kind": kind, "settings": settings, **negatives_from(backbone, category, kind, negatives)}
    namer = namer_of(backbone, **(asked or {})) if request["schedule"] == "adaptive" else None
    first = ConceptLab(backbone).prepared(
        Request(category, seed=seed, **request), Options(settings=settings, namer=namer)
    )
    # By the letter of the paper, as of the authors' code, all start at the category's word.
    own = settings.preset == "default"
    sides = starts(backbone, category, kind, seed) if own else ()
    if wave is None:
        wave = count if own and start_apart(backbone, category, kind) else 1
    return Plan(
        first.category,
        count,
        wave,
        seed,
        settings,
        request,
        namer,
        tuple(sides),
        asked=to_remember(backbone, namer, asked or {}),
        dtype=precision_of(backbone),
    )


def learn_founders(
    job: Job, run: Run, backbone: Backbone, plan: Plan, out: Console, since: float = 0.0
) -> list[Individual]:
    """The plan's founders, stored and drawn wave by wave: what is finished when a person stops it is kept, and the rest
    goes on with `conceptree resume`. since: see `Job.working`.
    """
    if plan.request["schedule"] == "adaptive":
        by = f"the stack's {plan.namer.name} model" if plan.namer else "the stack's vocabulary"
        say(out, f"Negatives are named by {by}, after each {counted(plan.settings.segment, 'step')}.")
    concepts: list[Concept] = []
    found: list[Individual] = []
    options = {"wave": plan.wave, "seed": plan.seed, "initializers": plan.initializers, **plan.request}
    draw = can_draw(backbone)
    try:
        with (
            job.working(since),
            learning(job, backbone, out) as learner,
            Course(out, plan.steps_of(job.batching().at_once)) as course,
        ):
            person = Person(out, course) if plan.ask and plan.ask != PAGE else None
            before = 0
            waves = founders(plan.category, plan.count, concepts, **options)
            for number, requests in enumerate(waves):
                first, several = len(concepts), counted(plan.settings.steps, "step")
                numbers = range(first + 1, first + len(requests) + 1)
                wave = f"Wave {number + 1} of {plan.waves}: " if plan.waves > 1 else ""
                say(out, f"\n{wave}{_numbered(numbers)}, {several}")
                names = [f"founder {n}" for n in numbers]
                watch = _Watch(out, course, job, before)
                ids = by_id(requests, learner, Options(plan.settings, plan.namer))
                watch.names = dict(zip(ids, names, strict=True))
                review = partial(person.asked, watch.names) if person else None
                options = Options(plan.settings, plan.namer, plan.drafts and draw, review)
                concepts += learned(
                    job, requests, run, learner, options, first=first, asks=plan.ask == PAGE, on_report=watch
                )
                before += total_steps(requests, job.batching().at_once)
                new = [run.find(concept.id) for concept in concepts[first:]]
                for n, each in zip(numbers, new, strict=True):
                    say(out, f"  founder {n} is {summary(each)}")
                found += new
                if draw:
                    job.does("drawing what was learned")
                    draw_all(run, backbone, new, out)
                if len(concepts) > 1:
                    say(out, f"  mean pairwise similarity of the {len(concepts)} so far: {likeness(concepts):.2f}")
            job.finish()
    except KeyboardInterrupt:
        say_stopped(job, run, backbone, out)
        raise
    return found


def say_stopped(job: Job, run: Run, backbone: Backbone, out: Console) -> None:
    """What is kept of a job that a person stopped, and how it goes on."""
    looks = job.looks()
    names = ", ".join(dict.fromkeys(look.name for look in looks if look.name))
    say(out, f"Stopped. Finished and kept in {run.folder}: {names or 'nothing yet'}.")
    step = max((look.step for look in looks if not look.name and not look.draft), default=0)
    if step and job.kept():
        say(out, f"What was being learned is kept as it was at step {step}.")
    call = to_type("resume", run.folder.name, *options_for(run, backbone), runs=run.folder.parent)
    say(out, f"To go on with the rest: {call}")


def show_founders(run: Run, backbone: Backbone, out: Console) -> Pictures:
    """Draw those of a run's concepts that are not drawn yet, and write its sheet; a stack that cannot draw says so."""
    individuals = run.individuals()
    if not can_draw(backbone):
        say(out, f"\nThe stack {backbone.version} has no decoder, so nothing is drawn.")
        return {}
    if new := undrawn(run, individuals):
        say(out, f"\nDrawing {counted(len(new), 'concept')} …")
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
    told.append(counted(len(concept.negatives), "negative"))
    return f"{each.name}: {', '.join(told)}, {concept.seconds:.0f} s"


def say_next(run: Run, backbone: Backbone, runs: Path, out: Console) -> None:
    """Commands that go on from here, to be pasted; only such as the stack can do."""
    if not (names := [each.name for each in run.entries()]):
        return
    name, options = run.folder.name, options_for(run, backbone)
    calls = []
    if len(names) > 1:
        # The newest, which nobody has bred from yet, beside the first.
        parents = ["--parent", f"{names[-1]}:0.7", "--parent", f"{names[0]}:0.3"]
        calls.append(["breed", name, *parents, "--children", 2])
    if can_draw(backbone):
        of_style = run.about["kind"] == "style"
        prompt = "a painting of a house in the style of {}" if of_style else "a painting of a {} in the snow"
        calls.append(["draw", name, names[-1], "--prompt", prompt])
    else:
        calls.append(["breed", name, "--parent", names[-1], "--mutate", "--children", 2])
    say(out, "\nNext:")
    for call in calls:
        say(out, f"  {to_type(*call, *options, runs=runs)}")


class _Watch:
    """Shows the reports of one wave."""

    def __init__(self, out: Console, course: Course, job: Job, before: int) -> None:
        self.out, self.course, self.job, self.before = out, course, job, before
        self.names: dict[str, str] = {}

    def __call__(self, report: Report) -> None:
        self.course.to(self.before + report.step)
        self.job.tell(self.before + report.step, self.course.steps)
        for event in report.events:
            say(self.out, f"  step {event.step:<4} {self.names[event.id]}  {told(event)}")
        if report.events:
            self.course.tell()


class Person:
    """Who is asked on the terminal about each new negative: a review, see core/review.py."""

    HOW = (
        "Enter or y agrees. Or type other words, with commas between; - for none; -word to drop one; <step to go back"
        " to a step; q to be asked no more; ? for this."
    )

    def __init__(self, out: Console, course: Course) -> None:
        self.out, self.course = out, course
        self.asks, self.knows_how = True, False

    def asked(self, names: Mapping[str, str], proposal: Proposal) -> Decision | None:
        """The person's decision on a proposal; None agrees. names: what the requests are called."""
        with self._without_bar():
            if self.asks and not proposal.problem:
                self._show(names[proposal.id], proposal)
            problem = proposal.problem
            while self.asks:
                if problem:
                    say(self.out, f"    {problem}")
                try:
                    text = input("    > ").strip()
                    if text.lower() in ("y", "yes"):
                        return None
                    if text == "?":
                        problem = self.HOW
                        continue
                    if text != "q":
                        return typed(text, proposal)
                    self._stop("You are asked no more")
                except ReviewError as error:
                    problem = str(error)
                except UnicodeDecodeError:
                    problem = "that cannot be read: type it again"
                except EOFError:
                    self._stop("Nobody answers")
        return None

    def _show(self, name: str, proposal: Proposal) -> None:
        so_far = ", ".join(negative.word for negative in proposal.negatives) or "anything yet"
        note = f" ({proposal.note})" if proposal.note else ""
        back = f"; you can go back to {', '.join(map(str, proposal.earlier))}" if proposal.earlier else ""
        say(self.out, f"  step {proposal.step:<4} {name} is not {so_far}{back}")
        say(self.out, f"    proposed as a negative: {', '.join(proposal.words) or 'nothing'}{note}")
        if not self.knows_how:
            say(self.out, f"    {self.HOW}")
            self.knows_how = True

    def _stop(self, why: str) -> None:
        self.asks = False
        say(self.out, f"    {why}: all that follows is learned as proposed.")

    @contextmanager
    def _without_bar(self) -> Iterator[None]:
        """On a terminal the bar draws itself anew many times a second, over whatever is typed."""
        if self.out.is_terminal:
            self.course.__exit__(None, None, None)
        try:
            yield
        finally:
            if self.out.is_terminal:
                self.course.__enter__()


def typed(text: str, proposal: Proposal) -> Decision:
    """`horse, -cat` and the like as a decision. Without words of the person's own what is proposed stays, but for "-".

    Raises:
        ReviewError: a step that is no number.
    """
    words: list[str] = []
    drop: list[str] = []
    proposed, back_to = list(proposal.words), None
    for item in filter(None, map(str.strip, text.split(","))):
        going_back = re.fullmatch(r"<\s*([0-9]{1,9})\b\s*(.*)", item)
        if item == "-":
            proposed = []
        elif item.startswith("-"):
            refused = item[1:].strip()
            if refused.lower() in map(str.lower, proposed):
                proposed = [word for word in proposed if word.lower() != refused.lower()]
            else:
                drop.append(refused)
        elif going_back:
            back_to, proposed = int(going_back[1]), []
            words += filter(None, [going_back[2]])
        elif item.startswith("<"):
            raise ReviewError(f"{item!r} is no step to go back to: write it as in <{next(iter(proposal.earlier), 0)}")
        else:
            words.append(item)
    return Decision(tuple(words or proposed), tuple(drop), back_to)


def told(event: Event) -> str:
    """How a concept is at a boundary; who named which negative, and what was done with the answers."""
    own = [p.word or event.request.category for p in event.request.positives]
    parts = [f"{word} {event.similarities[word]:.2f}" for word in own if word in event.similarities]
    for negative in event.negatives:
        by = {"vocabulary": "from the vocabulary", "request": "next on the list", "user": "by you"}
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
