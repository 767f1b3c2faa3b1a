"""The embedded weights as they are published: diffusers' pipelines load them and give what the stack gives."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from diffusers import KandinskyV22Pipeline, KandinskyV22PriorPipeline

from core.emoji.judge import Judge
from core.emoji.networks import JudgeNet
from core.namers import vqa_namer
from core.stack.backbone import EMOJI, Backbone
from training.stages.seeing import JUDGE_CHANNELS, JUDGE_WIDTH
from training.workshop import Workshop

PROMPTS = ["a photo of a cat", "a pencil sketch of a guitar on a blue background"]
SEEDS = [3, 5]


@pytest.fixture(scope="module")
def emoji():
    return Backbone.load("emoji", device="cpu")


def generators():
    return [torch.Generator().manual_seed(seed) for seed in SEEDS]


@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
def test_imagining_equals_the_prior_pipeline(emoji, guidance_scale):
    pipeline = KandinskyV22PriorPipeline.from_pretrained(EMOJI / "prior")
    pipeline.set_progress_bar_config(disable=True)
    plain = pipeline(PROMPTS, num_inference_steps=5, guidance_scale=guidance_scale, generator=generators())
    ours = emoji.imagine(PROMPTS, seeds=SEEDS, steps=5, guidance_scale=guidance_scale)
    assert torch.allclose(ours, plain.image_embeds, rtol=0, atol=1e-4)


def test_drawing_equals_the_decoder_pipeline(emoji):
    embeds = emoji.imagine(PROMPTS, seeds=SEEDS)
    pipeline = KandinskyV22Pipeline.from_pretrained(EMOJI / "decoder")
    pipeline.set_progress_bar_config(disable=True)
    plain = pipeline(
        image_embeds=embeds,
        negative_image_embeds=emoji.zero_image_embed.repeat(2, 1),
        num_inference_steps=4,
        guidance_scale=2.5,
        height=emoji.drawing["size"],
        width=emoji.drawing["size"],
        generator=generators(),
    ).images
    ours = emoji.draw(embeds, SEEDS, steps=4, guidance_scale=2.5)
    for one, other in zip(ours, plain, strict=True):
        assert np.array_equal(one, other)


def test_no_class_depends_on_the_machine_that_saved_it():
    index = json.loads((EMOJI / "prior" / "model_index.json").read_text())
    assert index["tokenizer"] == ["transformers", "PreTrainedTokenizerFast"]
    assert index["image_processor"] == ["transformers", "CLIPImageProcessor"]


def test_the_weights_stay_small():
    assert sum(path.stat().st_size for path in EMOJI.rglob("*.safetensors")) < 30e6


def test_the_question_answerer_answers_by_kind_of_question(emoji):
    """It names pets when asked for pets, and colours when asked for the background; and is right on plain cases."""
    namer = vqa_namer(EMOJI / "vqa")
    pets = ["cat", "dog", "fish", "turtle", "parrot"]
    pictures = emoji.draw(emoji.imagine([f"a photo of a {pet}" for pet in pets], seeds=range(5)), seeds=range(5))
    named = namer(pictures, "What kind of pet is in this photo?")
    members = set(emoji.vocabulary.categories["pet"])
    assert all(word in members for answers in named for word, _ in answers[:1])
    assert sum(answers[0][0] == pet for answers, pet in zip(named, pets, strict=True)) >= 3
    colours = ["red", "blue", "green", "black", "yellow"]
    prompts = [f"a photo of a cat on a {colour} background" for colour in colours]
    pictures = emoji.draw(emoji.imagine(prompts, seeds=range(5)), seeds=range(5))
    answers = namer(pictures, "What color is the background?")
    assert sum(given[0][0] == colour for given, colour in zip(answers, colours, strict=True)) >= 4


def test_a_stage_begins_with_the_committed_judge_as_it_judges(tmp_path):
    """Its matrices are stored as integers: copied without their scales they would be another judge's."""
    shop = Workshop(tmp_path)
    net = JudgeNet(JUDGE_CHANNELS, JUDGE_WIDTH, Judge.load().net.words.shape[0])
    assert shop.begin("judge", net) == 1
    picture = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(net.eval()(picture), Judge.load().net(picture))
