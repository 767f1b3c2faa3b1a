"""Small Stable unCLIP: Stable Diffusion 2.1 that reads an image embedding, with a text beside it.

The small one reads embeddings of CLIP ViT-L/14, which the priors of Kandinsky 2.1 and of Karlo imagine (768 wide). The
large one reads those of ViT-H, which no prior here imagines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from PIL.Image import Image
from torch import Tensor

from core.renderers.karlo import Stated
from core.renderers.opened import Opened, Source, pixels_of
from core.renderers.protocols import Look
from core.stack.loading import part_of

if TYPE_CHECKING:
    from diffusers import StableUnCLIPImg2ImgPipeline

_READING = ("tokenizer", "text_encoder")
_DRAWING = ("unet", "vae", "scheduler", "image_normalizer", "image_noising_scheduler")


class UnclipSmall(Opened):
    """Equal to StableUnCLIPImg2ImgPipeline with `image_embeds`, without noise on the embedding."""

    name = "unclip-small"
    reads = "CLIP ViT-L/14"
    default = "stabilityai/stable-diffusion-2-1-unclip-small"
    kinds: ClassVar[Mapping[str, Sequence[str]]] = {"StableUnCLIPImg2ImgPipeline": (*_READING, *_DRAWING)}

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        size = pixels_of(self.config("unet"), self.config("vae"))
        self.usual = Look("", steps=20, guidance_scale=10.0, size=size)

    @property
    def width(self) -> int:
        return int(self.config("image_normalizer").get("embedding_dim", 768))

    @part_of("read")
    def reader(self) -> StableUnCLIPImg2ImgPipeline:
        """The pipeline with its text encoder alone."""
        from diffusers import StableUnCLIPImg2ImgPipeline

        return self.assembled(StableUnCLIPImg2ImgPipeline, _READING)

    @part_of("draw")
    def pipeline(self) -> StableUnCLIPImg2ImgPipeline:
        """The pipeline without its encoders."""
        from diffusers import StableUnCLIPImg2ImgPipeline

        pipeline = self.assembled(StableUnCLIPImg2ImgPipeline, _DRAWING)
        pipeline.register_modules(image_encoder=Stated(self.device, self.dtype))
        return pipeline

    def draw(self, image_embed: Tensor, seed: int, look: Look) -> Image:
        assert look.guidance_scale is not None
        guided = look.guidance_scale > 1
        prompt, negative = self.read_once((look.text, guided), lambda: self._encode(look.text or "", guided))
        picture: Image = self.pipeline(
            image_embeds=image_embed.to(self.device, self.dtype),
            prompt_embeds=prompt,
            negative_prompt_embeds=negative,
            num_inference_steps=look.steps,
            guidance_scale=look.guidance_scale,
            height=look.size,
            width=look.size,
            generator=self.generator(seed),
        ).images[0]
        return picture

    def _encode(self, text: str, guided: bool) -> tuple[Tensor, Tensor | None]:
        encoded: tuple[Tensor, Tensor | None] = self.reader.encode_prompt(text, self.device, 1, guided)
        return encoded
