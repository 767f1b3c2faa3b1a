"""Entries of all concepts, without vectors, requests and histories, which are most of a part.

Columns are converted as a whole, a few thousand rows at a time. A piece with anything unusual is converted row by row,
so that each damaged row is named; both ways give the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.concept import aspect_of, is_parent_kind
from evolve.store.parts import Damage, Piece, Room, RunError, as_time, report, rows_in
from evolve.store.rows import (
    DRAWINGS,
    EMBED,
    ENTRY,
    KNOWN,
    NOTHING,
    PICTURE,
    Descent,
    Drawing,
    Entry,
    drawing_of,
    entry_of,
)

FEW = 4096  # values; below, sharing equal values is slower than not importing pyarrow.compute
_Listed = tuple[Sequence[Entry], Sequence[Damage]]


class Listing:
    """Entries of a room of concepts."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def entries(self, damage: list[Damage] | None = None, *, strict: bool = False) -> Iterator[Sequence[Entry]]:
        """Every row as it was stored, without its notes, some at a time."""
        for piece in self.room.pieces(ENTRY, damage, strict=strict):
            entries, damaged = piece.once(_listed)
            for each in damaged:
                report(each, damage, strict)
            yield entries

    def image_embeds(self) -> dict[str, npt.NDArray[np.float32]]:
        """Mean imagined embedding of every readable concept, [width], by id."""
        found: dict[str, npt.NDArray[np.float32]] = {}
        for piece in self.room.pieces(EMBED):
            for id_, embed in piece.once(_embeds).items():
                found.setdefault(id_, embed)  # of duplicate rows the first
        return found

    def known(self) -> pa.Table:
        """Table of `id`, `name` at birth and `generation` of every concept, for `among`."""
        tables = [piece.table for piece in self.room.pieces(KNOWN)]
        return pa.concat_tables(tables) if tables else self.room.kept[KNOWN].empty_table()


def among(known: pa.Table, column: str, values: Collection[str]) -> dict[str, int]:
    """Values that a column (`id` or `name`) contains, with the generation of the first such row."""
    import pyarrow.compute as pc  # only to store: importing it takes as long as reading a small run

    found = known.filter(pc.is_in(known.column(column), value_set=pa.array(sorted(values), pa.string())))
    pairs = zip(found.column(column).to_pylist(), found.column("generation").to_pylist(), strict=True)
    return {value: generation or 0 for value, generation in [*pairs][::-1]}


def _listed(piece: Piece) -> _Listed:
    """Entries of a piece, and its damage."""
    try:
        if (entries := _by_columns(piece)) is not None:
            return entries, ()
        rows = rows_in(piece.table)
    except (RunError, ValueError, OverflowError) as error:
        if len(piece.parts) == 1:
            return (), [Damage(piece.parts[0][0].path, str(error))]
        apart = [_listed(each) for each in piece.apart()]
        return [each for found, _ in apart for each in found], [each for _, found in apart for each in found]
    entries, damage = [], []
    for (part, number), row in zip(piece.places(), rows, strict=True):
        try:
            entries.append(entry_of(part, number, row))
        except RunError as error:
            damage.append(Damage(part, str(error), number))
    return entries, damage


def _by_columns(piece: Piece) -> list[Entry] | None:
    """`entry_of` for all rows at once; None if it would refuse any of them."""
    table = piece.table.combine_chunks()
    columns = {name: _array(table, name) for name in ENTRY}
    if any(column.null_count for column in columns.values()):
        return None
    (parents, parents_at), (scores, scores_at) = _flat(columns["parents"]), _flat(columns["scores"])
    weights, kinds = parents.field("weight"), parents.field("kind")
    filled = [parents, parents.field("id"), weights, kinds, scores, scores.field("name"), scores.field("value")]
    if any(column.null_count for column in filled):
        return None
    given, births = _numbers(weights), _texts(kinds)
    aspects = {kind for kind in set(births) if aspect_of(kind)}
    takes = np.array([kind in aspects for kind in births], dtype=bool) if aspects else np.zeros(len(given), dtype=bool)
    if not (np.isfinite(given) & ((given != 0) ^ takes)).all() or not all(map(is_parent_kind, set(births))):
        return None
    ids = _texts(parents.field("id"))
    if not all(ids):
        return None
    runs = [run or "" for run in _texts(parents.field("run"))]
    descents = list(map(Descent, ids, runs, given.tolist(), births))
    values = list(zip(_texts(scores.field("name")), _numbers(scores.field("value")).tolist(), strict=True))
    names = columns["name"].to_pylist()
    return list(
        map(
            Entry,
            columns["id"].to_pylist(),
            names,
            names,
            _numbers(columns["generation"]).tolist(),
            _texts(columns["category"]),
            _texts(columns["kind"]),
            [tuple(descents[start:end]) for start, end in pairwise(parents_at)],
            [dict(values[start:end]) for start, end in pairwise(scores_at)],
            _numbers(columns["steps"]).tolist(),
            _times(columns["created_at"]),
            [NOTHING] * len(table),
            *zip(*piece.places(), strict=True),
        )
    )


