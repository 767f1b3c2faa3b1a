"""Figures of pictures: crispness, quality of rebuilding, and how often the judge finds the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from torch import Tensor

from core.depict import laplacian_energy


def as_images(pixels: Tensor) -> list[Image.Image]:
    """PIL pictures of pixels ``[n, 3, h, w]`` in 0 … 1."""
    return [Image.fromarray(p) for p in (pixels * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()]


def found(scores: Tensor, truth: Tensor, k: int) -> float:
    """Share of the rows of ``[n, candidates]`` scores whose true column ``[n]`` is among the ``k`` highest."""
    return float((scores.topk(k, dim=1).indices == truth[:, None]).any(1).float().mean())


def both_found(scores: Tensor, first: Tensor, second: Tensor, k: int = 5) -> float:
    """Share of the rows of ``[n, candidates]`` scores with both true columns ``[n]`` among the ``k`` highest."""
    best = scores.topk(k, dim=1).indices
    both = (best == first[:, None]).any(1) & (best == second[:, None]).any(1)
    return float(both.float().mean())


def psnr(images: Sequence[Image.Image], rebuilt: Sequence[Image.Image]) -> float:
    """Peak signal-to-noise ratio in decibels, the mean over the pictures."""
    errors = [
        np.mean((np.asarray(a, np.float32) - np.asarray(b, np.float32)) ** 2)
        for a, b in zip(images, rebuilt, strict=True)
    ]
    return float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-3))))


def crispness(drawn: Sequence[Image.Image], true: Sequence[Image.Image]) -> float:
    """Mean Laplacian energy of drawn pictures over that of true ones, which are reduced to the same size."""
    size = drawn[0].size
    reduced = [each if each.size == size else each.resize(size, Image.Resampling.BOX) for each in true]
    energies = [np.mean([laplacian_energy(each) for each in images]) for images in (drawn, reduced)]
    return float(energies[0] / energies[1])
