"""The single figures of a benchmark as a small CSV table (`--to`), from which its medians and ratios follow."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import torch

from core.files import write_atomically

DIGITS = 6  # significant ones of a figure


def option(parser: argparse.ArgumentParser) -> None:
    """Add `--to`."""
    parser.add_argument("--to", type=Path, help="also write the single figures to this CSV file")


def write(file: Path | None, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows, each with the number of threads and the version of PyTorch; nothing without a file or rows.

    Columns are those of all rows; where a row lacks one, its cell is empty.

    Raises:
        StorageError: the file cannot be written.
    """
    if file is None or not rows:
        return
    machine = {"threads": torch.get_num_threads(), "torch": torch.__version__.split("+")[0]}
    out = StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(_names(rows)) | machine), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in (row | machine).items()})
    write_atomically(file, out.getvalue().encode())


def read(file: Path) -> list[dict[str, str]]:
    """The rows of a table; cells are text."""
    with file.open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def _names(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    return (name for row in rows for name in row)


def _cell(value: Any) -> Any:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else value
