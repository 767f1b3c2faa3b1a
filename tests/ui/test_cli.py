"""The command: help without waiting, one line for a person's mistake, and doctor's opinion."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from core.errors import ConceptreeError
from ui import doctor
from ui.cli import OneLineErrors, main

ROOT = Path(__file__).parents[2]
DOCUMENTS = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/commands.md"))
SHOWN = "\n".join([DOCUMENTS, *(command.help or "" for command in main.commands.values())])
EXAMPLES = sorted(set(re.findall(r"^(?:Example:)?[ ]*(?:\.venv/bin/)?conceptree ([a-z]+ .*)$", SHOWN, re.MULTILINE)))


def run(*arguments: str, command: click.Command = main) -> Result:
    return CliRunner().invoke(command, arguments)


def commands(group: click.Group = main, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """All commands that `--help` lists, as they are typed."""
    for name, command in group.commands.items():
        if command.hidden:
            continue
        yield f"{before}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda each: each if isinstance(each, str) else "")
def test_every_command_and_every_option_says_what_it_does(name, command):
    assert command.help
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or parameter.help, parameter.name


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda each: each if isinstance(each, str) else "")
def test_every_command_has_an_example_and_a_place_in_the_documents(name, command):
    assert "Example:" in command.help and f"conceptree {name}" in command.help
    assert f"conceptree {name}" in DOCUMENTS


@pytest.mark.parametrize("line", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_of_the_documents_and_the_help_can_be_typed(line):
    """Parsed by the command itself, without being run: no unknown command, option or value."""
    context = click.Context(main)
    name, command, arguments = main.resolve_command(context, shlex.split(line.split(" | ")[0], comments=True))
    command.make_context(name, arguments, parent=context)


def test_help_does_not_wait_for_torch():
    asked = (
        "import sys; from ui.cli import main; main(['--help'], standalone_mode=False); print('torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert "doctor" in shown
    assert shown.splitlines()[-1] == "False"


@click.group(cls=OneLineErrors)
def failing() -> None:
    """Commands that go wrong."""


@failing.command()
def mistake() -> None:
    raise ConceptreeError("no run 'pets' in runs/:\n  name one of dogs, cats")


@failing.command()
def ctrl_c() -> None:
    raise KeyboardInterrupt


@failing.command()
def bug() -> None:
    raise RuntimeError("ours")


def test_a_persons_mistake_is_one_line_and_exit_code_2():
    result = run("mistake", command=failing)
    assert (result.exit_code, result.stderr) == (2, "conceptree: no run 'pets' in runs/: name one of dogs, cats\n")


def test_ctrl_c_is_one_line_and_exit_code_130():
    result = run("ctrl-c", command=failing)
    assert (result.exit_code, result.stderr) == (130, "Stopped.\n")


def test_a_mistake_of_ours_keeps_its_traceback():
    assert isinstance(run("bug", command=failing).exception, RuntimeError)


def test_a_mistyped_option_is_exit_code_2_as_well():
    assert run("doctor", "--modell", "emoji").exit_code == 2


# doctor


def examined(**values) -> doctor.Examination:
    return doctor.Examination(python="3.11", system="Linux", cores=2, packages={"torch": "2.13.0"}, **values)


def test_doctor_names_packages_build_device_and_stack():
    result = run("doctor", "--json")
    found = json.loads(result.stdout)
    assert found["packages"]["diffusers"] and found["packages"]["torch"]
    assert found["torch_build"] and found["device"] and found["threads"] >= 1
    assert found["stack"]["version"].startswith("emoji-") and found["stack"]["fingerprint"]
    assert result.exit_code == 0


def test_doctor_prints_the_same_for_people():
    shown = run("doctor").stdout
    for word in ("PyTorch", "device", "stack", "emoji-", "fingerprint", "diffusers", "GB free"):
        assert word in shown


def test_doctor_says_in_one_line_that_a_stack_is_missing(tmp_path):
    result = run("doctor", "--model", str(tmp_path / "nothing"))
    assert result.exit_code == 1
    assert [line for line in result.stdout.splitlines() if line.startswith("missing")]
    assert not result.stderr


def test_doctor_tells_whose_caps_and_floors_a_stack_has(stack_folder, tmp_path):
    folder = shutil.copytree(stack_folder, tmp_path / "stack")
    result = run("doctor", "--model", str(folder))
    assert (
        result.exit_code == 0 and "note        the stack tiny-1 is not calibrated: the published cap" in result.stdout
    )
    (folder / "calibration.json").write_text(json.dumps({"fingerprint": "older", "object": {"max_cosine": 0.5}}))
    (line,) = [line for line in run("doctor", "--model", str(folder)).stdout.splitlines() if line.startswith("note")]
    assert "were measured on other weights (older)" in line and f"python -m core.calibration {folder}" in line


def test_doctor_says_in_one_line_that_a_part_of_a_stack_is_missing(stack_folder, tmp_path):
    folder = shutil.copytree(stack_folder, tmp_path / "stack")
    shutil.rmtree(folder / "prior" / "tokenizer")
    result = run("doctor", "--model", str(folder))
    assert result.exit_code == 1 and "does not load: a folder of the model is missing" in result.stdout


def test_a_gpu_is_found_by_what_its_driver_left(tmp_path):
    assert doctor.nvidia_gpus(tmp_path) == []
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / "dev" / name).touch()
    assert doctor.nvidia_gpus(tmp_path) == ["NVIDIA GPU"] * 2
    information = tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0/information"
    information.parent.mkdir(parents=True)
    information.write_text("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ: 1\n")
    assert doctor.nvidia_gpus(tmp_path) == ["NVIDIA H100 80GB HBM3"]


@pytest.mark.parametrize(("build", "advice"), [(None, "make venv TORCH=cuda"), ("13.0", "driver")])
def test_doctor_warns_of_a_gpu_that_this_torch_leaves_idle(monkeypatch, build, advice):
    import torch

    monkeypatch.setattr(torch.version, "cuda", build)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    found = examined(gpus=["NVIDIA H100"])
    doctor.examine_torch(found)
    assert [finding.needed for finding in found.findings] == [False]
    assert "NVIDIA H100" in found.findings[0].text and advice in found.findings[0].text

    alone = examined()
    doctor.examine_torch(alone)
    assert not alone.findings


def test_doctor_tells_a_package_that_is_missing(monkeypatch):
    monkeypatch.setattr(doctor, "installed_version", lambda name: None if name == "deap" else "1.0")
    monkeypatch.setattr(doctor, "examine_stack", lambda found, model: None)
    found = doctor.examine()
    assert [finding.text for finding in found.findings if finding.needed] == ["not installed: deap: run make venv"]
