"""Drawings of a run's concepts, made once and kept, and the sheet that shows them."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.progress import Progress

from core.depict import draw_concept, draw_truest
from core.errors import PromptError
from core.stack.backbone import Backbone
from evolve import Individual, Run
from evolve.store.captions import run_told
from evolve.store.rows import Drawing
from ui.descent import born_of, parentage
from ui.sheet import Card, opened, save_sheet, sheet
from ui.stack import asked, is_quick

# What every concept is drawn in; the first shows it by itself: its portrait.
PROMPTS = {
    "object": ("a photo of a {}", "a pencil sketch of a {}", "a photo of a {} on a blue background"),
    "style": tuple(f"a painting of {scene} in the style of {{}}" for scene in ("a dog", "a house", "a tree")),
}
BEGIN, END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"  # of every PNG
SEED = 1  # the same noise for all, so that they differ by what they are; of a portrait, the first candidate's
CANDIDATES, MOST_CANDIDATES = 6, 100  # drawings of a portrait, of which the truest is kept

Pictures = Mapping[str, Sequence[Image.Image]]


def checked_prompt(prompt: str) -> str:
    """A prompt in which {} stands for the concept, and no other brace for anything."""
    rest = prompt.replace("{}", "")
    if "{}" not in prompt or "{" in rest or "}" in rest or not prompt.isprintable():
        raise PromptError(f"prompt = {prompt[:200]!r}: write {{}} where the concept stands, as in 'a photo of a {{}}'")
    return prompt


def drawings_of(
    run: Run, backbone: Backbone, each: Individual, prompts: Sequence[str], seeds: Sequence[int]
) -> list[Drawing]:
    """The concept in each prompt with its seed, from the run where it has been drawn before, or else drawn and kept."""
    known = run.drawings(each.id)
    stored = {(d.prompt, d.seed): d for d in known if is_whole(d.file)}
    wanted = list(zip(prompts, seeds, strict=True))
    missing = [pair for pair in dict.fromkeys(wanted) if pair not in stored]
    if missing:
        _forget_torn(known, missing)
        drawn = draw_concept(backbone, each.concept, [p for p, _ in missing], [s for _, s in missing])
        pictures = [(each.id, prompt, seed, picture) for (prompt, seed), picture in zip(missing, drawn, strict=True)]
        stored |= {(d.prompt, d.seed): d for d in run.add_drawings(pictures)}
    return [stored[pair] for pair in wanted]


def draw_all(run: Run, backbone: Backbone, individuals: Sequence[Individual], out: Console) -> Pictures:
    """Every concept in the prompts of its kind, by concept id: its portrait, and the others with the same seed."""
    pictures: dict[str, list[Image.Image]] = {}
    with Progress(console=out, transient=True, disable=not out.is_terminal) as bar:
        for each in bar.track(individuals, description="drawing"):
            first, *others = PROMPTS[each.concept.request.kind]
            drawings = [portrait_of(run, backbone, each, first)]
            drawings += drawings_of(run, backbone, each, others, [SEED] * len(others))
            pictures[each.id] = [opened(drawing.file) for drawing in drawings]
    return pictures


def portrait_of(run: Run, backbone: Backbone, each: Individual, prompt: str) -> Drawing:
    """The concept's portrait from the run, or else drawn there: the truest of several candidates, with its seed."""
    known = run.drawings(each.id)
    if found := portrait_in(known, prompt):
        return found
    picture, seed = draw_truest(backbone, each.concept, prompt, range(SEED, SEED + candidates_on(backbone)))
    _forget_torn(known, [(prompt, seed)])
    return run.add_drawings([(each.id, prompt, seed, picture)])[0]


def portrait_in(drawings: Sequence[Drawing], prompt: str) -> Drawing | None:
    """The portrait among a concept's drawings in the order in which they were made: the first whole one in `prompt`."""
    return next((each for each in drawings if each.prompt == prompt and is_whole(each.file)), None)


def usual_in(drawings: Sequence[Drawing], kind: str) -> list[Drawing]:
    """A concept's drawings in the prompts of its kind, in their order, as far as they are there: what a sheet shows."""
    first, *others = PROMPTS[kind]
    stored = {(each.prompt, each.seed): each for each in drawings if is_whole(each.file)}
    found = [portrait_in(drawings, first), *(stored.get((prompt, SEED)) for prompt in others)]
    return [each for each in found if each is not None]


def candidates_on(backbone: Backbone) -> int:
    """How many drawings of a portrait are compared: by --candidates or CONCEPTREE_CANDIDATES; by default one on a stack
    that draws slowly.

    Raises:
        PromptError: the variable holds no whole number above 0.
    """
    given = asked("candidates")
    if given is None:
        return CANDIDATES if is_quick(backbone) else 1
    if not str(given).isdecimal() or not 1 <= int(given) <= MOST_CANDIDATES:
        raise PromptError(f"candidates = {str(given)[:100]!r}: give a whole number from 1 to {MOST_CANDIDATES}")
    return int(given)


def undrawn(run: Run, individuals: Sequence[Individual]) -> list[Individual]:
    """Those of which a picture in the prompts of their kind is missing."""
    drawings: dict[str, list[Drawing]] = {}
    for drawing in run.drawings():
        drawings.setdefault(drawing.concept, []).append(drawing)

    def lacks(each: Individual) -> bool:
        kind = each.concept.request.kind
        return len(usual_in(drawings.get(each.id, ()), kind)) < len(PROMPTS[kind])

    return [each for each in individuals if lacks(each)]


def _forget_torn(known: Sequence[Drawing], missing: Collection[tuple[str, int]]) -> None:
    """Remove torn files of pictures to be kept again: a torn one would pass for the picture in its place."""
    for torn in known:
        if (torn.prompt, torn.seed) in missing:
            torn.file.unlink(missing_ok=True)


def is_whole(file: Path) -> bool:
    """Whether a drawing is there from its first bytes to its last; what lies between is not looked at."""
    try:
        with open(file, "rb") as content:
            begins = content.read(len(BEGIN)) == BEGIN
            content.seek(-len(END), os.SEEK_END)
            return begins and content.read() == END
    except OSError:
        return False


def sheet_of(run: Run, individuals: Sequence[Individual], pictures: Pictures) -> Path:
    """Write the run's sheet.png, its concepts in the order in which they came to be."""
    names = run.names()
    cards = [Card(each.name, card_lines(each, names), pictures.get(each.id, ())) for each in individuals]
    kind, stack = run.about["kind"], run.about["stack"]["version"]
    title = f"{run.about['category']} · run {run.folder.name} · {stack}"
    captions = [prompt.replace("{}", "…") for prompt in PROMPTS[kind]]
    told = {
        "title": title,
        "concepts": ", ".join(each.name for each in individuals),
        "prompts": "; ".join(PROMPTS[kind]),
    }
    told |= run_told(run.folder.resolve().name, run.about)
    return save_sheet(sheet(title, captions, cards), run.folder / "sheet.png", told)


def card_lines(each: Individual, names: Mapping[str, str]) -> list[str]:
    """What a card says of a concept: its parents with their weights, and what it is not."""
    lines = []
    if each.concept.request.parents:
        lines.append(born_of([p.kind for p in each.concept.request.parents], parentage(each, names)))
    words = [negative.word for negative in each.concept.negatives]
    if words:
        lines.append(f"not: {', '.join(words)}")
    return lines
