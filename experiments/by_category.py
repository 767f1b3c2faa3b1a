"""Means of each category, and Student's interval over the categories: `python -m experiments.by_category`.

Reads an experiment's results.parquet. Concepts of one category are alike whatever their seed, so the category is the
unit of what docs/experiments.md claims:

    python -m experiments.by_category figure13 margin --by lam --against lam=1 --where eyes=judge --where clamp=false
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from experiments.conduct import RESULTS
from experiments.statistics import BY_CATEGORY, CONFIDENCE, markdown, student, unit_means

RESULTS_OF = Path(__file__).parent.parent / "docs" / "experiments"


def told(
    rows: Sequence[Mapping[str, Any]],
    measure: str,
    by: Sequence[str],
    against: tuple[str, str] | None = None,
    confidence: float = CONFIDENCE,
) -> list[str]:
    """The lines of a Markdown table: a row for each combination of `by`, a column for each category.

    against: (column, value) of the row that is subtracted from the others that agree with it in all other columns.
    """
    found = unit_means(rows, by, measure, BY_CATEGORY)
    if against:
        place = by.index(against[0])
        base = {(*key[:place], *key[place + 1 :]): means for key, means in found.items() if _is(key[place], against[1])}
        found = {
            key: means - base[*key[:place], *key[place + 1 :]]
            for key, means in found.items()
            if not _is(key[place], against[1])
        }
    categories = sorted({row["category"] for row in rows})
    lines = []
    for key, means in found.items():
        mean, low, high = student(means, confidence)
        lines.append([*map(_text, key), f"{mean:.3f}", f"{low:.3f} … {high:.3f}", *(f"{value:.3f}" for value in means)])
    return markdown([*by, "mean", f"{100 * confidence:g} % interval", *categories], lines)


def _is(value: object, text: str) -> bool:
    """Whether a value of a table is what a person typed: `false`, `1` for 1.0, or a word."""
    return _text(value) == text


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.by_category", description=__doc__.splitlines()[0])
    parser.add_argument("experiment", help="such as figure13")
    parser.add_argument("measure", help="a column of its results, or the difference of two, such as itself-across")
    parser.add_argument("--by", default="", help="columns whose values have a row each, separated by commas")
    parser.add_argument("--where", action="append", default=[], metavar="COLUMN=VALUE", help="only these rows")
    parser.add_argument("--against", metavar="COLUMN=VALUE", help="differences to these rows; a column of --by")
    parser.add_argument("--confidence", type=float, default=95.0, help="in per cent (95)")
    parser.add_argument("--results", type=Path, default=RESULTS_OF, help="folder of the experiments (docs/experiments)")
    given = parser.parse_args()
    file = given.results / given.experiment / RESULTS
    if not file.is_file():
        parser.error(f"there is no {str(file)!r}: name an experiment that was conducted")
    columns = pq.read_schema(file).names
    by, conditions = [each for each in given.by.split(",") if each], [_pair(parser, each) for each in given.where]
    against = _pair(parser, given.against) if given.against else None
    first, _, second = given.measure.partition("-")
    asked = ["category", *by, *(column for column, _ in conditions), *filter(None, (first, second))]
    if unknown := [each for each in asked if each not in columns]:
        parser.error(f"the results have no column {unknown[0]!r}: choose from {', '.join(columns)}")
    if against and against[0] not in by:
        parser.error(f"--against {given.against!r}: its column must be one of --by")
    rows = [
        {**row, given.measure: row[first] - row[second] if second else row[first]}
        for row in pq.read_table(file).to_pylist()
        if all(_is(row[column], value) for column, value in conditions)
    ]
    if not rows or (against and not any(_is(row[against[0]], against[1]) for row in rows)):
        parser.error("no rows are left: change --where or --against")
    print("\n".join(told(rows, given.measure, by, against, given.confidence / 100)))


def _pair(parser: argparse.ArgumentParser, text: str) -> tuple[str, str]:
    column, there_is, value = text.partition("=")
    if not there_is:
        parser.error(f"{text!r}: expected COLUMN=VALUE")
    return column, value


if __name__ == "__main__":
    main()
