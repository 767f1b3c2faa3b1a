"""What lists need of every concept, without reading every part again: remembered, and kept in one file.

A part costs about a millisecond, however little is read of it, so that a run of a thousand batches would take a second
to open. Writers therefore keep the columns that lists need of all parts together in `.listed`, now and then. It is
derived: a reader who finds none, one that is torn, or parts that are not in it, reads the parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.files import StorageError, write_atomically
from evolve.parts import Damage, Room, RunError, rows_in, suffer
from evolve.rows import ENTRY, Entry, entry_of

KEPT = (*ENTRY, "image_embed")
MOST_APART = 64  # parts that are read one by one before it is worth while to keep them together
_PART, _SIZE = pa.field("part", pa.string()), pa.field("size", pa.int64())
Key = tuple[str, int]  # a part's name, which has its digest, and its size, which tells one that is torn


class Listing:
    """The rows of a room of concepts as they are listed. file: where what is known of many parts is kept."""

    def __init__(self, room: Room, file: Path) -> None:
        self.room = room
        self.file = file
        self._entries: dict[Key, list[Entry | Damage]] = {}
        self._embeds: dict[Key, dict[str, npt.NDArray[np.float32]]] = {}

    def entries(self, damage: list[Damage] | None = None) -> Iterator[Entry]:
        """Every row as it was stored, without what is noted since."""
        parts = self._parts()
        if len(parts.keys() - self._entries.keys()) > MOST_APART:
            for key, table in self._kept().items():
                if key in parts:
                    with suppress(RunError):
                        self._entries[key] = _entries_of(parts[key], table)
        for key, part in parts.items():
            if key not in self._entries:
                try:
                    self._entries[key] = _entries_of(part, self.room.table(part, ENTRY))
                except RunError as error:  # read anew each time: somebody may put it back
                    suffer(damage, Damage(part, str(error)))
                    continue
            for each in self._entries[key]:
                if isinstance(each, Damage):
                    suffer(damage, each)
                else:
                    yield each

    def image_embeds(self) -> dict[str, npt.NDArray[np.float32]]:
        """What the prior imagines of every concept, [width], by its id; without those that cannot be read."""
        parts = self._parts()
        if len(parts.keys() - self._embeds.keys()) > MOST_APART:
            for key, table in self._kept().items():
                with suppress(RunError):
                    self._embeds[key] = _embeds_of(table)
        found: dict[str, npt.NDArray[np.float32]] = {}
        for key, part in parts.items():
            if key not in self._embeds:
                with suppress(RunError):
                    self._embeds[key] = _embeds_of(self.room.table(part, ("id", "image_embed")))
            for id_, embed in self._embeds.get(key, {}).items():
                found.setdefault(id_, embed)  # of a concept that was put back twice, the first
        return found

    def keep(self) -> None:
        """Keep what is known of all parts in one file, if many are not in it. For whoever holds the run for writing."""
        parts = self._parts()
        if len(parts) <= MOST_APART or len(parts.keys() - (kept := self._kept()).keys()) <= MOST_APART:
            return
        tables = []
        for key, part in parts.items():
            with suppress(RunError):
                table = kept[key] if key in kept else self.room.table(part, KEPT)
                name, size = key
                rows = len(table)
                table = table.append_column(_PART, pa.array([name] * rows, _PART.type))
                tables.append(table.append_column(_SIZE, pa.array([size] * rows, _SIZE.type)))
        if not tables:
            return
        stream = pa.BufferOutputStream()
        whole = pa.concat_tables(tables).combine_chunks()
        with pa.ipc.new_file(stream, whole.schema) as writer:
            writer.write_table(whole)
        content = stream.getvalue().to_pybytes()
        with suppress(StorageError):  # it only saves time: not worth failing for
            write_atomically(self.file, hashlib.sha256(content).digest() + content)

    def is_true(self) -> bool:
        """Whether the file, if there is one, says of every part what the part itself says."""
        kept = self._kept()
        with suppress(RunError):
            return all(
                table.equals(self.room.table(part, KEPT))
                for key, part in self._parts().items()
                if (table := kept.get(key)) is not None
            )
        return True  # what cannot be read is said of the part

    def _parts(self) -> dict[Key, Path]:
        return {(part.name, _size(part)): part for part in self.room.parts()}

    def _kept(self) -> Mapping[Key, pa.Table]:
        """The rows of each part that is kept in the file; of none if it is not there or not what was written."""
        try:
            content = self.file.read_bytes()
            if hashlib.sha256(content[32:]).digest() != content[:32]:
                return {}
            whole = pa.ipc.open_file(pa.py_buffer(content)[32:]).read_all()
            wanted = pa.schema([self.room.schema.field(name) for name in KEPT])
            table = whole.select(wanted.names).cast(wanted)
            names, sizes = (whole.column(field.name).to_pylist() for field in (_PART, _SIZE))
        except (OSError, KeyError, pa.ArrowException):
            return {}
        found: dict[Key, pa.Table] = {}
        start = 0
        for end in range(1, len(names) + 1):  # the rows of a part stand together
            if end == len(names) or (names[end], sizes[end]) != (names[start], sizes[start]):
                found[names[start], sizes[start]] = table.slice(start, end - start)
                start = end
        return found


def _entries_of(part: Path, table: pa.Table) -> list[Entry | Damage]:
    found: list[Entry | Damage] = []
    for number, row in enumerate(rows_in(table.select(ENTRY)), 1):
        try:
            found.append(entry_of(part, number, row))
        except RunError as error:
            found.append(Damage(part, str(error), number))
    return found


def _embeds_of(table: pa.Table) -> dict[str, npt.NDArray[np.float32]]:
    found = {}
    ids = [row["id"] for row in rows_in(table.select(["id"]))]
    for id_, embed in zip(ids, table.column("image_embed"), strict=True):
        if id_ and embed.is_valid:
            numbers = embed.values.to_numpy(zero_copy_only=False).astype(np.float32)
            if numbers.size and np.isfinite(numbers).all():
                found[id_] = numbers
    return found


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except OSError:
        return -1  # reading it will say what is wrong
