"""A short experiment on mixing: the parents of each child, and figures of weights and similarities by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from core.depict import imagine_concept
from core.errors import ConceptreeError
from evolve import Run
from experiments.conduct import Bench, conduct
from experiments.drawing import draw_many
from experiments.mixing import PARENT, SCHEMA, alike, cases, figures, follow, least_alike, summary
from experiments.mixtures import (
    EMBEDDINGS,
    EQ5,
    GRAND,
    INHERITING,
    PAIR,
    PHOTO,
    TRIPLE,
    VECTORS,
    WORDS,
    Protocol,
    weights_of,
)
from tests.protocols import TinyJudge, killed_at, rows_of
from tests.stacks import CATEGORIES

QUICK = {"steps": 2, "segment": 1, "learning_rate": 1e-2}
LITTLE = Protocol(categories=("pet",), seeds=1, shares=(0.2, 0.4), pictures=2, images=2, keep=1, settings=QUICK)
METHODS = {
    PAIR: [EQ5, INHERITING, "paper", "published", EMBEDDINGS, VECTORS],
    TRIPLE: [EQ5, EMBEDDINGS, VECTORS],
    GRAND: ["at once", EQ5, EMBEDDINGS, VECTORS],
    PHOTO: [EQ5, EMBEDDINGS],
    WORDS: [
        EQ5,
        "positives",
        EMBEDDINGS,
        VECTORS,
        '"a … …"',
    ],  # the tiny stack knows neither "mix" nor "half" nor "and"
}


def benched(backbone, folder, tell=lambda _: None):
    return Bench(backbone, TinyJudge(), folder, tell)


def conducted(protocol, backbone, folder, tell=lambda _: None):
    bench = benched(backbone, folder, tell)
    return conduct(cases(protocol, bench), SCHEMA, folder, bench.about("mixing", **protocol.of_each()))


@pytest.fixture(scope="module")
def whole(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixing")
    return conducted(LITTLE, backbone, folder), folder


def test_every_family_is_mixed_by_its_methods_over_all_shares(whole):
    table, _ = whole
    assert table.schema == SCHEMA
    for family, methods in METHODS.items():
        rows = rows_of(table, family=family, eyes="judge")
        assert list(dict.fromkeys(row["method"] for row in rows)) == [*methods, PARENT]
        for method in methods:
            of = [row for row in rows if row["method"] == method]
            shares = [1 / 3 if each == 0.5 and family == TRIPLE else each for each in (0.2, 0.5)]
            shares = [0.5] if method.startswith('"') else shares
            assert sorted({row["share"] for row in of}) == pytest.approx(shares)
            for share in {row["share"] for row in of}:
                weights = [row["weight"] for row in of if row["share"] == share]
                assert weights == pytest.approx(weights_of(family, share)) and sum(weights) == pytest.approx(1)


def test_children_have_the_parents_and_settings_that_they_are_said_to_have(whole):
    table, folder = whole
    individuals = {each.id: each.concept for each in Run.open(folder / "runs" / "pet-0").individuals()}
    requests = [concept.request for concept in individuals.values()]
    children = [request for request in requests if request.mixed]
    presets = [request.chosen.preset for request in children]
    assert presets.count("paper") == presets.count("published") == 2
    assert all(
        (request.start is None) == (request.chosen.preset != "default")
        for request in children
        if all(parent.kind == "mix" for parent in request.parents)
    )
    grand = [
        r
        for r in children
        if all(individuals[p.id].request.mixed for p in r.parents if p.kind == "mix")
        and all(p.kind == "mix" for p in r.parents)
    ]
    assert [[round(parent.weight, 1) for parent in request.parents] for request in grand] == [[0.2, 0.8], [0.5, 0.5]]
    elders = [{parent.id for parent in individuals[each.id].request.parents} for each in grand[0].parents]
    of = {row["of"] for row in rows_of(table, family=GRAND)}
    assert elders[0] | elders[1] == of and not elders[0] & elders[1]
    photographed = [r for r in children if any(parent.kind == "image" for parent in r.parents)]
    assert sorted(len([p for p in r.parents if p.kind == "image"]) for r in photographed) == [1, 1, 2, 2]
    worded = [request for request in requests if len(request.positives) == 2]
    assert [[p.weight for p in request.positives] for request in worded] == [[0.2, 0.8], [0.5, 0.5]]
    assert {p.word for request in worded for p in request.positives} < set(CATEGORIES["pet"])


def test_means_are_of_vectors_and_of_image_embeddings(whole, backbone, tmp_path):
    (case,) = cases(LITTLE, benched(backbone, whole[1]))
    parents = case.parents()
    mixtures = case.mixtures(parents)
    seeds = case._seeds(case.protocol.pictures, "mixture")
    a, b = list(parents.founders.values())[:2]
    (embeddings,) = [m for m in mixtures if (m.family, m.method, m.share) == (PAIR, EMBEDDINGS, 0.2)]
    imagined = [imagine_concept(backbone, each, ["a photo of a {}"] * 2, seeds) for each in (a, b)]
    assert embeddings.embeds == pytest.approx((0.2 * imagined[0] + 0.8 * imagined[1]).numpy(), abs=1e-5)
    (vectors,) = [m for m in mixtures if (m.family, m.method, m.share) == (PAIR, VECTORS, 0.2)]
    mean = torch.from_numpy(0.2 * a.vectors + 0.8 * b.vectors)
    again = backbone.imagine(["a photo of a thing"] * 2, {"thing": mean}, seeds=seeds)
    assert vectors.embeds == pytest.approx(again.numpy(), abs=1e-5)
    (photo,) = [m for m in mixtures if (m.family, m.method, m.share) == (PHOTO, EMBEDDINGS, 0.5)]
    seen = backbone.encode_images([parents.photographs[photo.parents[1]].picture])
    assert photo.embeds == pytest.approx((0.5 * imagined[0] + 0.5 * seen).numpy(), abs=1e-5)


def test_a_row_can_be_measured_again(whole, backbone):
    table, folder = whole
    (case,) = cases(LITTLE, benched(backbone, folder))
    parents = case.parents()
    (mixture,) = [m for m in case.mixtures(parents) if (m.family, m.method, m.share) == (PAIR, EQ5, 0.2)]
    drawn = draw_many(backbone, mixture.embeds, case._seeds(case.protocol.pictures, "mixture"))
    unit = TinyJudge().embed(drawn)
    rows = rows_of(table, family=PAIR, method=EQ5, share=0.2, eyes="judge")
    for row, key in zip(rows, mixture.parents, strict=True):
        theirs = TinyJudge().embed(parents.pictures[key])
        assert row["of"] == key and row["similarity"] == pytest.approx(float((unit @ theirs.T).mean()), abs=1e-3)
        assert row["belongs"] == pytest.approx(float(unit[:, 0].mean()), abs=1e-3)
    (own,) = [
        row
        for row in rows_of(table, family=PAIR, method=PARENT, eyes="judge")
        if row["of"] == mixture.parents[0] and row["weight"] == 1
    ]
    one, other = TinyJudge().embed(parents.pictures[mixture.parents[0]])
    assert own["similarity"] == pytest.approx(float(one @ other), abs=1e-3)


def test_pictures_are_alike_and_a_single_one_is_not_compared_with_itself():
    unit = torch.eye(3)
    assert alike(unit, unit) == pytest.approx(1 / 3) and alike(unit, unit, same=True) == 0
    assert np.isnan(alike(unit[:1], unit[:1], same=True))


def test_rank_correlation_and_the_lesser_parent():
    def rows(method, values, weights=(0.1, 0.5, 0.9), parent=0):
        named = {"family": PAIR, "method": method, "eyes": "judge", "category": "pet", "seed": 0, "parent": parent}
        return [{**named, "weight": w, "similarity": v} for w, v in zip(weights, values, strict=True)]

    told = [
        *rows("up", (0.1, 0.2, 0.3)),
        *rows("up", (0.3, 0.1, 0.2), parent=1),  # Spearman −0.5
        *rows("flat", (0.4, 0.4, 0.4)),
        *rows("once", (0.6,), weights=(0.5,)),
        *rows(PARENT, (0.9, 0.2), weights=(1.0, 0.0)),
        *rows(PARENT, (0.3, 0.8), weights=(0.0, 1.0), parent=1),
    ]
    found = follow(told)
    assert found[PAIR, "up", "judge"] == pytest.approx([0.25])
    assert all(np.isnan(found[PAIR, method, "judge"]).all() for method in ("flat", "once", PARENT))
    least = least_alike(told)
    assert least[PAIR, "up", "judge"] == pytest.approx([0.1]) and least[PAIR, "once", "judge"] == pytest.approx([0.6])
    assert least[PAIR, PARENT, "judge"] == pytest.approx([0.2])


def test_the_nearest_share_becomes_the_equal_one():
    shares = Protocol().shares
    assert Protocol().shares_of(2) == list(shares)
    assert Protocol().shares_of(3) == [0.1, 1 / 3, 0.5, 0.7, 0.9]


@pytest.mark.parametrize("after", [3, 8])
def test_a_killed_experiment_goes_on_to_the_same_table(whole, backbone, tmp_path, after):
    with killed_at(after) as kill:
        conducted(LITTLE, backbone, tmp_path, kill)
    assert repr(conducted(LITTLE, backbone, tmp_path).to_pylist()) == repr(whole[0].to_pylist())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"categories": ("sofa",)}, "the judge does not know the category 'sofa'"),
        ({"shares": (0.5,)}, r"shares = \[0.5\]: give at least 2, from small to large, above 0 and below 1"),
        ({"shares": (0.0, 0.5)}, r"shares = \[0.0, 0.5\]"),
        ({"shares": (0.7, 0.3)}, r"shares = \[0.7, 0.3\]"),
        ({"shares": (0.3, 1.0)}, r"shares = \[0.3, 1.0\]"),
    ],
)
def test_what_cannot_be_compared_is_said_at_once(backbone, tmp_path, wrong, said):
    with pytest.raises(ConceptreeError, match=said):
        conducted(replace(LITTLE, **wrong), backbone, tmp_path)
    assert not list(tmp_path.iterdir())


def test_summary_and_figures_have_every_family_and_method(whole):
    table, folder = whole
    text = summary(table)
    assert "Means over 1 category, of drawings" in text and f"| {PAIR} | {EQ5} | " in text
    for family, methods in METHODS.items():
        section = text.split(f"{family[0].upper()}{family[1:]}:")[1].split("A parent itself:")[0]
        assert all(f"\n| {method} |" in section for method in [*methods, PARENT])
    assert json.loads((folder / "experiment.json").read_text(encoding="utf-8"))["experiment"] == "mixing"
    drawn = figures(table)
    axis = drawn["weights"].axes[len(METHODS)]
    assert axis.get_title() == PAIR and axis.get_ylabel() == "similarity to it, by the judge"
    line = axis.lines[0]
    seen = rows_of(table, family=PAIR, method=EQ5, eyes="judge")
    weights = sorted({row["weight"] for row in seen})
    assert line.get_xdata() == pytest.approx(weights)
    means = [np.mean([row["similarity"] for row in seen if row["weight"] == weight]) for weight in weights]
    assert line.get_ydata() == pytest.approx(means)
    assert len(drawn["sheet"].axes) == (len(METHODS[PAIR]) + len(METHODS[WORDS])) * (2 + 2)


def test_equal_weights_are_one_number_whichever_parent_has_them():
    assert weights_of(PAIR, 0.9)[1] == 0.1 and weights_of(PAIR, 0.7)[1] == weights_of(PAIR, 0.3)[0]
