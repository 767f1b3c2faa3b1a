"""Conducting an experiment: a list of cases, each with a table. A stopped one continues with the first missing table.

Several processes can conduct an experiment in one folder: each takes cases that no other process has.

experiment.json          what every case depends on beside its own name: protocol, stack, judge
cases/<case>.parquet     the rows of a case with their pictures, and how long it took
results.parquet          the rows of all cases without pictures; small enough to commit, unlike the cases
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from core.errors import ConceptreeError
from core.files import write_atomically
from core.negatives import Namer
from core.settings import Settings
from core.stack.backbone import Backbone
from core.streams import stream_seed
from experiments.cost import SECONDS, Work
from experiments.judging import Judge, both_eyes

ABOUT = "experiment.json"
CASES = "cases"
RESULTS = "results.parquet"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    """Everything that an experiment works with.

    folder: for all its files. tell: called with each message about progress. namer: proposes negatives; None for the
    stack's vocabulary.
    """

    backbone: Backbone
    judge: Judge
    folder: Path
    tell: Tell
    namer: Namer | None = None

    @property
    def eyes(self) -> dict[str, Judge]:
        return both_eyes(self.backbone, self.judge)

    def about(self, experiment: str, **protocol: Any) -> dict[str, Any]:
        """The content of experiment.json. protocol: the fields that every case depends on (`ByCases.of_each`)."""
        stack = self.backbone
        drawn = stack.drawing_fingerprint if stack.draws else ""
        by = {"stack": stack.version, "fingerprint": stack.fingerprint, "drawing": drawn, "judge": self.judge.version}
        if self.namer is not None:
            by["namer"] = self.namer.identity
        return json.loads(json.dumps({"experiment": experiment, **by, "protocol": protocol}))


@dataclass(frozen=True)
class ByCases:
    """Base of an experiment's protocol, a dataclass of numbers, texts and their collections.

    settings: replace those that are calibrated for the stack. choosing: the fields that only select cases.
    """

    choosing: ClassVar[tuple[str, ...]] = ("categories", "seeds")

    settings: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    def of_each(self) -> dict[str, Any]:
        """The fields that every case depends on."""
        return {name: value for name, value in vars(self).items() if name not in self.choosing}

    def settings_for(self, backbone: Backbone, category: str, preset: str = "default", **given: Any) -> Settings:
        """The settings of a category's concepts; `given` goes before the protocol's own."""
        return Settings.for_stack(backbone, preset, category=category, **{**self.settings, **given})


class Case(Protocol):
    """A part of an experiment that is conducted as a whole."""

    @property
    def name(self) -> str:
        """A file name that no other case of the experiment has."""

    def work(self) -> Work:
        """What `rows` does at most, if nothing of it is done yet."""

    def rows(self) -> list[dict[str, Any]]:
        """Learn, draw, judge."""


class Telling:
    """Base of cases that report progress under their name."""

    bench: Bench

    @property
    def name(self) -> str:
        raise NotImplementedError

    def _tell(self, text: str) -> None:
        self.bench.tell(f"{self.name}: {text}")


@dataclass(frozen=True)
class SeededCase(Telling):
    """A case of one category and seed. protocol: the experiment's own."""

    protocol: Any
    bench: Bench
    category: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.category.replace(' ', '-')}-{self.seed}"

    def _settings(self, preset: str = "default", **given: Any) -> Settings:
        return self.protocol.settings_for(self.bench.backbone, self.category, preset, **given)  # type: ignore[no-any-return]

    def _seeds(self, count: int, what: str) -> list[int]:
        return [stream_seed(self.seed, number, what) for number in range(count)]


def categories_by_seed(protocol: Any) -> list[tuple[str, int]]:
    """(category, seed) of each case: all categories with one seed, then with the next.

    An unfinished experiment then has cases of several categories.
    """
    return [(category, seed) for seed in range(protocol.seeds) for category in protocol.categories]


