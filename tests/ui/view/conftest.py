"""Shared by the tests of pages: a family of nine, by letters (tests/families.py)."""

from __future__ import annotations

import pytest

from evolve import Run
from tests.families import by_letter, family
from ui.view import clicks


@pytest.fixture(autouse=True)
def patient(monkeypatch) -> None:
    """Tests click faster than people: their second click is no part of a double click."""
    monkeypatch.setattr(clicks, "TWICE", 0.0)


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    """The run "pets" in the folder of the pages."""
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    return family(tmp_path / "pets")


@pytest.fixture
def ids(run) -> dict[str, str]:
    """The id of each, by letter."""
    return {letter: each.id for letter, each in by_letter(run).items()}
