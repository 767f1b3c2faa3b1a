"""Drawings of a run's concepts, made once and kept, and the sheet that shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.progress import Progress

from core.errors import PromptError
from core.prompts import checked_prompt
from core.stack.backbone import Backbone
from evolve import Individual, Run
from evolve.jobs.drawings import (
    CANDIDATES,
    PROMPTS,
    SEED,
    drawings_of,
    is_whole,
    portrait_in,
    undrawn,
    usual_candidates,
    usual_drawings,
    usual_in,
)
from evolve.store.captions import run_told
from ui.console import say
from ui.copies import Copies
from ui.descent import Words, born_of, extra_words, parentage
from ui.runs import open_run
from ui.sheet import Card, opened, save_sheet, sheet
from ui.stack import asked, open_stack_of, words_unknown_in

__all__ = [
    "CANDIDATES",
    "PROMPTS",
    "SEED",
    "Pictures",
    "candidates_asked",
    "candidates_on",
    "card_lines",
    "checked_prompt",
    "draw_all",
    "drawings_of",
    "is_whole",
    "portrait_in",
    "sheet_of",
    "undrawn",
    "usual_in",
]

MOST_CANDIDATES = 100

Pictures = Mapping[str, Sequence[Image.Image]]


def draw_all(run: Run, stack: Backbone, individuals: Sequence[Individual], out: Console) -> Pictures:
    """Pictures of every concept in the prompts of its kind, by id: its portrait, then the others with one seed."""
    pictures: dict[str, list[Image.Image]] = {}
    candidates = candidates_on(stack) if undrawn(run, individuals) else 1
    with Progress(console=out, transient=True, disable=not out.is_terminal) as bar:
        for each in bar.track(individuals, description="drawing"):
            drawings = usual_drawings(run, stack, each, candidates)
            pictures[each.id] = [opened(drawing.file) for drawing in drawings]
    return pictures


def candidates_on(stack: Backbone) -> int:
    """Number of drawings compared for a portrait: as asked, or by the speed of the stack."""
    return candidates_asked() or usual_candidates(stack)


def candidates_asked() -> int | None:
    """--candidates or CONCEPTREE_CANDIDATES; None if neither is given.

    Raises:
        PromptError: the variable is not a whole number above 0.
    """
    given = asked("candidates")
    if given is None:
        return None
    if not str(given).isdecimal() or not 1 <= int(given) <= MOST_CANDIDATES:
        raise PromptError(f"candidates = {str(given)[:100]!r}: give a whole number from 1 to {MOST_CANDIDATES}")
    return int(given)


def sheet_of(run: Run, individuals: Sequence[Individual], pictures: Pictures) -> Path:
    """Write the run's sheet.png, with concepts in the given order."""
    names, words = run.names(), run.words()
    cards = [Card(each.name, card_lines(each, names, words), pictures.get(each.id, ())) for each in individuals]
    kind, stack = run.about["kind"], run.about["stack"]["version"]
    title = f"{run.about['category']} · run {run.folder.name} · {stack}"
    captions = [prompt.replace("{}", "…") for prompt in PROMPTS[kind]]
    told: dict[str, object] = {
        "title": title,
        "concepts": ", ".join(each.name for each in individuals),
        "prompts": "; ".join(PROMPTS[kind]),
    }
    told |= run_told(run.folder.resolve().name, run.about)
    return save_sheet(sheet(title, captions, cards), run.folder / "sheet.png", told)


def card_lines(each: Individual, names: Mapping[str, str], words: Words) -> list[str]:
    """Lines of a card: parents with weights, or else a founder's trait; and negatives."""
    request, lines = each.concept.request, []
    if request.parents:
        lines.append(born_of([p.kind for p in request.parents], parentage(each, names, words)))
    else:
        lines += extra_words(each.id, request.category, (), words)
    negatives = [negative.word for negative in each.concept.negatives]
    if negatives:
        lines.append(f"not: {', '.join(negatives)}")
    return lines


def draw(
    name: str,
    concept: str,
    prompts: Sequence[str],
    *,
    count: int,
    seed: int,
    runs: Path,
    model: str | None,
    out: Console,
    copies: Copies,
) -> None:
    """Draw a stored concept in prompts, keep the pictures in the run, and say where they and their copies are."""
    prompts = [checked_prompt(prompt) for prompt in prompts]
    run = open_run(runs, name)
    each = run.find(concept)
    stack = open_stack_of(run, model)
    for prompt in prompts:
        unknown = words_unknown_in(stack, prompt)
        if unknown:
            say(out, f"Note: to the stack {stack.version} these words mean nothing: {', '.join(unknown)}")
    pairs = [(prompt, seed + number) for prompt in prompts for number in range(count)]
    drawings = drawings_of(run, stack, each, [prompt for prompt, _ in pairs], [number for _, number in pairs])
    for drawing in drawings:
        say(out, f"{drawing.file}  {drawing.prompt.replace('{}', each.name)}, seed {drawing.seed}")
    if copies.any:
        for file in copies.write(run, each.name, [drawing.file for drawing in drawings]):
            say(out, str(file))
