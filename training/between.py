"""Whole hybrids of two relatives, and the embeddings that the prior imagines for them, for the decoder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import PriorTransformer
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn
from transformers import CLIPTextModelWithProjection

from core.emoji.networks import SIDE
from core.files import write_atomically
from core.stack.prior import CachedPrior, draw_noise
from core.stack.text import TextFeatures
from training import hybrids, models
from training.autoencoder import Rebuild
from training.bank import look_at, mark_of
from training.captions import CaptionWriter
from training.fit import half_precision
from training.hybrids import uniform
from training.learning import text_features
from training.pictures import PictureSource, held_out_pair
from training.sources import SETS
from training.teacher import Words
from training.workshop import Workshop

PAIRS = 256  # drawn at a time; on a GPU four times as many
LEAST = 64  # hybrids, however short the time
BEST = 0.25  # the share of them that is kept, by the cost of their seams
RECOLOURED = 0.65  # of the second things take on the palette of the first
STEPS, GUIDANCE = 5, 4.0  # of the prior, as concepts are learned
VARIANTS = 2  # prompts of each hybrid, each imagined from other noise
# A prompt without a style gets drawings of these sets, whose looks are clean and similar, so that the decoder need not
# draw the mean of eight.
HOUSE = ("fluent", "flat", "twemoji", "noto")
FRAMES = (
    "a photo of a {}", "a photo of a {}", "a photo of a {}", "a picture of a {}", "an image of a {}", "art of a {}",
    "a drawing of a {}", "an illustration of a {}",
)  # fmt: skip


@dataclass(frozen=True)
class Between:
    """Attributes:
    latents: ``[n, 12, 16, 16]`` of the hybrids, in half precision.
    embeds: ``[n, width]`` what the image tower sees in them.
    imagined: ``[n, VARIANTS, width]`` what the prior imagines for the names of both.
    category: ``[n, width]`` what it imagines for a category that both belong to.
    """

    latents: Tensor
    embeds: Tensor
    imagined: Tensor
    category: Tensor

    def conditions(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Embeddings ``[n, width]`` to draw some rows from: mostly imagined ones, some of them moved up to halfway to
        the category's, since concepts move away from their start; the others are what the tower sees.
        """
        n = len(rows)
        variant = torch.randint(self.imagined.shape[1], (n,), generator=generator, device=rows.device)
        imagined = self.imagined[rows, variant]
        way = 0.5 * uniform(generator, n, 1) * (uniform(generator, n, 1) < 0.6)
        moved = (1 - way) * imagined + way * self.category[rows]
        moved = moved * imagined.norm(dim=1, keepdim=True) / moved.norm(dim=1, keepdim=True)
        return torch.where(uniform(generator, n, 1) < 0.18, self.embeds[rows], moved)


def make_between(
    shop: Workshop,
    rebuild: Rebuild,
    tower: nn.Module,
    text: CLIPTextModelWithProjection,
    prior: PriorTransformer,
    count: int,
    seconds: float = 0.0,
) -> Between:
    """At least ``count`` hybrids, read from the cache if the same networks have made them.

    seconds: stop joining after that time, with at least `LEAST` hybrids, and store nothing, as `make_bank` does.
    """
    made_from = " ".join([str(count), *(mark_of(each) for each in (rebuild, tower, text, prior))])
    path = shop.cache / "bank" / f"between-{shop.seed}.safetensors"
    if path.is_file() and not seconds:
        with safe_open(path, "pt") as file:
            if file.metadata().get("made_from") == made_from:
                return Between(**load_file(path, device=shop.device))
    began = time.monotonic()
    generator = torch.Generator(shop.device).manual_seed(shop.seed * 1_000_003 + 13)
    latents, embeds, truth = _joined(shop, rebuild, tower, count, seconds, generator)
    imagined, category = _imagined(shop, text, prior, truth)
    made = Between(latents, embeds, imagined, category)
    if not seconds:
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {field.name: getattr(made, field.name).cpu().contiguous() for field in fields(made)}
        write_atomically(path, save(tensors, metadata={"made_from": made_from}))
    print(f"between: {len(truth)} hybrids in {time.monotonic() - began:.0f} s", flush=True)
    return made


