"""Index of a room: often-read columns of `SPAN` parts in one file, so that many parts are read as fast as few.

Opening a part takes about a millisecond; a run of 100,000 concepts in batches of 24 has some 4,200 parts. When a span
of parts is complete, the writer of its last part writes the columns of all of them into one more file. So the cost of
appending does not grow with the run.

These files are derived. A reader reads the parts themselves if an index file is missing, torn, or about other parts.
The folder can be removed at any time.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from core.files import StorageError, write_atomically

SPAN = 64  # parts; those after the last complete span are read one by one
_FILE = re.compile(r"([0-9]{6,})-([0-9a-f]{8})\.arrow")  # the span's number; which columns
_DIGEST = hashlib.sha256().digest_size
Key = tuple[str, int]  # a part's name, which contains its digest, and its size, which differs if it is torn


@dataclass(frozen=True)
class Kept:
    """The rows of some parts as one table. rows: how many are each part's, in their order."""

    rows: Mapping[Key, int]
    table: pa.Table

    def of_each(self) -> dict[Key, pa.Table]:
        found, start = {}, 0
        for key, count in self.rows.items():
            found[key] = self.table.slice(start, count)
            start += count
        return found


class Index:
    """A folder of such files. Readers need no lock; a writer holds the run's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stale: set[tuple[int, str]] = set()  # unusable files, written again with the next part

    def numbers(self, schema: pa.Schema) -> set[int]:
        """The spans that have a file with these columns."""
        try:
            found = [match for file in self.folder.iterdir() if (match := _FILE.fullmatch(file.name))]
        except OSError:
            return set()
        columns = columns_of(schema)
        return {int(match[1]) for match in found if match[2] == columns and (int(match[1]), columns) not in self.stale}

    def read(self, number: int, schema: pa.Schema) -> Kept | None:
        """The stored columns of a span; None without a file, or if the file has changed."""
        try:
            content = self.file(number, schema).read_bytes()
        except OSError:
            return None
        with suppress(ValueError, KeyError, TypeError, pa.ArrowException):
            if hashlib.sha256(memoryview(content)[_DIGEST:]).digest() == content[:_DIGEST]:
                table = pa.ipc.open_file(pa.py_buffer(content)[_DIGEST:]).read_all()
                rows = {(str(name), int(size)): int(count) for name, size, count in _parts_in(table.schema)}
                if sum(rows.values()) == len(table) and table.schema.equals(schema):
                    return Kept(rows, table)
        self.mark(number, schema)
        return None

    def mark(self, number: int, schema: pa.Schema) -> None:
        """Mark the stored columns of a span as unusable."""
        self.stale.add((number, columns_of(schema)))

    def write(self, number: int, schema: pa.Schema, tables: Mapping[Key, pa.Table]) -> None:
        """Store these columns of a span's parts. A full disk raises no error, because an index only saves time."""
        parts = json.dumps([(*key, len(table)) for key, table in tables.items()])
        whole = pa.concat_tables([schema.empty_table(), *(table.select(schema.names) for table in tables.values())])
        whole = whole.combine_chunks().replace_schema_metadata({"parts": parts})
        stream = pa.BufferOutputStream()
        with pa.ipc.new_file(stream, whole.schema) as writer:
            writer.write_table(whole)
        content = stream.getvalue().to_pybytes()
        with suppress(StorageError):
            file, digest = self.file(number, schema), hashlib.sha256(content).digest()
            write_atomically(file, digest + content, within=self.folder.parent.parent)
            self.stale.discard((number, columns_of(schema)))

    def file(self, number: int, schema: pa.Schema) -> Path:
        return self.folder / f"{number:06d}-{columns_of(schema)}.arrow"


def span_of(number: int) -> int:
    """The span to which the part of that number, from 1, belongs."""
    return (number - 1) // SPAN


def columns_of(schema: pa.Schema) -> str:
    """Eight hex digits for names and types of columns: another version, that wants others, makes its own files."""
    text = ", ".join(f"{field.name}: {field.type}" for field in schema)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _parts_in(schema: pa.Schema) -> list[tuple[str, int, int]]:
    return json.loads((schema.metadata or {})[b"parts"])
