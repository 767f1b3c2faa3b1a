"""Drawings of a run's concepts in the usual prompts, made once and kept."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from core.stack.protocols import Draws
from evolve.store.rows import Drawing
from evolve.store.run import Individual, Run

# The prompts that every concept is drawn in, by its kind; the first is its portrait.
PROMPTS = {
    "object": ("a photo of a {}", "a pencil sketch of a {}", "a photo of a {} on a blue background"),
    "style": tuple(f"a painting of {scene} in the style of {{}}" for scene in ("a dog", "a house", "a tree")),
}
SEED = 1  # the same noise for all, so that drawings differ by their concepts; of a portrait, the first candidate's
CANDIDATES = 6  # drawings of a portrait; the best is kept, see `core.depict.draw_portrait`
QUICK = 200e6  # parameters of a stack that draws while a person waits
_BEGIN, _END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"  # of every PNG


def drawings_of(
    run: Run, stack: Draws, each: Individual, prompts: Sequence[str], seeds: Sequence[int]
) -> list[Drawing]:
    """The concept in each prompt with its seed: from the run, or else drawn and stored there."""
    from core.depict import draw_concept

    known = run.drawings(each.id)
    stored = {(d.prompt, d.seed): d for d in known if is_whole(d.file)}
    wanted = list(zip(prompts, seeds, strict=True))
    missing = [pair for pair in dict.fromkeys(wanted) if pair not in stored]
    if missing:
        _remove_torn(known, missing)
        drawn = draw_concept(stack, each.concept, [p for p, _ in missing], [s for _, s in missing])
        pictures = [(each.id, prompt, seed, picture) for (prompt, seed), picture in zip(missing, drawn, strict=True)]
        stored |= {(d.prompt, d.seed): d for d in run.add_drawings(pictures)}
    return [stored[pair] for pair in wanted]


def usual_drawings(
    run: Run, stack: Draws, each: Individual, candidates: int = CANDIDATES, portrait_only: bool = False
) -> list[Drawing]:
    """The concept in the prompts of its kind, its portrait first: from the run, or else drawn and stored there.

    candidates: drawings of a new portrait; the best is kept.
    """
    first, *others = prompts_of(each, portrait_only)
    portrait = _portrait_of(run, stack, each, first, candidates)
    return [portrait, *drawings_of(run, stack, each, others, [SEED] * len(others))]


def usual_candidates(stack: Draws) -> int:
    """How many drawings of a portrait are compared by default: one on a stack that draws slowly."""
    return CANDIDATES if is_quick(stack) else 1


def is_quick(stack: Any) -> bool:
    """Whether a stack draws a picture in about a second."""
    parts = (stack.prior, stack.decoder.unet)
    return sum(parameter.numel() for part in parts for parameter in part.parameters()) <= QUICK


def portrait_in(drawings: Sequence[Drawing], prompt: str) -> Drawing | None:
    """The portrait among a concept's drawings, which are in the order of their making: the first whole one in
    `prompt`.
    """
    return next((each for each in drawings if each.prompt == prompt and is_whole(each.file)), None)


def usual_in(drawings: Sequence[Drawing], kind: str) -> list[Drawing]:
    """Those of a concept's drawings that are in the prompts of its kind, in their order: as a sheet shows them."""
    first, *others = PROMPTS[kind]
    stored = {(each.prompt, each.seed): each for each in drawings if is_whole(each.file)}
    found = [portrait_in(drawings, first), *(stored.get((prompt, SEED)) for prompt in others)]
    return [each for each in found if each is not None]


def prompts_of(each: Individual, portrait_only: bool = False) -> tuple[str, ...]:
    """The prompts of a concept's kind, the portrait's first."""
    return PROMPTS[each.concept.request.kind][: 1 if portrait_only else None]


def undrawn(run: Run, individuals: Sequence[Individual], portrait_only: bool = False) -> list[Individual]:
    """Those that lack a drawing in one of the prompts of their kind."""
    drawings: dict[str, list[Drawing]] = {}
    for drawing in run.drawings():
        drawings.setdefault(drawing.concept, []).append(drawing)

    def lacks(each: Individual) -> bool:
        wanted = {drawing.prompt for drawing in usual_in(drawings.get(each.id, ()), each.concept.request.kind)}
        return not wanted.issuperset(prompts_of(each, portrait_only))

    return [each for each in individuals if lacks(each)]


def is_whole(file: Path) -> bool:
    """Whether a drawing has the first and the last bytes of a PNG; the rest is not read."""
    try:
        with open(file, "rb") as content:
            begins = content.read(len(_BEGIN)) == _BEGIN
            content.seek(-len(_END), os.SEEK_END)
            return begins and content.read() == _END
    except OSError:
        return False


def _portrait_of(run: Run, stack: Draws, each: Individual, prompt: str, candidates: int) -> Drawing:
    from core.depict import draw_portrait

    known = run.drawings(each.id)
    if found := portrait_in(known, prompt):
        return found
    picture, seed = draw_portrait(stack, each.concept, prompt, range(SEED, SEED + candidates))
    _remove_torn(known, [(prompt, seed)])
    return run.add_drawings([(each.id, prompt, seed, picture)])[0]


def _remove_torn(known: Sequence[Drawing], missing: Collection[tuple[str, int]]) -> None:
    """Remove torn files of pictures to be stored again: a torn one would pass for the new one."""
    for torn in known:
        if (torn.prompt, torn.seed) in missing:
            torn.file.unlink(missing_ok=True)
