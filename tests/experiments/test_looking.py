"""Similarities of all eyes by hand; watching a lab does not change its concepts."""

from __future__ import annotations

import math

import pytest
import torch
from PIL import Image

from core.concept import Request
from core.errors import ConceptreeError
from core.metrics import imagine_panel, imagine_word, word_similarity
from core.optimizer import ConceptLab
from core.prompts import PANEL
from core.settings import Settings
from core.stack.backbone import Backbone
from core.stack.wordbank import WordBank
from experiments.conduct import Bench
from experiments.looking import (
    Eyes,
    WatchedLab,
    check_categories,
    drawing_bytes,
    drawing_of,
    known_members,
    nearest_members,
    resemblance,
)
from tests.protocols import STRANGE, AnyJudge
from tests.stacks import CATEGORIES

PICTURES = [Image.new("RGB", (16, 16), colour) for colour in ("red", "navy")]


@pytest.fixture
def bench(backbone, tmp_path):
    return Bench(backbone, AnyJudge(), tmp_path, lambda _: None)


def test_the_nearest_is_another_in_each_look():
    found = resemblance(torch.tensor([[0.5, 0.3, 0.1], [0.7, 0.0, 0.2]]))
    assert found == pytest.approx({"belongs": 0.6, "nearest": 0.25, "margin": 0.35})


def test_words_that_a_judge_does_not_know_are_nobodys_nearest():
    found = resemblance(torch.tensor([[0.5, math.nan, 0.1]]))
    assert found == pytest.approx({"belongs": 0.5, "nearest": 0.1, "margin": 0.4})
    assert math.isnan(resemblance(torch.tensor([[0.5, math.nan]]))["margin"])
    assert math.isnan(resemblance(torch.tensor([[0.5]]))["nearest"])


def test_both_look_at_drawings_with_their_own_eyes(bench):
    found = Eyes(bench).drawn(PICTURES, ["pet", STRANGE, "cat"])
    stack = torch.nn.functional.normalize(bench.backbone.encode_images(PICTURES), dim=1)
    texts = torch.nn.functional.normalize(bench.backbone.encode_text(["a photo of a pet"]), dim=1)
    assert found["stack"][:, :1] == pytest.approx((stack @ texts.T).numpy(), abs=1e-6)
    judge = bench.judge.similarity(PICTURES, ["pet", "cat"])
    assert found["judge"][:, [0, 2]] == pytest.approx(judge.numpy()) and found["judge"][:, 1].isnan().all()
    one, other = bench.judge.embed(PICTURES)
    assert Eyes(bench).likeness(PICTURES)["judge"] == pytest.approx(float(one @ other), abs=1e-6)


def test_what_is_imagined_is_seen_with_the_words_in_the_same_prompts(bench):
    backbone = bench.backbone
    vectors = torch.stack([backbone.word_vector(word) for word in ("cat", "apple")])[:, None]
    eyes = Eyes(bench)
    looks = eyes.imagined(eyes.panels(vectors), ["pet", "cat"])
    bank = WordBank(backbone.encode_text, backbone.width)
    means = word_similarity(imagine_panel(backbone, "object", vectors), bank.panels("object", ["pet", "cat"]))
    assert looks.mean(1) == pytest.approx(means.numpy(), abs=1e-6)
    assert looks.shape[1] % len(PANEL["object"]) == 0


def test_the_nearest_members_are_those_that_the_category_makes_it_imagine(bench):
    found = nearest_members(bench, Eyes(bench), "pet", 3)
    bank = WordBank(bench.backbone.encode_text, bench.backbone.width)
    imagined = imagine_word(bench.backbone, "object", "pet")
    near = {word: float(word_similarity(imagined, bank.panels("object", [word]))) for word in CATEGORIES["pet"]}
    assert found == sorted(near, key=near.get, reverse=True)[:3]
    assert len(nearest_members(bench, Eyes(bench), "pet", 99)) == len(CATEGORIES["pet"])


def test_nobody_to_compare_with_is_said(bench, backbone, tmp_path):
    assert known_members(bench, "pet") == CATEGORIES["pet"]
    with pytest.raises(ConceptreeError, match="does not know the category 'zeppelin'"):
        known_members(bench, "zeppelin")
    with pytest.raises(ConceptreeError, match="the judge does not know the category 'photo'"):
        known_members(bench, "photo")
    listless = AnyJudge()
    listless.categories = {}  # as a judge that knows every word
    with pytest.raises(ConceptreeError, match="neither the stack nor the judge lists members of 'photo'"):
        known_members(Bench(backbone, listless, tmp_path, lambda _: None), "photo")


def test_categories_are_checked_at_once(bench, stack_folder, tmp_path):
    check_categories(bench, ["pet", "fruit"])
    with pytest.raises(ConceptreeError, match="the category 'pet' is given twice: drop one"):
        check_categories(bench, ["pet", "fruit", "pet"])
    learns = Backbone.load(stack_folder / "prior", device="cpu")
    with pytest.raises(ConceptreeError, match="has no decoder"):
        check_categories(Bench(learns, AnyJudge(), tmp_path, lambda _: None), ["pet"])


def test_to_watch_changes_nothing(backbone):
    settings = Settings(steps=4, segment=2, learning_rate=1e-2, keep="last")
    requests = [Request("pet", seed=1, settings=settings), Request("fruit", seed=2, settings=settings)]
    watched = WatchedLab(backbone, every=2)
    concepts = watched.run(requests)
    assert [each.vectors.tolist() for each in concepts] == [
        each.vectors.tolist() for each in ConceptLab(backbone).run(requests)
    ]
    assert sorted(watched.course) == [0, 2, 4]
    start = torch.stack([backbone.word_vector(word) for word in ("pet", "fruit")])
    assert torch.equal(watched.course[0][:, 0], start)
    assert watched.course[4].tolist() == [each.vectors.tolist() for each in concepts]


def test_a_table_keeps_drawings_side_by_side():
    row = drawing_of(drawing_bytes(PICTURES))
    assert row.size == (32, 16)
    assert row.getpixel((0, 0)) == pytest.approx((255, 0, 0), abs=4)
    assert row.getpixel((31, 15)) == pytest.approx((0, 0, 128), abs=4)
