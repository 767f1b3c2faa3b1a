"""A short Figure 15: descriptions grow as long as they become more similar, and are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.errors import ConceptreeError
from core.streams import stream_seed
from evolve import Run
from experiments.conduct import Bench, conduct
from experiments.describing import Describer
from experiments.drawing import draw_concepts, draw_many
from experiments.figure15 import (
    IMAGINED,
    MEASURES,
    READ,
    SCHEMA,
    SHOWN,
    SUBJECTS,
    WAYS,
    WORD,
    Protocol,
    apart,
    cases,
    figures,
    summary,
)
from tests.protocols import TinyJudge, killed_at, rows_of
from tests.stacks import CATEGORIES

QUICK = {"steps": 2, "segment": 1, "learning_rate": 1e-2}
LITTLE = Protocol(categories=("pet",), seeds=2, subjects=2, wave=1, pictures=3, candidates=3, settings=QUICK)


def conducted(protocol, backbone, folder, tell=lambda _: None):
    bench = Bench(backbone, TinyJudge(), folder, tell)
    return conduct(cases(protocol, bench), SCHEMA, folder, bench.about("figure15", **protocol.of_each()))


@pytest.fixture(scope="module")
def whole(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figure15")
    return conducted(LITTLE, backbone, folder), folder


def test_a_description_begins_with_the_nearest_word_and_grows_while_it_gets_nearer(backbone):
    describer = Describer(backbone)
    assert "painting" not in describer.words and "pet" in describer.words  # styles are no things
    target = torch.nn.functional.normalize(torch.randn(16, generator=torch.Generator().manual_seed(3)), dim=0)
    (word, likeness), *rest = describer.nearest(target)
    texts = torch.nn.functional.normalize(
        backbone.encode_text([f"a photo of a {each}" for each in describer.words]), dim=1
    )
    by_hand = texts @ target
    assert word == describer.words[by_hand.argmax()] and likeness == pytest.approx(float(by_hand.max()), abs=1e-5)
    assert [value for _, value in rest] == sorted((value for _, value in rest), reverse=True)
    found = describer.describe(target)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    best = next(iter(found))
    assert found[best] >= likeness and backbone.knows(best) and word in best.split()
    assert found[best] == pytest.approx(
        float(torch.nn.functional.normalize(backbone.encode_text([best]), dim=1) @ target)
    )


def test_what_a_word_says_needs_no_other(backbone):
    """The text of a portrait, as if it were a picture: no piece brings it nearer."""
    for word in CATEGORIES["pet"]:
        (target,) = backbone.encode_text([f"a photo of a {word}"])
        prompt, likeness = next(iter(Describer(backbone).describe(target).items()))
        assert prompt == f"a photo of a {word}" and likeness == pytest.approx(1)


def test_drawings_of_one_seed_are_not_compared():
    first, second = torch.eye(3), torch.eye(3)
    assert apart(first, second) == 0 and apart(first, torch.ones(3, 3)) == 1
    first = torch.randn(4, 5)
    second = torch.randn(4, 5)
    pairs = [float(first[i] @ second[j]) for i in range(4) for j in range(4) if i != j]
    assert apart(first, second) == pytest.approx(np.mean(pairs), abs=1e-5)


def test_every_subject_is_described_in_each_way(whole):
    table, folder = whole
    assert table.schema == SCHEMA and table.num_rows == 2 * len(SUBJECTS) * 2 * len(WAYS) * 2
    assert {row["name"] for row in rows_of(table, subject="member")} <= set(CATEGORIES["pet"])
    for row in rows_of(table, subject="concept", eyes="judge"):
        concept = Run.open(folder / "runs" / f"pet-{row['seed']}").find(row["name"]).concept
        assert concept.request.schedule == "adaptive" and len(concept.request.avoid) == row["number"]
    for row in table.to_pylist():
        assert (row["way"] == WORD) <= (row["prompt"] == f"a photo of a {row['nearest'].split(', ')[0]}")
        assert len(row["nearest"].split(", ")) == 5
        assert (row["pictures"] is not None) == (row["seed"] == 0 and row["eyes"] == "stack")
    by_text = {way: [row["fit"] for row in rows_of(table, way=way)] for way in WAYS}
    assert all(read >= word - 1e-6 for read, word in zip(by_text[READ], by_text[WORD], strict=True))


def test_a_row_can_be_measured_again(whole, backbone):
    table, folder = whole
    (row,) = rows_of(table, subject="concept", eyes="judge", seed=0, number=1, way=READ)
    run = Run.open(folder / "runs" / "pet-0")
    names = [each["name"] for each in rows_of(table, subject="concept", eyes="judge", seed=0, way=READ)]
    seeds = [stream_seed(0, number, "figure 15") for number in range(3)]
    drawn = draw_concepts(backbone, [run.find(name).concept for name in names], ["a photo of a {}"] * 3, [seeds] * 2)
    other, own = (TinyJudge().embed(pictures) for pictures in drawn)
    said = TinyJudge().embed(draw_many(backbone, backbone.imagine([row["prompt"]] * 3, seeds=seeds), seeds))
    for measure, pair in (("itself", (own, own)), ("described", (said, said)), ("across", (said, own))):
        assert row[measure] == pytest.approx(apart(*pair), abs=1e-3)
    assert row["others"] == pytest.approx(apart(own, other), abs=1e-3)


@pytest.mark.parametrize("after", [2, 4])
def test_a_killed_experiment_goes_on_to_the_same_table(whole, backbone, tmp_path, after):
    protocol = replace(LITTLE, seeds=1)
    with killed_at(after) as kill:
        conducted(protocol, backbone, tmp_path, kill)
    assert conducted(protocol, backbone, tmp_path).to_pylist() == rows_of(whole[0], seed=0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"categories": ("sofa",)}, "the judge does not know the category 'sofa'"),
        ({"pictures": 1}, "pictures = 1: give at least 2"),
        ({"candidates": 0}, "candidates = 0: give at least 1"),
        ({"subjects": 1}, "subjects = 1: give from 2 to 8, as many as 'pet' has"),
    ],
)
def test_what_cannot_be_described_is_said_at_once(backbone, tmp_path, wrong, said):
    with pytest.raises(ConceptreeError, match=said):
        conducted(replace(LITTLE, **wrong), backbone, tmp_path)
    assert not list(tmp_path.iterdir())


def test_summary_and_figures_show_each_concept_with_its_words(whole):
    table, _ = whole
    text = summary(table)
    for kind in SUBJECTS:
        for way in WAYS:
            assert text.count(f"| {kind} | {way} |") == 2
    lost = [row["itself"] - row["across"] for row in rows_of(table, subject="concept", eyes="judge", way=IMAGINED)]
    assert f"each other by {np.mean(lost):+.3f}" in text
    shown = rows_of(table, subject="concept", eyes="stack", seed=0, way=READ)
    assert len(shown) == 2 and all(f"| {row['nearest']} | {row['prompt']} | " in text for row in shown)
    for figure in figures(table).values():
        assert len(figure.axes) == 2 * (1 + len(WAYS)) * SHOWN
        assert figure.get_size_inches()[0] * 110 <= 1400
    assert set(MEASURES) < set(SCHEMA.names)
