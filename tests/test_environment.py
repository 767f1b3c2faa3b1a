"""tools/environment.py: installs once, notices what changed, and says in one line what a machine lacks."""

from __future__ import annotations

import json
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from tools import environment


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty project; what would be handed to pip is returned as a list of argument lists."""
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "constraints.txt").write_text("torch==2.13.0\n")
    for name, value in {
        "ROOT": "",
        "VENV": ".venv",
        "STAMP": ".venv/installed.json",
        "LOG": ".venv/install.log",
    }.items():
        monkeypatch.setattr(environment, name, str(tmp_path / value))
    asked: list[list[str]] = []
    scripts = tmp_path / ".venv" / "bin"

    def create() -> None:
        scripts.mkdir(parents=True)
        (scripts / "pip").write_text(f"#!{scripts}/python\n")

    def pip(what: str, arguments: list[str], start: float) -> None:
        asked.append(arguments)
        (scripts / "conceptree").touch()

    monkeypatch.setattr(environment, "create_venv", create)
    monkeypatch.setattr(environment, "usable_venv", scripts.exists)
    monkeypatch.setattr(environment, "pip", pip)
    monkeypatch.setattr(environment, "check_cuda", lambda: None)
    monkeypatch.setattr(sys, "platform", "linux")
    return tmp_path, asked


def make(*arguments: str) -> int:
    before, sys.argv = sys.argv, ["environment.py", *arguments]
    try:
        return environment.main()
    finally:
        sys.argv = before


def test_a_second_call_installs_nothing(place, capsys):
    _, asked = place
    assert make() == 0 and len(asked) == 1
    assert "Installed into .venv" in capsys.readouterr().out
    assert make() == 0 and len(asked) == 1
    assert not capsys.readouterr().out


def test_an_environment_of_another_folder_stays(place, capsys):
    folder, asked = place
    (folder / "other").mkdir()
    (folder / "other" / "installed.json").write_text("{}")
    (folder / ".venv").symlink_to(folder / "other")
    assert make() == 1 and not asked
    assert capsys.readouterr().err.startswith(".venv is a link to ")
    assert (folder / "other" / "installed.json").exists()


@pytest.mark.parametrize("file", ["pyproject.toml", "constraints.txt"])
def test_a_changed_requirement_installs_again(place, file):
    folder, asked = place
    make()
    with (folder / file).open("a") as text:
        text.write("# changed\n")
    make()
    assert len(asked) == 2


def test_an_installation_that_failed_is_not_taken_for_a_finished_one(place, monkeypatch, capsys):
    folder, _ = place
    make()
    (folder / "pyproject.toml").write_text("[project]\n# changed\n")

    def fail(*_):
        raise environment.CannotInstall("pip failed: no network")

    monkeypatch.setattr(environment, "pip", fail)
    capsys.readouterr()
    for _ in range(2):
        assert make() == 1
        assert capsys.readouterr().err == "pip failed: no network\n"


def test_an_extra_is_added_once_and_kept(place):
    _, asked = place
    make()
    make("--extra", "train")
    make("--extra", "train")
    make()
    assert [call[1].rpartition("[")[2] for call in asked] == ["test]", "test,train]"]


@pytest.mark.parametrize(
    ("choice", "requirement"), [("cpu", "torch==2.13.0+cpu"), ("cuda", "torch==2.13.0,!=2.13.0+cpu")]
)
def test_the_build_of_torch_is_chosen_first_and_kept_until_another_is_named(place, choice, requirement):
    _, asked = place
    make("--torch", choice, "--torch-index", "https://packages.example/simple")
    assert asked[0][:4] == [requirement, "--no-deps", "--index-url", "https://packages.example/simple"]
    make()
    make("--torch", choice)
    assert len(asked) == 2


def test_a_choice_of_build_needs_a_pinned_version(place, capsys):
    assert make("--torch", "cpu", "--constraints", "") == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "reason", ["No matching distribution found for torch==2.13.0+cpu", "ResolutionImpossible: see"]
)
def test_a_package_index_without_that_build_is_one_line(place, reason):
    Path(environment.VENV).mkdir()
    Path(environment.LOG).write_text(f"WARNING: noise\nERROR: {reason}\n")
    line = environment.explain(["torch==2.13.0+cpu", "--no-deps"])
    assert "TORCH_INDEX" in line and "\n" not in line
    assert environment.explain(["--editable", "."]).startswith(f"pip failed: ERROR: {reason}")


def test_too_old_a_python_is_told_so(monkeypatch):
    version = namedtuple("version", "major minor micro")(3, 9, 2)
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(environment.CannotInstall, match=r"needs Python 3\.11 or newer"):
        environment.create_venv()


def test_a_missing_venv_module_names_debians_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(environment.CannotInstall, match="apt install python3-venv"):
        environment.create_venv()


def test_a_full_disk_is_told_before_anything_is_downloaded(monkeypatch):
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: namedtuple("usage", "free")(1e9))
    with pytest.raises(environment.CannotInstall, match=r"only 1\.0 GB free"):
        environment.create_venv()


def test_the_build_for_cuda_needs_more_room(monkeypatch):
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: namedtuple("usage", "free")(5e9))
    environment.check_room(environment.NEEDED_GB)
    with pytest.raises(environment.CannotInstall, match=r"only 5\.0 GB free in .*: the environment needs about 10 GB"):
        environment.check_room(environment.NEEDED_GB_WITH_CUDA)


def test_a_torn_stamp_counts_as_none(place):
    folder, asked = place
    make()
    (folder / ".venv" / "installed.json").write_text(json.dumps({"key": 1})[:5])
    make()
    assert len(asked) == 2
