"""Stable Diffusion XL with an IP-Adapter: any checkpoint, a text beside the concept.

The adapter of h94 reads embeddings of OpenCLIP ViT-bigG/14, which Kandinsky 2.2's prior imagines (1280 wide).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from PIL.Image import Image
from torch import Tensor

from core.renderers.opened import Opened, Source, adapter_width, add_adapter, pixels_of
from core.renderers.protocols import PROMPT, Look
from core.stack.loading import part_of

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

_READING = ("tokenizer", "tokenizer_2", "text_encoder", "text_encoder_2")
_DRAWING = ("unet", "vae", "scheduler")
_ENCODED = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")


class Sdxl(Opened):
    """Equal to StableDiffusionXLPipeline with `ip_adapter_image_embeds`, one concept a call: several would mix."""

    name = "sdxl"
    reads = "OpenCLIP ViT-bigG/14"
    default = "stabilityai/stable-diffusion-xl-base-1.0"
    adapter = ("h94/IP-Adapter", "sdxl_models/ip-adapter_sdxl.safetensors")
    kinds: ClassVar[Mapping[str, Sequence[str]]] = {"StableDiffusionXLPipeline": (*_READING, *_DRAWING)}

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        size = pixels_of(self.config("unet"), self.config("vae"))
        self.usual = Look(PROMPT, scale=0.8, steps=30, guidance_scale=5.0, size=size)

    @property
    def width(self) -> int:
        return adapter_width(self.adapter_file)

    @part_of("read")
    def reader(self) -> StableDiffusionXLPipeline:
        """The pipeline with its text encoders alone."""
        from diffusers import StableDiffusionXLPipeline

        return self.assembled(StableDiffusionXLPipeline, _READING)

    @part_of("draw")
    def pipeline(self) -> StableDiffusionXLPipeline:
        """The pipeline without its text encoders."""
        from diffusers import StableDiffusionXLPipeline

        pipeline = self.assembled(StableDiffusionXLPipeline, _DRAWING)
        add_adapter(pipeline.unet, self.adapter_file, self.dtype)
        return pipeline

    def draw(self, image_embed: Tensor, seed: int, look: Look) -> Image:
        assert look.guidance_scale is not None
        guided = look.guidance_scale > 1
        encoded = self.read_once((look.text, guided), lambda: self._encode(look.text or "", guided))
        embed = image_embed.to(self.device, self.dtype)
        # [2, 1, width] with guidance, zeros first; else [1, 1, width]
        rows = torch.stack([torch.zeros_like(embed), embed]) if guided else embed[None]
        pipeline = self.pipeline
        pipeline.set_ip_adapter_scale(look.scale)
        picture: Image = pipeline(
            **dict(zip(_ENCODED, encoded, strict=True)),
            ip_adapter_image_embeds=[rows],
            num_inference_steps=look.steps,
            guidance_scale=look.guidance_scale,
            height=look.size,
            width=look.size,
            generator=self.generator(seed),
        ).images[0]
        return picture

    def _encode(self, text: str, guided: bool) -> tuple[Tensor | None, ...]:
        encoded: tuple[Tensor | None, ...] = self.reader.encode_prompt(
            text, device=self.device, do_classifier_free_guidance=guided
        )
        return encoded
