"""The committed results: small tables without pictures, which give the committed summaries and charts."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import ConceptreeError
from experiments.conduct import (
    RESULTS,
    about_of,
    has_only_results,
    has_pictures,
    read_results,
    seconds_of,
    write_results,
)

PUBLISHED = Path(__file__).parents[2] / "docs" / "experiments"
PAGE = (PUBLISHED.parent / "experiments.md").read_text(encoding="utf-8")
SECTIONS = {
    found[1]: found[0]
    for found in re.finditer(r"^## (?:(?!^## ).)*?python -m experiments (\w+)`.*?(?=^## |\Z)", PAGE, re.M | re.S)
}
SCHEMA = pa.schema([("value", pa.float64()), ("picture", pa.binary()), ("words", pa.list_(pa.string()))])


@pytest.mark.parametrize("folder", sorted(PUBLISHED.glob("*/")), ids=lambda folder: folder.name)
def test_published_results_are_small_and_make_their_summary_and_charts(folder):
    experiment = import_module(f"experiments.{about_of(folder)['experiment']}")
    table = read_results(folder, experiment.SCHEMA)
    assert (folder / RESULTS).stat().st_size < 400_000 and not has_pictures(table) and seconds_of(table) > 0
    assert (folder / "summary.md").read_text(encoding="utf-8").startswith(experiment.summary(table))
    for title in experiment.figures(table):
        assert (folder / f"{title}.webp").is_file()


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_and_its_overview_name_the_stack_and_the_cost_of_its_results(name):
    """So a section that is not written again when its results are replaced fails."""
    last = (PUBLISHED / name / "summary.md").read_text(encoding="utf-8").splitlines()[-1]
    stack, cost = re.fullmatch(r"Stack (\S+) .*; (.*)\.", last).groups()
    section = SECTIONS[name]
    assert f"*Stack {stack}, {cost}.*" in section
    heading = section.splitlines()[0].removeprefix("## ").lower()
    anchor = re.sub(r"[^\w -]", "", heading).replace(" ", "-")
    rows = [line for line in PAGE.splitlines() if line.startswith("|") and f"(#{anchor})" in line]
    assert rows and all(stack in row for row in rows)


def test_results_are_all_but_the_pictures(tmp_path):
    rows = [{"value": 0.1, "picture": b"x", "words": ["cat", "dog"]}, {"value": float("nan")}, {"value": None}]
    table = pa.Table.from_pylist(rows, SCHEMA).replace_schema_metadata({"seconds": "1.5"})
    write_results(table, tmp_path)
    assert pq.read_schema(tmp_path / RESULTS).names == ["value", "words"]
    read = read_results(tmp_path, SCHEMA)
    assert read.schema == SCHEMA and seconds_of(read) == 1.5 and read["words"].equals(table["words"])
    assert str(read["value"].to_pylist()) == "[0.1, nan, None]" and read["picture"].null_count == 3
    assert has_pictures(table) and not has_pictures(read)


def test_a_folder_has_only_results_until_a_case_is_there(tmp_path):
    assert not has_only_results(tmp_path)
    write_results(SCHEMA.empty_table(), tmp_path)
    assert has_only_results(tmp_path)
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / ".one.lock").touch()
    assert has_only_results(tmp_path)
    (tmp_path / "cases" / "one.parquet").touch()
    assert not has_only_results(tmp_path)


def test_results_of_other_columns_and_no_description_are_said(tmp_path):
    write_results(SCHEMA.empty_table(), tmp_path)
    with pytest.raises(ConceptreeError, match="has other columns than expected"):
        read_results(tmp_path, pa.schema([("other", pa.float64())]))
    with pytest.raises(ConceptreeError, match=r"experiment.json' cannot be read .*choose another folder with --to"):
        about_of(tmp_path)
