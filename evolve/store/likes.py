"""Rounds of a person's taste: a few concepts side by side, and those that the person likes.

likes/*.parquet     a row for each round; of rows with the same round the last counts
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evolve.store.parts import Damage, RunError
from evolve.store.rows import LIKES
from evolve.store.run import Run

WAIT = 5.0  # seconds for another writer
MOST_SHOWN = 100


@dataclass(frozen=True)
class Round:
    """What a person was shown and what they liked, which may be nothing; ids of concepts."""

    id: str
    shown: tuple[str, ...]
    liked: tuple[str, ...]
    at: datetime


def add_round(run: Run, shown: Sequence[str], liked: Collection[str], again: str = "") -> Round:
    """Store a round at once. again: the id of a round that is answered again.

    Raises:
        RunError: nothing was shown, or something is liked that was not shown.
    """
    shown = tuple(dict.fromkeys(shown))
    if not 1 <= len(shown) <= MOST_SHOWN:
        raise RunError(f"{len(shown)} concepts were shown: expected 1 to {MOST_SHOWN}")
    if unknown := sorted(set(liked) - set(shown)):
        raise RunError(f"the concept {unknown[0]} was not among those shown: choose from {', '.join(shown)}")
    at = datetime.now(UTC)
    id_ = again or hashlib.sha256(f"{at.isoformat()} {shown}".encode()).hexdigest()[:12]
    made = Round(id_, shown, tuple(each for each in shown if each in liked), at)
    with run.writing(wait=WAIT):
        run.rooms["likes"].append([{"round": id_, "shown": list(shown), "liked": list(made.liked), "at": at}])
    return made


def rounds(run: Run, damage: list[Damage] | None = None, *, strict: bool = False) -> list[Round]:
    """All rounds, in the order of their first answers."""
    found = run.rooms["likes"].made(LIKES.names, _round, damage, strict=strict)
    return list({each.id: each for each in found}.values())


def _round(row: Mapping[str, Any]) -> Round:
    missing = [name for name, value in row.items() if value is None]
    if missing:
        raise RunError(f"it has no {missing[0]}")
    shown, liked = tuple(row["shown"]), tuple(row["liked"])
    if not row["round"] or not shown or not all(shown) or not set(liked) <= set(shown):
        raise RunError(f"it is not a round of this schema ({row['round']!r})")
    return Round(row["round"], shown, liked, row["at"])
