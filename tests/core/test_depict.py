"""The drawing nearest to the concept is kept, by one rule for all ways of drawing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core import ConceptLab, Request, Settings
from core.depict import draw_concept, draw_truest
from core.errors import PromptError

PROMPT, SEEDS = "a photo of a {}", (1, 2, 3, 4, 5, 6)


@pytest.fixture(scope="module")
def pets(backbone64):
    settings = Settings(steps=2, segment=1, learning_rate=0.05)
    requests = [Request("pet", negatives=("cat",), seed=seed, settings=settings) for seed in range(2)]
    return ConceptLab(backbone64).run(requests)


def closeness(backbone, concept, picture) -> float:
    """Cosine between one picture, looked at alone, and what is imagined of the concept."""
    (seen,) = backbone.encode_images(picture).cpu().numpy()
    return float(seen @ concept.image_embed / np.linalg.norm(seen) / np.linalg.norm(concept.image_embed))


def test_the_truest_drawing_is_the_one_that_a_plain_loop_finds(backbone64, pets):
    for concept in pets:
        drawn = [draw_concept(backbone64, concept, [PROMPT], [seed])[0] for seed in SEEDS]
        found = [closeness(backbone64, concept, picture) for picture in drawn]
        picture, seed = draw_truest(backbone64, concept, PROMPT, SEEDS)
        assert seed == SEEDS[int(np.argmax(found))]
        assert np.array_equal(np.asarray(picture), np.asarray(drawn[SEEDS.index(seed)])), "drawn again alone"


def test_which_is_the_truest_follows_from_what_is_imagined(backbone64, pets):
    drawn = draw_concept(backbone64, pets[0], [PROMPT] * len(SEEDS), SEEDS)
    for seed, embed in zip(SEEDS, backbone64.encode_images(drawn), strict=True):
        aimed = replace(pets[0], image_embed=embed.float().numpy())
        assert draw_truest(backbone64, aimed, PROMPT, SEEDS)[1] == seed


def test_a_single_seed_is_drawn_and_not_looked_at(backbone64, pets, monkeypatch):
    monkeypatch.setattr(backbone64, "encode_images", None)
    picture, seed = draw_truest(backbone64, pets[0], PROMPT, [7])
    (plain,) = draw_concept(backbone64, pets[0], [PROMPT], [7])
    assert seed == 7 and np.array_equal(np.asarray(picture), np.asarray(plain))
    with pytest.raises(PromptError, match="give at least one"):
        draw_truest(backbone64, pets[0], PROMPT, [])
