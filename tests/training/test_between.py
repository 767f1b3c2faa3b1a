"""Whole hybrids for the decoder: of relatives that may be joined, with what the prior imagines for their names."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.training.tiny import CAT, DOG, SIDE, generator
from training import between, models
from training.autoencoder import Rebuild, new_autoencoder
from training.between import HOUSE, VARIANTS, Between, make_between, prompt, whole_hybrids
from training.pictures import PictureSource, held_out_pair
from training.render import Drawings
from training.sources import SETS
from training.teacher import Words
from training.workshop import Workshop


def free_seed(held: bool) -> int:
    cat, dog = torch.tensor([CAT]), torch.tensor([DOG])
    return next(seed for seed in range(500) if bool(held_out_pair(cat, dog, seed)) == held)


def test_only_relatives_that_may_be_joined_are(drawings: Drawings) -> None:
    pets = np.flatnonzero((drawings.thing <= DOG) & (drawings.style < 3))
    free = PictureSource(drawings, pets, SIDE, pairs_seed=free_seed(held=False))
    pictures, facts = whole_hybrids(free, 64, generator(0))
    assert pictures.shape[1:] == (4, SIDE, SIDE) and len(pictures) == len(facts) > 0
    assert {tuple(sorted(row[:2])) for row in facts.tolist()} == {(CAT, DOG)} and facts[:, 2].max() < 3
    every = drawings.split(held_out=False)
    held = PictureSource(drawings, every, SIDE, pairs_seed=free_seed(held=True))
    _, facts = whole_hybrids(held, 64, generator(0))
    assert len(facts) and not (facts[:, :2] <= DOG).all(1).any() and (facts[:, 0] != facts[:, 1]).all()


def test_prompts_name_both_things_and_the_style_where_it_is_not_the_houses(words: Words) -> None:
    styles = [art.style for art in SETS]
    for style, told in enumerate(styles):
        made = [prompt(words, (CAT, DOG, style), np.random.default_rng(seed)) for seed in range(60)]
        assert all("cat" in text and "dog" in text for text in made)
        assert any("cat dog" in text for text in made) and any("dog cat" in text for text in made)
        assert any("mix of a" in text for text in made)
        named = sum(text.endswith(f"in the style of {told}") for text in made)
        assert named < 30 if told in HOUSE else named == 60


def some_between(width: int = 8) -> Between:
    numbers = generator(3)
    imagined = torch.randn(5, VARIANTS, width, generator=numbers)
    return Between(torch.zeros(5, 12, 16, 16), torch.full((5, width), 9.0), imagined, torch.randn(5, width))


def test_conditions_are_imagined_ones_on_the_way_to_the_category_or_what_the_tower_sees() -> None:
    made, rows = some_between(), torch.arange(5).repeat(200)
    found = made.conditions(rows, generator(1))
    seen = (found == 9.0).all(1)
    assert 0.12 < seen.float().mean() < 0.24
    unmoved = torch.zeros(len(rows), dtype=torch.bool)
    for row, each in zip(rows[~seen].tolist(), found[~seen], strict=True):
        lengths = made.imagined[row].norm(dim=1)
        assert (lengths - each.norm()).abs().min() < 1e-4, "its length is kept"
        # Between an imagined embedding and the category's, so a combination of both.
        errors = []
        for variant in made.imagined[row]:
            basis = torch.stack([variant, made.category[row]], 1)
            errors.append(float((basis @ torch.linalg.lstsq(basis, each[:, None]).solution - each[:, None]).norm()))
        assert min(errors) < 1e-4
    for row, variant in np.ndindex(5, VARIANTS):
        unmoved |= torch.isclose(found, made.imagined[row, variant]).all(1) & (rows == row)
    assert 0.2 < unmoved.float().mean() < 0.45
    assert torch.equal(found, made.conditions(rows, generator(1)))


@pytest.fixture
def shop(tmp_path, drawings: Drawings) -> Workshop:
    shop = Workshop(tmp_path, seed=2)
    shop.__dict__["drawings"] = drawings
    shop.__dict__["source"] = PictureSource(drawings, drawings.split(held_out=False), pairs_seed=free_seed(held=False))
    return shop


def test_a_bank_is_made_once_and_again_for_other_networks(shop: Workshop, monkeypatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(between, "PAIRS", 32)
    rebuild, tower = Rebuild(new_autoencoder()).eval(), models.image_tower().eval()
    text, prior = models.text_tower(shop.tokenizer).eval(), models.prior_transformer().eval()
    prior.clip_std.data.fill_(1.0)
    made = make_between(shop, rebuild, tower, text, prior, 10)
    assert len(made.latents) >= 10 and made.latents.dtype == torch.float16
    assert made.imagined.shape == (len(made.latents), VARIANTS, models.WIDTH) and made.imagined.std() > 0
    assert not torch.equal(made.imagined[:, 0], made.imagined[:, 1])
    monkeypatch.setattr(between, "_joined", lambda *_: pytest.fail("made again"))
    again = make_between(shop, rebuild, tower, text, prior, 10)
    assert all(torch.equal(getattr(made, each.name), getattr(again, each.name)) for each in fields(made))
    monkeypatch.undo()
    monkeypatch.setattr(between, "PAIRS", 32)
    with torch.no_grad():
        prior.proj_in.weight.mul_(1.5)
    other = make_between(shop, rebuild, tower, text, prior, 10)
    assert torch.equal(other.latents, made.latents) and not torch.equal(other.imagined, made.imagined)


def test_what_is_imagined_for_training_is_what_the_stack_imagines(shop: Workshop) -> None:
    """The embedded stack's own text tower and prior, asked by its own code."""
    from core import Backbone
    from training.between import _imagined  # the captions' features are its only private part

    backbone = Backbone.load("emoji")
    words = SimpleNamespace(things=("cat", "dog"), categories=("pet",), belongs=torch.ones(2, 1, dtype=torch.bool))
    shop.__dict__["words"], shop.__dict__["tokenizer"] = words, backbone.tokenizer
    facts = np.array([[0, 1, 1], [1, 0, 1]])
    imagined, category = _imagined(shop, backbone.text_encoder, backbone.prior, facts)
    numbers = np.random.default_rng(shop.seed * 1_000_003 + 17)
    for variant in range(VARIANTS):
        prompts = [prompt(words, each, numbers) for each in facts.tolist()]
        seeds = numbers.integers(1 << 30, size=2).tolist()
        wanted = backbone.imagine(prompts, seeds=seeds)
        assert torch.allclose(imagined[:, variant], wanted, atol=1e-3)
    assert torch.equal(category[0], category[1])


def test_a_limit_of_time_ends_the_joining_and_stores_nothing(shop: Workshop, monkeypatch) -> None:
    monkeypatch.setattr(between, "PAIRS", 32)
    monkeypatch.setattr(between, "LEAST", 4)
    rebuild, tower = Rebuild(new_autoencoder()).eval(), models.image_tower().eval()
    text, prior = models.text_tower(shop.tokenizer).eval(), models.prior_transformer().eval()
    made = make_between(shop, rebuild, tower, text, prior, 100_000, seconds=1e-6)
    assert 4 <= len(made.latents) < 64 and not list(shop.cache.rglob("between-*"))
