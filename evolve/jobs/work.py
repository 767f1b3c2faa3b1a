"""Works on a job: locks it, resumes it, learns its batches, draws the concepts and finishes it.

`work` is the loop of commands and pages; `evolve` is that of a notebook, for generations with its own operators.
`learned` is `develop` for a job, and `learning` is `developing`: they resume from snapshots, follow a person's
decisions, and write progress for pages.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TypeVar

from core.concept import Concept, Request
from core.optimizer import DEFAULT, Learner, Report
from core.options import Options
from core.review import Review
from core.segments import Event
from core.stack.protocols import Draws
from evolve.developing import OnReport, Stored, by_id, check_made_on, collected, developing, learner_of
from evolve.jobs.batches import Batch, DrawingParents, children, namer_in, waves
from evolve.jobs.choices import check_precision
from evolve.jobs.drawings import undrawn, usual_candidates, usual_drawings
from evolve.jobs.evolution import evolving
from evolve.jobs.generations import Generation, generations
from evolve.jobs.job import Job
from evolve.jobs.keeping import Chosen, choose
from evolve.jobs.mapping import mapping
from evolve.jobs.pace import PICTURES, work_of
from evolve.jobs.plans import Evolve, Map, Plan, Seed
from evolve.jobs.steering import Steering
from evolve.jobs.stored import new_job
from evolve.store.looks import add_looks, add_names
from evolve.store.run import Individual, Run
from evolve.toolbox import Toolbox


@dataclass(frozen=True)
class Began:
    """A batch starts. numbers: of its requests in the job, by their ids."""

    batch: Batch
    numbers: Mapping[str, int]


@dataclass(frozen=True)
class Reported:
    """A report of learning. step of steps: of the whole job."""

    report: Report
    step: int
    steps: int


@dataclass(frozen=True)
class Learned:
    """A batch is stored: its concepts in the order of the requests. known: ids of concepts that the run had before."""

    individuals: tuple[Individual, ...]
    known: frozenset[str]


@dataclass(frozen=True)
class Drawing:
    """A concept is being drawn. number, of: its place among the concepts to draw, from 1."""

    individual: Individual
    number: int
    of: int


Happened = DrawingParents | Began | Reported | Learned | Drawing | Chosen | Generation
T = TypeVar("T")


def work(
    job: Job,
    run: Run,
    learner: Learner,
    review: Review | None = None,
    candidates: int | None = None,
    since: float = 0.0,
) -> Generator[Happened, None, None]:
    """Work on a job from its current state, and yield its events.

    With `select="user"` it ends after each generation. The job is finished when all its concepts are stored and drawn.
    review: asked about each new negative, see `core.review`. candidates: drawings of a portrait if the job does not fix
    it; by default the stack's. since: see `Job.working`.

    Raises:
        RunError: another process works on the job, or its plan cannot be read.
        StackError: the stack is another one, or in another precision.
        Stopped: a stop was asked for.
    """
    with job.working(since):
        plan, stack = job.plan, learner.stack
        check(plan, run, stack)
        conduct = job.conduct(learner.at_once, learner.threads)
        options = replace(_options_of(plan, stack), review=review, at_once=conduct.at_once)
        asks = isinstance(plan, Seed) and plan.ask == "page"
        candidates = conduct.candidates or candidates or (usual_candidates(stack) if stack.draws else 0)
        job.expects(work_of(plan, candidates if stack.draws else 0, conduct.at_once), stack.fingerprint)
        batches = _batches(plan, job, run, learner, conduct.at_once)
        found: list[Individual] = []
        keep = plan.keep if isinstance(plan, Seed) else 0
        small = bool(keep) or isinstance(plan, Map)  # a map shows portraits alone, of many concepts
        events: Generator[DrawingParents | Generation | Began | Reported | Learned, None, None]
        events = _learn_batches(batches, job, run, learner, options, asks)
        with closing(events):
            for happened in events:
                yield happened
                if isinstance(happened, Learned):
                    found += happened.individuals
                    yield from _draw(job, run, stack, happened.individuals, candidates, small)
        if isinstance(plan, Evolve | Map):
            done = generations(job)
            if len(done) < plan.generations:
                return
            there = {each.id for each in run.entries()}
            found = [run.find(id_) for generation in done for id_ in generation.children if id_ in there]
        if keep:
            yield from _draw(job, run, stack, found, candidates, portraits=True)
            chosen = choose(run, stack, found, keep)
            yield chosen
            found, small = list(chosen.kept), False
        yield from _draw(job, run, stack, found, candidates, small)  # concepts that a killed process left undrawn
        job.finish()


def check(plan: Plan, run: Run, stack: Draws) -> None:
    """Raise a StackError if the plan cannot be worked on with this stack."""
    check_made_on(run, stack)
    check_precision(plan.dtype, stack)


def _batches(
    plan: Plan, job: Job, run: Run, learner: Learner, at_once: int
) -> Generator[Batch | DrawingParents | Generation, Sequence[Concept], None]:
    """The batches of a plan, from the place that its job has reached. at_once: see `Conduct`."""
    match plan:
        case Seed():
            return waves(plan, at_once)
        case Evolve():
            return evolving(plan, job, run, learner)
        case Map():
            return mapping(plan, job, run, learner)
    return children(plan, job, run, learner.stack, at_once)


def _options_of(plan: Plan, stack: Draws) -> Options:
    """The options for a plan's requests; a batch may add its drafts."""
    if isinstance(plan, Map):
        return Options(namer=namer_in(plan.founders, stack))
    if not isinstance(plan, Seed):
        return DEFAULT
    return Options(plan.settings, namer_in(plan, stack), draw=plan.drafts and stack.draws)


