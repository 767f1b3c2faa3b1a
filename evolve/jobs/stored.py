"""The jobs of a run, a folder each: make, list and find them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import ConceptreeError
from core.files import write_atomically
from core.wording import did_you_mean
from evolve.jobs.job import JOB, SCHEMA, Conduct, Job, as_json, read_job
from evolve.jobs.plans import Plan
from evolve.store.parts import Damage, RunError
from evolve.store.run import Run

_NAME = re.compile(r"([0-9]{4,})-([a-z]+)")


def new_job(run: Run, plan: Plan, conduct: Conduct | None = None) -> Job:
    """Write a job of a run, as one file, before anything is learned."""
    return write_job(run, plan.command, plan.to_json(), conduct)


def write_job(run: Run, command: str, told: Mapping[str, Any], conduct: Conduct | None = None) -> Job:
    """`new_job` for a plan as JSON, such as an experiment's."""
    with run.writing():
        number = max((int(folder.name.split("-")[0]) for folder in _folders(run)), default=0) + 1
        folder = run.folder / "jobs" / f"{number:04d}-{command}"
        now = datetime.now(UTC)
        job = Job(folder, command, dict(told), now, conduct)
        created_at = now.isoformat(timespec="seconds")
        about = {"schema": SCHEMA, "command": command, "plan": job.told, "created_at": created_at}
        content = as_json(about | ({"conduct": asdict(conduct)} if conduct else {}))
        write_atomically(folder / JOB, content, within=run.folder)
    return job


def jobs(run: Run, damage: list[Damage] | None = None) -> list[Job]:
    """The readable jobs of a run, oldest first; the others are appended to `damage`."""
    found = []
    for folder in _folders(run):
        try:
            found.append(read_job(folder))
        except ConceptreeError as error:
            if damage is not None:
                damage.append(Damage(folder / JOB, str(error)))
    return found


def job_named(run: Run, name: str) -> Job:
    """One job of a run.

    Raises:
        RunError: there is none of that name, or it cannot be read.
    """
    folders = {folder.name: folder for folder in _folders(run)}
    if name not in folders:
        there = did_you_mean(name, folders) or (f"there are {', '.join(folders)}" if folders else "there are none")
        raise RunError(f"there is no job {name!r} in {str(run.folder)!r}: {there}")
    return read_job(folders[name])


def unfinished(run: Run) -> list[Job]:
    """Jobs of a run that are not finished, oldest first."""
    return [job for job in map(read_job, _folders(run)) if not job.finished]


def _folders(run: Run) -> list[Path]:
    """Folders with a job.json. One without was left by a process that was killed before it wrote the job."""
    return sorted(file.parent for file in (run.folder / "jobs").glob(f"*/{JOB}") if _NAME.fullmatch(file.parent.name))
