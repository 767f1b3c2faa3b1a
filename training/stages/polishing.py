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

from core.emoji.networks import SIDE
from training import models
from training.autoencoder import Rebuild, fineness, pixel_loss
from training.bank import look_at
from training.fit import half_precision
from training.pictures import STILL
from training.stages.imagining import train_decoder
from training.stages.pixels import train_autoencoder
from training.stages.seeing import train_tower
from training.workshop import Workshop

DRAWN = 1024  # latents that the UNet draws before the stage begins; on a GPU eight times as many
DDIM_STEPS, GUIDANCE = 16, 3.5  # as the stack draws
# Times as much fine detail as in the drawings before. 1.6 came to 1.35 times the detail of true pictures, with frames
# at the edges; the committed weights are the mean of those before and after that.
SHARPER = 1.3
ADVERSARIAL = 0.6  # length of the critic's gradient at most, as a share of that of the other losses


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
def drawn(
    unet: UNet2DConditionModel, scheduler: DDIMScheduler, embeds: Tensor, nothing: Tensor, generator: torch.Generator
) -> Tensor:
    """Latents ``[n, c, h, w]`` of image embeddings ``[n, width]``, drawn from noise as the stack does, with guidance.

    nothing: ``[1, width]``, the embedding that guidance leads away from.
    """
    draw: dict[str, Any] = {"generator": generator, "device": embeds.device}
    channels, side = unet.config.in_channels, unet.config.sample_size
    x = torch.randn((len(embeds), channels, side, side), **draw)
    both = {"image_embeds": torch.cat([nothing.expand_as(embeds), embeds])}
    scheduler.set_timesteps(DDIM_STEPS)
    for step in scheduler.timesteps:
        with half_precision(embeds.device):
            out = unet(torch.cat([x, x]), step, encoder_hidden_states=None, added_cond_kwargs=both).sample
        without, towards = out[:, :channels].float().chunk(2)
        x = scheduler.step(without + GUIDANCE * (towards - without), step, x).prev_sample
    return x


@torch.no_grad()
def drawings(shop: Workshop, module: Rebuild, unet: UNet2DConditionModel) -> tuple[Tensor, Tensor]:
    """`DRAWN` latents, two in five of a picture's embedding, the others between two relatives' as inventions are, and
    their pixels ``[n, 3, side, side]`` before the stage, in half precision.
    """
    tower, scheduler, source = shop.once(train_tower), models.decoder_scheduler(), shop.small_source
    generator = torch.Generator(shop.device).manual_seed(shop.seed * 1_000_003 + 11)
    draw: dict[str, Any] = {"generator": generator, "device": shop.device}
    nothing = look_at(tower, torch.full((1, 3, SIDE, SIDE), 0.5, device=shop.device)).float()
    size = shop.batch(32, 1024)
    found = []
    for _ in range(max(1, round(min(1.0, shop.effort) * shop.batch(DRAWN, 8 * DRAWN) / size))):
        chosen = source.indices[torch.randint(len(source.indices), (size,), **draw)]
        pair = (chosen, source.relative(chosen, generator))
        one, other = (look_at(tower, source.vary(each, generator, STILL).pixels).float() for each in pair)
        share = torch.where(torch.rand(size, 1, **draw) < 0.4, 1.0, 0.3 + 0.4 * torch.rand(size, 1, **draw))
        latents = drawn(unet, scheduler, share * one + (1 - share) * other, nothing, generator)
        with half_precision(shop.device):
            pixels = module.decode(latents)
        found.append((latents, pixels.clamp(0, 1).half()))
    print(f"polish: {len(found) * size} latents are drawn", flush=True)
    return torch.cat([latents for latents, _ in found]), torch.cat([pixels for _, pixels in found])


def train_polish(shop: Workshop) -> Rebuild:
    """The decoding half learns fine detail; latents stay, and with them all parts that depend on them.

    Half of its latents are the encoder's, half are drawn by the UNet. What the UNet draws is soft, and there is no true
    picture of it: it keeps its colours and shapes and gets more fine detail in the same places, which the critic wants
    to look like that of true pictures.
    """
    module = shop.once(train_autoencoder)
    unet = shop.once(train_decoder)
    module.model.encoder.requires_grad_(False)
    module.model.quant_conv.requires_grad_(False)
    torch.manual_seed(shop.seed + 6)
    if not shop.from_scratch and not (shop.checkpoints / "polish.safetensors").is_file():
        shop.log_before("polish")  # the autoencoder that it begins with is polished already
    soft, before = drawings(shop, module.eval(), unet.eval())
    both = shop.place(Polished(module))
    last = module.model.decoder.conv_out.weight

    supply = shop.supply(shop.source, shop.batch(8, 96), STILL)

    def loss_of_step(generator: torch.Generator, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        pixels = supply.next(generator).pixels
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        half = len(pixels) // 2
        rows = torch.randint(len(soft), (half,), generator=generator, device=shop.device)
        wanted = before[rows].float()
        with torch.no_grad(), half_precision(shop.device):
            latents = module.encode(pixels[half:]).float()
        with half_precision(shop.device):
            rebuilt = module.decode(torch.cat([soft[rows], latents])).float()
        loss, figures = pixel_loss(rebuilt[half:], pixels[half:], fine=2.0)
        kept = F.l1_loss(F.avg_pool2d(rebuilt[:half], 4), F.avg_pool2d(wanted, 4))
        reached = fineness(rebuilt[:half])
        sharp = F.l1_loss(reached, SHARPER * fineness(wanted))
        figures |= {"kept": kept.detach(), "sharper": reached.detach().mean() / fineness(wanted).mean()}
        loss = loss + 2 * kept + 4 * sharp
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
