"""Figures of inventions by hand, with a judge of six things."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image

from core.stack.backbone import EMOJI
from training.inventions import BROAD, CATEGORIES, PAIRS, SHOWN, belief, judged, others_of


class SixThings:
    """Believes and finds alike what it is given."""

    things = ("cat", "dog", "whale", "apple", "pear", "leek")
    categories = {  # noqa: RUF012
        "animal": ["cat", "dog", "whale"],
        "pet": ["cat", "dog"],
        "food": ["apple", "pear", "leek"],
        "fruit": ["apple", "pear"],
    }

    def __init__(self, believed, alike):
        self.believed, self.alike = torch.tensor(believed), alike

    def probabilities(self, images):
        return self.believed

    def similarity(self, images, words):
        return torch.tensor([[row[word] for word in words] for row in self.alike])


@pytest.fixture
def judge():
    believed = [[0.3, 0.2, 0.4, 0.1, 0.0, 0.0], [0.0, 0.1, 0.0, 0.0, 0.2, 0.7]]
    alike = [{"pet": 0.8, "food": 0.1, "fruit": 0.2}, {"pet": 0.3, "food": 0.6, "fruit": 0.5}]
    return SixThings(believed, alike)


def test_belief_counts_each_member_once(judge):
    assert belief(judge, judge.believed, ["pet"]) == pytest.approx([0.5, 0.1])
    assert belief(judge, judge.believed, ["pet", "animal"]) == pytest.approx([0.9, 0.1])


def test_other_categories_share_no_member(judge):
    assert others_of(judge, "pet") == ["food", "fruit"]
    assert others_of(judge, "food") == ["animal", "pet"]


def test_what_the_judge_says_of_portraits(judge):
    portraits = [Image.new("RGB", (8, 8))] * 2
    creature, leek = judged(judge, portraits, "pet")
    assert creature == {
        "category": 0.5, "broad": 0.9, "known": 0.4, "known_as": "whale",
        "word": 0.8, "other_word": 0.2, "other": "fruit",
    }  # fmt: skip
    assert (leek["known_as"], leek["other"], leek["other_word"]) == ("leek", "food", 0.6)
    assert leek["category"] == leek["broad"] == 0.1


def test_every_category_has_a_broad_group_that_the_embedded_stack_knows():
    known = json.loads((EMOJI / "vocabulary.json").read_text(encoding="utf-8"))["categories"]
    assert set(BROAD) == set(SHOWN) >= set(CATEGORIES)
    for category, groups in BROAD.items():
        members = {thing for group in groups for thing in known[group]}
        share = len(members & set(known[category])) / len(known[category])
        assert share >= 0.9, f"{category} is hardly within {groups}"


def test_pairs_of_parents_are_disjoint():
    assert sorted(place for pair in PAIRS for place in pair) == list(range(6))
