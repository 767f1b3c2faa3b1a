"""Galleries in the paper's layout: every picture has its place, and families, mixtures and styles are what they say."""

from __future__ import annotations

from functools import partial

import pyarrow.parquet as pq
import pytest
from PIL import Image

from core.errors import ConceptreeError
from core.namers import from_function
from evolve import Run
from experiments.commands import experiment
from experiments.conduct import Bench, conduct
from experiments.gallery import FIGURES, GENERATIONS, SCHEMA, Protocol, cases, figures, summary
from experiments.looking import drawing_of
from tests import typed
from tests.protocols import TinyJudge, killed_at

QUICK = {"steps": 2, "segment": 1, "learning_rate": 1e-2}
good, one_line = partial(typed.good, command=experiment), partial(typed.one_line, command=experiment)


@from_function
def cats(images, question):
    return [[("cat", 0.9)] for _ in images]


def conducted(backbone, folder, tell=lambda _: None, **given):
    bench = Bench(backbone, TinyJudge(), folder, tell, cats)
    protocol = Protocol(settings=QUICK, **given)
    return conduct(cases(protocol, bench), SCHEMA, folder, bench.about("gallery", **protocol.of_each()))


def places(table):
    return [(row["row"], row["column"]) for row in table.to_pylist()]


def run_requests(folder):
    run = Run.open(next((folder / "runs").iterdir()))
    return [run.find(each.id).concept.request for each in run.entries()]


def test_concepts_of_the_default_preset_start_apart(backbone, tmp_path):
    conducted(backbone, tmp_path, figure=5, categories=("pet",), seeds=3)
    assert len({each.initializer for each in run_requests(tmp_path)} - {None}) == 3


@pytest.mark.parametrize(
    ("given", "rows", "columns"),
    [
        ({"figure": 1}, ["pet"], ["seed 1, 1", "seed 1, 2", "seed 2, 1", "seed 2, 2"]),
        ({"figure": 5, "categories": ("pet", "fruit")}, ["pet", "fruit"], ["seed 1", "seed 2"]),
        (
            {"figure": 6, "prompts": ("a photo of a {}", "a red {}")},
            ["pet, seed 1", "pet, seed 2"],
            ["a photo of a …", "a red …"],
        ),
        (
            {"figure": 7, "categories": ("painting",), "prompts": ("a sofa in the style of {}",)},
            ["painting, seed 1", "painting, seed 2"],
            ["a sofa in the style of …"],
        ),
    ],
    ids=["1", "5", "6", "7"],
)
def test_every_concept_has_its_place(given, rows, columns, backbone, tmp_path):
    given = {"categories": ("pet",), "seeds": 2, "preset": "paper", **given}
    table = conducted(backbone, tmp_path, **given)
    assert places(table) == [(row, column) for row in rows for column in columns]
    shown = table.to_pylist()
    assert all(row["negatives"] == ["cat"] and drawing_of(row["picture"]).size == (16, 16) for row in shown)
    assert {each.initializer for each in run_requests(tmp_path)} == {None}, "at the category's word, as in the paper"
    kind = {each.kind for each in Run.open(next((tmp_path / "runs").iterdir())).entries()}
    assert kind == {"style" if given["figure"] == 7 else "object"}
    assert f"Figure {given['figure']} of the paper" in summary(table) and ": not cat" in summary(table)
    assert len(figures(table)["gallery"].axes) == len(rows) * len(columns)


def test_a_family_has_founders_children_and_a_grandchild(backbone, tmp_path):
    table = conducted(backbone, tmp_path, figure=8, categories=("pet",), images=2, keep=1)
    assert places(table) == [(f"pet, generation {i}", of) for i, each in enumerate(GENERATIONS) for of in each]
    ids, run = table["concept"].to_pylist(), Run.open(tmp_path / "runs" / "pet")
    parents = {id_: [(each.id, each.weight) for each in run.find(id_).concept.request.parents] for id_ in ids}
    assert [parents[id_] for id_ in ids[:4]] == [[]] * 4
    for child, pair in ((4, (0, 1)), (5, (2, 3)), (6, (4, 5))):
        assert parents[ids[child]] == [(ids[place], 0.5) for place in pair]
    (axis,) = figures(table)["gallery"].axes
    assert len(axis.images) == 7 and len(axis.lines) == 6


