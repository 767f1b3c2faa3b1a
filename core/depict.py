"""A learned concept in prompts: image embeddings from the prior, pictures from the decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL.Image import Image
from torch import Tensor

from core.concept import Array, Concept
from core.constraints import normalise
from core.errors import PromptError
from core.prompts import NAME, portrait
from core.stack.fingerprint import check_made_on
from core.stack.protocols import Draws, Learns

# Weight of the log denoising error against the cosine to the imagined embedding (docs/design.md, "Portraits").
DENOISING_WEIGHT = 0.15


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

    The best has the highest cosine of its image embedding to the concept's `image_embed`, less `DENOISING_WEIGHT` times
    the log of its denoising error; the first of equal ones wins. A single seed is drawn without comparing.
    `draw_concept` draws the picture again from the seed.
    """
    if not seeds:
        raise PromptError("no seeds to draw with: give at least one")
    pictures = draw_concept(stack, concept, [prompt] * len(seeds), seeds)
    if len(seeds) == 1:
        return pictures[0], seeds[0]
    embeds = stack.encode_images(pictures)
    imagined = torch.from_numpy(concept.image_embed.copy()).to(embeds)
    truth = (normalise(embeds) @ normalise(imagined)).float().cpu()
    best = int((truth - DENOISING_WEIGHT * stack.denoising_errors(pictures, embeds).log()).argmax())
    return pictures[best], seeds[best]
