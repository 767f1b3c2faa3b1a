"""Opening a renderer by its name, folder or repository, and drawing with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor

from core.renderers.flux import Flux
from core.renderers.karlo import Karlo
from core.renderers.opened import Opened, Source
from core.renderers.protocols import NAMES, Look, Renderer, RenderError
from core.renderers.sdxl import Sdxl
from core.renderers.unclip import UnclipSmall
from core.renderers.widths import WIDTHS
from core.stack import hub
from core.stack.device import device_named, precision_named
from core.wording import did_you_mean

RENDERERS: dict[str, type[Opened]] = dict(zip(NAMES, (Sdxl, Karlo, UnclipSmall, Flux), strict=True))


def open_renderer(
    decoder: str,
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    *,
    offload: bool = False,
    adapter: str | Path | None = None,
    fetch: bool = True,
) -> Renderer:
    """The renderer that `decoder` names: one of RENDERERS, or the folder or ORG/NAME[@REVISION] of its pipeline.

    device, dtype, offload, fetch: as for `Backbone.load`. adapter: a file of IP-Adapter weights; by default the
    published one. No weights are loaded yet.

    Raises:
        StackError: it is missing, incomplete, or another model. RenderError: it takes no adapter.
    """
    where = RENDERERS[decoder].default if decoder in RENDERERS else decoder
    if not where or (not Path(where).expanduser().is_dir() and not hub.is_id(where)):
        near = f"{text} Or " if (text := did_you_mean(decoder, list(RENDERERS))) else ""
        names = ", ".join(RENDERERS)
        raise RenderError(f"there is no decoder {decoder!r}: {near}choose {names}, a folder, or ORG/NAME")
    of = {kind: each for each in RENDERERS.values() for kind in each.kinds}
    wanted = {kind: each.kinds[kind] for kind, each in of.items() if decoder in (each.name, where)}
    place, kind = hub.find_pipeline(where, wanted, fetch)
    cls = of[kind]
    if adapter is not None and cls.adapter is None:
        raise RenderError(f"the decoder {cls.name} takes no IP-Adapter: leave --adapter out")
    file, named = _adapter(cls, adapter, fetch)
    at, precision = device_named(device), precision_named(dtype)
    renderer = cls(Source(place.where, place.folder, kind, at, precision, offload, file, named))
    _ = renderer.width  # reads the adapter's header
    return renderer


def check_width(renderer: Renderer, width: int, stack: str) -> None:
    """Raise RenderError if a renderer does not read embeddings of that width. stack: what imagined them."""
    _check_width(renderer.name, renderer.reads, renderer.width, width, stack)


def check_published(decoder: str, width: int, stack: str) -> None:
    """The same for a name, before its published model is downloaded."""
    if decoder in RENDERERS:
        _check_width(decoder, RENDERERS[decoder].reads, WIDTHS[decoder], width, stack)


def _check_width(decoder: str, reads: str, expected: int, width: int, stack: str) -> None:
    if width != expected:
        raise RenderError(
            f"the decoder {decoder} reads image embeddings {expected} wide, of {reads}, and the stack {stack} imagines"
            f" them {width} wide: choose another decoder, or a stack with that image encoder"
        )


def render(renderer: Renderer, image_embeds: Tensor, seeds: Sequence[int], looks: Sequence[Look]) -> Iterator[Image]:
    """A picture of each image embedding `[n, width]`, one after the other, with its seed and its complete look."""
    check_width(renderer, image_embeds.shape[-1], "given")
    for embed, seed, look in zip(image_embeds, seeds, looks, strict=True):
        with torch.no_grad():
            yield renderer.draw(embed[None], seed, look)
    renderer.rest()


def _adapter(cls: type[Opened], given: str | Path | None, fetch: bool) -> tuple[Path | None, str]:
    """(the file of a renderer's IP-Adapter, its name for people)"""
    if cls.adapter is None:
        return None, ""
    if given is None:
        repository, name = cls.adapter
        place = hub.find_file(repository, name, fetch)
        return place.folder / name, place.where
    file = Path(given).expanduser()
    if not file.is_file() or file.suffix != ".safetensors":
        raise RenderError(f"there is no file {str(given)!r} of an IP-Adapter: expected one that ends in .safetensors")
    return file, str(file.resolve())
