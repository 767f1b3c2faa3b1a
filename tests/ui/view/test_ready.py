"""Loading ahead: the run of the first page, and the stack."""

from __future__ import annotations

import pytest

from core.errors import StackError
from evolve import Run
from tests.families import family, new_run
from ui.view import model, ready, store


@pytest.fixture
def pets(tmp_path, monkeypatch) -> Run:
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    return family(tmp_path / "pets")


def test_the_first_page_finds_its_run_read(pets, monkeypatch):
    ready.read()
    monkeypatch.setattr(Run, "entries", lambda *_: pytest.fail("read again"))
    assert len(store.opened("pets").entries) == 9


@pytest.mark.parametrize("content", ["{", '{"schema": 99}'])
def test_what_cannot_be_read_is_left_to_the_page_to_say(pets, content):
    (pets.folder / "run.json").write_text(content)
    ready.read()


def test_an_empty_folder_needs_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path / "none"))
    ready.read()
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    new_run(tmp_path / "new")
    ready.read()


def test_a_stack_that_cannot_be_loaded_is_left_to_the_page_to_say(monkeypatch):
    asked = []

    def broken(where: str):
        asked.append(where)
        raise StackError("its weights are torn")

    monkeypatch.setattr(model, "stack", broken)
    ready.load()
    assert asked == ["emoji"]


def test_what_other_pages_need_is_imported_unless_it_is_not_installed(monkeypatch):
    imported = []

    def load(name: str) -> None:
        imported.append(name)
        if name.startswith("evolve."):
            raise ModuleNotFoundError("No module named 'ribs'")

    monkeypatch.setattr(model, "stack", lambda where: None)
    monkeypatch.setattr(ready, "import_module", load)
    ready.load()
    assert imported == list(ready.NEXT)
