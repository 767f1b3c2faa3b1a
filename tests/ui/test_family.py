"""`tree`: which concepts are in the picture."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from evolve.store.run import Run
from tests.families import by_letter, family
from ui.cli import main

TEXT = "{http://www.w3.org/2000/svg}text"


@pytest.fixture
def pets(tmp_path: Path) -> Run:
    return family(tmp_path / "pets")


def drawn(pets: Run, *options: str) -> tuple[set[str], str]:
    """(letters of the concepts in the picture, what the command says)"""
    to = pets.folder / "some.svg"
    told = CliRunner().invoke(main, ["tree", "pets", "--runs", str(pets.folder.parent), "--to", str(to), *options])
    assert told.exit_code == 0, told.output
    texts = {each.text for each in ElementTree.parse(to).getroot().iter(TEXT)}
    return {letter for letter, each in by_letter(pets).items() if each.name in texts}, told.output


def hide(pets: Run, letters: str) -> None:
    pets.note_all([by_letter(pets)[letter].id for letter in letters], hidden=True)


def test_hidden_concepts_are_left_out_unless_they_have_visible_descendants(pets):
    hide(pets, "bdg")
    assert drawn(pets) == (set("abcefhi"), f"2 more are hidden: --all draws them\n{pets.folder / 'some.svg'}\n")
    assert drawn(pets, "--all")[0] == set("abcdefghi")


def test_a_parent_from_elsewhere_goes_with_its_only_child(pets):
    hide(pets, "i")
    letters, _ = drawn(pets)
    assert letters == set("abcdefgh") and "01234567" not in (pets.folder / "some.svg").read_text()


def test_hidden_ones_that_are_named_are_drawn(pets):
    hide(pets, "dg")
    assert drawn(pets, by_letter(pets)["g"].name)[0] == set("dg")


def test_a_family_of_hidden_concepts_is_refused_in_one_line(pets):
    hide(pets, "abcdefghi")
    told = CliRunner().invoke(main, ["tree", "pets", "--runs", str(pets.folder.parent)])
    assert told.exit_code == 2 and "all concepts of 'pets' are hidden: --all draws them" in told.output
    assert drawn(pets, "--all")[0] == set("abcdefghi")
