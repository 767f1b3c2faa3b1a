"""Shared fixtures: a family of nine, named by letters (tests/families.py), and a file of one of them."""

from __future__ import annotations

import pytest

from evolve import Run
from evolve.family.share import family_file
from tests.families import by_letter, family


@pytest.fixture
def run(tmp_path) -> Run:
    return family(tmp_path / "pets")


@pytest.fixture
def ids(run) -> dict[str, str]:
    return {letter: each.id for letter, each in by_letter(run).items()}


@pytest.fixture
def file(run, ids) -> bytes:
    run.note(ids["h"], name="Whisker", comment="private", rating=5)
    return family_file(run, [ids["h"]])
