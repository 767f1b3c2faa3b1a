"""The cached prior equals diffusers' PriorTransformer and UnCLIPScheduler used plainly: values and gradients."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from diffusers import UnCLIPScheduler

from core.errors import ConceptreeError, StackError
from core.stack.prior import CachedPrior, denoising_steps, draw_noise
from core.stack.text import TextFeatures, encode
from tests.stacks import liven, prior_parts, text_parts

LENGTH = 20


def random_features(lengths, width, dtype, seed=0):
    """Features of prompts of the given lengths as a text tower returns them, padded to LENGTH with what is not zero."""
    generator = torch.Generator().manual_seed(seed)
    embeds = torch.randn(len(lengths), width, generator=generator, dtype=torch.float64).to(dtype)
    hidden = torch.randn(len(lengths), LENGTH, width, generator=generator, dtype=torch.float64).to(dtype)
    mask = torch.arange(LENGTH) < torch.tensor(lengths)[:, None]
    return TextFeatures(embeds.requires_grad_(), hidden.requires_grad_(), mask)


def trimmed(features):
    length = int(features.mask.sum(dim=1).max())
    return TextFeatures(features.embeds, features.hidden[:, :length], features.mask[:, :length])


def plainly(prior, scheduler, features, unconditional, noise, guidance_scale):
    """KandinskyV22PriorPipeline's loop, with diffusers' modules as they are and the noise passed in."""
    steps, n, _ = noise.shape
    guided = guidance_scale > 1
    embeds, hidden, mask = features.embeds, features.hidden, features.mask
    if guided:
        embeds = torch.cat([unconditional.embeds.expand(n, -1), embeds])
        hidden = torch.cat([unconditional.hidden.expand(n, -1, -1), hidden])
        mask = torch.cat([unconditional.mask.expand(n, -1), mask])
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps
    draws = iter(noise[1:])
    latents = noise[0] * scheduler.init_noise_sigma
    with patch("diffusers.schedulers.scheduling_unclip.randn_tensor", lambda *_, **__: next(draws)):
        for i, t in enumerate(timesteps):
            predicted = prior(
                torch.cat([latents] * 2) if guided else latents,
                timestep=t,
                proj_embedding=embeds,
                encoder_hidden_states=hidden,
                attention_mask=mask,
            ).predicted_image_embedding
            if guided:
                without, prompted = predicted.chunk(2)
                predicted = without + guidance_scale * (prompted - without)
            previous = timesteps[i + 1] if i + 1 < steps else None
            latents = scheduler.step(predicted, timestep=t, sample=latents, prev_timestep=previous).prev_sample
    return prior.post_process_latents(latents)


def with_gradients(sample, features):
    """The sample and the gradients of a lopsided function of it in both features, zero outside the prompts."""
    image_embeds = sample(features)
    weights = torch.linspace(-1, 2, image_embeds.numel(), dtype=image_embeds.dtype).view_as(image_embeds)
    gradients = torch.autograd.grad((weights * image_embeds).sin().sum(), [features.embeds, features.hidden])
    return image_embeds.detach(), *gradients


def relative_difference(ours, plain):
    return ((ours - plain).abs().max() / plain.abs().max()).item()


SHAPES = [dict(), dict(width=8, layers=1, heads=1, head=8), dict(width=24, layers=4, heads=4, head=6, clip=1.5)]


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lengths", [[7], [20], [3, 12, 7], [5, 5]])
@pytest.mark.parametrize("steps, guidance_scale", [(5, 4.0), (5, 1.0), (2, 4.0), (9, 1.7)])
def test_equals_diffusers_values_and_gradients(dtype, tolerance, shape, lengths, steps, guidance_scale):
    prior, scheduler = prior_parts(length=LENGTH, **shape)
    prior = prior.to(dtype)
    width = prior.config.embedding_dim
    features, unconditional = random_features(lengths, width, dtype), random_features([2], width, dtype, seed=1)
    noise = draw_noise(range(len(lengths)), steps, width).to(dtype)
    cached = CachedPrior(prior, scheduler, steps, guidance_scale, trimmed(unconditional))

    ours = with_gradients(lambda features: cached.sample(trimmed(features), noise), features)
    plain = with_gradients(
        lambda features: plainly(prior, scheduler, features, unconditional, noise, guidance_scale), features
    )

    for one, other in zip(ours, plain, strict=True):
        assert relative_difference(one, other) < tolerance


@pytest.mark.parametrize("pad", [None, "!"])
def test_equals_diffusers_through_the_text_tower_down_to_the_vector(pad):
    tokenizer, text_encoder = text_parts(pad=pad, length=LENGTH)
    prior, scheduler = prior_parts(length=LENGTH)
    text_encoder, prior = text_encoder.double(), prior.double()
    prompts = ["a photo of a <moku>", "a drawing of the <moku> on a red table , in the style of this", "<moku>"]
    vector = torch.randn(16, dtype=torch.float64).requires_grad_()
    noise = draw_noise([1, 2, 3], 5, 16).double()
    cached = CachedPrior(prior, scheduler, 5, 4.0, encode(text_encoder, tokenizer, [""]))
    ours = cached.sample(encode(text_encoder, tokenizer, prompts, {"<moku>": vector}), noise)

    table = text_encoder.get_input_embeddings()

    def full(prompts, vector):
        padded = tokenizer(prompts, padding="max_length", max_length=LENGTH, return_tensors="pt")
        concept = padded.input_ids == tokenizer.convert_tokens_to_ids("horse")
        swap = table.register_forward_hook(lambda *call: torch.where(concept[..., None], vector, call[2]))
        output = text_encoder(padded.input_ids)
        swap.remove()
        return TextFeatures(output.text_embeds, output.last_hidden_state, padded.attention_mask.bool())

    words = [prompt.replace("<moku>", "horse") for prompt in prompts]
    plain = plainly(prior, scheduler, full(words, vector), full([""], vector.detach()), noise, 4.0)

    assert relative_difference(ours, plain) < 1e-12
    gradients = [torch.autograd.grad(each.square().sum(), vector)[0] for each in (ours, plain)]
    assert relative_difference(*gradients) < 1e-12


def test_a_row_alone_equals_itself_in_a_batch_of_mixed_lengths():
    prior, scheduler = prior_parts()
    prior = prior.double()
    features = random_features([4, 18, 9], 16, torch.float64)
    cached = CachedPrior(prior, scheduler, 5, 4.0, trimmed(random_features([2], 16, torch.float64, seed=1)))
    together, *_ = with_gradients(lambda features: cached.sample(features, draw_noise([5, 6, 7], 5, 16)), features)
    for row, seed in enumerate([5, 6, 7]):
        alone = TextFeatures(*(each[row : row + 1] for each in (features.embeds, features.hidden, features.mask)))
        assert relative_difference(cached.sample(trimmed(alone), draw_noise([seed], 5, 16)), together[row]) < 1e-10


def test_norms_that_other_priors_have_are_applied():
    prior, scheduler = prior_parts()
    prior.norm_in = liven(torch.nn.LayerNorm(24), 8)
    prior.embedding_proj_norm = liven(torch.nn.LayerNorm(16), 9)
    prior = prior.double()
    features, unconditional = random_features([7], 16, torch.float64), random_features([2], 16, torch.float64, seed=1)
    noise = draw_noise([0], 3, 16).double()
    ours = CachedPrior(prior, scheduler, 3, 4.0, trimmed(unconditional)).sample(trimmed(features), noise)
    assert relative_difference(ours, plainly(prior, scheduler, features, unconditional, noise, 4.0)) < 1e-12


def test_noise_of_a_row_depends_on_its_seed_alone_and_comes_as_diffusers_draws_it():
    noise = draw_noise([3, 11], 4, 16)
    assert torch.equal(noise[:, 1], draw_noise([11], 4, 16)[:, 0])
    generator = torch.Generator().manual_seed(3)
    assert torch.equal(noise[:, 0], torch.cat([torch.randn(1, 16, generator=generator) for _ in range(4)]))


def test_mistakes_are_told_in_one_line():
    prior, scheduler = prior_parts()
    with pytest.raises(ConceptreeError, match="prior steps = 1: expected at least 2"):
        denoising_steps(scheduler, 1)
    with pytest.raises(StackError, match=r"'sample'.*got 'epsilon'"):
        denoising_steps(UnCLIPScheduler(), 5)
    features = random_features([7], 16, torch.float32)
    cached = CachedPrior(prior, scheduler, 5, 1.0, trimmed(features))
    with pytest.raises(ConceptreeError, match=r"\[steps, n, width\] = \[5, 1, 16\], got \[4, 1, 16\]"):
        cached.sample(features, draw_noise([0], 4, 16))
    prior.prd_embedding = None
    with pytest.raises(StackError, match="lacks the text tokens or the query token"):
        CachedPrior(prior, scheduler, 5, 4.0, features)
