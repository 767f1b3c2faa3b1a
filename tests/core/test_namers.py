"""Visual question answering models of transformers as namers: classifiers, generators, chats, all tiny and random."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from transformers import (
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipConfig,
    BlipForQuestionAnswering,
    BlipImageProcessorPil,
    BlipProcessor,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    ViltConfig,
    ViltForQuestionAnswering,
    ViltImageProcessorPil,
    ViltProcessor,
)
from transformers.utils import logging

import core.namers
import core.stack.offload
from core.concept import Request
from core.namers import BLIP2, NamerError, asking, canned_namer, from_function, vqa_namer, where_of
from core.optimizer import ConceptLab
from core.options import Options
from core.settings import Settings
from tests.stacks import MEMBERS, SEEN, WORDS, cache_as_hub, liven, save_blip2
from training.tokenizer import word_tokenizer

QUESTION = "what kind of pet is in this photo"
PICTURES = [Image.new("RGB", (40, 32), colour) for colour in ("red", "blue")]


@pytest.fixture
def classifier(tmp_path):
    tokenizer = word_tokenizer(WORDS, 20)
    labels = dict(enumerate(MEMBERS))
    config = ViltConfig(**SEEN, vocab_size=len(tokenizer), max_position_embeddings=20, id2label=labels)
    torch.manual_seed(0)
    ViltForQuestionAnswering(config).save_pretrained(tmp_path)
    size = {"shortest_edge": 32}
    ViltProcessor(ViltImageProcessorPil(size=size, size_divisor=16), tokenizer).save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def generator(tmp_path):
    tokenizer = word_tokenizer(WORDS, 20)
    text = dict(SEEN, vocab_size=len(tokenizer), encoder_hidden_size=16, projection_dim=16, max_position_embeddings=20)
    ids = dict(bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=0, sep_token_id=1)
    config = BlipConfig(text_config=text | ids, vision_config=SEEN, projection_dim=16)
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
    assert namer.name == classifier.name and namer([], QUESTION) == []


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


@pytest.fixture(scope="module")
def blip2(tmp_path_factory):
    return save_blip2(tmp_path_factory.mktemp("blip2") / "blip2-tiny")


@pytest.fixture(scope="module")
def chatty(tmp_path_factory):
    """A model that is used to chats (Llava), tiny and random."""
    folder = tmp_path_factory.mktemp("llava") / "llava-tiny"
    tokenizer = word_tokenizer([*WORDS, "user", "answer", "one", "or", "two", "words"], 200)
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=200,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config = LlavaConfig(
        text_config=text,
        vision_config=CLIPVisionConfig(**SEEN),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    torch.manual_seed(0)
    liven(LlavaForConditionalGeneration(config), 3).save_pretrained(folder)
    template = (
        "{% for m in messages %}{{ m['role'] }} {% for c in m['content'] %}"
        "{% if c['type'] == 'image' %}<image> {% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %}"
    )
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    how = dict(patch_size=16, vision_feature_select_strategy="default", num_additional_image_tokens=1)
    LlavaProcessor(pictures, tokenizer, chat_template=template, **how).save_pretrained(folder)
    return folder


def test_blip2_answers_as_it_does_when_asked_plainly(blip2):
    answers = vqa_namer(blip2, answers=3)(PICTURES, QUESTION)
    model, processor = (each.from_pretrained(blip2) for each in (Blip2ForConditionalGeneration, Blip2Processor))
    for picture, ours in zip(PICTURES, answers, strict=True):
        inputs = processor(images=picture, text=QUESTION, return_tensors="pt")
        plain = model.generate(**inputs, num_beams=3, num_return_sequences=3, max_new_tokens=12, do_sample=False)
        texts = [text.strip() for text in processor.batch_decode(plain, skip_special_tokens=True)]
        assert [word for word, _ in ours] == list(dict.fromkeys(texts))
        scores = [score for _, score in ours]
        assert scores == sorted(scores, reverse=True) and all(0 < score <= 1 for score in scores)


def test_blip2_answers_the_authors_preset_greedily(blip2, backbone):
    namer = vqa_namer(blip2)
    model, processor = (each.from_pretrained(blip2) for each in (Blip2ForConditionalGeneration, Blip2Processor))
    found = namer.greedy(PICTURES, QUESTION)
    for picture, ours in zip(PICTURES, found, strict=True):
        plain = model.generate(**processor(images=picture, text=QUESTION, return_tensors="pt"), max_length=20)
        assert ours == [(processor.decode(plain[0], skip_special_tokens=True).strip(), 1.0)]
    options = Options(namer=asking(namer, "what is it"))
    chosen = options.namer_on(backbone, greedy=True)
    assert chosen.question == "what is it" and chosen.identity != options.namer_on(backbone).identity
    assert chosen(PICTURES, QUESTION) == namer.greedy(PICTURES, "what is it") != found
    requests = [Request("pet", schedule="adaptive", settings=Settings(preset)) for preset in ("paper", "published")]
    for request, asked in zip(requests, (options.namer, chosen), strict=True):
        plain = Options(namer=from_function(asked.__call__, "plain", asked.identity))
        lab = ConceptLab(backbone)
        assert lab.concept_id(request, options) == lab.concept_id(request, plain)


def test_a_chat_model_answers_and_does_not_repeat_the_question(chatty):
    answers = vqa_namer(chatty, answers=2)(PICTURES, QUESTION)
    assert len(answers) == 2 and all(1 <= len(each) <= 2 for each in answers)
    assert all("photo user" not in word and not word.startswith("user") for each in answers for word, _ in each)


@pytest.mark.parametrize("kind", ["blip2", "chatty", "generator", "classifier"])
def test_a_population_is_asked_at_once_and_in_chunks_alike(kind, request, monkeypatch):
    namer = vqa_namer(request.getfixturevalue(kind), answers=2)
    together = namer(PICTURES * 2, QUESTION)
    monkeypatch.setattr(core.namers, "_IMAGES_AT_ONCE", 1)
    apart = namer(PICTURES * 2, QUESTION)
    assert [[word for word, _ in each] for each in together] == [[word for word, _ in each] for each in apart]
    assert together[:2] == together[2:] or kind != "classifier"


@pytest.mark.parametrize("kind", ["blip2", "chatty", "generator"])
def test_sampled_answers_have_their_share_and_depend_on_no_neighbour(kind, request):
    namer = vqa_namer(request.getfixturevalue(kind), answers=6, sampling=True)
    state = torch.random.get_rng_state()
    one, other = namer(PICTURES, QUESTION)
    assert torch.equal(torch.random.get_rng_state(), state), "the global generator is not touched"
    torch.rand(1)  # by other code in between
    assert namer(PICTURES[1:], QUESTION) == [other]
    assert sum(share for _, share in one) == pytest.approx(1)
    assert namer.identity != vqa_namer(request.getfixturevalue(kind), answers=6).identity


def test_half_precision_and_a_place_on_the_device_only_while_it_answers(blip2, monkeypatch):
    journeys, rested = [], []
    monkeypatch.setattr(core.stack.offload, "moved", lambda home, device: journeys.append(home) or home.clone())
    namer = vqa_namer(blip2, answers=2, dtype=torch.bfloat16, make_room=lambda: rested.append(len(journeys)))
    assert not journeys
    assert len(namer(PICTURES, QUESTION)) == 2
    assert rested == [0] and journeys, "the others leave before it comes"
    before = len(journeys)
    namer(PICTURES, QUESTION)
    assert rested == [0, before] and len(journeys) == 2 * before, "and it left in between"


def test_a_repository_in_the_cache_answers_under_its_name(blip2, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    cache_as_hub(tmp_path, BLIP2, blip2)
    namer = vqa_namer(BLIP2, answers=2)
    assert namer.name == "blip2-flan-t5-xl" and namer.identity == vqa_namer(blip2, answers=2).identity
    assert namer(PICTURES, QUESTION) == vqa_namer(blip2, answers=2)(PICTURES, QUESTION)
    with pytest.raises(NamerError, match=r"no other/vlm in the hub's cache.*hf download other/vlm") as error:
        vqa_namer("other/vlm")
    assert "\n" not in str(error.value)


def test_code_that_a_model_brings_along_is_never_run(classifier):
    (classifier / "evil.py").write_text("raise SystemExit('ran')")
    config = json.loads((classifier / "config.json").read_text())
    own = {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
    (classifier / "config.json").write_text(json.dumps(config | own))
    with pytest.raises(NamerError, match="it wants to run its own code, and Conceptree never does that") as error:
        vqa_namer(classifier)
    assert "\n" not in str(error.value) and "trust_remote_code" not in str(error.value)


def test_a_model_that_answers_no_questions_says_so(classifier):
    config = json.loads((classifier / "config.json").read_text())
    (classifier / "config.json").write_text(json.dumps(config | {"architectures": ["ViltForMaskedLM"]}))
    with pytest.raises(NamerError, match="a ViltForMaskedLM answers no questions about pictures"):
        vqa_namer(classifier)


def test_a_person_may_ask_a_question_of_their_own():
    asked = []

    @from_function
    def namer(images, question):
        asked.append(question)
        return [[("dog", 1.0)] for _ in images]

    own = asking(namer, "What animal is this?")
    assert own([1], QUESTION) == [[("dog", 1.0)]] and asked == ["What animal is this?"]
    assert own.name == "namer" and own.identity != asking(namer, "And this?").identity
    with pytest.raises(NamerError, match="the question is empty"):
        asking(namer, " ")


def test_canned_answers_come_in_order_and_the_last_repeats():
    namer = canned_namer(["dog"], ["cat", "lion"])
    assert namer([1, 2, 3], "?") == [[("dog", 1.0)], [("cat", 1.0), ("lion", 0.5)], [("cat", 1.0), ("lion", 0.5)]]


def test_a_plain_function_is_a_namer_by_one_line():
    named = from_function(lambda images, question: [[("dog", 1.0)]], "mine", "mine 2")
    assert named.name == "mine" and named.identity == "mine 2" and named([1], "?") == [[("dog", 1.0)]]
    assert from_function(len).name == from_function(len).identity == "len" and where_of(named) == ""
