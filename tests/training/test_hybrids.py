"""Hybrids: each kind is a picture, the same for the same seed, and does what its name says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from training import hybrids
from training.hybrids import COLOURS, PARTS

SIDE = 64
RED, BLUE, GREEN = (0.84, 0.19, 0.19), (0.25, 0.5, 0.88), (0.31, 0.69, 0.35)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def painted(mask: Tensor, colour: tuple[float, float, float], count: int = 1) -> Tensor:
    """A shape ``[s, s]`` in one colour, premultiplied ``[count, 4, s, s]``."""
    mask = mask.float()
    return torch.cat([torch.tensor(colour).view(3, 1, 1) * mask, mask[None]]).expand(count, -1, -1, -1).clone()


axis = torch.arange(SIDE) - SIDE / 2 + 0.5
DISC = (axis[:, None].square() + axis.square()).sqrt() < 22
SQUARE = torch.maximum(axis[:, None].abs(), axis.abs()) < 20


def speckled(count: int = 1) -> Tensor:
    """A disc of two colours with a dark eye, so that there are colours to change."""
    disc = painted(DISC, RED, count)
    disc[:, :3, 36:] = torch.tensor(GREEN).view(3, 1, 1) * disc[:, 3:, 36:]
    disc[:, :3, 24:28, 24:28] = 0.05
    return disc


def extent(cover: Tensor) -> tuple[int, int]:
    """Rows and columns that are covered."""
    return int((cover > 0.5).any(1).sum()), int((cover > 0.5).any(0).sum())


KINDS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "join": lambda x, g: hybrids.join(x, painted(SQUARE, BLUE, len(x)), g)[0],
    "recolour": lambda x, g: hybrids.recolour(x, painted(SQUARE, BLUE, len(x))),
    "tint": lambda x, g: hybrids.tint(x, torch.tensor([GREEN]).expand(len(x), 3)),
    "striped": lambda x, g: hybrids.pattern(x, torch.zeros(len(x)), g),
    "spotted": lambda x, g: hybrids.pattern(x, torch.ones(len(x)), g),
    "tall": lambda x, g: hybrids.stretch(x, torch.ones(len(x)).bool(), torch.full((len(x),), 0.6)),
    "wide": lambda x, g: hybrids.stretch(x, torch.zeros(len(x)).bool(), torch.full((len(x),), 0.6)),
} | {
    part: lambda x, g, i=i: hybrids.add_part(x, torch.full((len(x),), i), painted(SQUARE, BLUE, len(x)))[0]
    for i, part in enumerate(PARTS)
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_picture_and_the_same_for_the_same_seed(kind: str) -> None:
    before = speckled(6)
    made = KINDS[kind](before.clone(), generator(1))
    assert made.shape == before.shape and torch.isfinite(made).all()
    assert made.min() >= 0 and made.max() <= 1 + 1e-5
    assert (made[:, :3] <= made[:, 3:] + 1e-4).all()  # colours are premultiplied
    assert not torch.allclose(made, before, atol=0.02)
    torch.manual_seed(5)  # the global state does not matter
    assert torch.equal(made, KINDS[kind](before.clone(), generator(1)))
    if kind in ("join", "striped", "spotted"):
        assert not torch.equal(made, KINDS[kind](before.clone(), generator(2)))


@pytest.mark.parametrize("theirs", [DISC, SQUARE])
def test_a_hybrid_is_one_thing_at_one_end_and_the_other_at_the_other(theirs: Tensor) -> None:
    n = 48
    joined, share, done = hybrids.join(painted(DISC, RED, n), painted(theirs, BLUE, n), generator())
    assert done.float().mean() > 0.6
    cuts = set()
    for i in done.nonzero().flatten().tolist():
        for direction, name in ((1, "rows"), (0, "columns")):
            lines = (joined[i, 0] - joined[i, 2]).sum(direction)  # red lines above 0, blue ones below
            lines = lines[lines.abs() > 1].sign()
            if (lines.diff() != 0).sum() == 1:
                cuts.add((name, int(lines[0])))
                red = float((lines > 0).float().mean())
                assert 0.2 < red < 0.8
                break
        else:
            raise AssertionError(f"hybrid {i} has no clean cut")
        # Where it is red, it is the first.
        red_cover = (joined[i, 3] * (joined[i, 0] > joined[i, 2])).sum() / joined[i, 3].sum()
        assert 0.25 < share[i] < 0.75 and abs(float(red_cover - share[i])) < 0.08
    assert cuts == {("rows", 1), ("rows", -1), ("columns", 1), ("columns", -1)}


def test_joining_a_thing_with_itself_changes_nothing() -> None:
    disc = painted(DISC, RED, 16)
    joined, _, done = hybrids.join(disc, disc.clone(), generator())
    assert done.any() and torch.allclose(joined[done], disc[done], atol=1e-4)


def test_what_does_not_meet_is_not_joined() -> None:
    thin = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    thin[:, 31:33] = True
    for other in (thin, torch.zeros(SIDE, SIDE, dtype=torch.bool)):
        _, _, done = hybrids.join(painted(SQUARE, RED, 16), painted(other, BLUE, 16), generator())
        assert not done.any()


@pytest.mark.parametrize("name", COLOURS)
def test_a_tint_reaches_its_colour_and_the_colour_is_named(name: str) -> None:
    colour = torch.tensor([COLOURS[name]]) / 255
    made = hybrids.tint(painted(DISC, RED), colour)
    assert list(COLOURS)[int(hybrids.main_colour(made))] == name
    assert torch.allclose(made[0, :3, 32, 32], colour[0], atol=0.02)


def test_a_tint_keeps_outline_and_eyes() -> None:
    made = hybrids.tint(painted(DISC, (0.9, 0.85, 0.8)), torch.tensor([GREEN]))
    assert torch.equal(made[:, 3], painted(DISC, RED)[:, 3])
    pale = painted(DISC, (0.9, 0.85, 0.8))
    pale[:, :3, 24:28, 24:28] = 0.05
    assert hybrids.tint(pale, torch.tensor([GREEN]))[0, :3, 26, 26].max() < 0.1


def test_no_colour_is_named_where_none_has_half() -> None:
    quarters = painted(SQUARE, RED)
    for (rows, columns), colour in zip(
        ((slice(32), slice(32, SIDE)), (slice(32, SIDE), slice(32)), (slice(32, SIDE), slice(32, SIDE))),
        (BLUE, GREEN, (0.98, 0.84, 0.27)),
        strict=True,
    ):
        part = quarters[:, :, rows, columns]
        part[:, :3] = torch.tensor(colour).view(3, 1, 1) * part[:, 3:]
    assert hybrids.main_colour(quarters).tolist() == [-1]
    assert hybrids.main_colour(torch.zeros(1, 4, SIDE, SIDE)).tolist() == [-1]


def test_recoloured_drawings_have_the_palette_and_their_own_outline() -> None:
    made = hybrids.recolour(speckled(), painted(SQUARE, BLUE))
    mean = made[0, :3].sum((1, 2)) / made[0, 3].sum()
    assert torch.allclose(mean, torch.tensor(BLUE), atol=0.03)
    assert torch.equal(made[:, 3], speckled()[:, 3])


@pytest.mark.parametrize("kind", [0, 1])
def test_a_pattern_keeps_the_outline_and_paints_a_part_of_the_body(kind: int) -> None:
    before = painted(DISC, RED, 8)
    made = hybrids.pattern(before, torch.full((8,), kind), generator())
    assert torch.equal(made[:, 3], before[:, 3])
    changed = ((made - before).abs().amax(1) > 0.1).float().sum((1, 2)) / before[:, 3].sum((1, 2))
    assert (changed > 0.05).all() and (changed < 0.8).all()
    rim = (before[:, 3] > 0.5) & (torch.nn.functional.avg_pool2d(before[:, 3], 3, 1, 1) < 1)
    assert torch.allclose(made.permute(0, 2, 3, 1)[rim], before.permute(0, 2, 3, 1)[rim], atol=1e-5)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_stands_above_the_head_or_beside_the_body(part: str) -> None:
    drawn = painted(SQUARE, BLUE, 2)
    made, fits = hybrids.add_part(painted(DISC, RED, 2), torch.full((2,), PARTS.index(part)), drawn)
    assert fits.all()
    redness = made[0, 0] - made[0, 2]
    body, added = redness > 0.5, (made[0, 3] > 0.5) & (redness < 0.4)
    assert added.sum() > 20
    rows, columns = (torch.nonzero(body.any(d)).flatten() for d in (1, 0))
    new_rows, new_columns = (torch.nonzero(added.any(d)).flatten() for d in (1, 0))
    if part == "wings":
        assert new_columns.min() < columns.min() and new_columns.max() > columns.max()
        assert abs(float(added.float().sum(0).flip(0).sub(added.float().sum(0)).sum())) < 1
    else:
        assert new_rows.min() < rows.min() - 3 and new_rows.float().mean() < rows.float().mean()


def test_there_is_no_place_for_a_hat_on_what_has_no_head() -> None:
    thin = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    thin[8:56, 31:33] = True
    hats = torch.tensor([PARTS.index("crown"), PARTS.index("wings")])
    assert hybrids.add_part(painted(thin, RED, 2), hats, painted(SQUARE, BLUE, 2))[1].tolist() == [False, True]


def test_stretching_makes_it_narrower_or_lower() -> None:
    taller, amount = torch.tensor([True, False]), torch.tensor([0.6, 0.5])
    made = hybrids.stretch(painted(SQUARE, RED, 2), taller, amount)
    assert extent(made[0, 3]) == (40, 24) and extent(made[1, 3]) == (20, 40)


def test_a_seam_costs_nothing_in_a_thing_with_itself_and_more_where_outlines_or_colours_differ() -> None:
    disc, small = painted(DISC, RED), painted((axis[:, None].square() + axis.square()).sqrt() < 16, RED)
    middle = SIDE // 2
    same, narrow, blue = (hybrids.seam_costs(disc, other)[0, middle] for other in (disc, small, painted(DISC, BLUE)))
    assert same.abs() < 1e-4 < 0.5 < narrow and blue > 0.5
    shifted = disc.roll(6, 3)
    assert hybrids.seam_costs(disc, shifted)[0, middle] > 0.1
    with_gap = disc.clone()
    with_gap[:, :, :, 28:36] = 0
    assert hybrids.seam_costs(disc, with_gap)[0, middle] > hybrids.seam_costs(disc, disc)[0, middle] + 0.1
    costs = hybrids.seam_costs(disc, torch.zeros_like(disc))
    assert (costs == hybrids.IMPOSSIBLE).all()
    assert (hybrids.seam_costs(disc, disc)[0, [0, 20, 45, SIDE - 1]] == hybrids.IMPOSSIBLE).all()


def test_a_match_is_the_cheapest_of_all_its_cuts() -> None:
    """The plain twin: every cut of every way, at full size, one after the other."""
    pear = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    pear[8:30, 24:42], pear[30:58, 14:50] = True, True
    first, second = speckled(1), painted(pear, GREEN)
    joined, share, cost = hybrids.match(first, second)
    every = []
    for turned in (False, True):
        for swapped in (False, True):
            for mirrored in (False, True):
                above, below = (second, first) if swapped else (first, second)
                below = below.flip(3) if mirrored else below
                if turned:
                    above, below = above.transpose(2, 3), below.transpose(2, 3)
                costs = hybrids.seam_costs(above, below)[0] + 0.15 * turned
                for row in range(SIDE):
                    picture, upper = hybrids.cut_at(above, below, torch.tensor([row]))
                    picture = picture.transpose(2, 3) if turned else picture
                    every.append((float(costs[row]), picture, float(1 - upper if swapped else upper)))
    least = min(value for value, _, _ in every)
    assert float(cost) < least + 0.3, "half the size may shift the row a little"
    near = min(float((joined - picture).abs().max() + (share - upper).abs()) for _, picture, upper in every)
    assert near < 1e-5, "it is one of these cuts"


def test_a_match_of_a_thing_with_itself_changes_nothing_and_what_does_not_meet_has_no_match() -> None:
    disc = painted(DISC, RED, 4)
    joined, share, cost = hybrids.match(disc, disc.clone())
    assert torch.allclose(joined, disc, atol=1e-4) and (cost < 0.1).all() and ((share - 0.5).abs() < 0.26).all()
    _, _, cost = hybrids.match(disc, torch.zeros_like(disc))
    assert (cost >= hybrids.IMPOSSIBLE).all()
