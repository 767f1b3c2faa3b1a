"""A learned concept in prompts: imagined by the prior, drawn by the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from core.concept import Concept
from core.constraints import normalise
from core.errors import PromptError, StackError

_NAME = "<concept>"


def check_stack(backbone: Any, concept: Concept) -> None:
    """A concept's vectors mean something on the stack that it was learned on, and nothing on another of that width.

    Raises:
        StackError: this is another one.
    """
    if concept.fingerprint and concept.fingerprint != backbone.fingerprint:
        raise StackError(
            f"the concept {concept.id} needs the stack {concept.version} ({concept.fingerprint}), where it was learned,"
            f" and {backbone.where!r} is {backbone.version} ({backbone.fingerprint})"
        )


@torch.no_grad()
def imagine_concept(backbone: Any, concept: Concept, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
    """Image embeddings [n, width] of a concept, which stands where each prompt has `{}`; one seed for each prompt."""
    check_stack(backbone, concept)
    settings = concept.request.chosen
    return backbone.imagine(
        [prompt.format(_NAME) for prompt in prompts],
        vectors={_NAME: torch.from_numpy(concept.vectors.copy())},
        seeds=list(seeds),
        steps=settings.prior_steps,
        guidance_scale=settings.guidance_scale,
    )


def draw_concept(backbone: Any, concept: Concept, prompts: Sequence[str], seeds: Sequence[int]) -> list[Any]:
    """Pictures of a concept in prompts, the seed of each for the prior and the decoder alike."""
    return backbone.draw(imagine_concept(backbone, concept, prompts, seeds), seeds=list(seeds))


@torch.no_grad()
def draw_truest(backbone: Any, concept: Concept, prompt: str, seeds: Sequence[int]) -> tuple[Any, int]:
    """Draw a concept with each seed; return the picture closest to what the prior imagines of it, and that seed.

    Closeness is the cosine between the picture's image embedding and the concept's `image_embed`. The first of equal
    ones is kept. `draw_concept` with the seed draws the picture again. A single seed is drawn without comparing.
    """
    if not seeds:
        raise PromptError("no seeds to draw with: give at least one")
    pictures = draw_concept(backbone, concept, [prompt] * len(seeds), seeds)
    if len(seeds) == 1:
        return pictures[0], seeds[0]
    embeds = normalise(backbone.encode_images(pictures))
    imagined = torch.from_numpy(concept.image_embed.copy()).to(embeds)
    best = int((embeds @ normalise(imagined)).argmax())
    return pictures[best], seeds[best]
