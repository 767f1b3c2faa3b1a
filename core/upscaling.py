"""Drawings at two or four times their size, with edges as sharp as flat shapes have.

Colours near an edge move a little away from it (warp sharpening: Arad and Gotsman, "Enhancement by image-dependent
warping", 1999), so a wide soft edge becomes a narrow one. Every pixel is a colour that smooth enlarging gives nearby:
no halos, no new colours and no new detail. There are no weights.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from core.errors import ConceptreeError

FACTORS = (2, 4)
LARGEST = 2048  # pixels of a side of the result
ROUNDS = 4
REACH = 0.25  # pixels of the drawing that a colour moves in a round, at most
SOFT = 0.45  # pixels of the drawing: standard deviation of the blur before a gradient
STEEP = 12  # how soon colours move that far: at gradients of the edges' strength far above 1 / STEEP


class UpscaleError(ConceptreeError):
    """A picture that is not enlarged."""


def upscaled(picture: Image.Image, factor: int) -> Image.Image:
    """The picture as RGB, `factor` times as wide and high.

    Raises:
        UpscaleError: the factor is none of FACTORS, or the result would be larger than LARGEST.
    """
    if factor not in FACTORS:
        raise UpscaleError(f"upscale = {factor}: choose {' or '.join(map(str, FACTORS))}")
    width, height = (side * factor for side in picture.size)
    if max(width, height) > LARGEST:
        raise UpscaleError(
            f"a picture of {picture.width} × {picture.height} pixels is not enlarged {factor} times: at most"
            f" {LARGEST} pixels"
        )
    smooth = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    colours = torch.from_numpy(np.array(smooth, dtype=np.float32)).permute(2, 0, 1)[None] / 255
    rows, columns = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    place = torch.stack([columns, rows])[None]  # [1, 2, height, width]: where each pixel takes its colour from
    moved, still = colours, place
    for _ in range(ROUNDS):
        edges = _gradient(_blurred(moved, SOFT * factor)).square().sum((1, 2))[:, None].add(1e-8).sqrt()
        away = -_gradient(_blurred(edges, SOFT * factor))[:, 0]
        strength = away.square().sum(1, keepdim=True).sqrt()
        way = away * (REACH * factor * torch.tanh(STEEP * factor**2 * strength) / (strength + 1e-6))
        place = _sampled(place, still + way, "bilinear")
        moved = _sampled(colours, place, "bicubic").clamp(0, 1)
    pixels = (moved[0] * 255 + 0.5).permute(1, 2, 0).to(torch.uint8)
    return Image.fromarray(pixels.numpy())


def _sampled(values: Tensor, place: Tensor, mode: str) -> Tensor:
    """[1, c, h, w] values at places [1, 2, h, w], (x, y) in pixels."""
    size = torch.tensor([place.shape[-1], place.shape[-2]]).view(1, 2, 1, 1)
    grid = ((place + 0.5) * 2 / size - 1).permute(0, 2, 3, 1)
    return F.grid_sample(values, grid, mode=mode, padding_mode="border", align_corners=False)


def _gradient(values: Tensor) -> Tensor:
    """[1, c, 2, h, w] central differences of [1, c, h, w], along x and y."""
    padded = F.pad(values, (1, 1, 1, 1), mode="replicate")
    across = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    return torch.stack([across, down], 2) / 2


def _blurred(values: Tensor, deviation: float) -> Tensor:
    """[1, c, h, w] under a Gaussian."""
    reach, count = int(np.ceil(3 * deviation)), values.shape[1]
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / deviation) ** 2)
    weights = (weights / weights.sum()).expand(count, 1, -1)
    padded = F.pad(values, (reach, reach, reach, reach), mode="replicate")
    return F.conv2d(F.conv2d(padded, weights[..., None], groups=count), weights[:, :, None], groups=count)
