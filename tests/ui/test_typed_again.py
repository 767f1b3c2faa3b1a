"""Commands that are printed can be pasted, and the stack can do what they ask."""

from __future__ import annotations

import shlex
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from core.errors import StackError
from core.stack.backbone import Backbone
from evolve import Run
from tests.families import STACK, learned, new_run
from tests.typed import one_line, run
from ui.console import new_console, to_type
from ui.runs import forgotten_if_empty
from ui.telling import say_next
from ui.wholeness import tell_unfinished

NAMES = ["Easy Negative", "O'Brien", "noël", "moku"]
SPACED = "my runs; echo $HOME"


def printed(text: str) -> list[list[str]]:
    """The commands among lines that were printed, as a shell reads them."""
    return [words[1:] for words in map(shlex.split, text.splitlines()) if words[:1] == ["conceptree"]]


def next_of(made: Run, backbone) -> list[list[str]]:
    out = Console(file=StringIO(), width=1000, markup=False, emoji=False, highlight=False)
    say_next(made, backbone, out)
    return printed(out.file.getvalue())


def pets(folder: Path, backbone, names=NAMES) -> Run:
    made = Run.create(folder, "pet", backbone)
    made.add([learned(seed, backbone) for seed in range(len(names))])
    for entry, name in zip(made.entries(), names, strict=True):
        made.note(entry.id, name=name)
    return made


@pytest.mark.parametrize("name", [*NAMES, SPACED, "a&b", "x\ny", "~", "*", ""])
def test_a_word_stays_one_word(name):
    words = shlex.split(to_type("draw", name, "--images", 2, runs=Path("a b")))
    assert words == ["conceptree", "draw", name, "--images", "2", "--runs", "a b"]


def test_the_default_folder_of_runs_is_left_out():
    assert to_type("list", "pets", runs=Path("runs")) == to_type("list", "pets") == "conceptree list pets"


@pytest.mark.parametrize("name", NAMES)
def test_next_commands_find_concepts_and_runs_of_any_name(tmp_path, backbone, name):
    made = pets(
        tmp_path / SPACED / "my 'best' pets", backbone, ["moku", name][-2:] if name != "moku" else ["a b", name]
    )
    first = made.entries()[0].name
    breed, draw = next_of(made, backbone)
    assert breed[:6] == ["breed", "my 'best' pets", "--parent", f"{name}:0.7", "--parent", f"{first}:0.3"]
    assert draw == [
        "draw", "my 'best' pets", name, "--prompt", "a painting of a {} in the snow", "--runs", str(tmp_path / SPACED)
    ]  # fmt: skip


def test_what_is_printed_draws_when_it_is_pasted(tmp_path, backbone):
    made = pets(tmp_path / SPACED / "pets", backbone, ["Easy Negative"])
    (draw,) = next_of(made, backbone)
    result = run(*draw)
    assert result.exit_code == 0 and "a painting of a Easy Negative in the snow" in " ".join(result.stdout.split())


def test_a_stack_that_cannot_draw_is_not_asked_to(tmp_path, stack_folder):
    alone = Backbone.load(stack_folder / "prior", device="cpu")
    one = pets(tmp_path / "one", alone, ["moku"])
    assert [call[0] for call in next_of(one, alone)] == ["breed"]
    two = pets(tmp_path / "two", alone, ["moku", "a b"])
    calls = next_of(two, alone)
    assert [call[:3] for call in calls[:1]] == [["breed", "two", "--parent"]]
    assert [call[:5] for call in calls[1:]] == [["breed", "two", "--parent", "a b", "--mutate"]]


def test_what_is_printed_on_a_prior_alone_learns_when_it_is_pasted(tmp_path, stack_folder):
    alone = Backbone.load(stack_folder / "prior", device="cpu")
    made = pets(tmp_path / "runs" / "pets", alone, ["moku", "a b"])
    breed, _ = next_of(made, alone)
    result = run(*breed, "--steps", 1)
    assert result.exit_code == 0, result.output
    assert len(made.entries()) == 4


def test_a_stack_that_was_moved_is_named_again(tmp_path, backbone):
    made = pets(tmp_path / "pets", backbone, ["moku"])
    assert "--model" not in next_of(made, backbone)[0]
    made.about["stack"]["where"] = "somewhere else"
    (draw,) = next_of(made, backbone)
    assert draw[draw.index("--model") + 1] == str(Path(backbone.where).resolve())


def test_what_was_said_of_device_and_precision_is_said_again(tmp_path, backbone, monkeypatch):
    made = pets(tmp_path / "pets", backbone, ["moku"])
    for variable, value in (("DEVICE", "cpu"), ("DTYPE", "bfloat16"), ("OFFLOAD", "1")):
        monkeypatch.setenv(f"CONCEPTREE_{variable}", value)
    (draw,) = next_of(made, backbone)
    words = ["--device", "cpu", "--dtype", "bfloat16", "--offload"]
    assert draw[draw.index("--device") : draw.index("--runs")] == words


def test_lists_name_the_run_and_its_folder(tmp_path, monkeypatch, capsys):
    made = new_run(tmp_path / "a b" / "my pets")
    monkeypatch.setattr("ui.wholeness.unfinished", lambda run: [SimpleNamespace(name="0001-seed")])
    tell_unfinished(made, new_console())
    call = f"conceptree resume 'my pets' --runs {shlex.quote(str(tmp_path / 'a b'))}"
    assert f"To resume, unless a process is at work: {call}" in capsys.readouterr().out


# A seed that fails before its first step


def seeded(tmp_path, stack_folder, *options):
    where = ("--runs", tmp_path / "runs", "--model", stack_folder)
    return ("seed", "pet", "--founders", 1, "--steps", 2, "--negatives", "none", *where, *options)


def test_a_seed_that_fails_before_its_first_step_leaves_nothing(tmp_path, stack_folder, monkeypatch):
    def fails(*rest, **options):
        raise StackError("no memory is left")

    monkeypatch.setattr("evolve.jobs.work.developing", fails)
    assert "no memory is left" in one_line(*seeded(tmp_path, stack_folder))
    assert not list((tmp_path / "runs").iterdir())
    assert "There are no runs" in run("list", "--runs", tmp_path / "runs").stdout


def test_workers_that_cannot_start_leave_nothing(tmp_path, stack_folder):
    assert "--workers 'five'" in one_line(*seeded(tmp_path, stack_folder, "--workers", "five"))
    assert not (tmp_path / "runs").exists()


def test_a_seed_that_fails_later_keeps_what_it_has(tmp_path, stack_folder, monkeypatch):
    def fails(*rest, **options):
        raise StackError("no memory is left")

    monkeypatch.setattr("evolve.jobs.work.usual_drawings", fails)
    assert "no memory is left" in one_line(*seeded(tmp_path, stack_folder))
    assert len(Run.open(tmp_path / "runs" / "pet").entries()) == 1


def test_a_folder_with_anything_else_in_it_stays(tmp_path):
    made = Run.create(tmp_path / "pets", "pet", STACK)
    (made.folder / "notes.txt").write_text("mine")
    with pytest.raises(StackError), forgotten_if_empty(made):
        raise StackError("it fails")
    assert (made.folder / "notes.txt").exists()
