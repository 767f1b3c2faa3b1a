"""`python -m experiments`: table, summary and curves in a folder, and one line for each error."""

from __future__ import annotations

import builtins
import shutil
from functools import partial

import click
import pyarrow.parquet as pq
import pytest
from PIL import Image

from core.emoji.judge import Judge
from core.stack.backbone import Backbone
from evolve import Run
from evolve.store.ratings import answer, sessions
from experiments.commands import experiment
from experiments.run import open_judge
from tests import typed
from tests.protocols import AnyJudge, TinyJudge
from tests.stacks import save_clip

good, one_line = partial(typed.good, command=experiment), partial(typed.one_line, command=experiment)


@pytest.fixture
def judge(monkeypatch):
    import experiments.run

    monkeypatch.setattr(experiments.run, "open_judge", lambda backbone: TinyJudge())


def test_an_experiment_writes_its_table_summary_and_curves(judge, stack_folder, tmp_path):
    how = ("--category", "pet", "--seeds", 1, "--generations", 2, "--population", 2, "--steps", 2)
    shown = good("evolution", "--to", tmp_path, *how, "--model", stack_folder)
    assert "| belongs |" in shown and f"results.parquet, summary.md, curves.webp are in {tmp_path}" in shown
    assert pq.read_table(tmp_path / "results.parquet").num_rows == 3 * 2 * 2
    assert "tournament − random" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    with Image.open(tmp_path / "curves.webp") as picture:
        assert picture.width > 900
    assert "[2 of 3, about" in shown


def test_results_without_cases_are_shown_and_nothing_is_conducted(judge, stack_folder, tmp_path, monkeypatch):
    how = ("--pair", "pet: cat,dog", "--seeds", 1, "--pictures", 1, "--steps", 2, "--model", stack_folder)
    shown = good("figure11", "--to", tmp_path, *how)
    before = {name: (tmp_path / name).read_bytes() for name in ("results.parquet", "summary.md", "examples.webp")}
    assert "picture" not in pq.read_schema(tmp_path / "results.parquet").names
    shutil.rmtree(tmp_path / "cases")
    (tmp_path / "summary.md").unlink()
    monkeypatch.setattr("experiments.run.open_stack", lambda *_: pytest.fail("it is conducted"))
    shown = good("figure11", "--to", tmp_path)
    assert "has the results of stack tiny" in shown and "summary.md, scatter.webp are written from them" in shown
    assert "To conduct the experiment again, remove that folder or choose another one with --to." in shown
    assert not (tmp_path / "cases").exists()
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    said = one_line("negatives", "--to", tmp_path)
    assert "holds the experiment 'figure11', not 'negatives': choose another folder with --to" in said


def test_a_stack_without_a_judge_beside_it_needs_one_by_name(stack_folder, tmp_path):
    what = ("evolution", "--to", tmp_path / "to", "--category", "sofa", "--model", stack_folder)
    said = one_line(*what)
    assert "has no judge beside it: name one, but not its own CLIP, with --judge FOLDER|ID" in said
    said = one_line(*what, "--judge", tmp_path / "nobody")
    assert said.startswith(f"conceptree: no judge in '{tmp_path / 'nobody'}': ")
    said = one_line(*what, "--judge", save_clip(tmp_path / "clip-tiny"))
    assert "the judge does not know the category 'sofa'" in said, "it was opened"
    assert not (tmp_path / "to").exists()


def test_the_embedded_judge_lies_beside_the_embedded_stack():
    assert isinstance(open_judge(Backbone.load("emoji")), Judge)


@pytest.mark.parametrize("command", experiment.commands.values(), ids=lambda each: each.name)
def test_every_experiment_may_have_another_judge(command):
    assert {"judge", "folder"} <= {option.name for option in command.params}


