"""CSV tables of a benchmark's single figures (`--to`): its medians and ratios can be computed from them.

Times are in seconds, memory in bytes unless a column says MB.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import torch

from core.files import write_atomically

DIGITS = 6  # significant ones of a figure


def option(parser: argparse.ArgumentParser) -> None:
    """Add `--to`."""
    parser.add_argument("--to", type=_writable, help="also write the single figures to this CSV file")


def _writable(text: str) -> Path:
    """A file that can be written, as far as can be told before the measurement."""
    file = Path(text).absolute()
    folder = next(each for each in file.parents if each.exists())
    if file.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written: give a file in a folder of yours")
    return file


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
    names = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(out, [*names, *machine], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in {**row, **machine}.items()})
    write_atomically(file, out.getvalue().encode())


def read(file: Path) -> list[dict[str, str]]:
    """The rows of a table; cells are text."""
    with file.open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def _cell(value: Any) -> Any:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else value
