"""Figures of the card on tiny pictures, checked by hand, and its tables on made-up figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training import report
from training.exam import KIND, REBUILT, true_hybrids
from training.figures import as_images, both_found, crispness, found, laplacian_energy, psnr
from training.pictures import PictureSource, held_out_pair
from training.render import SIZE, Drawings
from training.sources import Thing


def grey(values: list[list[int]]) -> Image.Image:
    return Image.fromarray(np.array(values, dtype=np.uint8)).convert("RGB")


def test_laplacian_energy_by_hand() -> None:
    dot = np.zeros((5, 5), dtype=int)
    dot[2, 2] = 255
    # The inner 3 × 3 has 4 in the middle and -1 beside it: (16 + 4) / 9.
    assert laplacian_energy(grey(dot.tolist())) == pytest.approx(20 / 9)
    assert laplacian_energy(grey([[77] * 4] * 4)) == 0
    ramp = grey([[0, 10, 20, 30]] * 4)
    assert laplacian_energy(ramp) == pytest.approx(0, abs=1e-12)


def test_crispness_is_a_ratio_of_mean_energies_at_the_size_of_the_drawn() -> None:
    stripes = np.tile([0, 200], (8, 4)).astype(np.uint8)
    full, half = (grey((stripes // n).tolist()) for n in (1, 2))
    assert crispness([full], [full]) == pytest.approx(1)
    assert crispness([half], [full]) == pytest.approx(0.25)
    assert crispness([full, half], [full]) == pytest.approx((1 + 0.25) / 2)
    twice = full.resize((16, 16), Image.Resampling.NEAREST)
    assert crispness([full], [twice]) == pytest.approx(1)


def test_found_and_both_found_by_hand() -> None:
    scores = torch.tensor([[0.5, 0.3, 0.2, 0.0], [0.1, 0.2, 0.3, 0.4]])
    assert found(scores, torch.tensor([0, 0]), 1) == 0.5
    assert found(scores, torch.tensor([1, 2]), 2) == 1
    first, second = torch.tensor([0, 3]), torch.tensor([1, 0])
    assert both_found(scores, first, second, 2) == 0.5
    assert both_found(scores, first, second, 1) == 0
    assert both_found(scores, first, second, 4) == 1


def test_psnr_by_hand() -> None:
    black, white = grey([[0, 0]]), grey([[255, 255]])
    assert psnr([black], [white]) == pytest.approx(0)
    assert psnr([black, black], [white, grey([[0, 255]])]) == pytest.approx(10 * np.log10(2) / 2)


def test_pixels_become_pictures() -> None:
    (picture,) = as_images(torch.tensor([[[[0.0, 1.0]], [[0.5, 0.5]], [[1.0, 0.0]]]]))
    assert picture.size == (2, 1)
    assert np.asarray(picture).tolist() == [[[0, 128, 255], [255, 128, 0]]]


@pytest.fixture(scope="module")
def source() -> PictureSource:
    """Thirty-two squares in two sets: the first sixteen things are animals, the others fruits."""
    things = tuple(Thing(f"thing {i}", ("animal" if i < 16 else "fruit",), (str(i),)) for i in range(32))
    rgba = np.zeros((64, SIZE, SIZE, 4), dtype=np.uint8)
    rgba[:, 20:-20, 24:-24] = (200, 60, 30, 255)
    held_out = np.zeros(64, dtype=bool)
    drawings = Drawings(rgba, np.arange(64) % 32, np.arange(64) // 32, held_out, things)
    return PictureSource(drawings, np.arange(64), side=32)


def test_true_hybrids_are_of_chosen_pairs_each_once(source: PictureSource) -> None:
    true = true_hybrids(source, 5, held_out_pair)
    assert held_out_pair(true.first, true.second).all()
    assert ((true.first < 16) == (true.second < 16)).all(), "both share a category"
    pairs = {frozenset(pair) for pair in zip(true.first.tolist(), true.second.tolist(), strict=True)}
    assert len(pairs) == len(true.images) == 5
    assert all(image.size == (32, 32) for image in true.images)


def test_unrelated_things_share_no_category(source: PictureSource) -> None:
    true = true_hybrids(source, 4, lambda one, two: one != two, related=False)
    assert len(true.images) == 4
    assert ((true.first < 16) != (true.second < 16)).all()


def inventions(**changes) -> dict:
    """Two categories, each with two populations of two founders and a child, as `make inventions` stores them."""

    def concept(category: float, known: float) -> dict:
        return {"seed": 5, "category": category, "broad": 0.9, "known": known, "word": 0.6, "other_word": 0.2}

    first = {
        "similarity": 0.5,
        "crispness": 0.9,
        "founders": [concept(0.8, 0.3), concept(0.6, 0.5)],
        "children": [concept(0.4, 0.2)],
    }
    second = {**first, "founders": [concept(0.9, 0.6), concept(0.9, 0.2)], "similarity": 0.4}
    poor = {**first, "founders": [concept(0.3, 0.4), concept(0.5, 0.4)], "similarity": 0.7}
    hybrids = {"true_hybrids": [concept(0.7, 0.3), concept(0.5, 0.6)]}
    categories = {"pet": {"populations": [first, second], **hybrids}, "fruit": {"populations": [poor, poor], **hybrids}}
    return {"stack": ["learns", "draws"], "seeds": [0, 1], "categories": categories, **changes}


def test_figures_of_inventions_are_means_over_categories() -> None:
    figures = report.inventions_figures(inventions(), ["pet", "fruit"])
    assert figures[report.OF_CATEGORY] == pytest.approx((0.7 + 0.9 + 0.4 + 0.4) / 4)
    assert figures[report.LEAST] == pytest.approx(0.4)
    assert figures[report.ALIKE] == pytest.approx((0.5 + 0.4 + 0.7 + 0.7) / 4)
    assert figures[report.NEW] == 0.75
    assert figures[report.CHILDREN] == pytest.approx(0.4)
    table = report.inventions_table(inventions(), ["pet", "fruit"]).splitlines()
    assert table[2].startswith("| pet | 0.80 (0.70, 0.90) | 0.90 | 0.45 | 2 of 4 | 0.60 / 0.20 |")
    assert "| 0.40 / 0.90 | 0.60 / 0.90 / 50 % |" in table[2]
    assert len({line.count("|") for line in table}) == 1


def test_the_aims_say_what_is_met_and_by_how_much_the_others_are_missed() -> None:
    figures = {report.OF_CATEGORY: 0.7, report.ALIKE: 0.75, KIND: 0.88, REBUILT: 30.4}
    rows = {line.split(" | ")[0].strip("| "): line for line in report.aims_table(figures, "emoji-9").splitlines()}
    assert "emoji-9" in rows["figure"]
    assert rows["judge's belief: a founder is of its category"].endswith("| 0.70 | ≥ 0.65 | met |")
    assert rows["similarity of six founders to each other"].endswith("| 0.75 | ≤ 0.70 | missed by 0.05 |")
    assert rows["question answerer: kinds"].endswith("| 85.6 % | 88.0 % | ≥ 90.0 % | missed by 2.0 % |")
    assert rows["MoVQ on held-out drawings (dB)"].endswith("| 30.4 | ≥ 30.0 | met |")
    assert "| not measured | ≥ 75.0 % | |" in rows["question answerer: styles"]


def test_inventions_of_another_stack_are_not_taken(tmp_path) -> None:
    class Stack:
        fingerprint, drawing_fingerprint = "learns", "draws"

    file = tmp_path / "inventions.json"
    assert report.read_inventions(file, Stack()) is None
    file.write_text(json.dumps(inventions()))
    assert report.read_inventions(file, Stack())["seeds"] == [0, 1]
    file.write_text(json.dumps(inventions(stack=["learns", "draws otherwise"])))
    assert report.read_inventions(file, Stack()) is None


def test_every_figure_of_the_template_is_filled_in() -> None:
    template = report.TEMPLATE.read_text(encoding="utf-8")
    source = Path(report.__file__).read_text(encoding="utf-8")
    fields = set(report.FIELD.findall(template))
    assert {"version", "aims", "inventions", "figures", "sets"} <= fields
    assert all(f'"{field}":' in source for field in fields)
