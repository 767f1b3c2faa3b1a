"""The stack's MoVQ: diffusers' ``VQModel``, used without quantisation as the Kandinsky pipelines do."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import VQModel
from torch import Tensor, nn

from core.emoji.fit import half_precision


def new_autoencoder() -> VQModel:
    """64×64×3 → 16×16×4. Group norm: the spatial norm of the real MoVQ costs three times as much."""
    return VQModel(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        latent_channels=4,
        vq_embed_dim=4,
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
        """``[n, 3, 64, 64]`` in 0 … 1 → latents ``[n, 4, 16, 16]``."""
        return self.model.encode(pixels * 2 - 1).latents

    def decode(self, latents: Tensor) -> Tensor:
        return self.model.decode(latents, force_not_quantize=True).sample / 2 + 0.5

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        latents = self.encode(pixels)
        return self.decode(latents), latents


def rebuild_loss(module: Rebuild, pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
    """Squared and absolute error; a little noise on the latents makes the decoder forgive the UNet's."""
    with half_precision():
        latents = module.encode(pixels).float()
    noise = torch.randn(latents.shape, generator=generator) * 0.03 * latents.detach().std()
    with half_precision():
        rebuilt = module.decode(latents + noise).float()
    error = F.mse_loss(rebuilt, pixels)
    scale = 1e-3 * (latents.square().mean() - 1).square()
    return error * 10 + F.l1_loss(rebuilt, pixels) + scale, {"psnr": float(-10 * error.detach().log10())}


@torch.no_grad()
def standardise(model: VQModel, latents: Tensor) -> None:
    """Folds the latents' mean and spread into the 1×1 convolutions around the bottleneck.

    The pipelines ignore ``scaling_factor``, so what the UNet sees must have unit variance by itself. The
    round trip through encoder and decoder stays what it was.

    Args:
        latents: ``[n, 4, h, w]`` of many pictures.
    """
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    before, after = model.quant_conv, model.post_quant_conv
    before.weight.div_(std.view(-1, 1, 1, 1))
    before.bias.sub_(mean).div_(std)
    after.bias.add_((after.weight[:, :, 0, 0] * mean).sum(1))
    after.weight.mul_(std.view(1, -1, 1, 1))
