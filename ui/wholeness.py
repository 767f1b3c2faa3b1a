"""`check`; and warnings of commands that find damage, missing ancestors or unfinished jobs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from core.wording import counted
from evolve.store.parents import lost_ancestors
from evolve.store.parts import Damage
from evolve.store.rows import Entry, brief
from evolve.store.run import Run
from ui.console import print_json, say, to_type, warn
from ui.runs import is_unasked, open_run

if TYPE_CHECKING:
    from evolve.jobs.job import Job

MOST_MISSING = 6  # ancestors that are named


def check_run(name: str, runs: Path, as_json: bool, out: Console) -> bool:
    """Print whether a run is whole and what is lost; return whether it is whole."""
    from evolve.store.check import check

    run = open_run(runs, name)
    found = check(run)
    if as_json:
        counts = {"concepts": found.concepts, "drawings": found.drawings, "notes": found.notes}
        counts |= {"photos": found.photos, "parts": found.parts}
        counts |= {"schema": run.about["schema"]}
        left = [job.name for job in unfinished(run)]
        findings = [vars(each) for each in found.findings]
        print_json({"run": name, "whole": found.whole, **counts, "findings": findings, "unfinished": left})
        return found.whole
    read = [counted(found.concepts, "concept"), counted(found.drawings, "drawing"), counted(found.notes, "note")]
    read += [counted(found.photos, "photograph")] if found.photos else []
    say(out, f"{run.folder}: {', '.join(read)} in {counted(found.parts, 'part')} can be read")
    for each in found.findings:
        where = f"{each.where}: " if each.where else ""
        say(out, f"  {'lost' if each.lost else 'note'}  {where}{each.text}")
    if found.whole and is_unasked(run):
        say(out, "The run is empty, without a job: the next command for a new run of this name takes it over.")
    elif found.whole:
        say(out, "The run is whole.")
    else:
        say(out, "The run is not whole. What can be read stays so; put lost files back from a copy, if there is one.")
    tell_unfinished(run, out)
    return found.whole


def tell_unfinished(run: Run, out: Console) -> None:
    """Print the unfinished jobs of a run: stopped, killed, or still learning."""
    left = unfinished(run)
    if left:
        names = ", ".join(job.name for job in left)
        call = to_type("resume", run.folder.name, runs=run.folder.parent)
        say(out, f"Not finished: {names}. To resume, unless a process is at work: {call}")


def unfinished(run: Run) -> list[Job]:
    """Unfinished jobs; warns about jobs that cannot be read."""
    from evolve.jobs.stored import jobs

    damage: list[Damage] = []
    left = [job for job in jobs(run, damage) if not job.finished]
    for each in damage:
        warn(each.reason)
    return left


def warn_of(damage: Sequence[Damage], run: Run) -> None:
    """Print in one line how much of a run cannot be read."""
    if damage:
        places = {(each.part, each.row) for each in damage}
        what = counted(len(places), "part or row", "parts or rows")
        call = to_type("check", run.folder.name, runs=run.folder.parent)
        warn(f"{what} of the run {run.folder.name!r} cannot be read; {call} lists what is lost")


def warn_of_missing(run: Run, entries: Sequence[Entry], of: Collection[str] | None = None) -> None:
    """Print in one line the ancestors that the run has lost, of all concepts or of some (ids)."""
    lost = lost_ancestors(entries, of).values()
    if told := told_missing([(parent.id, "") for parent in lost if not parent.run], run):
        warn(f"{told}; {to_type('check', run.folder.name, runs=run.folder.parent)} lists what is lost")


def told_missing(missing: Sequence[tuple[str, str]], run: Run | None = None) -> str:
    """`2 ancestors are missing: Whisker (1f2e3d4c), 9a8b7c6d of the run 'others'`; '' for none.

    missing: (id, the run where it should be, "" for this one) each. run: its notes have the names that people gave.
    """
    notes = run.notes() if run and missing else {}
    here = ("", run.folder.name) if run else ("",)
    told = []
    for id_, home in missing[:MOST_MISSING]:
        name = notes[id_].name if id_ in notes else None
        told.append(
            f"{f'{name} ({brief(id_)})' if name else brief(id_)}{'' if home in here else f' of the run {home!r}'}"
        )
    more = f" and {len(missing) - MOST_MISSING:,} more" if len(missing) > MOST_MISSING else ""
    many = counted(len(missing), "ancestor is missing", "ancestors are missing")
    return f"{many}: {', '.join(told)}{more}" if missing else ""
