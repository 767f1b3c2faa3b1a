"""Works on a job: the one loop that locks it, resumes it, learns its batches, draws the concepts and finishes it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from core.optimizer import Learner
from core.review import Review
from core.stack.protocols import Draws
from evolve.developing import check_made_on
from evolve.jobs.batches import DrawingParents, batches, options_of
from evolve.jobs.choices import check_precision
from evolve.jobs.drawings import undrawn, usual_candidates, usual_drawings
from evolve.jobs.generations import Generation, generations
from evolve.jobs.job import Job
from evolve.jobs.learning import Began, Learned, Reported, learn_batches
from evolve.jobs.plans import PAGE, Evolve, Plan, Seed
from evolve.store.run import Individual, Run


@dataclass(frozen=True)
class Drawing:
    """A concept is being drawn. number, of: its place among the concepts to draw, from 1."""

    individual: Individual
    number: int
    of: int


Happened = DrawingParents | Began | Reported | Learned | Drawing | Generation


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
        options = replace(options_of(plan, stack), review=review, at_once=conduct.at_once)
        asks = isinstance(plan, Seed) and plan.ask == PAGE
        candidates = conduct.candidates or candidates
        course = batches(plan, job, run, learner, conduct.at_once)
        found: list[Individual] = []
        carried: Generator[DrawingParents | Generation | Began | Reported | Learned, None, None]
        carried = learn_batches(course, job, run, learner, options, asks)
        with closing(carried) as happenings:
            for happened in happenings:
                yield happened
                if isinstance(happened, Learned):
                    found += happened.individuals
                    yield from _drawn(job, run, stack, happened.individuals, candidates)
        if isinstance(plan, Evolve):
            done = generations(job)
            if len(done) < plan.generations:
                return
            there = {each.id for each in run.entries()}
            found = [run.find(id_) for generation in done for id_ in generation.children if id_ in there]
        yield from _drawn(job, run, stack, found, candidates)  # concepts that a killed process left undrawn
        job.finish()


def check(plan: Plan, run: Run, stack: Draws) -> None:
    """Raise a StackError if the plan cannot be worked on with this stack."""
    check_made_on(run, stack)
    check_precision(plan.dtype, stack)


def _drawn(
    job: Job, run: Run, stack: Draws, individuals: Sequence[Individual], candidates: int | None
) -> Generator[Drawing, None, None]:
    """Draw the concepts that lack a usual drawing, if the stack can draw."""
    missing = undrawn(run, individuals) if stack.draws and individuals else []
    if missing:
        job.does("drawing the concepts")
    for number, each in enumerate(missing, 1):
        job.obey()
        yield Drawing(each, number, len(missing))
        usual_drawings(run, stack, each, candidates or usual_candidates(stack))
