"""A learned concept in prompts: imagined by the prior, drawn by the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from core.concept import Concept
from core.errors import StackError

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
