"""Stage `polish`: the autoencoder's decoding half learns to draw crisply what the decoder samples."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import spectral_norm

from training import models
from training.autoencoder import Rebuild, pixel_loss
from training.bank import look_at
from training.fit import half_precision
from training.pictures import STILL
from training.stages.imagining import train_decoder
from training.stages.pixels import train_autoencoder
from training.stages.seeing import train_tower
from training.workshop import Workshop

STEPS = 3  # of sampling, from a random level of noise
LEVELS = (100, 900)  # of noise, of 1,000 training steps; from more noise drawings became no crisper
TRUE = 0.5  # weight of errors in sampled pictures: after much noise their details are others than the true picture's
ADVERSARIAL = 0.4  # length of the critic's gradient at most, as a share of that of the other losses


class Critic(nn.Module):
    """Scores ``[n, 1, 15, 15]`` of patches of pictures ``[n, 3, 128, 128]``: high for true ones, low for rebuilt ones.

    A PatchGAN (Isola et al. 2017) with spectral norms (Miyato et al. 2018).
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 128)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [spectral_norm(nn.Conv2d(before, after, 4, 2, 1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(widths[-1], 1, 4, 1, 1)))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.layers(pixels * 2 - 1)  # type: ignore[no-any-return]


class Polished(nn.Module):
    """The autoencoder and its critic, which learn together. The stack stores the autoencoder alone."""

    def __init__(self, rebuild: Rebuild):
        super().__init__()
        self.model = rebuild.model
        self.critic = Critic()


@torch.no_grad()
def sampled(
    unet: UNet2DConditionModel, scheduler: DDIMScheduler, latents: Tensor, embeds: Tensor, generator: torch.Generator
) -> Tensor:
    """Latents ``[n, c, h, w]`` as the UNet samples them from noisy ones: in the same places, with its errors."""
    draw: dict[str, Any] = {"generator": generator, "device": latents.device}
    start = torch.randint(*LEVELS, (len(latents),), **draw)
    kept = scheduler.alphas_cumprod.to(latents.device)
    x = scheduler.add_noise(latents, torch.randn(latents.shape, **draw), start)
    for step in range(STEPS):
        now, then = start * (STEPS - step) // STEPS, start * (STEPS - step - 1) // STEPS
        with half_precision(latents.device):
            out = unet(x, now, encoder_hidden_states=None, added_cond_kwargs={"image_embeds": embeds}).sample
        velocity = out[:, : latents.shape[1]].float()
        signal, noise = (level.sqrt().view(-1, 1, 1, 1) for level in (kept[now], 1 - kept[now]))
        clean, wrong = signal * x - noise * velocity, noise * x + signal * velocity
        left = torch.where(then > 0, kept[then], torch.ones_like(kept[then])).view(-1, 1, 1, 1)
        x = left.sqrt() * clean + (1 - left).sqrt() * wrong
    return x


def train_polish(shop: Workshop) -> Rebuild:
    """The decoding half learns fine detail; latents stay, and with them all parts that depend on them.

    Half of its latents are the encoder's, half are sampled. Squared error favours a blur for sampled ones, since their
    details are wrong; the critic favours edges.
    """
    module = shop.once(train_autoencoder)
    unet, tower = shop.once(train_decoder), shop.once(train_tower)
    scheduler = models.decoder_scheduler()
    module.model.encoder.requires_grad_(False)
    module.model.quant_conv.requires_grad_(False)
    torch.manual_seed(shop.seed + 6)
    if not shop.from_scratch and not (shop.checkpoints / "polish.safetensors").is_file():
        shop.log_before("polish")  # the autoencoder that it begins with is polished already
    both = shop.place(Polished(module))
    last = module.model.decoder.conv_out.weight

    supply = shop.supply(shop.source, shop.batch(8, 96), STILL)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        pixels = supply.next(generator).pixels
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), half_precision(shop.device):
            latents, half = module.encode(pixels).float(), len(pixels) // 2
            embeds = look_at(tower, F.interpolate(pixels[:half], scale_factor=0.5, mode="area")).float()
        latents = torch.cat([sampled(unet, scheduler, latents[:half], embeds, generator), latents[half:]])
        with half_precision(shop.device):
            rebuilt = module.decode(latents).float()
        loss, figures = pixel_loss(rebuilt[half:], pixels[half:], fine=2.0)
        drawn, of_drawn = pixel_loss(rebuilt[:half], pixels[:half], fine=2.0 / TRUE)
        loss, figures["fineness_sampled"] = loss + TRUE * drawn, of_drawn["fineness"]
        frozen = {name: value.detach() for name, value in both.critic.state_dict().items()}
        with half_precision(shop.device):
            fooled = -functional_call(both.critic, frozen, rebuilt).float().mean()
            real, fake = both.critic(pixels).float(), both.critic(rebuilt.detach()).float()
        lengths = [torch.autograd.grad(each, last, retain_graph=True)[0].norm() for each in (loss, fooled)]
        weight = ADVERSARIAL * min(1.0, progress / 0.1) * (lengths[0] / (lengths[1] + 1e-6)).clamp_max(1.0)
        apart = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
        figures |= {"critic": apart.detach(), "weight": weight}
        return loss + weight * fooled + apart, figures

    shop.fit("polish", both, loss_of_step, steps=2400, peak=3e-4, seed=11, average_over=200, muon=False)
    return module
