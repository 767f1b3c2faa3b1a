"""Drawing concepts and words in many prompts, for models to judge."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from core.concept import Concept
from core.depict import imagine_concept
from core.errors import StackError
from core.prompts import fill
from core.settings import Settings
from core.stack.backbone import Backbone


@torch.no_grad()
def draw_concepts(
    backbone: Backbone, concepts: Sequence[Concept], prompts: Sequence[str], seeds: Sequence[Sequence[int]]
) -> list[list[Any]]:
    """A picture of each concept in each prompt. seeds: by concept, one for each prompt."""
    imagined = [imagine_concept(backbone, each, prompts, of) for each, of in zip(concepts, seeds, strict=True)]
    if not imagined:
        return []
    pictures = draw_many(backbone, torch.cat(imagined), [seed for of in seeds for seed in of])
    return [pictures[start : start + len(prompts)] for start in range(0, len(pictures), len(prompts))]


@torch.no_grad()
def draw_many(
    backbone: Backbone,
    image_embeds: Tensor,
    seeds: Sequence[int],
    negative_image_embeds: Tensor | None = None,
    guidance_scale: float | None = None,
) -> list[Any]:
    """Pictures of image embeddings [n, width], one seed each. The others: as for `Backbone.draw`."""
    with half_precision(image_embeds.device):
        return backbone.draw(
            image_embeds,
            seeds=list(seeds),
            negative_image_embeds=negative_image_embeds,
            guidance_scale=guidance_scale,
        )


@torch.no_grad()
def imagine_one(
    backbone: Backbone, one: Concept | str, prompts: Sequence[str], seeds: Sequence[int], settings: Settings
) -> Tensor:
    """Image embeddings [n, width] of a concept, or of a word, in n prompts with `{}` for it; one seed each.

    settings: the prior's steps and guidance for a word; a concept has its own.
    """
    if not isinstance(one, str):
        return imagine_concept(backbone, one, prompts, seeds)
    filled = [fill(prompt, one) for prompt in prompts]
    steps, scale = settings.prior_steps, settings.guidance_scale
    return backbone.imagine(filled, seeds=list(seeds), steps=steps, guidance_scale=scale)


def check_draws(backbone: Backbone) -> None:
    """Raises:
    StackError: the stack cannot draw.
    """
    if not backbone.draws:
        raise StackError(
            f"the stack {backbone.version} has no decoder, but this experiment compares drawings: choose another with"
            " --model"
        )


def half_precision(device: torch.device) -> AbstractContextManager[Any]:
    """For drawing on processors with bfloat16 arithmetic: it is faster, and the difference is invisible."""
    if device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.autocast("cpu", torch.bfloat16)
    return nullcontext()
