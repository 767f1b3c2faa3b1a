"""Origins of imported concepts: the provenance that came with each, in imports/<id>.json of the run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from core.exchange import read_sidecar
from evolve.store.run import Run

_ID = re.compile(r"[0-9a-f]{16}")


def record_of(run: Run, concept: str) -> Path:
    """File with the provenance of an imported concept (id)."""
    return run.folder / "imports" / f"{concept}.json"


def origin_of(run: Run, concept: str) -> dict[str, Any]:
    """Provenance of an imported concept (id) where it was learned; {} for one of the run's own.

    For a concept that has passed through several runs, that of the first.
    """
    if not _ID.fullmatch(concept) or not record_of(run, concept).is_file():
        return {}
    about = read_sidecar(record_of(run, concept))
    first = about.get("origin")
    return first if isinstance(first, dict) else about