def _learn_batches(
    batches: Generator[Batch | T, Sequence[Concept], None],
    job: Job,
    run: Run,
    learner: Learner,
    options: Options = DEFAULT,
    asks: bool = False,
) -> Generator[Began | Reported | Learned | T, None, None]:
    """Learn each batch that `batches` yields, send it the concepts, and pass on everything else that it yields.

    asks: see `learning`.
    """
    with closing(batches):
        each = next(batches, None)
        while each is not None:
            if not isinstance(each, Batch):
                yield each
                each = next(batches, None)
                continue
            concepts = yield from _learn_batch(each, job, run, learner, options, asks)
            try:
                each = batches.send(concepts)
            except StopIteration:
                return


def _learn_batch(
    batch: Batch, job: Job, run: Run, learner: Learner, options: Options, asks: bool
) -> Generator[Began | Reported | Learned, None, list[Concept]]:
    options = replace(options, drafts=batch.drafts or options.drafts)
    ids = by_id(batch.requests, learner, options)
    yield Began(batch, {id_: batch.first + place for place, id_ in enumerate(ids)})
    found: dict[str, Concept] = {}
    known: set[str] = set()
    rows = min(len(ids), options.at_once or learner.at_once)
    if options.draw:  # what comes before the first step takes as long as many steps
        job.does("drawing the first drafts")
    job.begins()
    with closing(learning(job, ids, run, learner, options, first=batch.first, asks=asks)) as reports:
        for happened in reports:
            if isinstance(happened, Stored):
                found |= happened.concepts
                known |= {each.id for each in happened.concepts.values() if happened.known}
                continue
            step = batch.before + round(batch.span * happened.step / max(1, happened.steps))
            looks = sum(bool(event.images) for event in happened.events)
            job.tell(step, batch.total, rows, looks)
            yield Reported(happened, step, batch.total)
    concepts = [found[id_] for id_ in ids]
    yield Learned(tuple(run.find(concept.id) for concept in concepts), frozenset(known))
    return concepts


def learning(
    job: Job,
    asked: Mapping[str, Request],
    run: Run,
    learner: Learner,
    options: Options = DEFAULT,
    *,
    first: int = 0,
    asks: bool = False,
) -> Generator[Report | Stored, None, None]:
    """`developing` for a job: resumes from its snapshots, follows decisions from other processes, and obeys a stop.

    asked: see `developing.by_id`. first: the number of the first request in the job; files and pages use these numbers.
    asks: wait at each new negative for a person's answer from another process, see `evolve.jobs.steering`.

    Raises:
        Stopped: a stop was asked for.
    """
    options = replace(options, at_once=job.conduct(options.at_once or learner.at_once, learner.threads).at_once)
    numbers = {id_: first + place for place, id_ in enumerate(asked)}
    steering = Steering(job.folder, learner.stack, numbers, options.review, asks, job.wait, job.put_back)
    options = replace(options, review=steering.decided, review_last=True)
    snapshots = job.kept()
    steering.begin(snapshots)
    with closing(developing(asked, learner, run, options, job.decided(), snapshots)) as reports:
        for happened in reports:
            if isinstance(happened, Report):
                _tell(job, steering, happened, numbers)
            else:
                if not happened.known:
                    job.let_go(next(iter(happened.concepts)))
                _tell_names(job, run, {numbers[id_]: each.id for id_, each in happened.concepts.items()})
            yield happened
            if isinstance(happened, Report) and not happened.finished:
                job.obey()