def conduct(
    cases: Sequence[Case],
    schema: pa.Schema,
    folder: Path,
    about: Mapping[str, Any],
    on_case: Callable[[int, int], None] = lambda done, of: None,
    tell: Tell = lambda text: None,
) -> pa.Table:
    """The rows of all cases. Conduct the missing ones, and wait for those that other processes are conducting.

    Cases with the same `group`, a file name, are never conducted at the same time, since they share concepts.

    Args:
        on_case: called before each case that is conducted here, with the number of finished cases and of all cases.
        tell: called with the name of each case that it waits for.

    Raises:
        ConceptreeError: the folder holds another experiment, or a damaged table.
    """
    _check_folder(folder, about)
    files = {case.name: folder / CASES / f"{case.name}.parquet" for case in cases}
    (folder / CASES).mkdir(exist_ok=True)
    for wait in (False, True):
        for case in cases:
            file = files[case.name]
            if file.is_file():
                continue
            if wait:
                tell(f"{case.name}: waiting for the process that conducts it or another case of its group")
            with _alone(folder / CASES, getattr(case, "group", case.name), wait) as alone:
                if not alone or file.is_file():
                    continue
                on_case(sum(each.is_file() for each in files.values()), len(files))
                began = time.monotonic()
                table = pa.Table.from_pylist(case.rows(), schema)
                seconds = f"{time.monotonic() - began:.1f}"
                write_table(table.replace_schema_metadata({SECONDS: seconds.encode()}), file)
    tables = [_read(file, schema) for file in files.values()]
    seconds = f"{sum(map(seconds_of, tables)):.1f}"
    whole = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    return whole.replace_schema_metadata({SECONDS: seconds.encode()})


@contextmanager
def _alone(folder: Path, group: str, wait: bool) -> Iterator[bool]:
    """Hold the group's lock, if no other process has it; yields whether it holds. wait: until the lock is free."""
    lock = FileLock(folder / f".{group}.lock")
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def seconds_of(table: pa.Table) -> float:
    """The time that the cases of a table took, one after the other."""
    return float((table.schema.metadata or {}).get(SECONDS, 0))


def write_table(table: pa.Table, file: Path, level: int | None = None) -> None:
    """Write a table. level: of compression, by default that of zstd."""
    floats = {field.name for field in table.schema if pa.types.is_floating(field.type)}
    content = pa.BufferOutputStream()
    pq.write_table(
        table,
        content,
        compression="zstd",
        compression_level=level,
        use_dictionary=[name for name in table.column_names if name not in floats],
        column_encoding=dict.fromkeys(floats, "BYTE_STREAM_SPLIT"),
    )
    write_atomically(file, content.getvalue().to_pybytes())


def write_results(table: pa.Table, folder: Path) -> None:
    """Write the rows of all cases without their pictures, as small as possible: they are kept with the code."""
    write_table(table.select(_figures(table.schema).names), folder / RESULTS, level=19)


def read_results(folder: Path, schema: pa.Schema) -> pa.Table:
    """The rows of all cases, with null for every picture.

    Raises:
        ConceptreeError: the table is damaged or has other columns.
    """
    table = _read(folder / RESULTS, _figures(schema))
    columns = [pa.nulls(table.num_rows, field.type) if _shows(field) else table.column(field.name) for field in schema]
    return pa.table(columns, schema=schema).replace_schema_metadata(table.schema.metadata)


def has_only_results(folder: Path) -> bool:
    """Whether the folder has results but no cases, as in a fresh checkout."""
    return (folder / RESULTS).is_file() and not any((folder / CASES).glob("*.parquet"))


def has_pictures(table: pa.Table) -> bool:
    """Whether a row of the table has a picture; false for `read_results`."""
    return any(table.column(field.name).null_count < table.num_rows for field in table.schema if _shows(field))


def about_of(folder: Path) -> dict[str, Any]:
    """The content of experiment.json (`Bench.about`).

    Raises:
        ConceptreeError: the file is missing or damaged.
    """
    file = folder / ABOUT
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ConceptreeError(f"{str(file)!r} cannot be read ({error}): choose another folder with --to") from error


def _figures(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field for field in schema if not _shows(field)])


def _shows(field: pa.Field) -> bool:
    """Whether a column holds pictures."""
    return bool(pa.types.is_binary(field.type))


def _read(file: Path, schema: pa.Schema) -> pa.Table:
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise ConceptreeError(f"the table {str(file)!r} cannot be read: remove it, and run this again") from error
    if not table.schema.equals(schema):
        raise ConceptreeError(f"the table {str(file)!r} has other columns than expected: remove it, and run this again")
    return table


def _check_folder(folder: Path, about: Mapping[str, Any]) -> None:
    file = folder / ABOUT
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{ABOUT}.lock"):
            there = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else about
            for name in sorted(about.keys() | there.keys()):
                # A stack may get another name: its fingerprints identify it.
                if name != "stack" and there.get(name) != about.get(name):
                    raise ConceptreeError(
                        f"{str(folder)!r} holds an experiment with another {name} ({_short(there.get(name))} instead of"
                        f" {_short(about.get(name))}): choose another folder with --to, or remove this one"
                    )
            write_atomically(file, json.dumps(about, indent=1, ensure_ascii=False).encode())
    except (OSError, ValueError) as error:
        raise ConceptreeError(f"{str(file)!r} cannot be used ({error}): choose another folder with --to") from error


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."
