"""The stack's MoVQ: diffusers' ``VQModel``, used without quantisation as the Kandinsky pipelines do."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from diffusers import VQModel
from torch import Tensor, nn

from training.fit import half_precision
from training.models import LATENT_CHANNELS


def new_autoencoder() -> VQModel:
    """128×128×3 → 16×16×12. Group norm: the spatial norm of the real MoVQ costs three times as much."""
    return VQModel(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 64, 64),
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        vq_embed_dim=LATENT_CHANNELS,
        num_vq_embeddings=16,
        norm_num_groups=8,
        norm_type="group",
        mid_block_add_attention=False,
    )


class Rebuild(nn.Module):
    """Encoder and decoder as one trainable module."""

    def __init__(self, model: VQModel):
        super().__init__()
        self.model = model

    def encode(self, pixels: Tensor) -> Tensor:
        """``[n, 3, 128, 128]`` in 0 … 1 → latents ``[n, 12, 16, 16]``."""
        return self.model.encode(pixels * 2 - 1).latents

    def decode(self, latents: Tensor) -> Tensor:
        return self.model.decode(latents, force_not_quantize=True).sample / 2 + 0.5

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        latents = self.encode(pixels)
        return self.decode(latents), latents


NOISE = 0.15  # at most, of the latents' spread


def slopes(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbouring pixels ``[n, 3, h, w]``, across and down: an error in them is a blurred edge."""
    return pixels[..., 1:] - pixels[..., :-1], pixels[..., 1:, :] - pixels[..., :-1, :]


def fineness(pixels: Tensor) -> Tensor:
    """Amount of fine detail ``[n, 1, h / 8, w / 8]``: the mean absolute Laplacian of the grey picture."""
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]], device=pixels.device).view(1, 1, 3, 3)
    return F.avg_pool2d(F.conv2d(pixels.mean(1, keepdim=True), kernel, padding=1).abs(), 8)


def rebuild_loss(module: Rebuild, pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
    """`pixel_loss` of rebuilt pictures, and a penalty that keeps the latents near unit variance.

    The latents get noise of a random strength, so that the decoder draws whole things from a UNet's slightly wrong
    latents.
    """
    with half_precision(pixels.device):
        latents = module.encode(pixels).float()
    draw: dict[str, Any] = {"generator": generator, "device": pixels.device}
    strength = NOISE * torch.rand(len(latents), 1, 1, 1, **draw) * latents.detach().std()
    noise = torch.randn(latents.shape, **draw) * strength
    with half_precision(pixels.device):
        rebuilt = module.decode(latents + noise).float()
    loss, figures = pixel_loss(rebuilt, pixels)
    return loss + 1e-3 * (latents.square().mean() - 1).square(), figures


def pixel_loss(rebuilt: Tensor, pixels: Tensor, fine: float = 0.0) -> tuple[Tensor, dict[str, Tensor]]:
    """Squared error and absolute error of pixels and of their slopes.

    fine: weight of the error in `fineness`. Where the decoder cannot know a detail, the other errors favour a blur;
        this one asks for the right amount of detail.
    """
    error = F.mse_loss(rebuilt, pixels)
    edges = sum(F.l1_loss(a, b) for a, b in zip(slopes(rebuilt), slopes(pixels), strict=True))
    loss = error * 10 + F.l1_loss(rebuilt, pixels) + edges
    figures = {"psnr": -10 * error.detach().log10()}
    if fine:
        wanted, reached = fineness(pixels), fineness(rebuilt)
        loss = loss + fine * F.l1_loss(reached, wanted)
        figures["fineness"] = reached.detach().mean() / wanted.mean()
    return loss, figures


@torch.no_grad()
def standardise(model: VQModel, latents: Tensor) -> None:
    """Fold the latents' mean and spread into the 1×1 convolutions around the bottleneck.

    The pipelines ignore ``scaling_factor``, so the latents themselves must have unit variance. The round trip through
    encoder and decoder is unchanged.

    Args:
        latents: ``[n, channels, h, w]`` of many pictures.
    """
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    before, after = model.quant_conv, model.post_quant_conv
    before.weight.div_(std.view(-1, 1, 1, 1))
    before.bias.sub_(mean).div_(std)
    after.bias.add_((after.weight[:, :, 0, 0] * mean).sum(1))
    after.weight.mul_(std.view(1, -1, 1, 1))
