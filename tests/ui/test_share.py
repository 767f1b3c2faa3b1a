"""share and adopt as they are typed: a family goes out as one file, and comes in as a run."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import replace

import numpy as np
import pytest

from core.concept import Parent
from core.files import StorageError
from evolve import Run
from evolve.family.familyfile import FamilyError, read_family
from evolve.family.share import family_file, family_of
from tests.families import STACK, by_letter, family, learned
from tests.typed import good, one_line
from tests.typed import run as run_command
from ui.share import open_family, taken_in
from ui.wholeness import told_missing


@pytest.fixture
def run(tmp_path, backbone) -> Run:
    """Two founders of the tiny stack."""
    made = Run.create(tmp_path / "runs" / "pets", "pet", backbone)
    made.add([learned(seed, backbone) for seed in range(2)])
    made.note(made.entries()[0].id, name="Whisker")
    return made


def test_a_family_goes_out_and_comes_in(run, stack_folder, tmp_path):
    file, there = tmp_path / "w.family.zip", tmp_path / "theirs"
    said = good("export", "--format", "family", "pets", "Whisker", "--to", file, "--runs", run.folder.parent)
    assert str(file) in said and "1 concept, 0 ancestors" in said
    said = good("import", file, "--runs", there, "--model", stack_folder)
    assert "Imported 1 concept into" in said
    theirs = Run.open(there / "pets")
    assert theirs.find("Whisker").concept == run.find("Whisker").concept
    assert theirs.about["stack"] == run.about["stack"]
    assert "Imported 0 concepts into" in good("import", file, "--runs", there, "--run", "pets")
    assert "in" in good("import", file, "--runs", there, "--model", stack_folder) and (there / "pets-2").is_dir()


def test_the_stack_is_found_among_those_of_the_runs_here(run):
    content = family_file(run, ["Whisker"])
    found = open_family(content, run.folder.parent)
    assert found.folder.name == "pets-2" and found.about["stack"]["where"] == run.about["stack"]["where"]


def test_a_stack_that_is_not_here_is_told_and_nothing_is_made(tmp_path, stack_folder):
    pets = family(tmp_path / "runs" / "pets")
    content = family_file(pets, [by_letter(pets)["a"].id])
    with pytest.raises(FamilyError, match=r"on the stack tiny-1 \(f\), which is not here: get that stack"):
        taken_in(content, tmp_path / "theirs")
    with pytest.raises(FamilyError, match="which is not here"):
        taken_in(content, tmp_path / "theirs", model=str(stack_folder))
    assert not (tmp_path / "theirs").exists()


def test_nothing_is_left_of_a_run_that_could_not_be_filled(run, tmp_path, monkeypatch):
    import ui.share

    def full(*rest):
        raise StorageError("the disk is full")

    monkeypatch.setattr(ui.share, "adopt", full)
    with pytest.raises(StorageError):
        taken_in(family_file(run, ["Whisker"]), tmp_path / "theirs", model=run.about["stack"]["where"])
    assert not list((tmp_path / "theirs").iterdir())


def test_by_default_it_is_called_after_the_concept(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good("export", "--format", "family", "pets", "Whisker", "--runs", run.folder.parent)
    assert (tmp_path / "Whisker.family.zip").is_file()
    assert "is there already: --force" in one_line(
        "export", "--format", "family", "pets", "Whisker", "--runs", run.folder.parent
    )
    good("export", "--format", "family", "pets", "Whisker", "--runs", run.folder.parent, "--force")
    assert "is a folder" in one_line(
        "export", "--format", "family", "pets", "Whisker", "--to", tmp_path, "--runs", run.folder.parent
    )


def test_json_for_programs(run, stack_folder, tmp_path):
    file = tmp_path / "w.family.zip"
    told = json.loads(
        good("export", "--format", "family", "pets", "Whisker", "--to", file, "--runs", run.folder.parent, "--json")
    )
    assert told["concepts"] == told["of"] == [run.entry("Whisker").id] and told["bytes"] == file.stat().st_size
    told = json.loads(good("import", file, "--runs", tmp_path / "theirs", "--model", stack_folder, "--json"))
    assert told["run"] == "pets" and [each["name"] for each in told["added"]] == ["Whisker"]


def test_files_that_are_none(tmp_path, monkeypatch):
    (tmp_path / "x.zip").write_bytes(b"hello")
    assert "damaged or not a family" in one_line("import", tmp_path / "x.zip", "--runs", tmp_path / "runs")
    os.mkfifo(tmp_path / "pipe.family.zip")
    assert "is not an ordinary file" in one_line("import", tmp_path / "pipe.family.zip", "--runs", tmp_path / "runs")
    for folder in (".", "..", "/", ""):
        assert "is a folder: name a file in it" in one_line("import", folder, "--runs", tmp_path / "runs")
    assert "does not exist: check the path" in one_line("import", tmp_path / "nothing.zip", "--runs", tmp_path / "runs")
    monkeypatch.setattr("ui.share.LARGEST_FILE", 3)
    assert "at most 3 are read" in one_line("import", tmp_path / "x.zip", "--runs", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_run_of_another_stack(run, tmp_path):
    other = Run.create(run.folder.parent / "others", "pet", STACK)
    file = tmp_path / "w.zip"
    file.write_bytes(family_file(run, ["Whisker"]))
    said = one_line("import", file, "--runs", run.folder.parent, "--run", "others")
    assert "and the run 'others' on tiny-1 (f)" in said and not other.entries()


def test_a_run_that_cannot_take_a_family_names_the_command_for_one_of_its_own(run, tmp_path):
    Run.create(run.folder.parent / "others", "pet", STACK)
    file = tmp_path / "my pets.zip"
    file.write_bytes(family_file(run, ["Whisker"]))
    said = one_line("import", file, "--runs", run.folder.parent, "--run", "others")
    words = shlex.split(said.partition("run of its own: ")[2])
    assert words == ["conceptree", "import", str(file), "--run", "others-2", "--runs", str(run.folder.parent)]
    assert "Imported 1 concept into" in good(*words[1:])


def test_the_command_that_opens_a_file_can_be_pasted(run, tmp_path):
    said = good(
        "export", "--format", "family", "pets", "Whisker", "--to", tmp_path / "my pets.zip", "--runs", run.folder.parent
    )
    assert said.endswith("conceptree import 'my pets.zip'")


# Ancestors that are lost


@pytest.fixture
def lost(tmp_path, backbone) -> Run:
    """A child whose founder, renamed to Fin, has lost its part."""
    made = Run.create(tmp_path / "runs" / "pets", "pet", backbone)
    founder, child = learned(1, backbone), learned(2, backbone)
    parent = Parent(founder.id, 1.0, np.ones((1, backbone.width), np.float32), "mutate")
    child = replace(child, request=replace(child.request, parents=(parent,)))
    made.add([founder])
    made.add([child])
    for concept, name in ((founder, "Fin"), (child, "Kid")):
        made.note(concept.id, name=name)
    made.rooms["concepts"].parts()[0].unlink()
    return Run.open(made.folder)


def test_share_names_ancestors_that_are_lost_and_so_does_the_file(lost, stack_folder, tmp_path):
    file = tmp_path / "kid.zip"
    runs = lost.folder.parent
    (gone,) = (parent.id for parent in lost.entry("Kid").parents)
    told = f"1 ancestor is missing: Fin ({gone[:8]})"
    said = good("export", "--format", "family", "pets", "Kid", "--to", file, "--runs", runs)
    assert "1 concept, 0 ancestors" in said and told in said
    assert read_family(file.read_bytes()).missing == ((gone, "pets"),)
    said = good("import", file, "--runs", tmp_path / "theirs", "--model", stack_folder)
    assert f"1 ancestor is missing: {gone[:8]} of the run 'pets'" in said
    told = json.loads(
        good("export", "--format", "family", "pets", "Kid", "--to", file, "--force", "--runs", runs, "--json")
    )
    assert told["missing"] == [{"id": gone, "run": "pets"}]


@pytest.mark.parametrize("arguments", [("list", "pets"), ("show", "pets", "Kid"), ("list", "pets", "--json")])
def test_lists_and_show_name_ancestors_that_are_lost(lost, arguments):
    result = run_command(*arguments, "--runs", lost.folder.parent)
    (gone,) = (parent.id for parent in lost.entry("Kid").parents)
    assert result.exit_code == 0
    assert f"1 ancestor is missing: Fin ({gone[:8]}); conceptree check pets --runs" in result.stderr


def test_a_family_that_is_whole_misses_nobody(run):
    assert run_command("list", "pets", "--runs", run.folder.parent).stderr == ""
    assert family_of(run, ["Whisker"]).missing == ()
    assert b'"missing"' not in family_file(run, ["Whisker"])


def test_a_guest_of_a_run_that_is_not_here_is_missing(tmp_path):
    pets = family(tmp_path / "pets")
    i = by_letter(pets)["i"]
    assert family_of(pets, [i.id]).missing == (("0123456789abcdef", "others"),)
    said = told_missing(family_of(pets, [i.id]).missing, pets)
    assert said == "1 ancestor is missing: 01234567 of the run 'others'"


def test_many_missing_ancestors_are_counted():
    many = told_missing([(f"{n:016x}", "") for n in range(9)])
    assert many.startswith("9 ancestors are missing: 00000000, ") and many.endswith(" and 3 more")
