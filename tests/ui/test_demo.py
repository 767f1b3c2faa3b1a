"""The demo on the tiny stack, and what its tables say."""

from __future__ import annotations

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import ui.cli
import ui.demo
from core.emoji.judge import Judge
from core.emoji.networks import WordNet
from core.exchange import read_embedding
from evolve import Run
from tests.stacks import CATEGORIES, MEMBERS
from ui.demo import most_different
from ui.pictures import PROMPTS
from ui.tables import judge_table, judged, opinions, panel_rows, pushed


@pytest.fixture(scope="module")
def judging_stack(stack_folder, tmp_path_factory):
    """The tiny stack with a judge that has learned nothing."""
    folder = tmp_path_factory.mktemp("judging") / "stack"
    shutil.copytree(stack_folder, folder)
    torch.manual_seed(0)
    Judge(WordNet((4, 8), 8, len(MEMBERS) + len(CATEGORIES)), MEMBERS, CATEGORIES).save(folder / "judge", (4, 8))
    return folder


@pytest.fixture(scope="module")
def shown(judging_stack, tmp_path_factory) -> SimpleNamespace:
    """The demo's output, and its run."""
    out = tmp_path_factory.mktemp("out")
    arguments = ["demo", "--model", str(judging_stack), "--steps", "2", "--runs", str(out)]
    result = CliRunner().invoke(ui.cli.main, arguments)
    assert result.exit_code == 0, result.output
    return SimpleNamespace(text=result.stdout, run=Run.open(out / "demo"), arguments=arguments)


def test_the_demo_makes_six_founders_side_by_side_two_children_and_a_grandchild(shown):
    *pets, one, other, grandchild = shown.run.individuals()
    assert [each.generation for each in shown.run.individuals()] == [0] * 6 + [1] * 2 + [2]
    assert not any(each.concept.request.avoid for each in pets)
    assert len({each.concept.request.initializer for each in pets}) == len(pets)
    assert all(each.concept.request.schedule == "adaptive" and each.concept.negatives for each in pets)
    weights = [{p.id: p.weight for p in each.concept.request.parents} for each in (one, other)]
    parents = [each.id for each in most_different(pets)]
    assert weights == [dict(zip(parents, (0.7, 0.3), strict=True)), dict(zip(parents, (0.3, 0.7), strict=True))]
    first, founder = grandchild.concept.request.parents
    assert first.id == one.id and founder.id in {each.id for each in pets} - set(parents)


def test_the_demos_children_are_of_the_category_and_not_what_their_parents_are_not(shown):
    *pets, one, other, grandchild = shown.run.individuals()
    concepts = {each.id: each.concept for each in (*pets, one, other)}
    for child in (one, other, grandchild):
        request = child.concept.request
        assert [positive.word for positive in request.positives] == ["pet"]
        of_parents = {n.word for parent in request.parents for n in concepts[parent.id].negatives}
        assert set(request.negatives) == of_parents - {"pet"} and of_parents


def test_the_demo_draws_the_tree_and_takes_a_concept_away(shown):
    grandchild = shown.run.individuals()[-1]
    with Image.open(shown.run.folder / "tree.png") as tree:
        assert tree.height > 3 * 96
    assert (shown.run.folder / "tree.svg").read_text().count("<image") == 9
    (file,) = (shown.run.folder / "export").glob("*.safetensors")
    assert np.array_equal(read_embedding(file).vectors, grandchild.concept.vectors)
    assert "the same bit for bit" in shown.text


def test_the_demo_draws_everybody_in_three_prompts_on_one_sheet(shown):
    for each in shown.run.individuals():
        assert [drawing.prompt for drawing in shown.run.drawings(each.id)] == list(PROMPTS["object"])
    with Image.open(shown.run.folder / "sheet.png") as page:
        assert page.height > 4 * 144


def test_the_demo_tells_all_that_it_measured(shown):
    names = [each.name for each in shown.run.individuals()]
    report = (shown.run.folder / "report.txt").read_text()
    assert all(line in shown.text for line in report.splitlines())
    for title in ("Similarity on the fixed panel", "Learning", "Children", "The judge takes the drawings for"):
        assert title in report
    assert all(report.count(name) >= 2 for name in names), "in the table of learning, and in the judge's"
    assert "negatives are less similar at the end" in report
    for said in ("The two that differ most are", "mean pairwise similarity of the 6", "All that took", "Next:"):
        assert said in shown.text


