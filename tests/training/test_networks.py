"""Each network and loss equals its plain form, and the judge comes back as it was saved."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from core.emoji.judge import Judge
from core.emoji.networks import JudgeNet, WordNet
from core.errors import ConceptreeError
from tests.training.tiny import SIDE, generator
from training import models
from training.autoencoder import Rebuild, new_autoencoder, standardise
from training.captions import vocabulary
from training.fit import half_precision
from training.learning import contrast, predict_embeds
from training.models import LATENT_CHANNELS
from training.pictures import MOVED, PictureSource
from training.stages.answering import Answerer
from training.stages.polishing import DDIM_STEPS, GUIDANCE, drawn
from training.teacher import Words, word_loss
from training.tokenizer import word_tokenizer


def test_the_trimmed_prior_equals_diffusers_own() -> None:
    torch.manual_seed(0)
    prior = models.prior_transformer().eval()
    n, length, full = 3, 9, prior.config.num_embeddings
    noisy, pooled = torch.randn(n, models.WIDTH), torch.randn(n, models.WIDTH)
    hidden, time = torch.randn(n, full, models.WIDTH), torch.tensor([3, 500, 999])
    mask = torch.zeros(n, full, dtype=torch.bool)
    for row, real in enumerate((4, 9, 6)):
        mask[row, :real] = True
    with torch.no_grad():
        plain = prior(noisy, time, pooled, hidden, mask).predicted_image_embedding
        ours = predict_embeds(prior, noisy, time, pooled, hidden[:, :length], mask[:, :length])
    assert torch.allclose(plain, ours, atol=1e-5)


def test_the_answerers_patches_equal_transformers_own(words: Words) -> None:
    torch.manual_seed(0)
    tokenizer = word_tokenizer(vocabulary(words), 32)
    answerer = Answerer(models.question_answerer(tokenizer, ("a", "b", "c"))).eval()
    torch.nn.init.normal_(answerer.model.vilt.embeddings.position_embeddings)
    pixels = torch.rand(2, 3, models.SEEN_SIZE, models.SEEN_SIZE)
    ids = torch.tensor([[5, 6, 7], [8, 9, 0]])
    attention = torch.tensor([[1, 1, 1], [1, 1, 0]])
    logits, _, answering, _ = answerer(ids, attention, pixels)
    out = answerer.model(
        input_ids=ids, attention_mask=attention, pixel_values=pixels * 2 - 1, output_hidden_states=True
    )
    torch.testing.assert_close(logits, out.logits)
    plain = nn.functional.normalize(answerer.from_answer(out.hidden_states[-1][:, 0]), dim=1)
    torch.testing.assert_close(answering, plain)


def test_drawn_latents_equal_ddim_steps_with_guidance_written_plainly() -> None:
    torch.manual_seed(0)
    unet, scheduler = models.unet().eval().requires_grad_(False), models.decoder_scheduler()
    embeds, nothing = torch.randn(2, models.WIDTH), torch.randn(1, models.WIDTH)
    found = drawn(unet, scheduler, embeds, nothing, torch.Generator().manual_seed(4))
    x = torch.randn(2, LATENT_CHANNELS, 16, 16, generator=torch.Generator().manual_seed(4))
    times = [1000 * (DDIM_STEPS - step) // DDIM_STEPS - 1 for step in range(DDIM_STEPS)]

    def velocity(embeds: Tensor, time: int) -> Tensor:
        with half_precision():
            out = unet(x, time, encoder_hidden_states=None, added_cond_kwargs={"image_embeds": embeds}).sample
        return out[:, :LATENT_CHANNELS].float()

    for now, then in pairwise((*times, None)):
        without = velocity(nothing.expand(2, -1), now)
        guided = without + GUIDANCE * (velocity(embeds, now) - without)
        kept = scheduler.alphas_cumprod[now]
        left = scheduler.alphas_cumprod[then] if then is not None else torch.tensor(1.0)
        clean, noise = kept.sqrt() * x - (1 - kept).sqrt() * guided, kept.sqrt() * guided + (1 - kept).sqrt() * x
        x = left.sqrt() * clean + (1 - left).sqrt() * noise
    assert (found - x).norm() < 0.02 * x.norm()  # the networks compute in bfloat16, here in other batches


def test_standardising_the_latents_leaves_the_round_trip_alone() -> None:
    torch.manual_seed(0)
    module = Rebuild(new_autoencoder()).double().eval()
    pixels = torch.rand(4, 3, SIDE, SIDE, dtype=torch.float64)
    with torch.no_grad():
        before, latents = module(pixels)
        standardise(module.model, latents)
        after, scaled = module(pixels)
    assert torch.allclose(before, after, atol=1e-10)
    assert torch.allclose(scaled.std((0, 2, 3)), torch.ones(LATENT_CHANNELS, dtype=torch.float64), atol=1e-9)
    assert scaled.shape == (4, LATENT_CHANNELS, SIDE // 8, SIDE // 8)


def test_contrast_by_hand() -> None:
    texts, images = torch.eye(2), torch.eye(2)
    fits = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    one = torch.tensor([1.0, 0.0]).log_softmax(0)
    by_text = -(one[0] + (one[0] + one[1]) / 2) / 2
    by_image = -((one[0] + one[1]) / 2 + one[0])
    assert contrast(texts, images, fits, torch.tensor(1.0)).item() == pytest.approx(
        float(by_text + 0.5 * by_image / 2), abs=1e-6
    )


@pytest.mark.parametrize("kind", [WordNet, JudgeNet])
def test_word_nets_learn_from_hybrids(source: PictureSource, words: Words, kind: type) -> None:
    torch.manual_seed(0)
    net = kind((8, 12, 16), 16, len(words.all))
    batch = source.sample(6, generator(0), MOVED)
    embeds = net(batch.pixels)
    assert torch.allclose(embeds.norm(dim=1), torch.ones(6), atol=1e-5)
    loss, logits = word_loss(embeds, net.words, net.scale, words, batch)
    loss.backward()
    assert logits.shape == (6, len(words.things) + len(words.categories))
    assert torch.isfinite(net.words.grad).all() and net.words.grad.abs().sum(1).gt(0).all()


@pytest.mark.parametrize("kind", [WordNet, JudgeNet])
def test_the_judge_comes_back_as_it_was_saved(tmp_path, words: Words, kind: type) -> None:
    torch.manual_seed(0)
    net = kind((8, 12, 16), 16, len(words.all))
    members = {"pet": ["cat", "dog"], "fruit": ["red apple"], "rest": ["crown", "top hat", "wing"]}
    judge = Judge(net, words.things, members)
    judge.save(tmp_path, (8, 12, 16))
    again = Judge.load(tmp_path)
    assert isinstance(again.net, kind) and again.things == words.things and again.categories == members
    pictures = [Image.new("RGB", (64, 64), colour) for colour in ("red", "white")]
    assert torch.allclose(judge.probabilities(pictures), again.probabilities(pictures), atol=1e-2)
    every = np.sum([again.category(pictures, category) for category in members], axis=0)
    assert every == pytest.approx([1.0, 1.0], abs=1e-5)
    assert [len(row) for row in again.name(pictures, k=2)] == [2, 2]
    with pytest.raises(ConceptreeError, match="does not know the category 'gods'"):
        again.category(pictures, "gods")
    with pytest.raises(ConceptreeError, match="no judge in"):
        Judge.load(tmp_path / "nowhere")
