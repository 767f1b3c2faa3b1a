"""A table of a run as Parquet parts of one schema, which are only ever added; readers skip damaged ones."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import ConceptreeError
from core.files import StorageError, write_atomically
from evolve.store.index import Index, Key, span_of

T = TypeVar("T")

PART = re.compile(r"([0-9]{6,})-([0-9a-f]{8})\.parquet")  # number, and the first digits of the content's SHA-256
SPANS_AT_ONCE = 4  # spans added to an old run's index with each part, so that no writer waits long
TIME = pa.timestamp("us", tz="UTC")
CHANGED = "it has changed: its digest differs"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAGIC = b"PAR1"  # first and last bytes of every Parquet file


class RunError(ConceptreeError):
    """A folder is not a run, or this version cannot read it."""


@dataclass(frozen=True)
class Damage:
    """A part that cannot be read, or one row of it, counted from 1."""

    part: Path
    reason: str
    row: int | None = None

    def __str__(self) -> str:
        place = "the part" if self.row is None else f"row {self.row} of the part"
        return f"{place} {str(self.part)!r} cannot be read: {self.reason}"

    @property
    def error(self) -> RunError:
        """The error for strict readers, with what to do."""
        return RunError(f"{self}; put back a copy of that file, or move it away to go on without it")


def report(found: Damage, damage: list[Damage] | None, strict: bool) -> None:
    """Append to `damage`, if there is a list.

    Raises:
        RunError: strict.
    """
    if strict:
        raise found.error
    if damage is not None:
        damage.append(found)


@dataclass(frozen=True)
class Part:
    """A part in its folder. number: from its name."""

    file: os.DirEntry[str]
    number: int

    @property
    def path(self) -> Path:
        return Path(self.file.path)

    @property
    def key(self) -> Key:
        """Name and size."""
        try:
            return self.file.name, self.file.stat().st_size
        except OSError:
            return self.file.name, -1  # reading it reports the error


@dataclass(frozen=True, eq=False)
class Piece:
    """Rows of one or several consecutive parts, as one table. parts: each with its number of rows."""

    parts: Sequence[tuple[Part, int]]
    table: pa.Table
    _made: dict[Any, Any] = field(default_factory=dict, repr=False)

    def once(self, make: Callable[[Piece], T]) -> T:
        """Result of `make` for this piece, cached."""
        if make not in self._made:
            self._made[make] = make(self)
        found: T = self._made[make]
        return found

    def places(self) -> Iterator[tuple[Path, int]]:
        """(part, row number from 1) of each row."""
        paths = ((part.path, count) for part, count in self.parts)
        return ((path, number) for path, count in paths for number in range(1, count + 1))

    def apart(self) -> Iterator[Piece]:
        """One piece per part."""
        start = 0
        for part, count in self.parts:
            yield Piece([(part, count)], self.table.slice(start, count))
            start += count


class Room:
    """A folder of parts. Appending needs the run's lock (`Run.writing`), reading does not.

    later: columns that older parts may lack; they are read as null. kept: sets of columns that are often read from all
    parts together; they are cached in memory and in an index on disk (`evolve.store.index`). exact: columns whose
    changed values would go unseen into other concepts or files. Reading one of them checks the part's digest first.
    """

    def __init__(
        self,
        folder: Path,
        schema: pa.Schema,
        later: Collection[str] = (),
        kept: Collection[Sequence[str]] = (),
        index: Index | None = None,
        exact: Collection[str] = (),
    ) -> None:
        self.folder = folder
        self.schema = schema
        self.later = later
        self.kept = {tuple(columns): self._with(columns) for columns in kept}
        self.index = index
        self.exact = frozenset(exact)
        self._pieces: dict[tuple[str, ...], dict[tuple[Key, ...], Piece]] = {}

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Store rows as one more part: all of them, or none if an error is raised."""
        if not rows:
            return
        content = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(list(rows), schema=self.schema), content, write_page_checksum=True)
        before = self._listed()
        number = max((part.number for part in before), default=0) + 1
        file = self.folder / f"{number:06d}-{digest_of(content.getvalue())}.parquet"
        write_atomically(file, content.getvalue(), within=self.folder.parent)
        self._keep(before, number)

    def parts(self) -> list[Path]:
        """Files of the parts in the order in which they were written."""
        return [part.path for part in self._listed()]

    def rows(
        self, columns: Sequence[str] | None = None, damage: list[Damage] | None = None, *, strict: bool = False
    ) -> Iterator[tuple[Path, int, dict[str, Any]]]:
        """(part, row number from 1, row) of every row, with all columns or some; see `kept`."""
        if columns is not None and tuple(columns) in self.kept:
            for piece in self.pieces(columns, damage, strict=strict):
                for found in piece.once(_rows_of):
                    if isinstance(found, Damage):
                        report(found, damage, strict)
                    else:
                        yield found
            return
        for part in self.parts():
            try:
                rows = self.read(part, columns)
            except RunError as error:
                report(Damage(part, str(error)), damage, strict)
                continue
            for number, row in enumerate(rows, 1):
                yield part, number, row

    def made(
        self,
        columns: Sequence[str],
        make: Callable[[dict[str, Any]], T],
        damage: list[Damage] | None = None,
        *,
        strict: bool = False,
    ) -> Iterator[T]:
        """What `make` makes of every row. A row for which it raises a RunError counts as damaged."""
        for part, number, row in self.rows(columns, damage, strict=strict):
            try:
                each = make(row)
            except RunError as error:
                report(Damage(part, str(error), number), damage, strict)
            else:
                yield each

    def pieces(
        self, columns: Sequence[str], damage: list[Damage] | None = None, *, strict: bool = False
    ) -> list[Piece]:
        """All rows in order, in few tables, cached since parts never change.

        columns: one of the sets `kept`. Damaged parts are read again each time, since a person may restore them.
        """
        wanted = tuple(columns)
        schema = self.kept[wanted]
        before = self._pieces.get(wanted, {})
        found: dict[tuple[Key, ...], Piece] = {}
        for span, each in groupby(self._listed(), key=lambda part: span_of(part.number)):
            parts = list(each)
            keys = tuple(part.key for part in parts)
            if keys in before:
                found[keys] = before[keys]
                continue
            unread = sum((key,) not in before for key in keys)
            kept = self.index.read(span, schema) if self.index and unread > 1 else None
            if kept and tuple(kept.rows) == keys:
                found[keys] = Piece(tuple(zip(parts, kept.rows.values(), strict=True)), kept.table)
                continue
            tables = kept.of_each() if kept else {}
            if self.index and tables.keys() - set(keys):
                self.index.mark(span, schema)
            for part, key in zip(parts, keys, strict=True):
                if (key,) in before:
                    found[key,] = before[key,]
                    continue
                try:
                    table = tables[key] if key in tables else self.table(part.path, wanted)
                except RunError as error:
                    report(Damage(part.path, str(error)), damage, strict)
                    continue
                if self.index and kept and key not in tables and is_unchanged(part.path):
                    self.index.mark(span, schema)
                found[key,] = Piece([(part, len(table))], table)
        self._pieces[wanted] = found
        return list(found.values())

    def read(self, part: Path, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Rows of one part, by default with all columns; see `table`."""
        return rows_in(self.table(part, columns))

    def table(self, part: Path, columns: Sequence[str] | None = None) -> pa.Table:
        """One part, by default with all columns.

        Raises:
            RunError: the reason, without the name of the part. Damage that no page shows, such as that of the file's
                end, or of parts without checksums, is found for the columns `exact` alone.
        """
        wanted = self.schema if columns is None else self._with(columns)
        try:
            with pa.OSFile(str(part)) if self.exact.isdisjoint(wanted.names) else _unchanged(part) as file:
                opened = pq.ParquetFile(file, page_checksum_verification=True)
                table = opened.read(columns=wanted.names, use_threads=False)
            for column in wanted:
                if column.name not in table.column_names:
                    if column.name not in self.later:
                        raise RunError(f"it has no column {column.name!r}")
                    table = table.append_column(column, pa.nulls(len(table), column.type))
            table = table.select(wanted.names)
            return table if table.schema.equals(wanted) else table.cast(wanted)  # casting imports pyarrow.compute
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise RunError(_why(part, error)) from error

    def is_indexed_truly(self) -> bool:
        """Whether all that the index holds equals the parts."""
        for columns, schema in self.kept.items():
            for span, parts in groupby(self._listed(), key=lambda part: span_of(part.number)):
                kept = self.index.read(span, schema) if self.index else None
                tables = kept.of_each() if kept else {}
                for part in parts:
                    with suppress(RunError):  # reported for the part itself
                        if part.key in tables and not _alike(tables[part.key], self.table(part.path, columns)):
                            return False
        return True

    def _keep(self, before: Sequence[Part], last: int) -> None:
        """Write complete spans that the index lacks, or holds with outdated content."""
        if not self.index or not self.kept:
            return
        whole = {span_of(part.number) for part in before} | {span_of(last)}
        whole.discard(span_of(last + 1))
        missing = {columns: whole - self.index.numbers(schema) for columns, schema in self.kept.items()}
        for span in sorted(set().union(*missing.values()), reverse=True)[:SPANS_AT_ONCE]:
            wanted = [columns for columns in self.kept if span in missing[columns]]
            read = tuple(dict.fromkeys(name for columns in wanted for name in columns))
            tables = {}
            for part in before if span_of(last) != span else self._listed():
                if span_of(part.number) == span:
                    with suppress(RunError):
                        tables[part.key] = self.table(part.path, read)
            for columns in wanted:
                self.index.write(span, self.kept[columns], tables)

    def _listed(self) -> list[Part]:
        """Parts in the order in which they were written."""
        found = []
        try:
            with os.scandir(self.folder) as files:
                for file in files:
                    if match := PART.fullmatch(file.name):
                        found.append(Part(file, int(match[1])))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"{str(self.folder)!r} cannot be read: {error.strerror or error}") from error
        return sorted(found, key=lambda part: (part.number, part.file.name))

    def _with(self, columns: Sequence[str]) -> pa.Schema:
        return pa.schema([self.schema.field(name) for name in columns])


def _rows_of(piece: Piece) -> list[tuple[Path, int, dict[str, Any]] | Damage]:
    """Rows of a piece with their places, and the damage of parts with impossible values."""
    try:
        return [(*place, row) for place, row in zip(piece.places(), rows_in(piece.table), strict=True)]
    except RunError as error:
        if len(piece.parts) == 1:
            return [Damage(piece.parts[0][0].path, str(error))]
        return [found for each in piece.apart() for found in _rows_of(each)]


def _alike(one: pa.Table, other: pa.Table) -> bool:
    """Whether two tables are equal, with NaN equal to NaN."""
    return one.equals(other) or repr(rows_in(one)) == repr(rows_in(other))


def rows_in(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of a table.

    Raises:
        RunError: a value is impossible, such as text that is not Unicode or a time after the year 9999.
    """
    try:
        columns = [_values(table.column(name)) for name in table.column_names]
        return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]
    except (ValueError, OverflowError) as error:
        raise RunError(str(error).splitlines()[0]) from error


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Values of a column; times are converted here because pyarrow imports pandas for them."""
    if column.type == TIME:
        values = (value for chunk in column.chunks for value in chunk.view(pa.int64()).to_pylist())
        return [None if value is None else as_time(value) for value in values]
    return column.to_pylist()


def as_time(microseconds: int) -> datetime:
    """A value of a column of type `TIME`.

    Raises:
        OverflowError: it is after the year 9999.
    """
    return _EPOCH + timedelta(microseconds=microseconds)


def number_of(part: Path) -> int:
    """Number of a part, from its name."""
    return int(part.name.split("-")[0])


def is_unchanged(part: Path) -> bool:
    """Whether a part still has the content that the digest in its name was made of."""
    try:
        return part.name.endswith(f"-{digest_of(part.read_bytes())}.parquet")
    except OSError:
        return False


def _unchanged(part: Path) -> pa.NativeFile:
    """The content of a part. Raises RunError if it was changed."""
    content = part.read_bytes()
    if not part.name.endswith(f"-{digest_of(content)}.parquet"):
        raise RunError(_why(part, RunError(CHANGED)))
    return pa.BufferReader(content)


def digest_of(content: bytes) -> str:
    """The eight hex digits in a part's name."""
    return hashlib.sha256(content).hexdigest()[:8]


def _why(part: Path, error: Exception) -> str:
    """Reason why a part cannot be read, in plain words if its first and last bytes show it."""
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
        return "it is not a Parquet file"
    if tail != _MAGIC:
        return f"it is torn: {size} bytes, and its end is missing"
    return CHANGED if "CRC checksum" in str(error) else str(error).splitlines()[0]
