"""Visual question answering models of transformers as namers: a classifier and a generator, both tiny and random."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from PIL import Image
from transformers import (
    BlipConfig,
    BlipForQuestionAnswering,
    BlipImageProcessorPil,
    BlipProcessor,
    ViltConfig,
    ViltForQuestionAnswering,
    ViltImageProcessorPil,
    ViltProcessor,
)
from transformers.utils import logging

from core.emoji.tokenizer import word_tokenizer
from core.namers import NamerError, canned_namer, name_of, vqa_namer
from tests.stacks import MEMBERS, WORDS

QUESTION = "what kind of pet is in this photo"
PICTURES = [Image.new("RGB", (40, 32), colour) for colour in ("red", "blue")]
SMALL = dict(
    hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=16
)


@pytest.fixture
def classifier(tmp_path):
    tokenizer = word_tokenizer(WORDS, 20)
    labels = dict(enumerate(MEMBERS))
    config = ViltConfig(**SMALL, vocab_size=len(tokenizer), max_position_embeddings=20, id2label=labels)
    torch.manual_seed(0)
    ViltForQuestionAnswering(config).save_pretrained(tmp_path)
    size = {"shortest_edge": 32}
    ViltProcessor(ViltImageProcessorPil(size=size, size_divisor=16), tokenizer).save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def generator(tmp_path):
    tokenizer = word_tokenizer(WORDS, 20)
    text = dict(SMALL, vocab_size=len(tokenizer), encoder_hidden_size=16, projection_dim=16, max_position_embeddings=20)
    ids = dict(bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=0, sep_token_id=1)
    config = BlipConfig(text_config=text | ids, vision_config=SMALL, projection_dim=16)
    torch.manual_seed(0)
    BlipForQuestionAnswering(config).save_pretrained(tmp_path)
    BlipProcessor(BlipImageProcessorPil(size={"height": 32, "width": 32}), tokenizer).save_pretrained(tmp_path)
    return tmp_path


def test_a_classifier_answers_with_its_labels_surest_first(classifier):
    namer = vqa_namer(classifier, answers=3)
    answers = namer(PICTURES, QUESTION)
    assert [len(each) for each in answers] == [3, 3]
    assert all(word in MEMBERS for each in answers for word, _ in each)
    scores = [score for _, score in answers[0]]
    assert scores == sorted(scores, reverse=True) and 0 < sum(scores) <= 1
    assert namer(PICTURES[1:], QUESTION)[0][0][1] == pytest.approx(answers[1][0][1], abs=1e-5)
    assert name_of(namer) == classifier.name and namer([], QUESTION) == []


def test_a_generator_gives_several_answers_by_beams(generator):
    answers = vqa_namer(generator, answers=2)(PICTURES, QUESTION)
    assert [len(each) for each in answers] == [2, 2]
    assert all(isinstance(word, str) and score > 0 for each in answers for word, score in each)


def test_a_missing_model_says_so(tmp_path):
    with pytest.raises(NamerError, match="no question answering model in"):
        vqa_namer(tmp_path / "nothing")


@pytest.mark.parametrize("size", [0, 5, 200, -100])
def test_a_damaged_file_is_named(classifier, size):
    weights = classifier / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(NamerError) as error:
        vqa_namer(classifier)
    assert f"{weights} is damaged" in str(error.value) and "\n" not in str(error.value)


def test_loading_is_quiet_and_leaves_the_libraries_as_they_were(classifier, capfd):
    logging.enable_progress_bar()
    try:
        vqa_namer(classifier)
        assert "Loading weights" not in capfd.readouterr().err
        assert logging.is_progress_bar_enabled()
    finally:
        logging.disable_progress_bar()


def test_namers_are_told_apart_by_what_they_would_answer(classifier, tmp_path_factory):
    one = vqa_namer(classifier)
    other = shutil.copytree(classifier, tmp_path_factory.mktemp("elsewhere") / "other")
    moved = vqa_namer(other)
    assert moved.identity == one.identity != vqa_namer(classifier, answers=2).identity
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"transformers_version": "9.0"}))
    assert vqa_namer(other).identity == one.identity, "who wrote it plays no part"
    (other / "config.json").write_text(json.dumps(config | {"id2label": {n: "dog" for n in range(len(MEMBERS))}}))
    assert vqa_namer(other).identity != one.identity
    assert canned_namer(["dog"]).identity != canned_namer(["cat"]).identity


def test_canned_answers_come_in_order_and_the_last_repeats():
    namer = canned_namer(["dog"], ["cat", "lion"])
    assert namer([1, 2, 3], "?") == [[("dog", 1.0)], [("cat", 1.0), ("lion", 0.5)], [("cat", 1.0), ("lion", 0.5)]]
    assert name_of(lambda images, question: []) == "<lambda>"