def test_a_mixture_is_beside_prompts_of_the_same_words(backbone, tmp_path):
    table = conducted(backbone, tmp_path, figure=9, mixtures=(("cat", "dog"), ("apple", "pear", "melon")))
    rows = table.to_pylist()
    run = Run.open(tmp_path / "runs" / "apple-and-pear-and-melon")
    (entry,) = run.entries()
    request = run.find(entry.id).concept.request
    assert [(each.word, each.weight) for each in request.positives] == [(w, 1 / 3) for w in ("apple", "pear", "melon")]
    assert request.schedule == "none" and not request.negatives
    prompted = {row["prompt"] for row in rows if not row["concept"]}
    assert prompted == {"a photo of a cat dog", "a photo of a apple pear melon"}, "the tiny stack knows no other"
    assert "“a photo of a cat dog”" in summary(table)
    assert len(figures(table)["gallery"].axes) == 2 * 5


def test_a_killed_gallery_goes_on_to_the_same_table(backbone, tmp_path):
    given = {"figure": 8, "categories": ("pet",), "images": 2, "keep": 1}
    whole = conducted(backbone, tmp_path / "whole", **given)
    with killed_at(4) as kill:
        conducted(backbone, tmp_path / "killed", kill, **given)
    assert conducted(backbone, tmp_path / "killed", **given).to_pylist() == whole.to_pylist()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"figure": 2}, "figure = 2: choose 1, 5, 6, 7, 8, 9, 16, 17"),
        ({"figure": 5, "mixtures": (("cat", "dog"),)}, "Figure 5 has no --mixture: leave it out"),
        ({"figure": 9, "categories": ("pet",)}, "Figure 9 has no --category"),
        ({"figure": 8, "seeds": 2}, "Figure 8 has no --seeds"),
        ({"figure": 9, "prompts": ("a {}",)}, "Figure 9 has no --prompt"),
        ({"figure": 9, "mixtures": (("cat", "cat"),)}, "--mixture 'cat,cat': give two or more words"),
        ({"figure": 5, "categories": ("nothing",)}, "does not know 'nothing': choose another"),
        ({"figure": 6, "categories": ("pet",), "prompts": ("a pet",)}, "write {} where the concept stands"),
    ],
)
def test_what_a_figure_does_not_have_is_said_at_once(backbone, tmp_path, wrong, said):
    with pytest.raises(ConceptreeError, match=said.replace("{}", r"\{\}")):
        conducted(backbone, tmp_path, **wrong)
    assert not list(tmp_path.iterdir())


def test_a_default_of_every_figure_is_known_to_the_embedded_stack(tmp_path):
    from core.stack.backbone import Backbone

    bench = Bench(Backbone.load("emoji"), TinyJudge(), tmp_path, lambda _: None)
    for figure in FIGURES:
        found = cases(Protocol(figure=figure), bench)
        assert found and all(case.work().concepts for case in found)


def test_a_gallery_is_a_picture_in_a_folder(monkeypatch, stack_folder, tmp_path):
    monkeypatch.setattr("experiments.run.open_judge", lambda backbone: TinyJudge())
    how = ("--figure", 9, "--mixture", "cat, dog", "--steps", 2, "--model", stack_folder)
    shown = good("gallery", "--to", tmp_path, *how)
    assert f"results.parquet, summary.md, gallery.webp are in {tmp_path}" in shown
    with Image.open(tmp_path / "gallery.webp") as picture:
        assert 300 < picture.width <= 1400
    assert "picture" not in pq.read_schema(tmp_path / "results.parquet").names
    assert "another protocol" in one_line("gallery", "--to", tmp_path, "--category", "pet", "--model", stack_folder)
