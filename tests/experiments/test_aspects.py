"""A short experiment on aspects: subspaces by hand, what counts as taken, pairs, and children by their weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from core.aspects import ASPECTS, VARIANCE, phrases_of, subspace, words_of
from core.errors import ConceptreeError
from evolve import Run
from experiments import taking
from experiments.aspects import SCHEMA, Protocol, cases, figures, summary
from experiments.conduct import Bench, conduct, read_results, write_results
from experiments.looking import EYES
from experiments.repelling import APART, CLOSE, A, B, pairs_of
from experiments.taking import (
    ALL,
    BEFORE,
    GIVER,
    OURS,
    SAME_RANK,
    SUBSPACES,
    Taking,
    has_colour,
    stretched,
    subspaces_of,
)
from tests.protocols import AnyJudge, killed_at, rows_of

QUICK = {"steps": 2, "segment": 1, "learning_rate": 1e-2}
LITTLE = Protocol(
    categories=("pet",),
    seeds=1,
    things=("cat", "sofa"),
    colours=("red dog", "blue pear"),
    shapes=(),  # the tiny stack knows none
    pictures=2,
    founders=3,
    weights=(0.0, -1.0),
    images=2,
    keep=1,
    settings=QUICK,
)


def benched(backbone, folder, tell=lambda _: None):
    return Bench(backbone, AnyJudge(), folder, tell)


def conducted(protocol, backbone, folder, tell=lambda _: None):
    bench = benched(backbone, folder, tell)
    return conduct(cases(protocol, bench), SCHEMA, folder, bench.about("aspects", **protocol.of_each()))


@pytest.fixture(scope="module")
def whole(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("aspects")
    return conducted(LITTLE, backbone, folder), folder


def square(colour, size):
    picture = Image.new("RGB", (64, 64), "white")
    picture.paste(Image.new("RGB", size, colour), (5, 5))
    return picture


def test_phrases_are_every_word_with_every_noun(backbone):
    words = words_of("colour", backbone)
    phrases = phrases_of("colour", backbone)
    nouns = len(phrases) // len(words)
    assert len(phrases) == len(set(phrases)) == len(words) * nouns
    assert all(f" {words[0]} " in phrase for phrase in phrases[:nouns])


def test_all_phrases_are_decomposed_as_they_are(backbone):
    """The projections by the eigenvectors of the phrases' second moments."""
    embeds = torch.nn.functional.normalize(backbone.encode_text(phrases_of("colour", backbone)), dim=1).double().numpy()
    values, vectors = np.linalg.eigh(embeds.T @ embeds)
    values, vectors = values[::-1], vectors[:, ::-1]
    found = subspaces_of(backbone, "colour")
    assert list(found) == list(SUBSPACES) and found[OURS] is subspace(backbone, "colour")
    rank = len(found[ALL])
    explained = np.cumsum(values) / values.sum()
    assert explained[rank - 1] >= VARIANCE and (rank == 1 or explained[rank - 2] < VARIANCE)
    assert len(found[SAME_RANK]) == len(found[OURS])
    for directions in (found[ALL], found[SAME_RANK]):
        expected = vectors[:, : len(directions)]
        assert directions.T @ directions == pytest.approx(expected @ expected.T, abs=1e-4)


def test_a_colour_is_the_givers_and_a_shape_is_against_before():
    assert has_colour(square("red", (20, 20)), "red apple") and not has_colour(square("blue", (20, 20)), "red apple")
    before, tall, wide = square("red", (20, 20)), square("red", (20, 40)), square("red", (50, 20))
    assert stretched(tall, before, "tall bird") == pytest.approx(2, rel=0.05)
    assert stretched(tall, before, "wide lemon") == pytest.approx(0.5, rel=0.05)
    assert stretched(wide, before, "wide lemon") == pytest.approx(2.5, rel=0.05)


def test_every_thing_takes_from_every_giver_in_every_way(whole):
    table, _ = whole
    assert table.schema == SCHEMA
    for thing in LITTLE.things:
        for giver in LITTLE.colours:
            for way in (BEFORE, *SUBSPACES):
                rows = rows_of(table, aspect="colour", thing=thing, giver=giver, way=way)
                assert [row["number"] for row in rows] == [0, 1]
                assert all(row["taken"] in (0, 1) and row["named"] in (0, 1) for row in rows)
                assert all(abs(row["to_thing"]) <= 1 and abs(row["to_giver"]) <= 1 for row in rows)
                assert (rows[0]["rank"] == 0) == (way == BEFORE) and rows[0]["picture"] and not rows[1]["picture"]
    assert len(rows_of(table, way=GIVER)) == len(LITTLE.colours) * LITTLE.pictures


def test_nothing_taken_is_one_drawing_for_all_givers(whole):
    one, other = (rows_of(whole[0], thing="cat", giver=giver, way=BEFORE) for giver in LITTLE.colours)
    assert [row["picture"] for row in one] == [row["picture"] for row in other]
    assert [row["to_thing"] for row in one] == [row["to_thing"] for row in other]


