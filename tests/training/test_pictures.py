"""Training pictures follow from their seed, show what their truth says, and never show held-out drawings or pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.training.tiny import CAT, DOG, SIDE, generator
from training import render
from training.hybrids import COLOURS, PARTS, PATTERNS, PROPORTIONS
from training.pictures import (
    BARE,
    COLOUR,
    LOOKS,
    MOVED,
    OTHER,
    PART,
    PATTERN,
    PROPORTION,
    SHARE,
    STILL,
    THING,
    TRUTHS,
    PictureSource,
    Supply,
    apply_look,
    held_out_pair,
)
from training.render import Drawings, held_out_pairs, pack, unpack


def test_same_seed_gives_the_same_pictures(source: PictureSource) -> None:
    one, again, other = (source.sample(16, generator(seed), MOVED) for seed in (1, 1, 2))
    assert torch.equal(one.pixels, again.pixels) and torch.equal(one.truth, again.truth)
    assert not torch.equal(one.pixels, other.pixels)
    assert one.pixels.shape == (16, 3, SIDE, SIDE) and one.truth.shape == (16, TRUTHS)
    assert one.pixels.min() >= 0 and one.pixels.max() <= 1


def test_a_supply_gives_the_sources_batches_some_made_together(source: PictureSource) -> None:
    def seeded(seed: int) -> torch.Generator:
        return torch.Generator().manual_seed(seed)

    one_at_a_time, three = Supply(source, 4, MOVED), Supply(source, 4, MOVED, together=3)
    for step in range(2):
        assert torch.equal(one_at_a_time.next(seeded(step)).pixels, source.sample(4, seeded(step), MOVED).pixels)
    made = [three.next(seeded(step)) for step in range(4)]
    together = source.sample(12, seeded(0), MOVED)
    assert torch.equal(torch.cat([each.pixels for each in made[:3]]), together.pixels)
    assert torch.equal(torch.cat([each.truth for each in made[:3]]), together.truth)
    assert torch.equal(made[3].pixels, source.sample(12, seeded(3), MOVED).pixels[:4])


def test_pictures_do_not_depend_on_the_global_random_state(source: PictureSource) -> None:
    made = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        made.append(source.sample(32, generator(5), MOVED))
    assert torch.equal(made[0].pixels, made[1].pixels) and torch.equal(made[0].truth, made[1].truth)
    state = torch.get_rng_state()
    source.sample(32, generator(5), MOVED)
    assert torch.equal(state, torch.get_rng_state())


def test_drawings_of_a_held_out_set_are_never_drawn_for_training(source: PictureSource) -> None:
    batch = source.sample(200, generator(0), STILL)
    assert (batch.style != 3).all()


def test_held_out_pairs_are_symmetric_few_and_differ_by_seed() -> None:
    first, second = torch.triu_indices(200, 200, 1)
    held = held_out_pair(first, second)
    assert torch.equal(held, held_out_pair(second, first)) and torch.equal(held, held_out_pair(first, second))
    assert 0.06 < held.float().mean() < 0.1
    other = held_out_pair(first, second, seed=7)
    assert 0.06 < other.float().mean() < 0.1
    assert 0.003 < (held & other).float().mean() < 0.012  # a few that neither may join


def test_held_out_pairs_are_never_joined(drawings: Drawings) -> None:
    only_joined = replace(STILL, joined=1.0, coloured=0.0, patterned=0.0, parts=0.0, proportions=0.0)
    cat, dog = torch.tensor([CAT]), torch.tensor([DOG])
    held = next(seed for seed in range(500) if held_out_pair(cat, dog, seed))
    free = next(seed for seed in range(500) if not held_out_pair(cat, dog, seed))
    joined = {}
    for seed in (held, free):
        source = PictureSource(drawings, drawings.split(held_out=False), SIDE, pairs_seed=seed)
        truth = source.sample(120, generator(0), only_joined).truth
        pets = (truth[:, THING] <= DOG) & (truth[:, OTHER] >= 0)
        joined[seed] = int(pets.sum())
        shares = truth[truth[:, OTHER] >= 0, SHARE]
        assert (shares >= 25).all() and (shares <= 75).all()
        assert (truth[:, OTHER] != truth[:, THING]).all()
    assert joined[held] == 0 and joined[free] > 5


@pytest.mark.parametrize(
    ("kind", "column", "names"),
    [("patterned", PATTERN, PATTERNS), ("parts", PART, PARTS), ("proportions", PROPORTION, PROPORTIONS)],
)
def test_truth_names_what_was_changed(source: PictureSource, kind: str, column: int, names: tuple[str, ...]) -> None:
    only = replace(BARE, **{kind: 1.0})
    animals = source.indices[source.thing[source.indices] <= DOG]
    batch = source.vary(animals.repeat(6), generator(1), only)
    assert set(batch.truth[:, column].tolist()) - {-1} == set(range(len(names)))
    assert (batch.truth[:, column] >= 0).float().mean() > 0.5
    rest = [c for c in (PATTERN, PART, PROPORTION, OTHER) if c != column]
    assert (batch.truth[:, rest] == -1).all() and (batch.truth[:, SHARE] == 100).all()
    plain = source.vary(animals.repeat(6), generator(1), BARE)
    assert (plain.truth[:, [PATTERN, PART, PROPORTION, OTHER]] == -1).all()


def test_a_look_without_colours_leaves_no_colour_to_name(drawings: Drawings) -> None:
    red = np.zeros_like(drawings.rgba)
    red[..., 0], red[..., 3] = 220, drawings.rgba[..., 3]
    source = PictureSource(replace(drawings, rgba=red), np.arange(len(red)), SIDE)
    batch = source.vary(torch.arange(len(red)).repeat(6), generator(0), replace(BARE, look=0.7))
    colourless = torch.tensor([LOOKS.index(n) for n in ("pencil sketch", "black and white", "neon", "silhouette")])
    without = torch.isin(batch.look, colourless)
    assert without.any() and not without.all()
    assert (batch.truth[without, COLOUR] == -1).all()
    assert (batch.truth[~without, COLOUR] == list(COLOURS).index("red")).all()


def test_holding_out_leaves_every_thing_three_sets() -> None:
    thing, style = np.repeat(np.arange(300), 5), np.tile(np.arange(5), 300)
    held = held_out_pairs(thing, style)
    assert 0.05 < held.mean() < 0.2
    assert all(len(set(style[(thing == t) & ~held])) >= 3 for t in range(300))
    assert np.array_equal(held, held_out_pairs(thing, style))


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_changes_the_drawing_and_stays_a_picture(drawings: Drawings, look: str) -> None:
    source = PictureSource(drawings, np.arange(12), 64)
    batch = source.vary(torch.arange(12), generator(0), BARE)
    redrawn = apply_look(look, batch.pixels, source.premultiplied(torch.arange(12))[:, 3:])
    assert redrawn.shape == batch.pixels.shape
    assert redrawn.min() >= 0 and redrawn.max() <= 1
    assert torch.equal(redrawn, batch.pixels) == (look == "plain")


@pytest.mark.parametrize("quality", [100, 60])
def test_a_pack_gives_the_drawings_back(tmp_path, monkeypatch, drawings: Drawings, quality: int) -> None:
    monkeypatch.setattr(render, "COLUMNS", 3)  # several sheets, the last of them not full
    pack(drawings, tmp_path / "drawings.zip", quality)
    again = unpack(tmp_path / "drawings.zip")
    assert again.things == drawings.things
    for name in ("thing", "style", "held_out"):
        assert np.array_equal(getattr(again, name), getattr(drawings, name))
    assert np.array_equal(again.rgba[..., 3], drawings.rgba[..., 3])
    drawn = drawings.rgba[..., 3] > 0
    error = abs(again.rgba[drawn].astype(int) - drawings.rgba[drawn])
    assert error.max() == 0 if quality == 100 else 0 < error.mean() < 12
