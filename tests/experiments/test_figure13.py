"""A short sweep over λ: concepts differ in λ alone, and all eyes measure them."""

from __future__ import annotations

import pytest
import torch

from core.errors import ConceptreeError
from core.metrics import imagine_panel, word_similarity
from core.stack.wordbank import WordBank
from core.streams import stream_seed
from evolve import Run
from experiments.conduct import Bench, conduct
from experiments.drawing import draw_concepts
from experiments.figure13 import CLAMPS, SCHEMA, Protocol, cases, figures, summary
from experiments.looking import EYES, Eyes, drawing_of, nearest_members, resemblance
from tests.protocols import AnyJudge, killed_at

QUICK = {"steps": 4, "segment": 2, "learning_rate": 1e-2}
LITTLE = Protocol(categories=("pet", "fruit"), seeds=2, lambdas=(0.0, 1.0, 5.0), drawings=2, settings=QUICK)


def conducted(protocol, backbone, folder, tell=lambda _: None):
    bench = Bench(backbone, AnyJudge(), folder, tell)
    return conduct(cases(protocol, bench), SCHEMA, folder, bench.about("figure13", **protocol.of_each()))


@pytest.fixture(scope="module")
def whole(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figure13")
    return conducted(LITTLE, backbone, folder), folder


def test_every_eye_sees_every_lambda(whole):
    rows = whole[0].to_pylist()
    assert len(rows) == 2 * 2 * 3 * len(CLAMPS) * len(EYES)
    assert len({(r["category"], r["seed"], r["lam"], r["clamp"], r["eyes"]) for r in rows}) == len(rows)
    assert all(r["margin"] == pytest.approx(r["belongs"] - r["nearest"], abs=1e-6) for r in rows)
    assert all((r["drawing"] is not None) == (r["eyes"] == "stack") for r in rows)


def test_a_row_says_what_is_measured(whole, backbone):
    table, folder = whole
    bench = Bench(backbone, AnyJudge(), folder, lambda _: None)
    negatives = nearest_members(bench, Eyes(bench), "pet", LITTLE.negatives)
    which = ("category", "seed", "lam", "clamp")
    of_one = [row for row in table.to_pylist() if tuple(row[name] for name in which) == ("pet", 1, 5.0, True)]
    imagined, stack, judge = of_one
    assert [row["eyes"] for row in of_one] == list(EYES)
    (concept,) = [
        each.concept
        for each in Run.open(folder / "runs" / "pet-1").individuals()
        if (each.concept.request.chosen.lam, each.concept.request.chosen.clamp) == (5.0, True)
    ]
    assert concept.request.negatives == tuple(negatives) and imagined["negatives"] == negatives
    assert concept.kept_step == concept.steps == QUICK["steps"]
    bank = WordBank(backbone.encode_text, backbone.width)
    panel = imagine_panel(backbone, "object", torch.tensor(concept.vectors)[None])
    own = float(word_similarity(panel, bank.panels("object", ["pet"])))
    assert imagined["belongs"] == pytest.approx(own, abs=1e-6)
    seeds = [stream_seed(1, number, "judged") for number in range(2)]
    (images,) = draw_concepts(backbone, [concept], ["a photo of a {}"] * 2, [seeds])
    seen = resemblance(Eyes(bench).drawn(images, ["pet", *negatives])["judge"])
    assert {name: judge[name] for name in seen} == pytest.approx(seen, abs=0.02)
    assert drawing_of(stack["drawing"]).size == images[0].size


def test_what_differs_is_lambda_alone(whole):
    _, folder = whole
    settings = [each.concept.request.chosen.to_dict() for each in Run.open(folder / "runs" / "pet-0").individuals()]
    differ = {name for name in settings[0] if len({str(each[name]) for each in settings}) > 1}
    assert differ == {"lam", "clamp"} and len(settings) == 6
    assert settings[0]["keep"] == "last" and not settings[0].get("patience")


@pytest.mark.parametrize("after", [2, 7])
def test_a_killed_sweep_goes_on_to_the_same_table(whole, backbone, tmp_path, after):
    protocol = Protocol(**{**vars(LITTLE), "seeds": 1, "categories": ("pet",)})
    with killed_at(after) as kill:
        conducted(protocol, backbone, tmp_path, kill)
    expected = whole[0].filter([(r["category"], r["seed"]) == ("pet", 0) for r in whole[0].to_pylist()])
    assert conducted(protocol, backbone, tmp_path).equals(expected)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"lambdas": (1.0,)}, "lambdas = 1: give two or more"),
        ({"lambdas": (1.0, 1.0)}, "lambdas = 1, 1: give two or more, each once"),
        ({"lambdas": (1.0, -2.0)}, "lam = -2.0: expected a number of at least 0"),
        ({"categories": ("photo",)}, "the judge does not know the category 'photo'"),
    ],
)
def test_what_cannot_be_swept_is_said_at_once(backbone, tmp_path, wrong, said):
    with pytest.raises(ConceptreeError, match=said):
        conducted(Protocol(**{**vars(LITTLE), **wrong}), backbone, tmp_path)
    assert not list(tmp_path.iterdir())


def test_summary_and_figures_show_every_lambda(whole):
    text = summary(whole[0])
    assert text.count("| judge | 5 |") == len(CLAMPS) and "the margin is largest at λ = " in text
    assert "margin − that of λ = 1" in text
    rows = [r for r in whole[0].to_pylist() if (r["eyes"], r["clamp"], r["lam"]) == ("judge", True, 5.0)]
    mean = sum(r["belongs"] for r in rows) / len(rows)
    assert f"| judge | 5 | {mean:.3f} (" in text
    found = figures(whole[0])
    curve = next(axis for axis in found["curves"].axes if axis.get_title() == "judge, with the clamps").lines[0]
    assert curve.get_ydata()[2] == pytest.approx(mean)
    assert len(found["drawings"].axes) == 2 * len(CLAMPS) * 3
