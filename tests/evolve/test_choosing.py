"""The best of more founders than are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from core.concept import Concept, Positive, Request
from evolve.choosing import BELONGS, LIKENESS, SEEDS, STRENGTH, best, truth_and_steadiness

WIDTH = 6
REQUEST = Request("pet", schedule="none")


def concept(embed: np.ndarray, **scores: float) -> Concept:
    return Concept("c", REQUEST, np.zeros((1, 4), np.float32), embed.astype(np.float32), scores=scores)


def pool(belongs: list[float], seed: int = 0) -> list[Concept]:
    random = np.random.default_rng(seed)
    return [concept(random.normal(size=WIDTH), belongs=value) for value in belongs]


class Seeing:
    """A stack that sees the embeddings given for pictures, and others given for these pictures drawn over."""

    def __init__(self, *embeds: np.ndarray, over: Sequence[np.ndarray] = ()):
        self.embeds = {False: embeds, True: over or embeds}
        self.asked: list[tuple[object, ...]] = []

    def encode_images(self, pictures: list[Image.Image]) -> torch.Tensor:
        return torch.tensor(np.stack(self.embeds[pictures[0].mode == "1"]))

    def draw(self, embeds: torch.Tensor, seeds: list[int], *, over: list[Image.Image], strength: float) -> list[Any]:
        self.asked.append((embeds.tolist(), seeds, over, strength))
        return [Image.new("1", (8, 8)) for _ in over]


def test_each_choice_is_the_best_by_quality_less_its_likeness_to_those_chosen():
    concepts = pool([0.2, 0.9, 0.5, 0.4, 0.7, 0.1])
    values = np.array([each.scores["belongs"] for each in concepts])
    quality = BELONGS * (values - values.mean()) / values.std()
    units = [each.image_embed / np.linalg.norm(each.image_embed) for each in concepts]
    chosen = [int(quality.argmax())]
    while len(chosen) < 3:
        left = [place for place in range(6) if place not in chosen]
        price = {place: LIKENESS * max(float(units[place] @ units[other]) for other in chosen) for place in left}
        chosen.append(max(left, key=lambda place: quality[place] - price[place]))
    assert best(None, concepts, (), 3) == sorted(chosen)


def test_of_twins_one_is_chosen():
    concepts = pool([0.9, 0.1, 0.2, 0.3])
    concepts.append(replace(concepts[0], id="twin"))
    assert not {0, 4} <= set(best(None, concepts, (), 3))


def test_marked_ones_stay_in_any_case_and_no_more_than_there_are():
    concepts = pool([0.9, 0.8, 0.1, 0.2])
    assert {2, 3} <= set(best(None, concepts, (), 3, first=[3, 2]))
    assert best(None, concepts, (), 1, first=[3, 2]) == best(None, concepts, (), 2, first=[3, 2]) == [2, 3]
    assert best(None, concepts, (), 9) == [0, 1, 2, 3] and best(None, [], (), 2) == []


def test_a_concept_that_is_drawn_otherwise_than_imagined_is_left():
    units = np.eye(4, WIDTH)
    concepts = [concept(unit, belongs=0.5) for unit in units]
    flat = [Image.new("RGB", (8, 8), "white")] * 4
    drawn = [*units[:3], units[0]]  # the last one is drawn as the first one is imagined
    assert best(Seeing(*drawn), concepts, flat, 3) == [0, 1, 2]
    truth, steadiness = truth_and_steadiness(Seeing(*drawn), concepts, flat)
    assert truth.tolist() == pytest.approx([1, 1, 1, 0])
    assert steadiness.tolist() == pytest.approx([1, 1, 1, 0.5])


def test_a_portrait_that_becomes_something_else_when_drawn_over_is_left():
    units = np.eye(4, WIDTH)
    concepts = [concept(unit, belongs=0.5) for unit in units]
    flat = [Image.new("RGB", (8, 8), "white")] * 4
    other = np.eye(WIDTH)[5]
    stack = Seeing(*units, over=[other, units[1] + other, *units[2:]])
    assert best(stack, concepts, flat, 3) == [1, 2, 3] and best(stack, concepts, flat, 2) == [2, 3]
    assert stack.asked[:2] == [(units.tolist(), [seed] * 4, flat, STRENGTH) for seed in SEEDS]
    truth, steadiness = truth_and_steadiness(stack, concepts, flat)
    assert truth.tolist() == pytest.approx([1] * 4)
    assert steadiness.tolist() == pytest.approx([0, 0.5**0.5, 1, 1])


def test_among_equals_the_crispest_is_chosen():
    concepts = [concept(unit, belongs=0.5) for unit in np.eye(3, WIDTH)]
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (8, 4)))
    flat = Image.new("L", (8, 8), 128)
    assert best(Seeing(*np.eye(3, WIDTH)), concepts, [flat, stripes, flat], 1) == [1]


def test_a_missing_score_counts_for_none():
    scores = ({"belongs": 1.0}, {}, {})
    concepts = [concept(unit, **each) for unit, each in zip(np.eye(3, WIDTH), scores, strict=True)]
    assert best(None, concepts, (), 2) in [list(pair) for pair in combinations(range(3), 2)]


def test_founders_of_each_trait_take_turns_and_the_best_of_each_is_chosen():
    traits = ["", "blue", "blue", "", "", "spotted"]
    concepts = [
        replace(each, request=Request("pet", schedule="none", positives=(Positive("pet"), Positive(f"{trait} pet"))))
        if trait
        else each
        for each, trait in zip(pool([0.9, 0.3, 0.5, 0.8, 0.7, 0.1]), traits, strict=True)
    ]
    same = np.ones(WIDTH)
    concepts = [replace(each, image_embed=same.astype(np.float32)) for each in concepts]
    assert best(None, concepts, (), 3) == [0, 2, 5], "one without a trait, one blue, one spotted"
    assert best(None, concepts, (), 5) == [0, 1, 2, 3, 5], "then the others, while there are any"
    assert best(None, concepts, (), 3, first=[4]) == [2, 4, 5], "a marked one is the one of its kind"
