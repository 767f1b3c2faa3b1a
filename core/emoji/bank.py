"""Pictures encoded once for the later stages: latents, image embeddings, and what each picture shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from core.emoji.autoencoder import Rebuild
from core.emoji.models import SEEN_SIZE
from core.emoji.pictures import STILL, Pictures, PictureSource
from core.emoji.teacher import WordNet
from core.files import write_atomically

CHUNK = 64


def seen(pixels: Tensor) -> Tensor:
    """What the image tower is given: ``[n, 3, 64, 64]`` in 0 … 1 → its size, in −1 … 1, as its processor does."""
    small = F.interpolate(pixels, (SEEN_SIZE, SEEN_SIZE), mode="bicubic", antialias=True, align_corners=False)
    return small.clamp(0, 1) * 2 - 1


@torch.no_grad()
def look_at(eyes: nn.Module, pixels: Tensor) -> Tensor:
    """``[n, 3, 64, 64]`` → image embeddings ``[n, width]`` as the tower gives them; the teacher's at that length."""
    if isinstance(eyes, WordNet):
        embeds = eyes(pixels)
        return embeds * embeds.shape[1] ** 0.5
    return eyes(pixel_values=seen(pixels)).image_embeds


def pictures(source: PictureSource, count: int, seed: int) -> Iterator[Pictures]:
    """The bank's pictures in chunks, the same each time: every drawing in turn, each time varied anew."""
    generator = torch.Generator().manual_seed(seed)
    for start in range(0, count, CHUNK):
        rows = torch.arange(start, min(start + CHUNK, count)) % len(source.indices)
        yield source.vary(source.indices[rows], generator, STILL)


@dataclass(frozen=True)
class Bank:
    """Attributes:
    truth: ``[n, 4]`` int64: thing, set, look, background.
    embeds: ``[n, width]`` from whatever looked at the pictures, of length about √width.
    latents: ``[n, 4, 16, 16]`` from the autoencoder.
    """

    truth: np.ndarray
    embeds: Tensor
    latents: Tensor


def _stored(path: Path, made_from: str, name: str) -> Tensor | None:
    if not path.is_file():
        return None
    with safe_open(path, "pt") as file:
        if file.metadata().get("made_from") != made_from:
            return None
    return load_file(path)[name]


def _mark(module: nn.Module) -> str:
    """Tells weights apart, so that a bank made with others is made again."""
    return f"{sum(float(p.double().abs().sum()) for p in module.parameters()):.6f}"


@torch.no_grad()
def make_bank(folder: Path, source: PictureSource, rebuild: Rebuild, eyes: nn.Module, count: int, seed: int) -> Bank:
    """Encodes ``count`` varied pictures, or reads what was encoded with the same weights before.

    Args:
        eyes: the image tower, or the teacher that it learns from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{type(eyes).__name__}-{seed}-{count}"
    files = {"latents": folder / f"latents-{seed}-{count}.safetensors", "embeds": folder / f"{stem}.safetensors"}
    marks = {"latents": _mark(rebuild), "embeds": _mark(eyes)}
    stored = {name: _stored(files[name], marks[name], name) for name in files}
    parts = {name: tensor for name, tensor in stored.items() if tensor is not None}
    truth: list[Tensor] = []
    made: dict[str, list[Tensor]] = {name: [] for name in files if name not in parts}
    for batch in pictures(source, count, seed):
        truth.append(torch.stack([batch.thing, batch.style, batch.look, batch.background], 1))
        if "latents" in made:
            made["latents"].append(rebuild.encode(batch.pixels).half())
        if "embeds" in made:
            made["embeds"].append(look_at(eyes, batch.pixels))
        if made and len(truth) % 100 == 0:
            print(f"bank {len(truth) * CHUNK}/{count}", flush=True)
    for name in made:
        parts[name] = torch.cat(made[name]).contiguous()
        write_atomically(files[name], save({name: parts[name]}, metadata={"made_from": marks[name]}))
    return Bank(torch.cat(truth).numpy(), parts["embeds"], parts["latents"])
