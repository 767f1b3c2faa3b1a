"""Small JSON files beside the runs of a folder, such as boards.json: a list of rows under one key with its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ConceptreeError, FileError
from core.files import read_ordinary, write_atomically
from evolve.store.lock import held

SCHEMA = 1
LARGEST = 4 * 2**20  # bytes
WAIT = 5.0  # seconds for another writer


@dataclass(frozen=True)
class Shelf:
    """A file of that name: `{"conceptree_KEY": 1, "KEY": [row, …]}`, with at most `most` rows.

    error: raised where the file cannot be read. A file that cannot be read is never written.
    """

    key: str
    most: int
    error: type[ConceptreeError]

    @property
    def name(self) -> str:
        return f"{self.key}.json"

    def rows(self, runs: Path) -> list[dict[str, Any]]:
        """The rows, each an object; none if there is no file."""
        file = runs / self.name
        if not file.exists():
            return []
        try:
            told = json.loads(read_ordinary(file, LARGEST))
        except FileError as error:
            raise self.error(f"{str(file)!r} {error}") from error
        except (ValueError, RecursionError) as error:
            reason = str(error).splitlines()[0]
            raise self.damaged(runs, f"it is not whole JSON ({reason})") from error
        schema = told.get(f"conceptree_{self.key}") if isinstance(told, dict) else None
        if type(schema) is int and schema > SCHEMA:
            raise self.error(f"{str(file)!r} has schema {schema}, and this version reads {SCHEMA}: update Conceptree")
        rows = told.get(self.key) if schema == SCHEMA else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self.damaged(runs, f"it is not a list of {self.key} that Conceptree wrote")
        if len(rows) > self.most:
            raise self.damaged(runs, f"it has {len(rows)} {self.key}, and at most {self.most} are read")
        return rows

    def damaged(self, runs: Path, reason: str) -> ConceptreeError:
        """The error of a file that cannot be read, with what to do."""
        advice = "put back a copy of it, or remove it to begin anew"
        return self.error(f"{str(runs / self.name)!r} cannot be read: {reason}: {advice}")

    @contextmanager
    def changing(self, runs: Path) -> Iterator[None]:
        """Lock the folder of runs, from reading to writing."""
        with held(runs, WAIT, f"the folder of {self.key}"):
            yield

    def write(self, runs: Path, rows: Sequence[dict[str, Any]]) -> None:
        """Replace the file."""
        if len(rows) > self.most:
            raise self.error(f"there are {len(rows)} {self.key}: at most {self.most} are stored")
        content = json.dumps({f"conceptree_{self.key}": SCHEMA, self.key: list(rows)}, indent=1).encode()
        if len(content) > LARGEST:
            raise self.error(f"the {self.key} have {len(content)} bytes, and at most {LARGEST} are stored: remove some")
        write_atomically(runs / self.name, content)
