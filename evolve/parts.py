"""A room of a run: Parquet parts of one schema, written once, only ever added, read as far as they are whole."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import ConceptreeError
from core.files import StorageError, write_atomically

PART = re.compile(r"([0-9]{6,})-([0-9a-f]{8})\.parquet")  # its number, and the beginning of its content's SHA-256
_MAGIC = b"PAR1"  # how every Parquet file begins and ends


class RunError(ConceptreeError):
    """A folder that is not a run, or one that this version cannot read."""


@dataclass(frozen=True)
class Damage:
    """A part that cannot be read, or, where `row` is given (counted from 1), that row of it."""

    part: Path
    reason: str
    row: int | None = None

    def __str__(self) -> str:
        place = "the part" if self.row is None else f"row {self.row} of the part"
        return f"{place} {str(self.part)!r} cannot be read: {self.reason}"

    @property
    def error(self) -> RunError:
        """It as what stops a reader, with what to do."""
        return RunError(f"{self}; put back a copy of that file, or move it away to go on without it")


def suffer(damage: list[Damage] | None, found: Damage) -> None:
    """Take note of damage and go on, or, for who keeps no list of it, stop there.

    Raises:
        RunError: there is no list.
    """
    if damage is None:
        raise found.error
    damage.append(found)


class Room:
    """A folder of parts. Whoever appends holds the run's lock (`Run.writing`); readers need none.

    later: columns that older parts need not have; they are read as null there.
    """

    def __init__(self, folder: Path, schema: pa.Schema, later: Collection[str] = ()) -> None:
        self.folder = folder
        self.schema = schema
        self.later = later
        self._known: dict[tuple[str, int, tuple[str, ...]], list[dict[str, Any]]] = {}

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Store rows as one more part: all of them or, where an error is raised, none."""
        if not rows:
            return
        content = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(list(rows), schema=self.schema), content)
        number = max((number_of(part) for part in self.parts()), default=0) + 1
        write_atomically(self.folder / f"{number:06d}-{digest_of(content.getvalue())}.parquet", content.getvalue())

    def parts(self) -> list[Path]:
        """In the order in which they were written; none where there is no folder yet."""
        try:
            files = [file for file in self.folder.iterdir() if PART.fullmatch(file.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"{str(self.folder)!r} cannot be read: {error.strerror or error}") from error
        return sorted(files, key=lambda file: (number_of(file), file.name))

    def rows(
        self, columns: Sequence[str] | None = None, damage: list[Damage] | None = None
    ) -> Iterator[tuple[Path, int, dict[str, Any]]]:
        """Every row, with its part and its number there (from 1): all of its columns, or those few, remembered."""
        for part in self.parts():
            try:
                rows = self.read(part) if columns is None else self._remembered(part, tuple(columns))
            except RunError as error:
                suffer(damage, Damage(part, str(error)))
                continue
            for number, row in enumerate(rows, 1):
                yield part, number, row

    def read(self, part: Path, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """The rows of one part, by default with all columns; see `table`."""
        return rows_in(self.table(part, columns))

    def table(self, part: Path, columns: Sequence[str] | None = None) -> pa.Table:
        """One part, by default with all columns.

        Raises:
            RunError: says what is wrong with the part, and not which one it is.
        """
        wanted = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        try:
            with pa.OSFile(str(part)) as file:
                table = pq.ParquetFile(file).read(columns=wanted.names, use_threads=False)
            for field in wanted:
                if field.name not in table.column_names:
                    if field.name not in self.later:
                        raise RunError(f"it has no column {field.name!r}")
                    table = table.append_column(field, pa.nulls(len(table), field.type))
            return table.select(wanted.names).cast(wanted)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise RunError(_why(part, error)) from error

    def _remembered(self, part: Path, columns: tuple[str, ...]) -> list[dict[str, Any]]:
        """What was read before: a part never changes, and one that is torn is read anew each time."""
        try:
            key = (part.name, part.stat().st_size, columns)
        except OSError as error:
            raise RunError(error.strerror or str(error)) from error
        if key not in self._known:
            self._known[key] = self.read(part, columns)
        return self._known[key]


def rows_in(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of a table.

    Raises:
        RunError: there are values that cannot be, such as text that is no Unicode or a time after the year 9999.
    """
    try:
        return table.to_pylist()
    except (ValueError, OverflowError) as error:
        raise RunError(str(error).splitlines()[0]) from error


def number_of(part: Path) -> int:
    """Which part of its room it is, by its name."""
    return int(part.name.split("-")[0])


def digest_of(content: bytes) -> str:
    """The eight hex digits that a part's name ends with."""
    return hashlib.sha256(content).hexdigest()[:8]


def _why(part: Path, error: Exception) -> str:
    """What is wrong with a part, in words of a person where the ends of the file tell it."""
    if isinstance(error, OSError) and error.errno:
        return error.strerror or str(error)
    try:
        with part.open("rb") as file:
            head = file.read(len(_MAGIC))
            file.seek(0, 2)
            size = file.tell()
            file.seek(max(0, size - len(_MAGIC)))
            tail = file.read()
    except OSError as unreadable:
        return unreadable.strerror or str(unreadable)
    if not size:
        return "it is empty (0 bytes)"
    if head != _MAGIC:
        return "it is no Parquet file"
    if tail != _MAGIC:
        return f"it is torn: {size} bytes, and its end is missing"
    return str(error).splitlines()[0]