def test_a_shape_is_taken_from_a_factor_on(backbone, tmp_path, monkeypatch):
    colours = subspaces_of(backbone, "colour")
    monkeypatch.setattr(taking, "subspaces_of", lambda stack, aspect: colours)  # the tiny stack has no words of shapes
    monkeypatch.setattr(taking, "CHANGED", 1.0)
    monkeypatch.setattr(taking, "height_by_width", lambda picture: 1.0 + np.asarray(picture)[0, 0, 0])
    rows = Taking(benched(backbone, tmp_path), "shape", ("cat",), ("blue dog",), 4).rows()
    of_thing = [row for row in rows if row["way"] != GIVER]
    assert [row["taken"] for row in of_thing] == [float(row["factor"] >= 1) for row in of_thing]
    assert all(row["factor"] > 0 for row in of_thing) and 0 < sum(row["taken"] for row in of_thing) < len(of_thing)
    assert all(np.isnan(row["taken"]) for row in rows if row["way"] == GIVER)


def test_children_have_their_parents_at_the_weights_that_they_are_said_to_have(whole):
    table, folder = whole
    concepts = {each.id: each.concept for each in Run.open(folder / "runs" / "pet-0").individuals()}
    founders = [each for each in concepts.values() if not each.request.mixed]
    assert len(founders) == LITTLE.founders
    for pair, parents in pairs_of(founders).items():
        rows = rows_of(table, category="pet", pair=pair)
        assert {row["parents"] for row in rows} == {" ".join(each.id for each in parents)}
        assert [row["of"] for row in rows if row["eyes"] == "judge"] == ["0", "-1", A, B]
        assert {row["eyes"] for row in rows} == set(EYES)
    weights = sorted(
        tuple(parent.weight for parent in each.request.parents) for each in concepts.values() if each.request.mixed
    )
    children = {row["weight"] for row in rows if row["weight"] is not None}
    assert children == {0.0, -1.0} and set(weights) == {(1.0,), (1.0, -1.0)}
    assert all(
        each.request.positives and each.request.start is not None for each in concepts.values() if each.request.mixed
    )


def test_pairs_are_the_founders_most_and_least_alike(whole):
    founders = [e.concept for e in Run.open(whole[1] / "runs" / "pet-0").individuals() if not e.concept.request.mixed]
    unit = np.stack([each.image_embed / np.linalg.norm(each.image_embed) for each in founders])
    likeness = (unit @ unit.T)[np.triu_indices(len(unit), 1)]
    found = {
        name: float(np.dot(*(unit[founders.index(each)] for each in pair))) for name, pair in pairs_of(founders).items()
    }
    assert found[CLOSE] == pytest.approx(likeness.max()) and found[APART] == pytest.approx(likeness.min())


@pytest.mark.parametrize("after", [2, 4, 7])
def test_a_killed_experiment_goes_on_to_the_same_table(whole, backbone, tmp_path, after):
    with killed_at(after) as kill:
        conducted(LITTLE, backbone, tmp_path, kill)
    assert repr(conducted(LITTLE, backbone, tmp_path).to_pylist()) == repr(whole[0].to_pylist())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"things": ("grrr",)}, "does not know 'grrr': choose another"),
        ({"colours": ("dog red",)}, f"giver 'dog red' of a colour: begin with one of {', '.join(ASPECTS['colour'])}"),
        ({"shapes": ("tall dog",)}, "knows no words for the aspect 'shape'"),
        ({"weights": (-1.0, -2.0)}, r"weights = \[-1.0, -2.0\]: give 0, then different ones below 0"),
        ({"weights": (0.0,)}, r"weights = \[0.0\]"),
        ({"weights": (0.0, 0.5)}, r"weights = \[0.0, 0.5\]"),
        ({"weights": (0.0, -1.0, -1.0)}, r"weights = \[0.0, -1.0, -1.0\]"),
        ({"founders": 2}, "founders = 2: give at least 3"),
        ({"categories": ("grrr",)}, "does not know the category 'grrr'"),
    ],
)
def test_what_cannot_be_measured_is_said_at_once(backbone, tmp_path, wrong, said):
    with pytest.raises(ConceptreeError, match=said):
        conducted(replace(LITTLE, **wrong), backbone, tmp_path)
    assert not list(tmp_path.iterdir())


def test_summary_and_sheets_have_every_way_and_weight(whole, backbone, tmp_path):
    table, _ = whole
    text = summary(table)
    for way in (BEFORE, *SUBSPACES, f"{OURS} − {ALL}"):
        assert f"\n| {way} | " in text
    taken = np.mean([row["taken"] for row in rows_of(table, way=OURS)])
    assert f"\n| {OURS} | {len(subspace(backbone, 'colour'))} | {taken:.3f} (" in text
    for label in ("0", "-1", A, B):
        assert text.count(f"\n| {label} | ") == 2, "for each pair"
    (row,) = rows_of(table, pair=CLOSE, of="-1", eyes="imagined")
    (line,) = [
        each for each in text.split("most alike:")[1].split("least alike:")[0].split("\n") if each[:6] == "| -1 |"
    ]
    assert line.split(" | ")[1:3] == [f"{row['to_a']:.3f}", f"{row['to_b']:.3f}"]
    drawn = figures(table)
    assert {name: len(figure.axes) for name, figure in drawn.items()} == {"colour": 3 * 5, "weights": 2 * 4}
    write_results(table, tmp_path)
    again = read_results(tmp_path, SCHEMA)
    assert summary(again) == text and figures(again) == {}