def test_the_panel_says_how_similar_each_negative_was_and_is(shown, backbone):
    pets = shown.run.individuals()[:6]
    rows = panel_rows(backbone, pets)
    assert len(rows) == sum(1 + len(each.concept.negatives) for each in pets)
    for each in pets:
        own = [row for row in rows if row.name == each.name]
        assert own[0].word == "pet" and not own[0].negative
        assert own[0].now == pytest.approx(each.concept.scores["belongs"], abs=1e-5)
        assert max(row.now for row in own[1:]) == pytest.approx(each.concept.scores["nearest"], abs=1e-5)
        start = next(m.similarity for m in each.concept.history if m.constraint == own[1].word)
        assert own[1].then == start
    lower = [replace(row, then=row.now + 0.1) for row in rows if row.negative]
    assert (
        pushed(lower)
        == f"{len(lower)} of {len(lower)} negatives are less similar at the end than when they were added."
    )


def test_the_two_that_differ_most_become_the_parents():
    def pet(*embed: float) -> SimpleNamespace:
        return SimpleNamespace(concept=SimpleNamespace(image_embed=np.array(embed)))

    pets = [pet(1, 0), pet(9, 1), pet(0.1, 1), pet(1, 1)]
    assert most_different(pets) == (pets[0], pets[2])


def test_a_drawing_taken_for_a_negative_is_marked():
    class Fake:
        def name(self, images, k):
            return [[("llama", 0.5)], [("cat", 0.25)]]

        def category(self, images, word):
            return [1.0, 0.5]

    concept = SimpleNamespace(
        request=SimpleNamespace(category="pet"), negatives=[SimpleNamespace(word="cat"), SimpleNamespace(word="dog")]
    )
    pets = [
        SimpleNamespace(id="a", name="moku", concept=concept),
        SimpleNamespace(id="b", name="vasi", concept=concept),
    ]
    (opinion,) = opinions(Fake(), pets, {"a": [None, None]})
    assert (opinion.name, opinion.category, list(opinion.mistaken)) == ("moku", 0.75, ["cat"])
    (row,) = zip(*(column.cells for column in judge_table([opinion], "pet", ["one", "two"]).columns), strict=True)
    assert row == ("moku", "75%", "llama 50%", "cat* 25%")


def test_no_judge_or_one_that_does_not_know_the_category_is_said(shown, backbone, judging_stack):
    pets = shown.run.individuals()
    assert judged(backbone, pets, {}, PROMPTS) == "The stack tiny-1 has no judge."
    request = replace(pets[0].concept.request, category="style", positives=(), negatives=(), schedule="none")
    unknown = replace(pets[0], concept=replace(pets[0].concept, request=replace(request, category="zeppelin")))
    pictures = {unknown.id: [Image.new("RGB", (16, 16))]}
    where = SimpleNamespace(where=str(judging_stack), version="tiny-1")
    said = judged(where, [unknown], pictures, PROMPTS)
    assert isinstance(said, str) and said.startswith("No opinion on the drawings: the judge does not know")


def test_the_demo_can_be_run_again_and_leaves_the_first_as_it_was(shown, monkeypatch):
    monkeypatch.setattr(ui.demo, "FOUNDERS", 2)
    before = {path: path.stat().st_mtime_ns for path in shown.run.folder.rglob("*")}
    result = CliRunner().invoke(ui.cli.main, [*shown.arguments, "--seed", "1"])
    assert result.exit_code == 0, result.output
    assert len(Run.open(shown.run.folder.parent / "demo-2").individuals()) == 5
    assert {path: path.stat().st_mtime_ns for path in shown.run.folder.rglob("*")} == before


def test_the_demo_without_a_stack_is_one_line(tmp_path):
    result = CliRunner().invoke(ui.cli.main, ["demo", "--model", str(tmp_path / "nothing"), "--runs", str(tmp_path)])
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1
