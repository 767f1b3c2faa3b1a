"""Keeps the best founders of a job, and hides the others."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from PIL import Image

from core.errors import ConceptreeError
from core.stack.protocols import Draws
from evolve.choosing import best
from evolve.family.lasting import forget
from evolve.jobs.drawings import PROMPTS, portrait_in
from evolve.jobs.plans import Breed, Evolve, Vary
from evolve.jobs.stored import jobs
from evolve.store.rows import Note
from evolve.store.run import Individual, Run


@dataclass(frozen=True)
class Chosen:
    """Of all founders the best are kept; the others are hidden."""

    kept: tuple[Individual, ...]
    aside: tuple[Individual, ...]


def choose(run: Run, stack: Draws, founders: Sequence[Individual], keep: int) -> Chosen:
    """Keep the best founders, see `evolve.choosing`, and hide the others.

    What a person has said of one in the meantime counts more: a favourite, a locked, named or rated one stays, and so
    does a parent, even if these are more than `keep`; a hidden one does not. If the run has no other founders,
    those that stay move together in the tree.
    """
    entries = run.entries()
    notes = {each.id: each.note for each in entries}
    parents = {parent.id for each in entries for parent in each.parents} | _parents_to_be(run)
    aside = run.aside()
    there = [each for each in founders if not notes[each.id].hidden or each.id in aside]
    marked = [each.id in parents or replace(notes[each.id], hidden=False) != Note() for each in there]
    pictures = []
    if stack.draws:
        for each in there:
            prompt = PROMPTS[each.concept.request.kind][0]
            portrait = portrait_in(run.drawings(each.id), prompt)
            assert portrait is not None, "founders are drawn before they are chosen"
            with Image.open(portrait.file) as picture:
                pictures.append(picture.convert("RGB"))
    first = [place for place, is_marked in enumerate(marked) if is_marked]
    places = best(stack, [each.concept for each in there], pictures, max(keep, len(first)), first)
    kept = tuple(there[place] for place in places)
    ids = {each.id for each in kept}
    left = tuple(each for each in founders if each.id not in ids)
    run.set_aside([each.id for each in left])
    ours = {each.id for each in founders}
    if all(each.id in ours or each.parents for each in entries):  # the others are their children, bred meanwhile
        forget(run.folder)
    return Chosen(kept, left)


def _parents_to_be(run: Run) -> set[str]:
    """Ids of the parents of unfinished jobs, which may have stored no child yet."""
    found: set[str] = set()
    for job in jobs(run):
        if job.finished:
            continue
        with suppress(ConceptreeError):  # a plan of another version
            plan = job.plan
            if isinstance(plan, Breed | Vary):
                found.update(each.id for each in plan.parents)
            elif isinstance(plan, Evolve):
                found.update(plan.chosen)
    return found
