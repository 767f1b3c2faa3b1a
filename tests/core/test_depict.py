"""The best drawing of a concept is kept, by one rule for all ways of drawing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core import ConceptLab, Request, Settings
from core.depict import DENOISING_WEIGHT, draw_concept, draw_portrait
from core.errors import PromptError

PROMPT, SEEDS = "a photo of a {}", (1, 2, 3, 4, 5, 6)


@pytest.fixture(scope="module")
def pets(backbone64):
    settings = Settings(steps=2, segment=1, learning_rate=0.05)
    requests = [Request("pet", negatives=("cat",), seed=seed, settings=settings) for seed in range(2)]
    return ConceptLab(backbone64).run(requests)


def value(backbone, concept, picture) -> float:
    """What one picture, looked at alone, is worth: the cosine to what is imagined, and how whole it is."""
    (seen,) = backbone.encode_images(picture).cpu()
    cosine = float(seen.numpy() @ concept.image_embed / seen.norm() / np.linalg.norm(concept.image_embed))
    return cosine - DENOISING_WEIGHT * np.log(float(backbone.denoising_errors([picture], seen[None])))


def test_the_portrait_is_the_one_that_a_plain_loop_finds(backbone64, pets):
    for concept in pets:
        drawn = [draw_concept(backbone64, concept, [PROMPT], [seed])[0] for seed in SEEDS]
        found = [value(backbone64, concept, picture) for picture in drawn]
        picture, seed = draw_portrait(backbone64, concept, PROMPT, SEEDS)
        assert seed == SEEDS[int(np.argmax(found))]
        assert np.array_equal(np.asarray(picture), np.asarray(drawn[SEEDS.index(seed)])), "drawn again alone"


@pytest.mark.parametrize("favourite", SEEDS)
def test_of_equally_whole_drawings_the_truest_is_kept_and_of_equally_true_ones_the_most_whole(
    backbone64, pets, monkeypatch, favourite
):
    drawn = draw_concept(backbone64, pets[0], [PROMPT] * len(SEEDS), SEEDS)
    place = SEEDS.index(favourite)
    aimed = replace(pets[0], image_embed=backbone64.encode_images(drawn)[place].float().numpy())
    monkeypatch.setattr(backbone64, "denoising_errors", lambda *given: torch.ones(len(SEEDS)))
    assert draw_portrait(backbone64, aimed, PROMPT, SEEDS)[1] == favourite
    monkeypatch.setattr(backbone64, "encode_images", lambda pictures: torch.ones(len(pictures), 16))
    monkeypatch.setattr(
        backbone64, "denoising_errors", lambda *given: torch.tensor([0.5 if at == place else 0.6 for at in range(6)])
    )
    assert draw_portrait(backbone64, pets[0], PROMPT, SEEDS)[1] == favourite


def test_a_single_seed_is_drawn_and_not_looked_at(backbone64, pets, monkeypatch):
    monkeypatch.setattr(backbone64, "encode_images", None)
    picture, seed = draw_portrait(backbone64, pets[0], PROMPT, [7])
    (plain,) = draw_concept(backbone64, pets[0], [PROMPT], [7])
    assert seed == 7 and np.array_equal(np.asarray(picture), np.asarray(plain))
    with pytest.raises(PromptError, match="give at least one"):
        draw_portrait(backbone64, pets[0], PROMPT, [])
