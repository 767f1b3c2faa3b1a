"""The best drawing of a concept is kept, by one rule for all ways of drawing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from core import ConceptLab, Request, Settings
from core.depict import DENOISING_WEIGHT, DETAIL_WEIGHT, draw_concept, draw_portrait, laplacian_energy, log_detail
from core.errors import PromptError

PROMPT, SEEDS = "a photo of a {}", (1, 2, 3, 4, 5, 6)


@pytest.fixture(scope="module")
def pets(backbone64):
    settings = Settings(steps=2, segment=1, learning_rate=0.05)
    requests = [Request("pet", negatives=("cat",), seed=seed, settings=settings) for seed in range(2)]
    return ConceptLab(backbone64).run(requests)


def value(backbone, concept, picture) -> float:
    """The weighted sum of cosine, denoising error and detail of one picture, encoded alone."""
    (seen,) = backbone.encode_images(picture).cpu()
    cosine = float(seen.numpy() @ concept.image_embed / seen.norm() / np.linalg.norm(concept.image_embed))
    error = float(backbone.denoising_errors([picture], seen[None]))
    return cosine - DENOISING_WEIGHT * np.log(error) + DETAIL_WEIGHT * np.log(laplacian_energy(picture))


def test_the_portrait_is_the_one_that_a_plain_loop_finds(backbone64, pets):
    for concept in pets:
        drawn = [draw_concept(backbone64, concept, [PROMPT], [seed])[0] for seed in SEEDS]
        found = [value(backbone64, concept, picture) for picture in drawn]
        picture, seed = draw_portrait(backbone64, concept, PROMPT, SEEDS)
        assert seed == SEEDS[int(np.argmax(found))]
        assert np.array_equal(np.asarray(picture), np.asarray(drawn[SEEDS.index(seed)])), "drawn again alone"


@pytest.mark.parametrize("favourite", SEEDS)
@pytest.mark.parametrize("measure", ["truth", "error", "detail"])
def test_of_drawings_that_differ_in_one_measure_the_best_is_kept(backbone64, pets, monkeypatch, favourite, measure):
    concept, place = pets[0], SEEDS.index(favourite)
    better = [float(at == place) for at in range(len(SEEDS))]
    embeds = torch.ones(len(SEEDS), 16)
    if measure == "truth":
        embeds[place] = torch.from_numpy(concept.image_embed.copy())
    errors = torch.tensor([0.6 - 0.1 * (each if measure == "error" else 0) for each in better])
    details = iter(each if measure == "detail" else 0.0 for each in better)
    monkeypatch.setattr(backbone64, "encode_images", lambda pictures: embeds)
    monkeypatch.setattr(backbone64, "denoising_errors", lambda *given: errors)
    monkeypatch.setattr("core.depict.log_detail", lambda picture: next(details))
    assert draw_portrait(backbone64, concept, PROMPT, SEEDS)[1] == favourite


def test_a_single_seed_is_drawn_and_not_looked_at(backbone64, pets, monkeypatch):
    monkeypatch.setattr(backbone64, "encode_images", None)
    picture, seed = draw_portrait(backbone64, pets[0], PROMPT, [7])
    (plain,) = draw_concept(backbone64, pets[0], [PROMPT], [7])
    assert seed == 7 and np.array_equal(np.asarray(picture), np.asarray(plain))
    with pytest.raises(PromptError, match="give at least one"):
        draw_portrait(backbone64, pets[0], PROMPT, [])


def test_laplacian_energy_of_one_white_point():
    image = Image.new("L", (5, 5))
    image.putpixel((2, 2), 255)
    assert laplacian_energy(image) == pytest.approx((16 + 4) / 9)
    assert log_detail(image) == pytest.approx(np.log(20 / 9)) and np.isfinite(log_detail(Image.new("L", (5, 5))))
