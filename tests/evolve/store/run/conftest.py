"""A new run, and the family of nine."""

from __future__ import annotations

import pytest

from evolve.store.run import Run
from tests.families import family, new_run


@pytest.fixture
def run(tmp_path) -> Run:
    return new_run(tmp_path / "run")


@pytest.fixture
def pets(tmp_path) -> Run:
    return family(tmp_path / "pets")
