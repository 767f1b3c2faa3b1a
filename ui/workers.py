"""--workers and --address: who learns a job's batches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from rich.console import Console

from core.optimizer import ConceptLab, Learner
from core.stack.backbone import Backbone
from core.wording import counted
from evolve.jobs.job import Job
from evolve.workers.pool import AT_ONCE, WorkerError, Workers
from ui.console import say
from ui.stack import asked


@contextmanager
def learning(job: Job, stack: Backbone, out: Console) -> Iterator[Learner]:
    """The learner for a job, by --workers and --address, or by CONCEPTREE_WORKERS and CONCEPTREE_CLUSTER.

    A job that is begun goes on with the batches and threads that it was begun with.
    """
    begun, given, address = job.batched(), asked("workers"), asked("cluster")
    at_once = int(said) if (said := asked("at_once")) else None
    threads = begun.threads if begun else None
    if not given and not address:
        if threads:
            torch.set_num_threads(threads)
        job.batching(at_once)
        yield ConceptLab(stack)
        return
    count = checked_workers(given or "ray")
    threads = threads or 1
    at_once = job.batching(at_once or AT_ONCE, threads).at_once
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
    """How many workers `ray:4` are; None where `ray` leaves it to the machine.

    Raises:
        WorkerError: it says something else.
    """
    if not (parts := re.fullmatch(r"ray(?::([1-9][0-9]{0,4}))?", given)):
        raise WorkerError(f"--workers {given[:100]!r}: write ray, or ray:4 for four of them")
    return int(parts[1]) if parts[1] else None
