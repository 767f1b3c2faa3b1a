"""Stage `autoencoder`: from pixels to latents and back."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import VQModel
from torch import Tensor

from training import models
from training.autoencoder import Rebuild, new_autoencoder, rebuild_loss, standardise
from training.fit import half_precision
from training.pictures import REAL
from training.workshop import PARTS, Workshop


def train_autoencoder(shop: Workshop) -> Rebuild:
    """The autoencoder. If the committed one has fewer latent channels, the first channels learn to equal those.

    A decoder that begins with its earlier weights then has only the other channels to learn.
    """
    torch.manual_seed(shop.seed)
    module = shop.place(Rebuild(new_autoencoder()))
    if shop.stands("autoencoder", module):
        return module
    earlier = _earlier_autoencoder(shop)

    supply = shop.supply(shop.source, shop.batch(8, 192), REAL)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        pixels = supply.next(generator).pixels
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        loss, figures = rebuild_loss(module, pixels, generator)
        if earlier is not None:
            with half_precision(shop.device):
                reached = module.encode(pixels).float()
            with torch.no_grad(), half_precision(shop.device):
                known = earlier.encode(F.interpolate(pixels, scale_factor=0.5, mode="area") * 2 - 1).latents.float()
            apart = F.mse_loss(reached[:, : known.shape[1]], known)
            loss, figures["apart"] = loss + apart, apart.detach()
        return loss, figures

    shop.fit("autoencoder", module, loss_of_step, steps=3000, peak=2e-3, seed=0, average_over=150)
    with torch.no_grad():
        generator = torch.Generator(shop.device).manual_seed(shop.seed)
        latents = torch.cat([module.encode(shop.source.sample(32, generator).pixels) for _ in range(8)])
    standardise(module.model, latents)
    return module


def _earlier_autoencoder(shop: Workshop) -> VQModel | None:
    """The committed autoencoder if it has fewer latent channels and pictures of half the side, else None."""
    folder = shop.weights / PARTS["autoencoder"]
    if shop.from_scratch or not folder.is_dir():
        return None
    earlier = VQModel.from_pretrained(folder).float().eval().requires_grad_(False)
    fewer = earlier.config.latent_channels < models.LATENT_CHANNELS
    return shop.place(earlier) if fewer and len(earlier.config.block_out_channels) == 3 else None
