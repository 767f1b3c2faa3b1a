"""SD-ConceptLab (arXiv 2308.02669 §5.3): the paper's ablation without a prior, on Stable Diffusion.

A glimpse of the picture replaces what the prior imagines. Each step starts from noise, runs a part of DDIM without
gradients, and holds the constraints in CLIP's space against the picture that DDIM expects from there
(`StableDiffusion.glimpse`).

The category pulls by its text, as in Eq. 3. The negative classes push by images that are collected first, one
constraint each; the Request holds their embeddings as `avoid`. All else is as in `ConceptLab`.

    images = collect_images(stack, ["dog", "cat"])
    [concept] = SDConceptLab(stack).run([image_request(stack, "pet", images)])

The paper gives neither the number of DDIM steps nor the guidance. Here every one of DDIM_STEPS steps is equally likely,
with GUIDANCE_SCALE; a concept's settings have both as `prior_steps` and `guidance_scale`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from core.concept import Avoid, Request, RequestError
from core.constraints import normalise
from core.optimizer import ConceptLab
from core.prompts import TEMPLATES, fill, portrait
from core.settings import Settings
from core.stack.diffusion import DDIM_STEPS, GUIDANCE_SCALE, StableDiffusion
from core.step import Draw, Step, make_step
from core.streams import stream_seed


class SDConceptLab(ConceptLab):
    """ConceptLab whose step sees glimpses of pictures. It has no adaptive negatives; make its requests by
    `image_request`.
    """

    def make_step(self, settings: Settings, text_space: bool) -> Step:
        if text_space:
            raise RequestError("Stable Diffusion has no prior to leave out: set through_prior, mix_through_prior")

        stack: StableDiffusion = self.stack

        def embed(vectors: Tensor, draws: Sequence[Draw]) -> Tensor:
            # One by one: a single picture keeps any device busy, and rows do not depend on their batch.
            hidden = stack.encode_concepts([each.prompt for each in draws], vectors).split(1)
            steps, guidance_scale = settings.prior_steps, settings.guidance_scale
            seeds = [draw.noise_seed for draw in draws]
            each = [stack.glimpse(row, seed, steps, guidance_scale) for row, seed in zip(hidden, seeds, strict=True)]
            return torch.cat([stack.encode_pixels(picture) for picture in each])

        return make_step(self.stack, settings, embed=embed)

    def _check_stack(self, request: Request) -> None:
        stack = self.stack
        if request.start is not None and request.start.shape[-1] != stack.token_width:
            raise RequestError(
                f"'start' is {request.start.shape[-1]} wide, the tokens of {stack.version} {stack.token_width}:"
                " use the stack it was learned on"
            )
        super()._check_stack(replace(request, start=None))


def collect_images(
    stack: StableDiffusion, words: Sequence[str], count: int = 8, seed: int = 0, kind: str = "object"
) -> dict[str, list[Image]]:
    """`count` pictures of each negative class, drawn by Stable Diffusion as "a photo of a {}"."""
    unknown = [word for word in words if not stack.knows(word)]
    if unknown:
        raise RequestError(f"{stack.version} does not know the word {unknown[0]!r}: choose another")
    seeds = [stream_seed(seed, number, "collected") for number in range(count)]
    return {word: stack.draw([portrait(kind).format(word)] * count, seeds=seeds) for word in words}


def image_request(
    stack: StableDiffusion,
    category: str,
    images: Mapping[str, Sequence[Image]],
    seed: int = 0,
    *,
    kind: str = "object",
    tokens: int = 1,
    **settings: Any,
) -> Request:
    """The Request for a concept of `category` that keeps away from the `images` of classes, class → pictures.

    Its settings are the paper's, but for cap and floor, since the published ones fit other encoders: the cap is the
    median similarity of the category's text to its members' images, the floor the median similarity between images of
    different members. `settings` override them.

    Raises:
        RequestError: a class without images, or one class alone, which gives no floor.
    """
    for word, of in images.items():
        if not len(of):
            raise RequestError(f"no images of {word!r}: collect some, or leave the class out")
    if not images or (len(images) == 1 and "avoid_floor" not in settings):
        raise RequestError(
            f"{len(images)} negative classes have images ({', '.join(images) or 'none'}): give two, or one and the"
            " setting avoid_floor"
        )
    embeds = {word: normalise(stack.encode_images(list(of))) for word, of in images.items()}
    chosen: dict[str, Any] = {"preset": "paper", "prior_steps": DDIM_STEPS, "guidance_scale": GUIDANCE_SCALE}
    request = Request(
        category,
        kind,
        schedule="none",
        avoid=tuple(Avoid(f"{word} {i}", e.cpu().numpy()) for word, of in embeds.items() for i, e in enumerate(of, 1)),
        seed=seed,
        tokens=tokens,
        settings=Settings(**(chosen | _scale(stack, category, kind, embeds) | settings)),
        fingerprint=stack.fingerprint,
    )
    return request


def _scale(stack: StableDiffusion, category: str, kind: str, embeds: Mapping[str, Tensor]) -> dict[str, float]:
    """Cap and floor from unit embeddings [m, width] of the images of each class."""
    every = torch.cat(list(embeds.values()))
    own = "" if kind == "style" else category
    texts = normalise(stack.encode_text([fill(template, own) for template in TEMPLATES[kind]]))
    scale = {"max_cosine": float((texts @ every.T).median())}
    if len(embeds) > 1:
        of = torch.tensor([i for i, each in enumerate(embeds.values()) for _ in each])
        scale["avoid_floor"] = float((every @ every.T).cpu()[of[:, None] != of].median())
    return scale
