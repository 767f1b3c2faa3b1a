"""`conceptree board`: list, show, change, and what is not found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evolve.store.boards import boards
from evolve.store.run import Run
from tests.families import by_letter, family
from ui.cli import main


@pytest.fixture
def runs(tmp_path) -> Path:
    family(tmp_path / "pets")
    family(tmp_path / "others")
    return tmp_path


@pytest.fixture
def names(runs) -> dict[str, str]:
    return {letter: each.name for letter, each in by_letter(Run.open(runs / "pets")).items()}


def board(runs: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["board", *words, "--runs", str(runs)], catch_exceptions=False)


def good(runs: Path, *words: str) -> str:
    result = board(runs, *words)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def refused(runs: Path, *words: str) -> str:
    result = board(runs, *words)
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1
    return result.stderr


def test_a_board_of_two_runs_is_made_shown_and_listed(runs, names):
    assert "There are no boards yet" in good(runs)
    shown = good(runs, "Bedroom", "--add", f"pets/{names['a']}", "--add", f"others/{names['e']}")
    assert "Bedroom: 2 concepts" in shown
    rows = [line.split() for line in shown.splitlines()[3:] if line.strip()]
    assert [row[:2] for row in rows if row[0] in ("pets", "others")] == [["pets", names["a"]], ["others", names["e"]]]
    (listed,) = [line for line in good(runs).splitlines() if "Bedroom" in line]
    assert listed.split() == ["Bedroom", "2", "pets,", "others"]
    assert json.loads(good(runs, "--json")) == [{"board": "Bedroom", "concepts": 2}]
    told = json.loads(good(runs, "bedroom", "--json"))
    assert [each["name"] for each in told["concepts"]] == [names["a"], names["e"]] and told["missing"] == []


def test_it_is_changed_and_deleted_and_the_way_back_is_printed(runs, names):
    good(runs, "Bedroom", "--add", f"pets/{names['a']}", "--add", f"pets/{names['b']}")
    assert "1 concept" in good(runs, "Bedroom", "--remove", f"pets/{names['a']}")
    assert "Hall: 1 concept" in good(runs, "Bedroom", "--rename", "Hall")
    said = good(runs, "Hall", "--delete")
    assert "is deleted; its 1 concept stays in the runs" in said
    again = said.split("This makes it again: ")[1].split()
    assert again[:2] == ["conceptree", "board"] and boards(runs) == []
    CliRunner().invoke(main, again[1:], catch_exceptions=False)
    assert [each.name for each in boards(runs)] == ["Hall"] and len(boards(runs)[0].pins) == 1


def test_a_deleted_board_is_told_as_json(runs, names):
    good(runs, "Bedroom", "--add", f"pets/{names['a']}")
    told = json.loads(good(runs, "bedroom", "--delete", "--json"))
    assert (told["board"], told["deleted"]) == ("Bedroom", True) and boards(runs) == []
    assert [(each["run"], each["name"]) for each in told["concepts"]] == [("pets", names["a"])]


def test_a_typo_in_one_of_several_changes_changes_nothing(runs, names):
    good(runs, "Bedroom", "--add", f"pets/{names['a']}")
    before = (runs / "boards.json").read_bytes()
    refused(runs, "Bedroom", "--add", f"pets/{names['b']}", "--remove", "pets/nobody")
    refused(runs, "Bedroom", "--remove", f"pets/{names['a']}", "--add", "pets/nobody")
    assert (runs / "boards.json").read_bytes() == before
    shown = good(
        runs, "Hall", "--add", f"pets/{names['a']}", "--add", f"pets/{names['b']}", "--remove", f"pets/{names['a']}"
    )
    assert "Hall: 1 concept" in shown and names["b"] in shown


def test_what_is_not_found_is_named_and_can_be_removed(runs, names):
    good(runs, "Bedroom", "--add", f"pets/{names['a']}", "--add", f"others/{names['b']}")
    Run.open(runs / "others").note(by_letter(Run.open(runs / "others"))["b"].id, name="Whisker")
    (runs / "pets" / "run.json").unlink()
    result = board(runs, "Bedroom")
    assert result.exit_code == 0 and "Bedroom: 1 concept" in result.stdout and "Whisker" in result.stdout
    assert f"{names['a']} is not found: there is no run 'pets' any more" in result.stderr
    assert f"--remove pets/{names['a']}" in result.stderr
    assert [each["name"] for each in json.loads(good(runs, "Bedroom", "--json"))["missing"]] == [names["a"]]
    good(runs, "Bedroom", "--remove", f"pets/{names['a']}", "--remove", "others/Whisker")
    assert boards(runs)[0].pins == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--add", "pets/x"], "no board is named"),
        (["Bedroom"], "there is no board 'Bedroom': there are none yet"),
        (["Bedroom", "--add", "moku"], "'moku' names no concept of a run: expected RUN/NAME"),
        (["Bedroom", "--add", "pets/nobody"], "there is no concept 'nobody'"),
        (["Bedroom", "--add", "nowhere/x"], "there is no run 'nowhere'"),
        (["Bedroom", "--delete"], "there is no board 'Bedroom'"),
        (["Bedroom", "--delete", "--rename", "x"], "--delete stands alone"),
        (["a\x1b[31m", "--add", "pets/{a}"], "has a control character"),
    ],
)
def test_mistakes_are_one_line(runs, names, words, said):
    assert said in refused(runs, *(word.format(**names) for word in words))
    assert not (runs / "boards.json").exists()


def test_a_concept_that_is_not_on_the_board(runs, names):
    good(runs, "Bedroom", "--add", f"pets/{names['a']}")
    said = refused(runs, "Bedroom", "--remove", f"pets/{names['b']}")
    assert "is not on the board 'Bedroom'" in said


def test_damage_is_one_line(runs):
    (runs / "boards.json").write_text("{")
    assert "boards.json' cannot be read: it is not whole JSON" in refused(runs)
