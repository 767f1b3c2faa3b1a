"""A CLIP-like judge gives the similarities of transformers; a model that cannot judge is one line."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image
from transformers import (
    CLIPModel,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SiglipProcessor,
)

from core.errors import ConceptreeError
from experiments.clip_judge import ClipJudge
from tests.stacks import CATEGORIES, SEEN, WORDS, liven, save_clip
from training.tokenizer import word_tokenizer

PICTURES = [Image.new("RGB", (40, 32), colour) for colour in ("red", "blue", "green")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A whole tiny CLIP."""
    return save_clip(tmp_path_factory.mktemp("clip") / "clip-tiny")


@pytest.fixture(scope="module")
def siglip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("siglip") / "siglip-tiny"
    tokenizer = word_tokenizer(WORDS, 64)
    text = dict(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1, projection_size=16
    )
    config = SiglipConfig(text_config=dict(text, num_attention_heads=2, projection_size=16), vision_config=SEEN)
    liven(SiglipModel(config), 4).save_pretrained(folder)
    SiglipProcessor(SiglipImageProcessorPil(size={"height": 32, "width": 32}), tokenizer).save_pretrained(folder)
    return folder


def cosines(judge, padding):
    """The whole model's scores of pictures and two prompts, without its temperature."""
    prompts = ["a photo of a cat", "a photo of a dog"]
    with torch.no_grad():
        out = judge.model(**judge.processor(images=PICTURES, text=prompts, return_tensors="pt", **padding))
    return out.image_embeds @ out.text_embeds.T


def test_it_compares_as_the_whole_model_does(folder):
    judge = ClipJudge.load(folder, CATEGORIES)
    found = judge.similarity(PICTURES, ["cat", "dog"])
    assert torch.allclose(found, cosines(judge, {"padding": True}), atol=1e-5)
    assert judge.categories == CATEGORIES and judge.version.startswith("clip-tiny ")
    assert torch.allclose(judge.embed(PICTURES).norm(dim=1), torch.ones(3), atol=1e-5)
    assert judge.embed([]).shape == (0, 12)


def test_words_and_pictures_do_not_depend_on_what_else_is_asked(folder, monkeypatch):
    judge = ClipJudge.load(folder, CATEGORIES)
    many = judge.similarity(PICTURES, ["cat", "goldfish", "dog"])
    monkeypatch.setattr("experiments.clip_judge._ROWS_AT_ONCE", 2)
    assert torch.allclose(judge.similarity(PICTURES[2:], ["dog"]), many[2:, 2:], atol=1e-5)
    assert torch.allclose(judge.similarity(PICTURES, ["dog"]), many[:, 2:], atol=1e-5)


def test_siglip_reads_texts_of_the_length_that_it_was_trained_on(siglip):
    judge = ClipJudge.load(siglip, CATEGORIES)
    whole = cosines(judge, {"padding": "max_length", "max_length": 64})
    assert torch.allclose(judge.similarity(PICTURES, ["cat", "dog"]), whole, atol=1e-5)


def test_who_it_is_follows_from_its_weights(folder, tmp_path):
    judge = ClipJudge.load(folder, CATEGORIES)
    other = tmp_path / "clip-tiny"
    liven(CLIPModel.from_pretrained(folder), 5).save_pretrained(other)
    judge.processor.save_pretrained(other)
    assert ClipJudge.load(other, CATEGORIES).version != judge.version


def refusal(where):
    with pytest.raises(ConceptreeError) as error:
        ClipJudge.load(where, CATEGORIES)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_cannot_judge_is_one_line(folder, stack_folder, tmp_path):
    assert "there is no folder" in refusal(tmp_path / "nothing" / "at" / "all")
    assert "a CLIPVisionModelWithProjection does not compare pictures with words" in refusal(
        stack_folder / "prior" / "image_encoder"
    )
    half = tmp_path / "half"
    ClipJudge.load(folder, CATEGORIES).processor.save_pretrained(half)
    (half / "config.json").write_bytes((folder / "config.json").read_bytes())
    assert "is not whole: *.safetensors is missing" in refusal(half)
    (half / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-100])
    assert "model.safetensors is damaged" in refusal(half)


def test_code_that_a_model_brings_along_is_never_run(folder, tmp_path):
    hostile = tmp_path / "hostile"
    ClipJudge.load(folder, CATEGORIES).processor.save_pretrained(hostile)
    config = json.loads((folder / "config.json").read_text())
    (hostile / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "evil.Evil"}}))
    (hostile / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    (hostile / "evil.py").write_text("raise SystemExit('run')")
    assert "wants to run code of its own" in refusal(hostile)
