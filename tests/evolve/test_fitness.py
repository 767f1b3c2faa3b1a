"""A concept's objectives, each seen to order a set made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core import Request, Settings
from core.constraints import normalise
from core.metrics import imagine_word
from core.prompts import PANEL
from evolve import develop
from evolve.fitness import OBJECTIVES, Fitness, evaluate, novelty
from tests.stacks import MEMBERS

NOTHING = Settings(steps=0, learning_rate=1e-2)


def of_word(backbone, word, seed=0):
    """A concept that is nothing but a known word."""
    start = backbone.word_vector(word)[None].numpy()
    return develop([Request("pet", seed=seed, schedule="none", start=start, settings=NOTHING)], backbone)[0]


def placed(concept, id_, *image_embed):
    return replace(concept, id=id_, image_embed=np.array(image_embed, dtype=np.float32))


@pytest.fixture(scope="module")
def pet(backbone):
    return of_word(backbone, "pet")


def test_belonging_and_differing_are_similarities_to_words(backbone, pet):
    """By the plain way: the mean over the panel of the cosine between what is imagined and the word in that prompt."""
    imagined = normalise(imagine_word(backbone, "object", "pet"))[0]  # [templates, seeds, width]
    own, *known = (
        float(torch.einsum("tsd,td->ts", imagined, texts).mean())
        for texts in (
            normalise(backbone.encode_text([t.format(w) for t in PANEL["object"]])) for w in ("pet", *MEMBERS)
        )
    )
    belongs, differs, _, consistent = evaluate([pet], backbone)[0]
    assert belongs == pytest.approx(own, abs=1e-5)
    assert differs == pytest.approx(own - max(known), abs=1e-5)
    assert -1 <= consistent <= 1


def test_novelty_is_the_mean_distance_to_the_nearest_by_hand(pet):
    one, two, three = placed(pet, "1", 1, 0), placed(pet, "2", 0, 1), placed(pet, "3", -1, 0)
    assert novelty([one], [one, two, three], neighbours=1) == pytest.approx([1.0])
    assert novelty([one], [one, two, three], neighbours=2) == pytest.approx([1.5])
    assert novelty([one, two], [one, two, three], neighbours=5) == pytest.approx([1.5, 1.0])
    assert novelty([one], [one]) == [1.0]


def test_one_far_from_the_archive_is_more_novel(backbone, pet):
    near = replace(pet, id="near", image_embed=pet.image_embed * 1.001)
    far = replace(pet, id="far", image_embed=-pet.image_embed)
    place = OBJECTIVES.index("novel")
    close, distant = (evaluate([each], backbone, archive=[pet])[0][place] for each in (near, far))
    assert close == pytest.approx(0, abs=1e-5) and distant == pytest.approx(2, abs=1e-5)


def test_fitness_is_deaps_and_maximises():
    better, worse = Fitness((0.5, 0.2, 0.3, 0.9)), Fitness((0.4, 0.2, 0.3, 0.9))
    assert better.dominates(worse) and not worse.dominates(better)


def test_what_is_measured_does_not_depend_on_the_neighbours(backbone, pet):
    other = of_word(backbone, "dog", seed=2)
    alone = evaluate([pet], backbone, archive=[other])[0]
    assert evaluate([other, pet], backbone)[1] == pytest.approx(alone)