def _tell(job: Job, steering: Steering, report: Report, numbers: Mapping[str, int]) -> None:
    """Write events before the snapshot, so that a crash repeats events and loses none."""
    batch = {numbers[id_] for id_ in report.batch}
    job.check_there()
    if report.events:
        late = steering.too_late([numbers[each.id] for each in report.events if each.last])
        told = [(numbers[event.id], event) for event in report.events]
        add_looks(job.folder, [(number, _noted(event, late.get(number, ""))) for number, event in told])
    if report.snapshot:
        job.keep(report.snapshot(steering.marks(batch)), report.batch[0])
    if report.snapshot or report.finished:
        steering.kept(batch)
    if report.finished:
        job.note({id_: concept.id for id_, concept in report.finished.items()})


def _noted(event: Event, note: str) -> Event:
    return replace(event, note="; ".join(filter(None, [event.note, note])))


def _tell_names(job: Job, run: Run, concepts: Mapping[int, str]) -> None:
    """Write the names of finished concepts: ids by number."""
    names = {each.id: each.name for each in run.entries()} if concepts else {}
    add_names(job.folder, {number: (id_, names.get(id_, "")) for number, id_ in concepts.items()})


def _draw(
    job: Job,
    run: Run,
    stack: Draws,
    individuals: Sequence[Individual],
    candidates: int,
    portraits: bool = False,
) -> Generator[Drawing, None, None]:
    """Draw the concepts that lack a usual drawing, if the stack can draw. portraits: only these."""
    missing = undrawn(run, individuals, portraits) if stack.draws and individuals else []
    faceless = {each.id for each in undrawn(run, missing, portrait_only=True)} if missing else set()
    pictures = [candidates * (each.id in faceless) + (0 if portraits else PICTURES) for each in missing]
    for number, each in enumerate(missing, 1):
        job.obey()
        job.does(f"drawing {number} of {len(missing)}" if len(missing) > 1 else "drawing")
        yield Drawing(each, number, len(missing))
        usual_drawings(run, stack, each, candidates, portraits)
        job.drew(pictures[number - 1], sum(pictures[number:]))


def evolve(
    plan: Evolve | Map,
    run: Run,
    learner: Learner | Draws,
    job: Job | None = None,
    *,
    toolbox: Toolbox | None = None,
    options: Options = DEFAULT,
    on_report: Callable[[int, Report], None] | None = None,
) -> Iterator[Generation]:
    """Learn the generations that are left, and yield each one when it is done.

    job: an existing job to continue, see `job.job_named`; by default a new one.
    toolbox: your own operators; by default those of `Toolbox(learner, run, plan.select)`. A registered `select` takes
        (individuals, k). A registered `mate` or `mutate` takes individuals, and any of the offered arguments: seed;
        weights, settings, images, keep, drawn, inherit (mate); strength, jitter, words (mutate). Draws from `random`
        depend only on the seed, the generation and the child. To resume, pass the same toolbox again.
    on_report: called with the number of the generation and each report.

    With `select="user"`, one call learns one generation. Its parents are those of `choose`, or else favourites and
    concepts rated `GOOD` or better.

    Raises:
        EvolutionError: there are no parents, or none is chosen.
        RunError: another process works on the job.
    """
    learner = learner_of(learner)
    job = job or new_job(run, plan)
    with job.working():
        number = len(generations(job)) + 1
        options = options if isinstance(plan, Evolve) else _options_of(plan, learner.stack)
        batches = (
            evolving(plan, job, run, learner, toolbox) if isinstance(plan, Evolve) else mapping(plan, job, run, learner)
        )
        with closing(_learn_batches(batches, job, run, learner, options)) as events:
            try:
                for happened in events:
                    if isinstance(happened, Generation):
                        number = happened.number + 1
                        yield happened
                    elif on_report and isinstance(happened, Reported):
                        on_report(number, happened.report)
            except GeneratorExit:  # the caller stops iterating: the job is paused
                return
        if number > plan.generations:
            job.finish()


def learned(
    job: Job,
    requests: Sequence[Request],
    run: Run,
    learner: Learner,
    options: Options = DEFAULT,
    *,
    first: int = 0,
    asks: bool = False,
    on_report: OnReport | None = None,
) -> list[Concept]:
    """`develop` for a job; first, asks: see `learning`."""
    learner = learner_of(learner)
    asked = by_id(requests, learner, options)
    return collected(learning(job, asked, run, learner, options, first=first, asks=asks), asked, on_report)
