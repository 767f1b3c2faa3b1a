"""Parts of a run on disk, and the line of an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConceptreeError
from evolve.store.run import Run

ROOT = Path(__file__).parents[4]
PHOTO = "photo-0123456789abcdef"


def parts(run: Run, room: str = "concepts") -> list[Path]:
    return sorted((run.folder / room).glob("*.parquet"))


def refused(call, *arguments, **how) -> str:
    """The one line of the error that a call raises."""
    with pytest.raises(ConceptreeError) as caught:
        call(*arguments, **how)
    assert "\n" not in str(caught.value)
    return str(caught.value)
