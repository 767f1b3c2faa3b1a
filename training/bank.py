"""Pictures encoded once for the later stages: latents, image embeddings, and what each picture shows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from core.emoji.networks import SIDE, WordNet
from core.files import write_atomically
from training.autoencoder import Rebuild
from training.fit import half_precision
from training.models import SEEN_SIZE
from training.pictures import STILL, PictureSource

CHUNK = 64  # pictures that are encoded together; on a GPU eight times as many
SHARD = 4096  # pictures of the bank that are made and stored together
LEAST = 512  # pictures of a bank, however short the time


def seen(pixels: Tensor) -> Tensor:
    """Input of the image tower from pixels ``[n, 3, s, s]`` in 0 … 1: its size, in −1 … 1, as its processor does."""
    if pixels.shape[-1] == SEEN_SIZE:
        return pixels * 2 - 1
    small = F.interpolate(pixels, (SEEN_SIZE, SEEN_SIZE), mode="bicubic", antialias=True, align_corners=False)
    return small.clamp(0, 1) * 2 - 1


@torch.no_grad()
def look_at(eyes: nn.Module, pixels: Tensor) -> Tensor:
    """Image embeddings ``[n, width]`` of pixels ``[n, 3, s, s]`` in 0 … 1, by the tower or by the teacher."""
    if isinstance(eyes, WordNet):
        embeds = eyes(pixels)
        return embeds * embeds.shape[1] ** 0.5
    return eyes(pixel_values=seen(pixels)).image_embeds


@dataclass(frozen=True)
class Bank:
    """Attributes:
    truth: ``[n, TRUTHS]`` int64 on the processor, for captions.
    embeds: ``[n, width]`` from the tower or the teacher, of length about √width.
    latents: ``[n, 12, 16, 16]`` in half precision, from the autoencoder.
    """

    truth: np.ndarray
    embeds: Tensor
    latents: Tensor


def mark_of(module: nn.Module) -> str:
    """A text that differs between weights: a bank of other weights is made again."""
    return f"{sum(float(p.detach().double().abs().sum()) for p in module.parameters()):.6f}"


def _chunks(source: PictureSource, rebuild: Rebuild, number: int, seed: int) -> Iterator[dict[str, Tensor]]:
    """The encoded pictures of a shard: ``truth``, ``latents`` in half precision, and ``small`` pictures as bytes."""
    generator = torch.Generator(source.device).manual_seed(seed * 1_000_003 + number)
    size = CHUNK if source.device.type == "cpu" else 8 * CHUNK
    for start in range(number * SHARD, (number + 1) * SHARD, size):
        rows = torch.arange(start, start + size, device=source.device) % len(source.indices)
        batch = source.vary(source.indices[rows], generator, STILL)
        with half_precision(source.device):
            latents = rebuild.encode(batch.pixels)
        small = F.interpolate(batch.pixels, (SIDE, SIDE), mode="area").clamp(0, 1)
        yield {"truth": batch.truth, "latents": latents.half(), "small": (small * 255).round().byte()}


@torch.no_grad()
def make_shard(folder: Path, source: PictureSource, rebuild: Rebuild, number: int, seed: int) -> dict[str, Tensor]:
    """Shard ``number``: `SHARD` varied pictures as truth, latents and small pictures; read from the folder if stored.

    A shard has the same pictures each time. It takes all drawings in turn, with new variations.
    """
    path, mark = folder / f"{seed}-{number}.safetensors", mark_of(rebuild)
    if path.is_file():
        with safe_open(path, "pt") as file:
            if file.metadata().get("made_from") == mark:
                return load_file(path)
    chunks = [{name: x.cpu() for name, x in chunk.items()} for chunk in _chunks(source, rebuild, number, seed)]
    shard = {name: torch.cat([chunk[name] for chunk in chunks]).contiguous() for name in chunks[0]}
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save(shard, metadata={"made_from": mark}))
    return shard


@torch.no_grad()
def make_bank(
    folder: Path, source: PictureSource, rebuild: Rebuild, eyes: nn.Module, shards: int, seed: int, seconds: float = 0.0
) -> Bank:
    """``shards`` shards with their embeddings by ``eyes``, the image tower or the teacher.

    seconds: stop after that time, with at least `LEAST` pictures, and store nothing: on a GPU, making pictures is
    faster than reading them.
    """
    eyes.eval()
    truth, embeds, latents = [], [], []
    began, pictures = time.monotonic(), 0

    def look(chunk: Tensor) -> None:
        with half_precision(source.device):
            embeds.append(look_at(eyes, chunk.to(source.device).float() / 255).float())

    for number in range(shards):
        if not seconds:
            shard = make_shard(folder, source, rebuild, number, seed)
            truth.append(shard["truth"].numpy())
            latents.append(shard["latents"].to(source.device))
            for chunk in shard["small"].split(CHUNK):
                look(chunk)
            print(f"bank {number + 1}/{shards}", flush=True)
            continue
        for made in _chunks(source, rebuild, number, seed):
            truth.append(made["truth"].cpu().numpy())
            latents.append(made["latents"])
            look(made["small"])
            pictures += len(made["truth"])
            if pictures >= LEAST and time.monotonic() - began > seconds:
                break
        else:
            continue
        break
    bank = Bank(np.concatenate(truth), torch.cat(embeds), torch.cat(latents))
    print(f"bank: {len(bank.truth)} pictures in {time.monotonic() - began:.0f} s", flush=True)
    return bank