def drawings_in(piece: Piece) -> tuple[Sequence[Drawing], Sequence[Damage]]:
    """Drawings of a piece of drawings/, and its damage."""
    table = piece.table.combine_chunks()
    columns = [_array(table, name) for name in DRAWINGS.names]
    try:
        if not any(column.null_count for column in columns):
            concepts, prompts, files = (_texts(column) for column in (columns[0], columns[1], columns[3]))
            if all(map(PICTURE.fullmatch, set(files))):
                places = {name: part.path.parent / name for part, _ in piece.parts[:1] for name in set(files)}
                paths = [places[name] for name in files]
                return list(map(Drawing, concepts, prompts, _numbers(columns[2]).tolist(), paths)), ()
        rows = rows_in(table)
    except (RunError, ValueError) as error:
        if len(piece.parts) == 1:
            return (), [Damage(piece.parts[0][0].path, str(error))]
        apart = [drawings_in(each) for each in piece.apart()]
        return [each for found, _ in apart for each in found], [each for _, found in apart for each in found]
    drawings, damage = [], []
    for (part, number), row in zip(piece.places(), rows, strict=True):
        try:
            drawings.append(drawing_of(part.parent, row))
        except RunError as error:
            damage.append(Damage(part, str(error), number))
    return drawings, damage


def _flat(lists: pa.ListArray) -> tuple[pa.Array, list[int]]:
    """Values of all lists in one array, and the offset of each list, then the end. No list is null."""
    if not len(lists):
        return lists.values.slice(0, 0), [0]
    offsets = _numbers(lists.offsets)
    first, last = int(offsets[0]), int(offsets[-1])
    return lists.values.slice(first, last - first), (offsets - first).tolist()


def _texts(column: pa.Array) -> list[str]:
    """Decode a string column; of a long one, equal values are one object."""
    if len(column) <= FEW:
        return column.to_pylist()
    encoded = column.dictionary_encode("encode")  # null as well
    few = encoded.dictionary.to_pylist()
    return [few[number] for number in _numbers(encoded.indices).tolist()]


def _times(column: pa.Array) -> list[datetime]:
    """Decode a column of times; of a long one, equal values are one object: a batch has one time."""
    if len(column) <= FEW:
        return [as_time(each) for each in column.view(pa.int64()).to_pylist()]
    encoded = column.view(pa.int64()).dictionary_encode()
    few = [as_time(each) for each in encoded.dictionary.to_pylist()]
    return [few[number] for number in _numbers(encoded.indices).tolist()]


def _numbers(column: pa.Array) -> npt.NDArray[Any]:
    """Numbers without copying; none is null. (`to_numpy` imports pandas.)"""
    kind = np.dtype(column.type.to_pandas_dtype())
    data = column.buffers()[1]
    return np.frombuffer(data, kind, len(column), column.offset * kind.itemsize) if len(column) else np.empty(0, kind)


def _array(table: pa.Table, name: str) -> pa.Array:
    chunks = table.column(name).chunks
    return chunks[0] if chunks else pa.array([], table.schema.field(name).type)


def _embeds(piece: Piece) -> dict[str, npt.NDArray[np.float32]]:
    """Imagined embeddings by id, from one array if all rows are whole."""
    table = piece.table.combine_chunks()
    try:
        ids = table.column("id").to_pylist()
    except ValueError:
        return {} if len(piece.parts) == 1 else {k: v for each in piece.apart() for k, v in _embeds(each).items()}
    column = _array(table, "image_embed")
    flat, at = (None, [0]) if column.null_count else _flat(column)
    lengths = {end - start for start, end in pairwise(at)}
    found: dict[str, npt.NDArray[np.float32]] = {}
    if flat is not None and not flat.null_count and all(ids) and len(lengths) == 1 and 0 not in lengths:
        numbers = _numbers(flat).reshape(len(ids), -1)
        if np.isfinite(numbers).all():
            for id_, embed in zip(ids, numbers, strict=True):
                found.setdefault(id_, embed)
            return found
    for id_, embed in zip(ids, column, strict=True):
        if id_ and embed.is_valid:
            numbers = np.array(embed.values.to_pylist(), np.float32)
            if numbers.size and np.isfinite(numbers).all():
                found.setdefault(id_, numbers)
    return found
