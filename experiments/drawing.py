"""Pictures by the thousand, for whoever judges them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from core.concept import Concept
from core.depict import imagine_concept
from core.errors import StackError


@torch.no_grad()
def draw_concepts(
    backbone: Any, concepts: Sequence[Concept], prompts: Sequence[str], seeds: Sequence[Sequence[int]]
) -> list[list[Any]]:
    """Of each concept a picture for each prompt. seeds: by concept, one for each prompt."""
    imagined = [imagine_concept(backbone, each, prompts, of) for each, of in zip(concepts, seeds, strict=True)]
    if not imagined:
        return []
    pictures = draw_many(backbone, torch.cat(imagined), [seed for of in seeds for seed in of])
    return [pictures[start : start + len(prompts)] for start in range(0, len(pictures), len(prompts))]


@torch.no_grad()
def draw_many(
    backbone: Any, image_embeds: Tensor, seeds: Sequence[int], negative_image_embeds: Tensor | None = None
) -> list[Any]:
    """Pictures of image embeddings [n, width], one seed each, in half precision on a processor that computes so: it is
    faster, and no eye sees the difference to what people are shown. negative_image_embeds: as for `Backbone.draw`.
    """
    with _half_precision(image_embeds.device):
        return backbone.draw(image_embeds, seeds=list(seeds), negative_image_embeds=negative_image_embeds)


def check_draws(backbone: Any) -> None:
    """Raises:
    StackError: the stack cannot draw.
    """
    if not backbone.draws:
        raise StackError(
            f"the stack {backbone.version} has no decoder, and drawings are compared here: choose another with --model"
        )


def _half_precision(device: torch.device) -> AbstractContextManager[Any]:
    if device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.autocast("cpu", torch.bfloat16)
    return nullcontext()
