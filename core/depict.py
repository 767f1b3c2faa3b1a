"""A learned concept in prompts: image embeddings from the prior, pictures from the decoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from core.concept import Array, Concept
from core.constraints import normalise
from core.errors import PromptError
from core.prompts import NAME, portrait
from core.stack.fingerprint import check_made_on
from core.stack.protocols import Draws, Learns

# Weights of the logs of denoising error and detail against the cosine to the imagined embedding (docs/design.md,
# "Portraits").
DENOISING_WEIGHT, DETAIL_WEIGHT = 0.15, 0.1


def check_stack(stack: Learns, concept: Concept) -> None:
    """Raise StackError if the concept was learned on another stack."""
    check_made_on(f"the concept {concept.id}", concept.version, concept.fingerprint, stack)


@torch.no_grad()
def imagine_concept(stack: Learns, concept: Concept, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
    """Image embeddings [n, width] of a concept in prompts, where it replaces `{}`; one seed for each prompt."""
    check_stack(stack, concept)
    settings = concept.request.chosen
    return stack.imagine(
        [prompt.replace("{}", NAME) for prompt in prompts],
        vectors={NAME: torch.from_numpy(concept.vectors.copy())},
        seeds=list(seeds),
        steps=settings.prior_steps,
        guidance_scale=settings.guidance_scale,
        at_name=bool(settings.as_coded),
    )


def portrait_embeds(stack: Learns, concept: Concept, seeds: Sequence[int]) -> Array:
    """Image embeddings [1 + n, width] of a concept's portraits, one for each of n seeds: their mean, then each."""
    if not seeds:
        raise PromptError("no seeds to imagine with: give at least one")
    embeds = imagine_concept(stack, concept, [portrait(concept.request.kind)] * len(seeds), seeds)
    embeds = embeds.float().cpu()
    return torch.cat([embeds.mean(0, keepdim=True), embeds]).numpy()


def draw_concept(stack: Draws, concept: Concept, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image]:
    """Pictures of a concept in prompts; prior and decoder use the same seed, one for each prompt."""
    return stack.draw(imagine_concept(stack, concept, prompts, seeds), seeds=list(seeds))


@torch.no_grad()
def draw_portrait(stack: Draws, concept: Concept, prompt: str, seeds: Sequence[int]) -> tuple[Image, int]:
    """Draw one picture for each seed; return the best and its seed.

    The best has the highest sum of three measures: the cosine of its image embedding to the concept's `image_embed`,
    the log of its denoising error by `-DENOISING_WEIGHT`, and its `log_detail` by `DETAIL_WEIGHT`. The first of equal
    ones wins. A single seed is drawn without comparing. `draw_concept` draws the picture again from the seed.
    """
    if not seeds:
        raise PromptError("no seeds to draw with: give at least one")
    pictures = draw_concept(stack, concept, [prompt] * len(seeds), seeds)
    if len(seeds) == 1:
        return pictures[0], seeds[0]
    embeds = stack.encode_images(pictures)
    imagined = torch.from_numpy(concept.image_embed.copy()).to(embeds)
    truth = (normalise(embeds) @ normalise(imagined)).float().cpu()
    detail = torch.tensor([log_detail(each) for each in pictures])
    wholeness = DETAIL_WEIGHT * detail - DENOISING_WEIGHT * stack.denoising_errors(pictures, embeds).log()
    best = int((truth + wholeness).argmax())
    return pictures[best], seeds[best]


def laplacian_energy(image: Image) -> float:
    """Mean square of the 3 × 3 Laplacian (4 in the middle, -1 beside it) of the grey picture in 0 … 1."""
    grey = np.asarray(image.convert("L"), dtype=np.float64) / 255
    beside = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.mean((4 * grey[1:-1, 1:-1] - beside) ** 2))


def log_detail(image: Image) -> float:
    """The log of the Laplacian energy, above that of an even picture."""
    return float(np.log(laplacian_energy(image) + 1e-9))
