"""Karlo's decoder with its super resolution, as it makes variations of a picture: the text is always empty.

It reads embeddings of CLIP ViT-L/14, which the priors of Kandinsky 2.1 and of Karlo imagine (768 wide).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MethodType
from typing import TYPE_CHECKING, ClassVar

import torch
from PIL.Image import Image
from torch import Tensor, nn

from core.renderers.opened import Opened, Source
from core.renderers.protocols import Look
from core.stack.loading import part_of, quietly

if TYPE_CHECKING:
    from diffusers import UnCLIPImageVariationPipeline

_PARTS = ("text_proj", "decoder", "decoder_scheduler", "super_res_first", "super_res_last", "super_res_scheduler")
_READ = ("text_encoder", "tokenizer", *_PARTS)
SHARPENING = 7  # steps of super resolution


class Karlo(Opened):
    """Equal to UnCLIPImageVariationPipeline with `image_embeddings`.

    It is put together here, because diffusers no longer finds the class of its text projection by the published name.
    """

    name = "karlo"
    reads = "CLIP ViT-L/14"
    default = "kakaobrain/karlo-v1-alpha"
    least_steps = 2
    kinds: ClassVar[Mapping[str, Sequence[str]]] = {"UnCLIPPipeline": _READ, "UnCLIPImageVariationPipeline": _READ}

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.usual = Look(steps=25, guidance_scale=8.0)
        if self.device.type == "cpu":
            self.dtype = torch.float32  # its pictures are enlarged by an operation that processors have no half form of

    @property
    def width(self) -> int:
        return int(self.config("text_proj").get("clip_embeddings_dim", 768))

    @part_of("draw")
    def pipeline(self) -> UnCLIPImageVariationPipeline:
        """The pipeline without its text encoder; it needs the encoding of the empty text alone."""
        from diffusers import UnCLIPImageVariationPipeline

        with quietly():
            pipeline = UnCLIPImageVariationPipeline(
                **{name: self.part(name) for name in _PARTS},
                image_encoder=Stated(self.device, self.dtype),
                feature_extractor=None,
                text_encoder=None,
                tokenizer=None,
            )
        pipeline._encode_prompt = MethodType(_empty_prompts(*self._empty_text()), pipeline)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def draw(self, image_embed: Tensor, seed: int, look: Look) -> Image:
        picture: Image = self.pipeline(
            image_embeddings=image_embed.to(self.device, self.dtype),
            decoder_num_inference_steps=look.steps,
            super_res_num_inference_steps=SHARPENING,
            decoder_guidance_scale=look.guidance_scale,
            generator=self.generator(seed),
        ).images[0]
        return picture

    @torch.no_grad()
    def _empty_text(self) -> tuple[Tensor, Tensor, Tensor]:
        """`[1, width]`, `[1, 77, width]` and `[1, 77]` the encoding of the empty prompt, and which tokens are real.

        The text encoder is dropped again and never comes to the device.
        """
        tokenizer, encoder = self.part("tokenizer"), self.part("text_encoder")
        length = tokenizer.model_max_length
        tokens = tokenizer([""], padding="max_length", max_length=length, return_tensors="pt")
        told = encoder(tokens.input_ids)
        encoded = told.text_embeds, told.last_hidden_state, tokens.attention_mask.bool()
        embeds, hidden, mask = (each.to(self.device) for each in encoded)
        return embeds, hidden, mask


class Stated(nn.Module):
    """Replaces an image encoder that a pipeline asks only for its dtype and device."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_parameter("nothing", nn.Parameter(torch.zeros(0, device=device, dtype=dtype), False))

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype


def _empty_prompts(embeds: Tensor, hidden: Tensor, mask: Tensor) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """A replacement of the pipeline's `_encode_prompt`: the encoding of the empty prompt, for as many rows."""

    def encode(
        pipeline: object, prompt: list[str], device: object, images: int, guided: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        rows = len(prompt) * images * (2 if guided else 1)
        return embeds.expand(rows, -1), hidden.expand(rows, -1, -1), mask.expand(rows, -1)

    return encode
