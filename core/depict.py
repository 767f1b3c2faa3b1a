"""A learned concept in prompts: imagined by the prior, drawn by the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from core.concept import Concept

_NAME = "<concept>"


@torch.no_grad()
def imagine_concept(backbone: Any, concept: Concept, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
    """Image embeddings [n, width] of a concept, which stands where each prompt has `{}`; one seed for each prompt."""
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