@pytest.mark.parametrize("command", experiment.commands.values(), ids=lambda each: each.name)
def test_every_experiment_has_help_with_an_example(command):
    shown = good(command.name, "--help")
    assert f"Example: python -m experiments {command.name}" in shown
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_the_product_points_to_the_command():
    assert "experiments are run from a checkout: python -m experiments figure13 --seeds 1" in typed.one_line(
        "experiment", "figure13", "--seeds", 1
    )


def test_figure_11_writes_its_scatter_and_examples(judge, stack_folder, tmp_path):
    how = ("--pair", "pet: cat,dog", "--pair", "pet:dog", "--seeds", 1, "--pictures", 1, "--steps", 2)
    shown = good("figure11", "--to", tmp_path, *how, "--model", stack_folder)
    assert f"results.parquet, summary.md, scatter.webp, examples.webp are in {tmp_path}" in shown
    table = pq.read_table(tmp_path / "results.parquet").to_pylist()
    assert {row["negatives"] for row in table} == {"cat, dog", "dog"} and len(table) == 2 * (5 + 10) * 2
    assert "| ours is ahead of |" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    said = one_line("figure11", "--to", tmp_path, *how, "--preset", "paper", "--model", stack_folder)
    assert "holds an experiment with another protocol" in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["pet"], "--pair 'pet': expected a category and its negatives, as in pet:cat,dog"),
        ([":cat"], "--pair ':cat': expected a category"),
        (["pet:,"], "--pair 'pet:,': expected a category"),
        (["pet:cat,dog", "pet: cat, dog"], "--pair 'pet: cat, dog' is given twice"),
    ],
)
def test_negatives_of_another_form_are_one_line(stack_folder, tmp_path, given, said):
    pairs = [word for pair in given for word in ("--pair", pair)]
    assert said in one_line("figure11", "--to", tmp_path, *pairs, "--model", stack_folder)


def test_a_category_nobody_can_judge_is_one_line(judge, stack_folder, tmp_path):
    said = one_line("evolution", "--to", tmp_path, "--category", "sofa", "--model", stack_folder)
    assert "the judge does not know the category 'sofa'" in said


def test_without_the_extra_it_says_what_to_install(monkeypatch, tmp_path):
    real = builtins.__import__

    def missing(name, *rest, **more):
        if name == "matplotlib":
            raise ImportError(name="matplotlib")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    said = one_line("evolution", "--to", tmp_path)
    assert said == "conceptree: matplotlib is missing: install it with pip install '.[experiments]'"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "how", "figures", "said"),
    [
        ("negatives", ("--founders", 2, "--wave", 1), "arms.webp", "| waves and sides |"),
        ("mixing", ("--share", 0.3, "--share", 0.5, "--pictures", 1), "weights.webp, sheet.webp", "Grandparents:"),
        (
            "prompts",
            ("--prompt", "a photo of a {}", "--prompt", "a red {}"),
            "prompts.webp, sheet.webp",
            "| a red … | no |",
        ),
    ],
)
def test_negatives_mixing_and_prompts_write_what_they_find(judge, stack_folder, tmp_path, name, how, figures, said):
    what = (name, "--to", tmp_path, "--category", "pet", "--seeds", 1, *how, "--steps", 2)
    shown = good(*what, "--model", stack_folder)
    assert f"results.parquet, summary.md, {figures} are in {tmp_path}" in shown
    assert said in (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert {row["eyes"] for row in pq.read_table(tmp_path / "results.parquet").to_pylist()} == {"stack", "judge"}
    for figure in figures.split(", "):
        with Image.open(tmp_path / figure) as picture:
            assert 300 < picture.width <= 1400
    assert "holds an experiment with another protocol" in one_line(*what, "--steps", 3, "--model", stack_folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "how", "figures", "said"),
    [
        ("figure13", ("--lambda", 0, "--lambda", 1), "curves.webp, drawings.webp", "the margin is largest at λ = "),
        ("figure14", ("--every", 1), "arrivals.webp, pet.webp", "new negatives are less similar"),
        ("ablations", (), "differences.webp, drawings.webp", "it needs a folder of it, --stable-diffusion FOLDER"),
        ("limitations", ("--longer", 2), "segments.webp, drawings.webp", "Nobody was asked"),
    ],
)
def test_what_looks_into_the_method_writes_what_it_finds(monkeypatch, stack_folder, tmp_path, name, how, figures, said):
    monkeypatch.setattr("experiments.run.open_judge", lambda backbone: AnyJudge())
    what = (name, "--to", tmp_path, "--category", "pet", "--seeds", 1, *how, "--steps", 2)
    shown = good(*what, "--model", stack_folder)
    assert f"results.parquet, summary.md, {figures} are in {tmp_path}" in shown
    assert said in (tmp_path / "summary.md").read_text(encoding="utf-8")
    for figure in figures.split(", "):
        with Image.open(tmp_path / figure) as picture:
            assert 300 < picture.width <= 1400
    said = one_line(*what, "--category", "sofa", "--model", stack_folder)
    assert "the judge does not know the category 'sofa'" in said


