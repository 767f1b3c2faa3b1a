"""A short experiment on prompts: similarities by hand, and the drawings on the sheet."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from core.errors import ConceptreeError
from core.prompts import TEMPLATES
from core.streams import stream_seed
from evolve import Run
from experiments.conduct import Bench, conduct
from experiments.drawing import draw_concepts
from experiments.prompts import ARMS, MEASURES, SCHEMA, Protocol, cases, compared, figures, summary
from experiments.sheets import SMALL, contact_sheet, small
from tests.protocols import TinyJudge, killed_at, rows_of
from tests.stacks import CATEGORIES

QUICK = {"steps": 2, "segment": 1, "learning_rate": 1e-2}
PROMPTS = ("a photo of a {}", "a drawing of a {}", "a neon sign of a {}", "a small red {}")
KNOWN = tuple(prompt for prompt in PROMPTS if "neon" not in prompt)
LITTLE = Protocol(categories=("pet",), seeds=2, concepts=3, wave=2, pictures=2, prompts=PROMPTS, settings=QUICK)


def conducted(protocol, backbone, folder, tell=lambda _: None):
    bench = Bench(backbone, TinyJudge(), folder, tell)
    return conduct(cases(protocol, bench), SCHEMA, folder, bench.about("prompts", **protocol.of_each()))


@pytest.fixture(scope="module")
def whole(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prompts")
    return conducted(LITTLE, backbone, folder), folder


def test_every_concept_is_drawn_in_every_prompt_that_the_stack_knows(whole):
    table, folder = whole
    assert table.schema == SCHEMA and table.num_rows == 2 * len(ARMS) * 3 * len(KNOWN) * 2 * 2
    assert tuple(dict.fromkeys(table.column("prompt").to_pylist())) == KNOWN
    for row in table.to_pylist():
        assert row["learned_in"] == (row["prompt"] in TEMPLATES["object"])
    assert {row["prompt"] for row in rows_of(table, learned_in=True)} == {"a photo of a {}"}
    words = {row["concept"] for row in rows_of(table, arm="words")}
    assert len(words) > 3 and words <= set(CATEGORIES["pet"])
    for arm, through in (("ConceptLab", True), ("without the prior", False)):
        for row in rows_of(table, arm=arm, prompt=KNOWN[0], drawing=0, eyes="judge"):
            request = Run.open(folder / "runs" / f"pet-{row['seed']}").find(row["concept"]).concept.request
            assert request.chosen.through_prior == through and len(request.avoid) == 2 * (row["number"] // 2)


def test_what_is_compared_with_what():
    unit = np.random.default_rng(0).normal(size=(3, 4, 2, 5)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=-1, keepdims=True)
    found = compared(unit)
    c, p, s = 1, 2, 0
    one = unit[c, p, s]
    others, prompts = [0, 2], [0, 1, 3]
    assert found["same"][c, p, s] == pytest.approx((unit[c, prompts] @ one).mean(), abs=1e-6)
    assert found["others"][c, p, s] == pytest.approx((unit[others, p] @ one).mean(), abs=1e-6)
    assert found["strangers"][c, p, s] == pytest.approx((unit[np.ix_(others, prompts)] @ one).mean(), abs=1e-6)
    for c, p, s in np.ndindex(3, 4, 2):
        centroids = np.delete(unit, p, axis=1).mean((1, 2))
        centroids /= np.linalg.norm(centroids, axis=-1, keepdims=True)
        nearest = int((centroids @ unit[c, p, s]).argmax())
        assert found["recognised"][c, p, s] == (nearest == c)


def test_drawings_are_recognised_where_concepts_do_not_change():
    thing = np.eye(4, dtype=np.float32)[:, None, None].repeat(3, 1).repeat(2, 2)
    found = compared(thing)
    assert found["recognised"].all() and found["same"] == pytest.approx(1) and found["others"] == pytest.approx(0)


def test_a_row_can_be_measured_again(whole, backbone):
    table, folder = whole
    rows = rows_of(table, arm="ConceptLab", eyes="judge", seed=0)
    run = Run.open(folder / "runs" / "pet-0")
    concepts = [run.find(id_).concept for id_ in dict.fromkeys(row["concept"] for row in rows)]
    prompts = [prompt for prompt in KNOWN for _ in range(2)]
    seeds = [[stream_seed(0, number, "prompts") for number in range(6)]] * 3
    drawn = [image for images in draw_concepts(backbone, concepts, prompts, seeds) for image in images]
    unit = TinyJudge().embed(drawn).numpy().reshape(3, 3, 2, -1)
    same = (unit[1, [0, 2]] @ unit[1, 1, 1]).mean()
    (row,) = [row for row in rows if (row["number"], row["prompt"], row["drawing"]) == (1, KNOWN[1], 1)]
    assert row["same"] == pytest.approx(same, abs=1e-3)
    assert row["belongs"] == pytest.approx(unit[1, 1, 1, 0], abs=1e-3)  # a pet is red to this judge


def test_the_sheet_shows_the_first_drawings_of_seed_0(whole):
    table, _ = whole
    kept = [row for row in table.to_pylist() if row["picture"]]
    assert {(row["seed"], row["drawing"], row["eyes"]) for row in kept} == {(0, 0, "stack")}
    assert len(kept) == len(ARMS) * 3 * len(KNOWN)
    sheet = figures(table)["sheet"]
    assert len(sheet.axes) == 3 * len(KNOWN)
    (row,) = [row for row in kept if (row["arm"], row["number"], row["prompt"]) == ("ConceptLab", 1, KNOWN[2])]
    with Image.open(io.BytesIO(row["picture"])) as picture:
        assert np.array_equal(sheet.axes[1 * len(KNOWN) + 2].images[0].get_array(), np.asarray(picture.convert("RGB")))


def test_a_sheet_is_never_wider_than_a_page_and_its_pictures_are_small():
    large = Image.new("RGB", (512, 256), "red")
    assert small(large).size == (SMALL, SMALL // 2) and large.size == (512, 256)
    assert small(Image.new("RGB", (64, 64))).size == (64, 64)
    figure = contact_sheet([[large, None] * 20], ["one"], ["a prompt"] * 40, "title")
    assert figure.get_size_inches()[0] * 110 <= 1400


@pytest.mark.parametrize("after", [2, 7])
def test_a_killed_experiment_goes_on_to_the_same_table(whole, backbone, tmp_path, after):
    protocol = replace(LITTLE, seeds=1)
    with killed_at(after) as kill:
        conducted(protocol, backbone, tmp_path, kill)
    assert conducted(protocol, backbone, tmp_path).to_pylist() == rows_of(whole[0], seed=0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"categories": ("sofa",)}, "the judge does not know the category 'sofa'"),
        ({"prompts": ("a photo",)}, r"prompt = 'a photo': write \{\} for the concept, once"),
        ({"prompts": ("a {} of {}",)}, "prompt = 'a {} of {}'"),
        ({"prompts": ("a {0} {}",)}, r"prompt = 'a \{0\} \{\}'"),
        ({"prompts": PROMPTS[1:3]}, "the stack .* knows 1 different prompt: give at least 2, each once"),
        ({"prompts": PROMPTS[:1] * 2}, "1 different prompt:"),
        ({"concepts": 1}, "concepts = 1: give from 2 to"),
        ({"concepts": 99}, "concepts = 99: give from 2 to"),
    ],
)
def test_what_cannot_be_compared_is_said_at_once(backbone, tmp_path, wrong, said):
    with pytest.raises(ConceptreeError, match=said):
        conducted(replace(LITTLE, **wrong), backbone, tmp_path)
    assert not list(tmp_path.iterdir())


def test_summary_and_figure_have_every_arm_and_prompt(whole):
    table, _ = whole
    text = summary(table)
    assert len({row["seed"] for row in table.to_pylist()}) > 1 and "Means over 1 category, of drawings" in text
    for arm in ARMS:
        assert text.count(f"| {arm} |") == 2
    assert "| a photo of a … | yes |" in text and "| a small red … | no |" in text and "by chance 33%" in text
    figure = figures(table)["prompts"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [p.replace("{}", "…") for p in KNOWN]
    seen = rows_of(table, arm="ConceptLab", eyes="judge", prompt=KNOWN[0])
    points = [line.get_xdata()[0] for line in figure.axes[1].lines if len(line.get_xdata()) == 1]
    means = [np.mean([row[name] for row in seen]) for name in MEASURES]
    assert points[:: len(KNOWN)] == pytest.approx(means)
