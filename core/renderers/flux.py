"""FLUX.1-dev with the IP-Adapter of XLabs, and a text beside the concept.

The adapter reads embeddings of CLIP ViT-L/14, which the priors of Kandinsky 2.1 and of Karlo imagine (768 wide).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from PIL.Image import Image
from torch import Tensor

from core.renderers.opened import Opened, Source, adapter_width, add_adapter
from core.renderers.protocols import PROMPT, Look
from core.stack.loading import part_of

if TYPE_CHECKING:
    from diffusers import FluxPipeline

_READING = ("tokenizer", "tokenizer_2", "text_encoder", "text_encoder_2")
_DRAWING = ("transformer", "vae", "scheduler")
SIDE = 1024  # pixels


class Flux(Opened):
    """Equal to FluxPipeline with `ip_adapter_image_embeds`, and zeros as the negative ones."""

    name = "flux"
    reads = "CLIP ViT-L/14"
    default = "black-forest-labs/FLUX.1-dev"
    grain = 16
    adapter = ("XLabs-AI/flux-ip-adapter", "ip_adapter.safetensors")
    kinds: ClassVar[Mapping[str, Sequence[str]]] = {"FluxPipeline": (*_READING, *_DRAWING)}

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.usual = Look(PROMPT, scale=1.0, steps=28, guidance_scale=3.5, size=SIDE)

    @property
    def width(self) -> int:
        return adapter_width(self.adapter_file)

    @part_of("read")
    def reader(self) -> FluxPipeline:
        """The pipeline with its text encoders alone."""
        from diffusers import FluxPipeline

        return self.assembled(FluxPipeline, _READING)

    @part_of("draw")
    def pipeline(self) -> FluxPipeline:
        """The pipeline without its text encoders."""
        from diffusers import FluxPipeline

        pipeline = self.assembled(FluxPipeline, _DRAWING)
        add_adapter(pipeline.transformer, self.adapter_file, self.dtype)
        return pipeline

    def draw(self, image_embed: Tensor, seed: int, look: Look) -> Image:
        prompt, pooled = self.read_once(look.text, lambda: self._encode(look.text or ""))
        embed = image_embed.to(self.device, self.dtype)[None]
        pipeline = self.pipeline
        pipeline.set_ip_adapter_scale(look.scale)
        picture: Image = pipeline(
            prompt_embeds=prompt,
            pooled_prompt_embeds=pooled,
            ip_adapter_image_embeds=[embed],
            negative_ip_adapter_image_embeds=[torch.zeros_like(embed)],
            num_inference_steps=look.steps,
            guidance_scale=look.guidance_scale,
            height=look.size,
            width=look.size,
            generator=self.generator(seed),
        ).images[0]
        return picture

    def _encode(self, text: str) -> tuple[Tensor, Tensor]:
        prompt, pooled, _ = self.reader.encode_prompt(text, None, device=self.device)
        return prompt, pooled
