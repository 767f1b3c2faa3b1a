"""`draw --animate`: the drafts of a concept while it was learned, as an animated picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from core.errors import ConceptreeError
from core.files import write_atomically
from core.wording import counted
from evolve import Run
from evolve.jobs.drawings import is_whole
from evolve.jobs.stored import jobs
from evolve.store.captions import concept_told, run_told
from evolve.store.looks import Look
from ui.console import say
from ui.copies import LONGEST
from ui.runs import open_run
from ui.sheet import opened
from ui.webp import animation_bytes

FEWEST = 2  # drafts of an animation


class GrowthError(ConceptreeError):
    """An animation that cannot be made as asked."""


def animate(name: str, concept: str | None, unfit: Sequence[str], *, to: Path | None, runs: Path, out: Console) -> None:
    """Write a concept's drafts, from the first to the last and back, into `to`, by default animate-NAME.webp in the
    run's folder. Nothing is drawn. unfit: given options of `draw` that draw.
    """
    if unfit:
        raise GrowthError(f"--{unfit[0]} is not for --animate, which shows the drafts that are kept: leave it out")
    if concept is None:
        raise GrowthError("no concept: name the one to animate")
    if to is not None and to.suffix.lower() != ".webp":
        raise GrowthError(f"{str(to)!r}: an animation is written as .webp")
    run = open_run(runs, name)
    entry = run.entry(concept)
    drafts = drafts_of(run, entry.id)
    if len(drafts) < FEWEST:
        number = counted(len(drafts), "draft") if drafts else "no drafts"
        raise GrowthError(
            f"{entry.name} has {number}: the run keeps those of concepts that its jobs learned with drawings at their"
            " checkpoints"
        )
    short = entry.name.encode()[:LONGEST].decode(errors="ignore").rstrip()
    file = to or run.folder / f"animate-{short}.webp"
    steps = ", ".join(str(look.step) for look in drafts)
    told = concept_told(entry, run.names()) | run_told(run.folder.resolve().name, run.about) | {"steps": steps}
    pictures = [opened(look.image) for look in drafts if look.image]
    write_atomically(file, animation_bytes(pictures, told), None if to else run.folder)
    say(out, f"{file}  {len(pictures)} drafts of {entry.name}, at steps {steps}")


def drafts_of(run: Run, concept: str) -> list[Look]:
    """The looks at a concept (by id) that are drawn, from the first step to the last."""
    found = [look for job in jobs(run) for look in job.looks() if look.concept == concept]
    return [look for look in found if look.image and is_whole(look.image)]