@torch.no_grad()
def _joined(
    shop: Workshop, rebuild: Rebuild, tower: nn.Module, count: int, seconds: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, np.ndarray]:
    """Latents and embeddings of hybrids on white, and (thing, other thing, style) of each."""
    latents, embeds, truth, found = [], [], [], 0
    began = time.monotonic()
    while found < count and not (seconds and found >= LEAST and time.monotonic() - began > seconds):
        joined, facts = whole_hybrids(shop.source, shop.batch(PAIRS, 4 * PAIRS), generator)
        mirrored = uniform(generator, len(joined)) < 0.5
        joined = torch.where(mirrored.view(-1, 1, 1, 1), joined.flip(3), joined)
        pixels = (joined[:, :3] + 1 - joined[:, 3:].clamp(0, 1)).clamp(0, 1)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with half_precision(shop.device):
            latents.append(rebuild.encode(pixels).half())
            embeds.append(look_at(tower, F.interpolate(pixels, (SIDE, SIDE), mode="area")).float())
        truth.append(facts)
        found += len(facts)
    return torch.cat(latents), torch.cat(embeds), torch.cat(truth).cpu().numpy()


def whole_hybrids(source: PictureSource, pairs: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The `BEST` of random pairs of relatives, put together where it shows least.

    Returns:
        premultiplied pictures ``[n, 4, side, side]``, and (thing, other thing, style) of each ``[n, 3]``.
    """
    places = torch.randint(len(source.indices), (pairs,), generator=generator, device=source.device)
    chosen = source.indices[places]
    other = source.relative(chosen, generator)
    one, two = source.thing[chosen], source.thing[other]
    free = (one != two) & ~held_out_pair(one, two, source.pairs_seed)
    chosen, other = chosen[free], other[free]
    first, second = source.premultiplied(chosen), source.premultiplied(other)
    alike = uniform(generator, len(chosen)) < RECOLOURED
    if alike.any():
        second[alike] = hybrids.recolour(second[alike], first[alike])
    joined, _, cost = hybrids.match(first, second)
    best = cost.argsort()[: max(1, round(BEST * len(cost)))]
    best = best[cost[best] < hybrids.IMPOSSIBLE]
    return joined[best], torch.stack([one[free], two[free], source.style[chosen]], 1)[best]


@torch.no_grad()
def _imagined(
    shop: Workshop, text: CLIPTextModelWithProjection, prior: PriorTransformer, truth: np.ndarray
) -> tuple[Tensor, Tensor]:
    """`Between.imagined` and `Between.category` of hybrids by their (thing, other thing, style)."""
    words, numbers = shop.words, np.random.default_rng(shop.seed * 1_000_003 + 17)
    sampler = CachedPrior(prior, models.prior_scheduler(), STEPS, GUIDANCE, _features(shop, text, [""]))

    def imagine(captions: Sequence[str]) -> Tensor:
        parts = []
        for start in range(0, len(captions), 64):
            some = captions[start : start + 64]
            seeds = numbers.integers(1 << 30, size=len(some)).tolist()
            parts.append(sampler.sample(_features(shop, text, some), draw_noise(seeds, STEPS, models.WIDTH)).float())
        return torch.cat(parts)

    variants = [imagine([prompt(words, each, numbers) for each in truth.tolist()]) for _ in range(VARIANTS)]
    of = CaptionWriter(words).categories_of
    both = [[category for category in of[one] if category in of[two]] for one, two, _ in truth.tolist()]
    shared = [words.categories.index(each[numbers.integers(len(each))]) for each in both]
    table = imagine([f"a photo of a {category}" for category in words.categories])
    return torch.stack(variants, 1), table[shared]


def _features(shop: Workshop, text: CLIPTextModelWithProjection, captions: Sequence[str]) -> TextFeatures:
    ids, mask = shop.tokens(list(captions))
    return TextFeatures(*text_features(text, ids, mask), mask.bool())


def prompt(words: Words, facts: Sequence[int], numbers: np.random.Generator) -> str:
    """A prompt for a hybrid, without its style if that is of `HOUSE`: mostly both names, as a founder's start has."""
    one, two, style = facts
    if numbers.random() < 0.5:
        one, two = two, one
    name, other = words.things[one], words.things[two]
    noun = f"{name} {other}" if numbers.random() < 0.75 else f"mix of a {name} and a {other}"
    text = FRAMES[numbers.integers(len(FRAMES))].format(noun)
    told = SETS[style].style
    return text if told in HOUSE and numbers.random() < 0.85 else f"{text} in the style of {told}"
