"""`draw --decoder`: a concept drawn by another decoder than its stack's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from core.prompts import checked_prompt
from core.renderers import Look, RenderError
from evolve.jobs.renderings import renderings_of
from ui.console import say
from ui.copies import Copies
from ui.runs import open_run
from ui.stack import asked as option_asked
from ui.stack import open_stack_of


def check_decoder(
    decoder: str | None, morph: Sequence[str] | None, asked: Mapping[str, object], copies: Copies
) -> None:
    """Raise RenderError if `draw` has options of another decoder without one, or one for a morph or for copies."""
    given = next((option for option, value in asked.items() if value is not None), None)
    if decoder is None and given:
        raise RenderError(f"--{given} needs --decoder")
    if decoder is not None and morph:
        raise RenderError("--decoder is not for a morph: leave it out")
    if decoder is not None and copies.any:
        raise RenderError("--cutout and --upscale are for drawings of the stack's own: leave out --decoder")


def render(
    name: str,
    concept: str,
    prompts: Sequence[str],
    *,
    count: int,
    seed: int,
    decoder: str,
    adapter: Path | None,
    asked: Mapping[str, Any],
    runs: Path,
    model: str | None,
    out: Console,
) -> None:
    """Draw a stored concept in prompts with a renderer, keep the pictures in the run, and say where they are.

    asked: text, scale, steps, guidance and size as given; None for the renderer's own.
    """
    from core.renderers.opening import check_published, check_width, open_renderer

    prompts = [checked_prompt(prompt) for prompt in prompts]
    look = Look(asked["text"], asked["scale"], asked["steps"], asked["guidance"], asked["size"])
    run = open_run(runs, name)
    each = run.find(concept)
    width, version = len(each.concept.image_embed), each.concept.version
    if adapter is None:
        check_published(decoder, width, version)
    machine = option_asked("device"), option_asked("dtype")
    renderer = open_renderer(decoder, *machine, offload=option_asked("offload") in (True, "1"), adapter=adapter)
    check_width(renderer, width, version)  # before the stack is loaded
    stack = open_stack_of(run, model)
    pairs = [(prompt, seed + number) for prompt in prompts for number in range(count)]
    for drawing in renderings_of(run, stack, each, renderer, pairs, look):
        how = f", {drawing.rendered.brief}" if drawing.rendered else ""
        say(out, f"{drawing.file}  {drawing.prompt.replace('{}', each.name)}, seed {drawing.seed}{how}")
