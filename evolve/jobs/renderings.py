"""Drawings of a run's concepts by other decoders than its stack's own, made once and kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from core.prompts import fill
from core.renderers import PROMPT, Look, Rendered, Renderer, complete
from evolve.jobs.drawings import is_whole
from evolve.store.rows import Drawing
from evolve.store.run import Individual, Run

if TYPE_CHECKING:
    from PIL.Image import Image

    from core.stack.protocols import Draws

Wanted = tuple[str, int, Rendered]  # a prompt, a seed, how it is drawn


def renderings_of(
    run: Run, stack: Draws, each: Individual, renderer: Renderer, pairs: Sequence[tuple[str, int]], look: Look
) -> list[Drawing]:
    """The concept in each (prompt, seed), drawn by a renderer: from the run, or else drawn and stored there.

    The stack's prior imagines the concept in the prompt. look: see `core.renderers.complete`; {} in its text stands for
    the concept's category, and for the whole prompt if the text is {} alone.

    Raises:
        RenderError: the renderer reads embeddings of another width, or cannot draw so.
        StackError: the concept was learned on another stack.
    """
    from core.renderers.opening import check_width

    check_width(renderer, len(each.concept.image_embed), stack.version)
    wanted = [(prompt, seed, _how(renderer, each, look, prompt)) for prompt, seed in pairs]
    stored = {(d.prompt, d.seed, d.rendered): d for d in run.renderings(each.id) if is_whole(d.file)}
    missing = [key for key in dict.fromkeys(wanted) if key not in stored]
    for picture in _drawn(stack, each, renderer, missing) if missing else ():
        (made,) = run.add_renderings([picture])  # each at once: one may take minutes
        stored[made.prompt, made.seed, made.rendered] = made
    return [stored[key] for key in wanted]


def _how(renderer: Renderer, each: Individual, look: Look, prompt: str) -> Rendered:
    whole = complete(renderer, look)
    if whole.text is not None:
        request = each.concept.request
        word = "" if request.kind == "style" else request.category
        text = prompt if whole.text == PROMPT else whole.text
        whole = replace(whole, text=fill(text, word))
    return Rendered(renderer.name, renderer.where, renderer.adapter_where, whole)


def _drawn(
    stack: Draws, each: Individual, renderer: Renderer, wanted: Sequence[Wanted]
) -> Iterator[tuple[str, str, int, Image, Rendered]]:
    from core.depict import imagine_concept
    from core.renderers.opening import render

    seeds = [seed for _, seed, _ in wanted]
    embeds = imagine_concept(stack, each.concept, [prompt for prompt, _, _ in wanted], seeds)
    stack.rest()
    pictures = render(renderer, embeds, seeds, [how.look for _, _, how in wanted])
    for (prompt, seed, how), picture in zip(wanted, pictures, strict=True):
        yield each.id, prompt, seed, picture, how