@pytest.mark.slow
def test_concepts_in_words_are_shown_beside_what_the_words_draw(judge, stack_folder, tmp_path):
    what = ("figure15", "--to", tmp_path, "--category", "pet", "--seeds", 1, "--pictures", 2)
    shown = good(*what, "--steps", 2, "--model", stack_folder)
    assert f"results.parquet, summary.md, concepts.webp, members.webp are in {tmp_path}" in shown
    assert "| pet | " in (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert {row["eyes"] for row in pq.read_table(tmp_path / "results.parquet").to_pylist()} == {"stack", "judge"}
    with Image.open(tmp_path / "concepts.webp") as picture:
        assert 300 < picture.width <= 1400


def test_a_study_asks_people_and_is_empty_until_they_have_rated(judge, stack_folder, tmp_path):
    what = ("table1", "--to", tmp_path, "--pair", "pet:cat,dog", "--sets", 1, "--pictures", 1)
    shown = good(*what, "--steps", 2, "--model", stack_folder)
    assert "No ratings yet: the table is empty." in shown and "Ask people with --rater LABEL" in shown
    shown = good(*what, "--steps", 2, "--rater", "ann", "--model", stack_folder)
    run = Run.open(tmp_path / "runs" / "pet")
    (session,) = sessions(run)
    for question in session.questions():
        answer(run, session, question, 4)
    assert f"results.parquet, summary.md, sets.webp are in {tmp_path}" in shown
    shown = good(*what, "--steps", 2, "--model", stack_folder)
    assert "| ours | 1 | 4.00 |" in shown and f"sets.webp, ratings.webp are in {tmp_path}" in shown
    shutil.rmtree(tmp_path / "cases")
    shown = good(*what, "--rater", "ben", "--model", stack_folder)
    assert "| ours | 1 | 4.00 |" in shown and "summary.md, ratings.webp are written" in shown and "Rate" not in shown
    twice = ("--pair", "pet:cat")
    assert "--pair has 2 lists of negatives for 'pet': give one" in one_line(*what, *twice, "--model", stack_folder)


def test_new_styles_are_shown_on_objects(judge, stack_folder, tmp_path):
    how = ("--seeds", 1, "--styles", 2, "--object", "a sofa", "--object", "a lemon", "--steps", 2)
    shown = good("styles", "--to", tmp_path, *how, "--model", stack_folder)
    assert f"results.parquet, summary.md, sheet.webp, named.webp are in {tmp_path}" in shown
    assert "| ConceptLab |" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    with Image.open(tmp_path / "sheet.webp") as picture:
        assert 300 < picture.width <= 1400


def test_aspects_are_refused_on_a_stack_without_their_words(judge, stack_folder, tmp_path):
    said = one_line("aspects", "--to", tmp_path, "--category", "pet", "--seeds", 1, "--model", stack_folder)
    assert "the stack tiny-1 does not know 'car': choose another" in said and not list(tmp_path.iterdir())
