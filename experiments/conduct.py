"""An experiment is a list of cases, each of which leaves a table: a killed one goes on with the first that is missing.
Several processes may conduct it in one folder: each takes cases that no other one has.

experiment.json          what every case depends on beside its own name: protocol, stack, judge
cases/<case>.parquet     the rows of a case with their pictures, and how long it took
results.parquet          the rows of all cases without pictures; small enough to commit, unlike the cases
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from core.errors import ConceptreeError
from core.files import write_atomically
from core.negatives import Namer
from experiments.judging import Judge

ABOUT = "experiment.json"
CASES = "cases"
RESULTS = "results.parquet"
_SECONDS = b"seconds"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    """What an experiment is conducted with. folder: for all that it leaves. tell: is called with what is going on.
    namer: who names negatives, where an experiment asks anybody; None for the stack's vocabulary.
    """

    backbone: Any
    judge: Judge
    folder: Path
    tell: Tell
    namer: Namer | None = None

    def about(self, experiment: str, **protocol: Any) -> dict[str, Any]:
        """What the cases depend on, as the folder remembers it. protocol: all but which cases there are."""
        stack = self.backbone
        drawn = stack.drawing_fingerprint if stack.draws else ""
        by = {"stack": stack.version, "fingerprint": stack.fingerprint, "drawing": drawn, "judge": self.judge.version}
        if self.namer is not None:
            by["namer"] = self.namer.identity
        return json.loads(json.dumps({"experiment": experiment, **by, "protocol": protocol}))


class ByCases:
    """An experiment's protocol, a dataclass of numbers, texts and their collections. choosing: the fields that only say
    which cases there are.
    """

    choosing: ClassVar[tuple[str, ...]] = ("categories", "seeds")

    def of_each(self) -> dict[str, Any]:
        """What each case depends on, whichever cases there are."""
        return {name: value for name, value in vars(self).items() if name not in self.choosing}


class Case(Protocol):
    """What is measured at once."""

    @property
    def name(self) -> str:
        """A file's name, which no other case of the experiment has."""

    def rows(self) -> list[dict[str, Any]]:
        """Learn, draw, judge."""


@dataclass(frozen=True)
class SeededCase:
    """A case of one category and seed. protocol: the experiment's own."""

    protocol: Any
    bench: Bench
    category: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.category.replace(' ', '-')}-{self.seed}"

    def _tell(self, text: str) -> None:
        self.bench.tell(f"{self.name}: {text}")


def conduct(
    cases: Sequence[Case],
    schema: pa.Schema,
    folder: Path,
    about: Mapping[str, Any],
    on_case: Callable[[int, int], None] = lambda done, of: None,
    tell: Tell = lambda text: None,
) -> pa.Table:
    """The rows of all cases, after those that are not there yet are conducted, here or by other processes, for which it
    waits. on_case: is called before each that is conducted here, with how many are there, of how many. tell:
    what it waits for. Cases with the same `group`, a name of a file, are never conducted at once: they share what they
    learn.

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
                tell(f"{case.name}: until the process that has it, or another of its group, is done")
            with _alone(folder / CASES, getattr(case, "group", case.name), wait) as alone:
                if not alone or file.is_file():
                    continue
                on_case(sum(each.is_file() for each in files.values()), len(files))
                began = time.monotonic()
                table = pa.Table.from_pylist(case.rows(), schema)
                seconds = f"{time.monotonic() - began:.1f}"
                write_table(table.replace_schema_metadata({_SECONDS: seconds.encode()}), file)
    tables = [_read(file, schema) for file in files.values()]
    seconds = f"{sum(map(seconds_of, tables)):.1f}"
    whole = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    return whole.replace_schema_metadata({_SECONDS: seconds.encode()})


@contextmanager
def _alone(folder: Path, group: str, wait: bool) -> Iterator[bool]:
    """Whether no other process conducts a case of this group, for as long as it lasts. wait: until none does."""
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
    """How long the cases of a table took, one after the other."""
    return float((table.schema.metadata or {}).get(_SECONDS, 0))


def write_table(table: pa.Table, file: Path) -> None:
    floats = {field.name for field in table.schema if pa.types.is_floating(field.type)}
    content = pa.BufferOutputStream()
    pq.write_table(
        table,
        content,
        compression="zstd",
        use_dictionary=[name for name in table.column_names if name not in floats],
        column_encoding=dict.fromkeys(floats, "BYTE_STREAM_SPLIT"),
    )
    write_atomically(file, content.getvalue().to_pybytes())


def write_results(table: pa.Table, folder: Path) -> None:
    """Write the rows of all cases without their pictures."""
    write_table(table.select(_figures(table.schema).names), folder / RESULTS)


def read_results(folder: Path, schema: pa.Schema) -> pa.Table:
    """The rows of all cases, with null for every picture.

    Raises:
        ConceptreeError: the table is damaged or has other columns.
    """
    table = _read(folder / RESULTS, _figures(schema))
    columns = [pa.nulls(table.num_rows, field.type) if _shows(field) else table.column(field.name) for field in schema]
    return pa.table(columns, schema=schema).replace_schema_metadata(table.schema.metadata)


def has_only_results(folder: Path) -> bool:
    """Whether the folder has results, and none of the cases that they come from, as in a fresh checkout."""
    return (folder / RESULTS).is_file() and not any((folder / CASES).glob("*.parquet"))


def has_pictures(table: pa.Table) -> bool:
    """Whether a row of the table has a picture; false for `read_results`."""
    return any(table.column(field.name).null_count < table.num_rows for field in table.schema if _shows(field))


def about_of(folder: Path) -> dict[str, Any]:
    """What the folder's experiment depends on (`Bench.about`).

    Raises:
        ConceptreeError: the file that says so is missing or damaged.
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
        raise ConceptreeError(f"the table {str(file)!r} cannot be read: remove it, and it is made again") from error
    if not table.schema.equals(schema):
        raise ConceptreeError(f"the table {str(file)!r} has other columns than expected: remove it, it is made again")
    return table


def _check_folder(folder: Path, about: Mapping[str, Any]) -> None:
    file = folder / ABOUT
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{ABOUT}.lock"):
            there = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else about
            for name in sorted(about.keys() | there.keys()):
                # A stack may be given another name: its fingerprints say what it is.
                if name != "stack" and there.get(name) != about.get(name):
                    raise ConceptreeError(
                        f"{str(folder)!r} holds an experiment with another {name} ({_short(there.get(name))} instead of"
                        f" {_short(about.get(name))}): choose another folder with --to, or remove that one"
                    )
            write_atomically(file, json.dumps(about, indent=1, ensure_ascii=False).encode())
    except (OSError, ValueError) as error:
        raise ConceptreeError(f"{str(file)!r} cannot be used ({error}): choose another folder with --to") from error


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."
