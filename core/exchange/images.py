"""Image embeddings out: what the prior imagines of a concept, for decoders and adapters that read such embeddings.

    image     NAME.image.safetensors   {"image_embeds": [n, width]}, provenance in the metadata
    comfyui   NAME.ipadpt              a tensor [n, width], as ComfyUI_IPAdapter_plus saves and loads it
              NAME.negative.ipadpt     zeros of the same shape, to guide away from

docs/embeddings.md has the lines to type in other tools. Importing this module does not import torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.concept import Array, frozen_array
from core.exchange.embedding import CLIP_G, CLIP_L, WIDEST, ExchangeError
from core.files import write_atomically

IMAGE_FORMS = ("image", "comfyui")
MOST_EMBEDS = 1000  # rows of a file
_ENDINGS = {"image": (".image.safetensors",), "comfyui": (".ipadpt", ".negative.ipadpt")}


@dataclass(frozen=True, eq=False)
class ImageEmbeds:
    """Image embeddings `[n, width]` of one concept, not normalised. provenance: how they were made, as JSON values."""

    image_embeds: Array
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        embeds = np.asarray(self.image_embeds)
        if embeds.ndim != 2 or not 1 <= len(embeds) <= MOST_EMBEDS or not 1 <= embeds.shape[1] <= WIDEST:
            raise ExchangeError(
                f"the image embeddings have shape {list(embeds.shape)}: expected [n, width], n from 1 to {MOST_EMBEDS}"
            )
        if not np.isfinite(embeds).all():
            raise ExchangeError("the image embeddings have NaN or infinity: imagine them in float32")
        object.__setattr__(self, "image_embeds", frozen_array(self.image_embeds, 2, "image_embeds"))

    @property
    def width(self) -> int:
        return self.image_embeds.shape[1]

    @property
    def shape(self) -> dict[str, Any]:
        """Number and width, for a sidecar."""
        return {"image_embeds": len(self.image_embeds), "width": self.width}

    @property
    def digest(self) -> str:
        """SHA-256 of the embeddings as little-endian float32."""
        return hashlib.sha256(self.image_embeds.astype("<f4").tobytes()).hexdigest()


def image_files(stem: str | Path, form: str) -> list[Path]:
    """The files that `write_image_embeds` writes for a path without ending; the first is the concept's."""
    if form not in IMAGE_FORMS:
        raise ExchangeError(f"unknown form {form!r}: choose {', '.join(IMAGE_FORMS)}")
    return [Path(f"{stem}{ending}") for ending in _ENDINGS[form]]


def image_readers(form: str, width: int) -> str:
    """One line on which tools can use image embeddings of that width in that form.

    Raises:
        ExchangeError: no adapter of ComfyUI takes embeddings of that width, for the form comfyui.
    """
    if form == "comfyui":
        if width != CLIP_G:
            raise ExchangeError(
                f"ComfyUI's IP-Adapters take image embeddings {CLIP_G} wide (Kandinsky 2.2), and these are {width}"
                " wide: write --format image"
            )
        return "ComfyUI_IPAdapter_plus reads the pair (IPAdapter Load Embeds), for SDXL with ip-adapter_sdxl"
    if width == CLIP_G:
        return "diffusers reads it for SDXL with ip-adapter_sdxl: the embeddings are those of OpenCLIP ViT-bigG/14"
    if width == CLIP_L:
        return (
            "diffusers reads it for FLUX.1-dev with XLabs' IP-Adapter, and for the decoders of Karlo and small Stable"
            " unCLIP: the embeddings are those of CLIP ViT-L/14"
        )
    return f"only Conceptree reads it: no adapter or decoder of other tools takes image embeddings {width} wide"


def write_image_embeds(stem: str | Path, embeds: ImageEmbeds, form: str = "image") -> list[Path]:
    """Write image embeddings atomically to `stem` and the endings of the form; the files, the concept's first.

    Raises:
        ExchangeError: the form is unknown, or no adapter reads embeddings of that width in it.
        StorageError: a file cannot be written.
    """
    from core.exchange.writing import encoded_images

    files = image_files(stem, form)
    image_readers(form, embeds.width)
    for path, content in reversed(list(zip(files, encoded_images(embeds, form), strict=True))):
        write_atomically(path, content)
    return files
