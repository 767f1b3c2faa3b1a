"""mixtures: the mixtures of two or three concepts as one picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from core import Settings
from core.depict import draw_concept, imagine_concept
from core.png import texts_in
from evolve import Run, populate
from evolve.mixtures import mixture
from tests.typed import good, one_line
from ui.mixing_map import TILE, cells_of, mixed_pictures

QUICK = Settings(steps=2, segment=1, learning_rate=1e-2)


@pytest.fixture(scope="module")
def pets(backbone, tmp_path_factory) -> Run:
    run = Run.create(tmp_path_factory.mktemp("runs") / "pets", "pet", backbone)
    run.add(populate("pet", 3, backbone, request={"settings": QUICK, "negatives": ("cat",)}))
    return run


def names(run: Run) -> list[str]:
    return [each.name for each in run.individuals()]


def test_a_grid_of_two_has_weights_across_and_seeds_down(pets, tmp_path):
    one, other, _ = names(pets)
    to = tmp_path / "map.png"
    shown = good(
        "mixtures", "pets", one, other, "--cells", "3x2", "--seed", 4, "--to", to, "--runs", pets.folder.parent
    )
    assert "Drawing 6 mixtures" in shown and f"--parent {one}:0.5 --parent {other}:0.5" in shown
    with Image.open(to) as picture:
        assert picture.width > 3 * TILE and picture.height > 2 * TILE
    told = texts_in(to)
    assert told["concepts"] == f"{one}, {other}" and told["seed"] == "4" and told["run"] == "pets"
    assert [[(c.weights, c.seed) for c in row] for row in cells_of(2, "3x2", 4)] == [
        [((1, 0), seed), ((0.5, 0.5), seed), ((0, 1), seed)] for seed in (4, 5)
    ]


def test_three_make_a_triangle_and_nothing_is_stored_but_the_picture(pets):
    before = {file for file in pets.folder.rglob("*") if file.is_file()}
    good("mixtures", "pets", *names(pets), "--cells", 2, "--runs", pets.folder.parent)
    new = {file.name for file in pets.folder.rglob("*") if file.is_file()} - {file.name for file in before}
    assert new == {f"mixtures-{'-'.join(names(pets))}.png"}
    assert [len(row) for row in cells_of(3, None, 1)] == [1, 2, 3, 4, 5]


def test_a_cell_is_the_mean_of_what_the_prior_imagines(pets, backbone):
    """A corner is the concept's own drawing, pixel for pixel; the middle is drawn from the mean by hand."""
    parents = pets.individuals()[:2]
    ((first, middle, _),) = mixed_pictures(backbone, parents, cells_of(2, "3x1", 7))
    own = draw_concept(backbone, parents[0].concept, ["a photo of a {}"], [7])[0]
    apart = np.abs(np.asarray(first, dtype=int) - np.asarray(own, dtype=int))
    assert apart.max() <= 1, "its length and direction alone are computed again"
    embeds = [imagine_concept(backbone, each.concept, ["a photo of a {}"], [7])[0].numpy() for each in parents]
    by_hand = backbone.draw(torch.from_numpy(mixture(embeds, [0.5, 0.5]))[None], seeds=[7])[0]
    assert np.abs(np.asarray(middle, dtype=int) - np.asarray(by_hand, dtype=int)).max() <= 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{0}"], "1 concept is named: a map has two or three"),
        (["{0}", "{0}"], "a parent is given twice"),
        (["{0}", "nobody"], "there is no concept 'nobody'"),
        (["{0}", "{1}", "--cells", "1x3"], "--cells '1x3': write two numbers up to 11, such as 7x3, or one, such as 5"),
        (["{0}", "{1}", "--cells", "3x0"], "--cells '3x0'"),
        (["{0}", "{1}", "--cells", "12"], "--cells '12'"),
        (["{0}", "{1}", "--cells", "many"], "--cells 'many'"),
        (["{0}", "{1}", "{2}", "--cells", "5x5"], "a map of three concepts is a triangle: write one number, such as 5"),
        (["{0}", "{1}", "--to", "map.svg"], "'map.svg': a map is drawn as .png"),
    ],
)
def test_what_cannot_be_mapped_is_said_in_one_line(pets, words, said):
    given = [word.format(*names(pets)) for word in words]
    assert said in one_line("mixtures", "pets", *given, "--runs", pets.folder.parent)
