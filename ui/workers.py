"""--workers, --address, --at-once: how a job is carried out, and the learner for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from rich.console import Console

from core.optimizer import ConceptLab, Learner
from core.settings import MOST_AT_ONCE
from core.stack.backbone import Backbone
from core.wording import counted
from evolve.jobs.job import Conduct, Job
from evolve.workers.pool import AT_ONCE, WorkerError, Workers
from ui.console import say
from ui.pictures import candidates_asked
from ui.stack import asked


def conduct_asked() -> Conduct:
    """How a new job is carried out, by options or variables of the environment.

    Raises:
        WorkerError: --workers has another form.
        PromptError: CONCEPTREE_CANDIDATES is not a number.
    """
    given, address = asked("workers"), asked("cluster")
    if given:
        checked_workers(given)
    workers = bool(given or address)
    at_once = int(said) if (said := asked("at_once")) else AT_ONCE if workers else MOST_AT_ONCE
    return Conduct(at_once, 1 if workers else None, candidates_asked())


@contextmanager
def learner_for(job: Job, stack: Backbone, out: Console) -> Iterator[Learner]:
    """The learner for a job, by --workers and --address, or by CONCEPTREE_WORKERS and CONCEPTREE_CLUSTER.

    A resumed job keeps its batches and threads.
    """
    given, address = asked("workers"), asked("cluster")
    new = conduct_asked()
    conduct = job.conduct(new.at_once, new.threads)
    if not given and not address:
        if conduct.threads:
            torch.set_num_threads(conduct.threads)
        yield ConceptLab(stack)
        return
    count = checked_workers(given or "ray")
    at_once, threads = conduct.at_once, conduct.threads or 1
    say(out, f"Joining the cluster at {address} …" if address else "Starting workers …")
    with Workers(
        stack,
        count,
        address=address,
        device=asked("device"),
        threads=threads,
        at_once=at_once,
        say=lambda text: say(out, text),
    ) as workers:
        kind = "GPU" if workers.cluster.gpu else "processor"
        say(out, f"{counted(workers.count, 'worker')}, each on a {kind}; batches of at most {at_once}")
        yield workers


def checked_workers(given: str) -> int | None:
    """The number of workers in `ray:4`; None for `ray`, which leaves it to the machine.

    Raises:
        WorkerError: it says something else.
    """
    if not (parts := re.fullmatch(r"ray(?::([1-9][0-9]{0,4}))?", given)):
        raise WorkerError(f"--workers {given[:100]!r}: write ray, or ray:4 for four of them")
    return int(parts[1]) if parts[1] else None
