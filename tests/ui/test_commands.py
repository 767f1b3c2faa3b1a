"""seed, breed and draw on the tiny stack: what a person gets, and one line for each thing a person can get wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from core.namers import canned_namer
from evolve import Run, likeness
from evolve.jobs import work
from tests.typed import good, one_line, run
from ui.pictures import PROMPTS

QUICK = ("--steps", "4", "--segment", "2")
QUICK_CHILD = ("--steps", "2", "--images", "4")


@pytest.fixture(scope="module")
def pets(stack_folder, tmp_path_factory) -> Run:
    """A small run, made by the command itself."""
    runs = tmp_path_factory.mktemp("runs")
    where = ("--run", "pets", "--runs", runs, "--model", stack_folder)
    shown = good("seed", "pet", "--founders", 3, "--wave", 2, *where, *QUICK)
    found = Run.open(runs / "pets")
    (found.folder.parent / "shown.txt").write_text(shown)
    return found


def shown_of(pets: Run) -> str:
    return (pets.folder.parent / "shown.txt").read_text()


def copied(pets: Run, to: Path) -> Run:
    shutil.copytree(pets.folder, to / "pets")
    return Run.open(to / "pets")


# seed


def test_seed_shows_waves_negatives_and_how_alike_the_founders_are(pets):
    shown = shown_of(pets)
    first, second, third = pets.individuals()
    assert "Wave 1 of 2: founders 1 to 2, 4 steps" in shown and "Wave 2 of 2: founder 3, 4 steps" in shown
    for number, each in enumerate((first, second, third), 1):
        assert f"founder {number} is {each.name}: kept from step {each.concept.kept_step} of 4" in shown
        assert each.concept.negatives
        for negative in each.concept.negatives:
            assert f"new negative {negative.word} (" in shown
    alike = likeness([each.concept for each in (first, second, third)])
    assert f"mean pairwise similarity of the 3 so far: {alike:.2f}" in shown
    assert "4 of 8 steps" in shown


def test_seed_stores_the_run_with_its_waves(pets):
    first, second, third = (each.concept for each in pets.individuals())
    assert [len(concept.request.avoid) for concept in (first, second, third)] == [0, 0, 2]
    assert {first.request.category, first.request.schedule} == {"pet", "adaptive"}
    assert first.request.chosen.steps == 4 and first.request.chosen.segment == 2


def test_seed_draws_every_concept_and_one_sheet_of_all(pets):
    for each in pets.individuals():
        assert [drawing.prompt for drawing in pets.drawings(each.id)] == list(PROMPTS["object"])
    with Image.open(pets.folder / "sheet.png") as page:
        assert page.width > 900
    assert str(pets.folder / "sheet.png") in shown_of(pets)


def test_seed_says_what_to_do_next_and_that_works(pets, tmp_path):
    shown, names = shown_of(pets), [each.name for each in pets.individuals()]
    assert f"conceptree breed pets --parent {names[-1]}:0.7 --parent {names[0]}:0.3 --children 2 --runs" in shown
    assert f"conceptree draw pets {names[2]} --prompt" in shown


def test_the_same_seed_gives_the_same_founders(pets, stack_folder, tmp_path):
    good("seed", "pet", "--founders", 2, "--wave", 2, "--runs", tmp_path, "--model", stack_folder, *QUICK)
    again = Run.open(tmp_path / "pet")
    assert [each.id for each in again.individuals()] == [each.id for each in pets.individuals()][:2]
    good("seed", "pet", "--founders", 1, "--runs", tmp_path, "--model", stack_folder, "--seed", 5, *QUICK)
    other = Run.open(tmp_path / "pet-2")  # the name was taken
    assert other.individuals()[0].id != again.individuals()[0].id


def test_seed_with_a_question_answerer_tells_its_answers(stack_folder, tmp_path, monkeypatch):
    namer = canned_namer(["a pet", "the dog", "boeing 747"])
    for of in ("planning", "batches"):
        monkeypatch.setattr(f"evolve.jobs.{of}.namer_of", lambda stack: namer)
    shown = good("seed", "pet", "--founders", 1, "--runs", tmp_path, "--model", stack_folder, *QUICK)
    assert "Negatives are proposed by the model canned, after each 2 steps" in shown
    assert "new negative dog (" in shown and "proposed by canned" in shown
    assert "'pet' (the category itself)" in shown and "'boeing 747' (unknown to the stack)" in shown
    assert "answers: a pet, the dog, boeing 747" in shown


@pytest.mark.parametrize(
    ("options", "schedule", "words"),
    [
        (("--negatives", "cat, dog"), "list", {"cat", "dog"}),
        (("--negatives", "none"), "none", set()),
        (("--negatives", "gradual", "--lambda", "2"), "gradual", None),
        (("--negatives", "cat", "--preset", "paper"), "list", {"cat"}),
    ],
)
def test_other_negatives_and_settings(stack_folder, tmp_path, options, schedule, words):
    good("seed", "pet", "--founders", 1, "--runs", tmp_path, "--model", stack_folder, *QUICK, *options)
    (each,) = Run.open(tmp_path / "pet").individuals()
    assert each.concept.request.schedule == schedule
    if words is None:
        assert each.concept.request.chosen.lam == 2 and len(each.concept.negatives) == 2
    else:
        assert {negative.word for negative in each.concept.negatives} == words
    assert each.concept.request.chosen.preset == ("paper" if "paper" in options else "default")


def test_templates_of_a_file_are_part_of_the_concept(stack_folder, tmp_path):
    file, own = tmp_path / "templates.txt", ("--founders", 1, "--negatives", "cat", "--model", stack_folder, *QUICK)
    file.write_text("my {} in a photo\nthis is a zeppelin {}\n")
    shown = good("seed", "pet", "--templates", file, "--runs", tmp_path, *own)
    assert "these words of the templates mean nothing: zeppelin" in shown
    file.write_text("a photo\n")  # not read again
    (each,) = Run.open(tmp_path / "pet").individuals()
    assert each.concept.request.templates == ("my {} in a photo", "this is a zeppelin {}")
    assert "is a folder" in one_line("seed", "pet", "--templates", "", "--runs", tmp_path / "runs", *own)
    said = one_line("seed", "pet", "--templates", file, "--runs", tmp_path / "runs", *own)
    assert "line 1: 'a photo' has {} 0 times" in said and not (tmp_path / "runs").exists()


def test_styles(stack_folder, tmp_path):
    good("seed", "painting", "--style", "--founders", 1, "--runs", tmp_path, "--model", stack_folder, *QUICK)
    run = Run.open(tmp_path / "painting")
    (each,) = run.individuals()
    assert each.concept.request.kind == run.about["kind"] == "style"
    assert {drawing.prompt for drawing in run.drawings()} == set(PROMPTS["style"])


def test_a_stack_without_decoder_learns_and_says_that_it_cannot_draw(stack_folder, tmp_path):
    arguments = ("--founders", 1, "--runs", tmp_path, "--model", stack_folder / "prior", "--negatives", "cat")
    shown = good("seed", "pet", *arguments, *QUICK)
    assert "has no decoder, so nothing is drawn" in shown
    assert not (tmp_path / "pet" / "sheet.png").exists()
    (each,) = Run.open(tmp_path / "pet").individuals()
    good("breed", "pet", "--parent", each.name, "--runs", tmp_path, *QUICK_CHILD)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rabit",), "does not know the category 'rabit': did you mean rabbit"),
        (("zeppelin",), "does not know the category 'zeppelin': it knows categories such as fruit, furniture, pet"),
        (("../../pet",), "does not know the category '../../pet'"),
        (("[red]pet[/red]",), "does not know the category '[red]pet[/red]'"),
        (("pet\x1b[31m",), "has a control character"),
        ((" ",), "category = ' ': expected a word"),
        (("p" * 500,), "expected at most 80 characters"),
        (("a {}",), "none of {}<>|"),
        (("pet", "--run", "../pets"), "'../pets' is not a valid name of a run"),
        (("pet", "--run", "/tmp/pets"), "is not a valid name of a run"),
        (("pet", "--run", "x" * 999), "is not a valid name of a run"),
        (("pet", "--run", ".hidden"), "is not a valid name of a run"),
        (("pet", "--run", "a\nb"), "is not a valid name of a run"),
        (("pet", "--run", ""), "'' is not a valid name of a run"),
        (("pet", "--negatives", "cat,dragon"), "does not know the negative 'dragon'"),
        (("painting", "--style", "--negatives", "zeppelin"), "'zeppelin': it knows such as painting, sketch, mosaic"),
        (("painting", "--style", "--negatives", "moosaic"), "'moosaic': did you mean mosaic"),
        (("pet", "--negatives", "cat,cat"), "'cat' is given twice"),
        (("pet", "--negatives", "cat,pet"), "'pet' is a negative and a positive"),
        (("pet", "--negatives", ","), "expected adaptive, none, gradual, or words"),
        (("pet", "--lambda", "nan"), "--lambda nan: expected a number of at least 0"),
        (("pet", "--lambda", "-1"), "--lambda -1.0: expected"),
    ],
)
def test_seed_refuses_in_one_line_and_leaves_nothing(stack_folder, tmp_path, arguments, said):
    assert said in one_line("seed", *arguments, "--runs", tmp_path / "runs", "--model", stack_folder, *QUICK)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "options", [("--founders", "0"), ("--wave", "x"), ("--steps", "0"), ("--preset", "mine"), ("--seed", "-1")]
)
def test_numbers_that_cannot_be_are_exit_code_2(options):
    assert run("seed", "pet", *options).exit_code == 2


def test_a_name_with_markup_or_spaces_is_a_name(stack_folder, tmp_path):
    name = "[bold]my pets :cat:"
    shown = good(
        "seed", "pet", "--founders", 1, "--run", "[bold]my pets", "--runs", tmp_path, "--model", stack_folder, *QUICK
    )
    assert "draw '[bold]my pets'" in shown
    assert "is not a valid name of a run" in one_line(
        "seed", "pet", "--run", name, "--runs", tmp_path, "--model", stack_folder
    )


def test_seed_does_not_touch_a_run_that_is_there(pets, stack_folder):
    before = sorted(pets.folder.rglob("*"))
    said = one_line("seed", "pet", "--run", "pets", "--runs", pets.folder.parent, "--model", stack_folder, *QUICK)
    assert "there is a run 'pets'" in said and "choose another name with --run" in said
    assert sorted(pets.folder.rglob("*")) == before


def test_runs_cannot_be_made_in_a_file(stack_folder, tmp_path):
    (tmp_path / "file").touch()
    arguments = ("--runs", tmp_path / "file" / "runs", "--model", stack_folder)
    assert "no run can be made in" in one_line("seed", "pet", *arguments, *QUICK)
    assert "no run can be made in" in one_line("seed", "pet", "--run", "pets", *arguments, *QUICK)


@pytest.mark.parametrize("part", ["prior/prior", "prior/text_encoder", "decoder/unet", "decoder/movq"])
def test_damaged_weights_are_found_before_anything_is_learned(stack_folder, tmp_path, part):
    shutil.copytree(stack_folder, tmp_path / "stack")
    (weights,) = (tmp_path / "stack" / part).glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:200])
    said = one_line("seed", "pet", "--runs", tmp_path / "runs", "--model", tmp_path / "stack", *QUICK)
    assert "stack" in said and not (tmp_path / "runs").exists()


def test_a_stack_that_is_not_there(tmp_path):
    assert "there is no stack" in one_line("seed", "pet", "--model", tmp_path / "nothing", "--runs", tmp_path)


def test_ctrl_c_keeps_the_waves_that_are_finished(stack_folder, tmp_path, monkeypatch):
    developing = work.developing

    def until_the_second_wave(asked, *rest):
        if next(iter(asked.values())).avoid:
            raise KeyboardInterrupt
        return developing(asked, *rest)

    monkeypatch.setattr(work, "developing", until_the_second_wave)
    arguments = ("--founders", 3, "--wave", 2, "--runs", tmp_path, "--model", stack_folder)
    result = run("seed", "pet", *arguments, *QUICK)
    assert result.exit_code == 130 and "Finished and kept in" in result.stdout
    assert len(Run.open(tmp_path / "pet").individuals()) == 2


def test_ctrl_c_before_anything_is_finished_leaves_what_can_be_resumed(stack_folder, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(work, "developing", stopped)
    result = run("seed", "pet", "--runs", tmp_path, "--model", stack_folder, *QUICK)
    assert result.exit_code == 130 and "Finished and kept" in result.stdout and "nothing yet" in result.stdout
    assert "resume pet --runs" in result.stdout
    monkeypatch.undo()
    good("resume", "pet", "--runs", tmp_path)
    assert len(Run.open(tmp_path / "pet").individuals()) == 6


# breed


def test_breed_learns_children_by_the_weights_given(pets, tmp_path):
    run_ = copied(pets, tmp_path)
    names = [each.name for each in run_.individuals()]
    parents = ("--parent", f"{names[0]}:3", "--parent", f"{names[1]}:1")
    shown = good("breed", "pets", *parents, "--children", 2, "--runs", tmp_path, *QUICK_CHILD)
    one, other = run_.individuals()[3:]
    assert one.generation == other.generation == 1 and one.id != other.id
    assert [(p.id, p.weight) for p in one.concept.request.parents] == [
        (run_.individuals()[0].id, 3.0),
        (run_.individuals()[1].id, 1.0),
    ]
    assert f"{one.name} = 0.75 {names[0]} + 0.25 {names[1]}, resembles them" in shown and "Next:" in shown
    assert len(run_.drawings(one.id)) == 3
    good("breed", "pets", *parents, "--runs", tmp_path, *QUICK_CHILD)
    assert len(run_.individuals()) == 6, "without --seed the same parents have another child"
    again = good("breed", "pets", *parents, "--runs", tmp_path, *QUICK_CHILD, "--seed", 5)
    assert len(run_.individuals()) == 6 and "which the run has already" in again


def test_one_parent_without_a_weight_is_enough(pets, tmp_path):
    run_ = copied(pets, tmp_path)
    good("breed", "pets", "--parent", run_.individuals()[0].id, "--runs", tmp_path, *QUICK_CHILD)
    assert len(run_.individuals()[3].concept.request.parents) == 1


@pytest.mark.parametrize(
    ("parents", "said"),
    [
        (["nobody:1"], "there is no concept 'nobody'"),
        (["{0}:heavy"], "write NAME:WEIGHT"),
        (["{0}:0"], "with a weight from 0.001 to 1000"),
        (["{0}:1e308"], "with a weight from 0.001 to 1000"),
        (["{0}:-1e-9"], "with a weight from 0.001 to 1000, as in moku:0.7, or below 0 to move away"),
        (["{0}:-1"], "all parents have weights below 0: a child needs at least one parent to resemble"),
        (["{0}:nan"], "with a weight from 0.001 to 1000"),
        ([":1"], "write NAME:WEIGHT"),
        (["{0}:1", "{0}:2"], "is given twice: give it once"),
        (["../{0}:1"], "there is no concept"),
        (["[red]x[/red]:1"], "there is no concept '[red]x[/red]'"),
    ],
)
def test_breed_refuses_in_one_line(pets, parents, said):
    first = pets.individuals()[0].name
    given = [option for parent in parents for option in ("--parent", parent.replace("{0}", first))]
    assert said in one_line("breed", "pets", *given, "--runs", pets.folder.parent, *QUICK_CHILD)
    assert len(pets.individuals()) == 3


@pytest.mark.parametrize(
    ("takes", "said"),
    [
        (["colour"], "--take 'colour': write ASPECT=NAME, as in colour=moku"),
        (["=x"], "write ASPECT=NAME"),
        (["colour="], "write ASPECT=NAME"),
        (["colour=nobody"], "there is no concept 'nobody'"),
        (["unheardof={0}"], "does not know the aspect 'unheardof'"),
        (["colour={0}", "color={1}"], "the colour is taken from two parents"),
        (["colour={1}"], "is the only parent and gives the colour, which its children have anyway"),
    ],
)
def test_a_taken_aspect_is_refused_in_one_line(pets, takes, said):
    first, second, _ = (each.name for each in pets.individuals())
    given = [option for take in takes for option in ("--take", take.replace("{0}", first).replace("{1}", second))]
    call = ("breed", "pets", "--parent", second, *given, "--runs", pets.folder.parent, *QUICK_CHILD)
    assert said in one_line(*call)
    assert len(pets.individuals()) == 3


def test_breed_needs_a_run_and_a_parent(pets):
    runs = pets.folder.parent
    assert "there is no run 'dogs'" in one_line("breed", "dogs", "--parent", "a:1", "--runs", runs)
    assert "there is 'pets'" in one_line("breed", "dogs", "--parent", "a:1", "--runs", runs)
    assert "is not a valid name of a run" in one_line("breed", "../pets", "--parent", "a:1", "--runs", runs)
    assert run("breed", "pets", "--runs", runs).exit_code == 2


def test_another_stack_than_the_runs_is_refused(pets, stack_folder, tmp_path):
    run_ = copied(pets, tmp_path)
    about = run_.about | {"stack": run_.about["stack"] | {"fingerprint": "other", "version": "emoji-0"}}
    (run_.folder / "run.json").write_text(json.dumps(about))
    said = one_line("draw", "pets", run_.individuals()[0].name, "--runs", tmp_path)
    assert "needs the stack emoji-0 (other)" in said and "--model" in said


# draw


def test_draw_keeps_pictures_and_says_where(pets, tmp_path):
    run_ = copied(pets, tmp_path)
    each = run_.individuals()[0]
    prompt = "a sketch of a {} in a zeppelin"
    arguments = ("draw", "pets", each.name, "--prompt", prompt, "--images", 2, "--runs", tmp_path)
    result = run(*arguments)
    assert "these words mean nothing: zeppelin" in result.stdout
    drawings = [drawing for drawing in run_.drawings(each.id) if drawing.prompt == prompt]
    assert [drawing.seed for drawing in drawings] == [1, 2]
    for drawing in drawings:
        assert f"{drawing.file}  a sketch of a {each.name} in a zeppelin, seed {drawing.seed}" in result.stdout
        with Image.open(drawing.file) as picture:
            assert picture.size == (16, 16)
    assert run(*arguments).stdout == result.stdout
    assert len(run_.drawings(each.id)) == 5, "existing drawings are not made again"


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a sketch", "write {} where the concept stands"),
        ("a {0.__class__}", "write {} where the concept stands"),
        ("a {} in {place}", "write {} where the concept stands"),
        ("", "write {} where the concept stands"),
        ("a {}\x1b[31m", "has a control character"),
        ("a " * 99 + "{}", "shorten it"),
        ("a photo of a{}s", "write it there as a word of its own"),
    ],
)
def test_draw_refuses_a_prompt_in_one_line(pets, prompt, said):
    name = pets.individuals()[0].name
    assert said in one_line("draw", "pets", name, "--prompt", prompt, "--runs", pets.folder.parent)


def test_draw_of_nobody(pets):
    assert "there is no concept 'nobody'" in one_line("draw", "pets", "nobody", "--runs", pets.folder.parent)
