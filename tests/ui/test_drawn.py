"""`import drawing.png` finds concept, prompt and seed again, and a stranger's picture does no harm."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from core.png import png_bytes
from evolve import Run
from tests.families import family, picture
from tests.typed import good, one_line, run


@pytest.fixture
def pets(tmp_path) -> Run:
    return family(tmp_path / "runs" / "pets")


def drawing_of(run: Run, number: int = 0) -> tuple[str, Path]:
    entry = run.entries()[number]
    return entry.name, run.drawings(entry.id)[0].file


def test_a_drawing_is_found_again(pets, tmp_path):
    name, file = drawing_of(pets)
    shutil.copy(file, tmp_path / "x.PNG")
    shown = good("import", tmp_path / "x.PNG", "--runs", tmp_path / "runs")
    assert f"x.PNG shows {name}, of the run pets: 'a photo of a {{}}', seed 1" in shown
    again = shlex.split(shown.split("To draw it again:")[1])
    assert again[:6] == ["conceptree", "draw", "pets", name, "--prompt", "a photo of a {}"]
    assert again[6:8] == ["--seed", "1"]
    assert sorted(each.name for each in (tmp_path / "runs").iterdir()) == ["pets"], "nothing is imported"


def test_it_has_its_present_name_and_run(pets, tmp_path):
    _, file = drawing_of(pets)
    pets.note(pets.entries()[0].id, name="Whisker")
    pets.folder.rename(tmp_path / "runs" / "animals")
    told = run("import", tmp_path / "runs" / "animals" / "drawings" / file.name, "--runs", tmp_path / "runs", "--json")
    values = json.loads(told.stdout)
    assert (values["run"], values["name"]) == ("animals", "Whisker")
    assert (values["prompt"], values["seed"]) == ("a photo of a {}", 1)


def test_of_two_runs_the_one_that_it_names_is_told(pets, tmp_path):
    _, file = drawing_of(pets)
    shutil.copytree(pets.folder, tmp_path / "runs" / "copies")
    assert "of the run pets" in good("import", file, "--runs", tmp_path / "runs")
    assert "of the run copies" in good("import", file, "--run", "copies", "--runs", tmp_path / "runs")


def test_a_concept_that_is_not_here_is_named_with_its_run_and_stack(pets, tmp_path):
    name, file = drawing_of(pets)
    shutil.copy(file, tmp_path / "x.png")
    shutil.rmtree(pets.folder)
    said = one_line("import", tmp_path / "x.png", "--runs", tmp_path / "runs")
    assert f"shows {name} (" in said and "of the run 'pets', on the stack tiny-1 (f)" in said
    assert "no run here has it" in said and "--format family" in said


@pytest.mark.parametrize("content", [b"", b"hello", png_bytes(picture()), png_bytes(picture(), {"id": "../../pets"})])
def test_a_strangers_picture_is_refused_in_one_line(pets, tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    said = one_line("import", tmp_path / "x.png", "--runs", tmp_path / "runs")
    assert "does not say which concept it shows" in said


def test_control_characters_of_a_stranger_are_not_printed(pets, tmp_path):
    told = {"conceptree": 1, "id": "0" * 16, "concept": "a\x1b[31m", "run": "b\x07", "stack": {"version": "\ud800"}}
    (tmp_path / "x.png").write_bytes(png_bytes(picture(), {"conceptree": json.dumps(told)}))
    assert "no run here has it" in one_line("import", tmp_path / "x.png", "--runs", tmp_path / "runs")


def test_options_of_embeddings_are_refused(pets, tmp_path):
    result = run("import", drawing_of(pets)[1], "--name", "Whisker", "--runs", tmp_path / "runs")
    assert result.exit_code == 2 and "--name is not for drawings" in result.output


def test_a_missing_picture_is_said(pets, tmp_path):
    assert "does not exist" in one_line("import", tmp_path / "x.png", "--runs", tmp_path / "runs")
