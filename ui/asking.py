"""A round of a person's taste at the terminal: a sheet of six pictures, and the person types which they like."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.console import Console

from core.errors import ConceptreeError
from evolve.asking import next_round
from evolve.jobs.drawings import PROMPTS, is_whole, portrait_in
from evolve.jobs.generations import answer_round, awaits_choice, show_in, shown_in
from evolve.jobs.job import Job
from evolve.jobs.plans import TASTE, EvolutionError, Evolve
from evolve.store.captions import run_told
from evolve.store.run import Run
from ui.console import say
from ui.sheet import Card, opened, save_sheet, sheet

SHEET = "ask.png"  # in the run's folder
COLUMNS, TILE = 3, 220
HOW = "Type the numbers or names of concepts that you like, with spaces between. Enter: none; q: stop; ?: this help."


def ask(job: Job, run: Run, out: Console, breed: Callable[[], object]) -> bool:
    """Ask and breed in turn while an evolution by taste waits for a person; whether there is no more to say.

    Without a terminal, or once the person stops, the round waits: `resume --like` or the workbench answers it. breed:
    learns one generation.
    """
    plan = job.plan
    if not isinstance(plan, Evolve) or plan.select != TASTE:
        return False
    while number := awaits_choice(job, plan):
        shown = round_of(job, run, number)
        liked: list[str] | None = []
        if shown:
            file = write_sheet(run, shown)
            say(out, f"\nWhat do you like? {file}")
            if _is_terminal(out) and _has_desktop():
                click.launch(str(file))
            liked = _typed(run, shown, out) if _is_terminal(out) else None
        if liked is None:
            return False
        answer_round(job, run, number, shown, liked)
        breed()
    return True


def round_of(job: Job, run: Run, number: int) -> list[str]:
    """Ids of the concepts of the round before a generation: the stored ones, or new ones among those that are drawn."""
    entries = {each.id: each for each in run.entries()}
    if shown := [id_ for id_ in shown_in(job, number) if id_ in entries]:
        return shown
    drawn = {each.concept for each in run.drawings() if is_whole(each.file)}
    shown = next_round(run, among=drawn)
    show_in(job, number, shown)
    return shown


def write_sheet(run: Run, shown: Sequence[str]) -> Path:
    """Write the numbered portraits of a round on one sheet."""
    entries = {each.id: each for each in run.entries()}
    cards = []
    for number, id_ in enumerate(shown, 1):
        drawings = run.drawings(id_)
        first = portrait_in(drawings, PROMPTS[run.about["kind"]][0]) or next(
            (each for each in drawings if is_whole(each.file)), None
        )
        cards.append(Card(f"{number}  {entries[id_].name}", pictures=[opened(first.file)] if first else []))
    title = f"What do you like? {run.about['category']} · run {run.folder.name}"
    told = run_told(run.folder.resolve().name, run.about)
    return save_sheet(sheet(title, (), cards, TILE, COLUMNS), run.folder / SHEET, told)


def chosen_of(run: Run, shown: Sequence[str], typed: Sequence[str]) -> list[str]:
    """Ids of the concepts that numbers or names mean.

    Raises:
        EvolutionError: one was not shown.
    """
    entries = {each.id: each for each in run.entries()}
    numbers = {str(number): id_ for number, id_ in enumerate(shown, 1)}
    found = []
    for each in typed:
        if each in numbers:
            found.append(numbers[each])
            continue
        id_ = next((id_ for id_ in shown if each in (id_, entries[id_].name, entries[id_].born)), None)
        if id_ is None:
            names = ", ".join(f"{number} {entries[id_].name}" for number, id_ in enumerate(shown, 1))
            raise EvolutionError(f"{each[:80]!r} is not among those shown: choose from {names}")
        found.append(id_)
    return list(dict.fromkeys(found))


def _typed(run: Run, shown: Sequence[str], out: Console) -> list[str] | None:
    """Ids of the concepts that the person likes; None if they stop."""
    entries = {each.id: each for each in run.entries()}
    say(out, "  ".join(f"{number} {entries[id_].name}" for number, id_ in enumerate(shown, 1)))
    say(out, f"  {HOW}")
    while True:
        try:
            text = input("  > ").strip()
            if text.lower() == "q":
                return None
            if text != "?":
                typed = text.split(",") if "," in text else text.split()  # a name may have spaces
                return chosen_of(run, shown, [each.strip() for each in typed if each.strip()])
            say(out, f"  {HOW}")
        except EOFError:
            return None
        except UnicodeDecodeError:
            say(out, "  the input is not valid text: type it again")
        except ConceptreeError as error:
            say(out, f"  {error}")


def _has_desktop() -> bool:
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _is_terminal(out: Console) -> bool:
    return out.is_terminal and sys.stdin.isatty()
