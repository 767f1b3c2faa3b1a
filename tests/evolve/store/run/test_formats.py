"""docs/formats.md has every column of a run with its type, and its examples run."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pytest

from evolve.store.run import CONCEPTS, DRAWINGS, NOTES, PHOTOS, Run
from tests.evolve.store.run.seen import ROOT
from tests.families import family
from tests.populations import SCORES, population

ROOMS = {"concepts": CONCEPTS, "drawings": DRAWINGS, "notes": NOTES, "photos": PHOTOS}


def section() -> str:
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    return text.split("## The run on disk\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(("room", "schema"), ROOMS.items())
def test_the_document_has_every_column_with_its_type(room, schema):
    table = section().split(f"### {room}/")[1].split("\n### ")[0]
    found = dict(re.findall(r"^\| `(\w+)` +\| `([^`]+)` +\|", table, re.MULTILINE))
    assert found == {field.name: written(field.type) for field in schema}


def written(kind: pa.DataType) -> str:
    """A type as the document has it: `list<{word: string, weight: double}>`"""
    if pa.types.is_list(kind):
        return f"list<{written(kind.value_type)}>"
    if pa.types.is_struct(kind):
        return "{" + ", ".join(f"{field.name}: {written(field.type)}" for field in kind) + "}"
    return str(kind)


@pytest.mark.parametrize("library", ["duckdb", "pandas", "pyarrow"])
def test_the_documents_examples_run(tmp_path, monkeypatch, library):
    pytest.importorskip(library)
    pets = family(tmp_path / "runs" / "pets")
    a, b, *_ = (each.id for each in pets.individuals())
    pets.note(a, favourite=True, rating=4)
    pets.note(b, rating=3)
    pets.note(b, rating=None)
    monkeypatch.chdir(tmp_path)
    examples = [
        code for code in re.findall(r"```python\n(.+?)```", section(), re.DOTALL) if f"import {library}" in code
    ]
    assert examples
    for code in examples:
        found: dict = {}
        exec(code, found)
        assert len(found["weights"]) == 9
        ratings = dict(found["ratings"])
        assert ratings.keys() == {a, b} and ratings[a] == 4 and ratings[b] != 3
        assert np.shape(found["vectors"]) == (9, 2, 4)


@pytest.mark.parametrize(
    ("library", "call"),
    [
        ("polars", 'scan_parquet("runs/pets/notes/*.parquet", extra_columns="ignore")'),
        ("duckdb", "read_parquet('runs/pets/notes/*.parquet', union_by_name=true)"),
    ],
)
def test_parts_of_earlier_versions_are_read_beside_those_of_this_one(tmp_path, monkeypatch, library, call):
    assert call in section()
    reader = pytest.importorskip(library)
    shutil.copytree(ROOT / "tests" / "data" / "run-of-schema-1", tmp_path / "runs" / "pets")
    pets = Run.open(tmp_path / "runs" / "pets")
    pets.note(pets.entries()[0].id, comment="new")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match="way"):
        reader.read_parquet("runs/pets/notes/*.parquet") if library == "polars" else reader.sql(
            "SELECT way FROM 'runs/pets/notes/*.parquet'"
        )
    if library == "polars":
        comments = eval(f"reader.{call}").collect()["comment"].to_list()
    else:
        comments = [row[0] for row in reader.sql(f"SELECT comment FROM {call}").fetchall()]
    assert len(comments) == 4 and "new" in comments


def test_the_documents_query_names_existing_columns_and_agrees_with_pyarrow(tmp_path, monkeypatch):
    (query,) = re.findall(r"```sql\n(.+?)```", section(), re.DOTALL)
    structs = {"parent": CONCEPTS.field("parents").type.value_type, "score": CONCEPTS.field("scores").type.value_type}
    asked = re.findall(r"\b(?:child|elder)\.(\w+)", query)
    assert {"name", "id", "parents", "scores"} == set(asked) <= set(CONCEPTS.names)
    fields = re.findall(r"\b(parent|score)\.(\w+)", query)
    assert fields and all(structs[struct].get_field_index(name) >= 0 for struct, name in fields)
    (place,) = set(re.findall(r"'(.+?/concepts/\*\.parquet)'", query))
    (score,) = re.findall(r"score\.name = '(\w+)'", query)
    assert (ROOT / place).parent.is_dir() and score in SCORES

    run = population(tmp_path / "runs" / "example", 60, batch=6)
    monkeypatch.chdir(tmp_path)
    concepts = pyarrow.dataset.dataset(sorted(str(file) for file in Path().glob(place))).to_table().to_pylist()
    names = {row["id"]: row["name"] for row in concepts}
    values: dict[str, list[float]] = {}
    for row in concepts:
        (value,) = (each["value"] for each in row["scores"] if each["name"] == score)
        for parent in row["parents"]:
            if parent["id"] in names:
                values.setdefault(names[parent["id"]], []).append(value)
    expected = {name: (len(each), round(sum(each) / len(each), 2)) for name, each in values.items()}
    children = Counter(parent.id for each in run.entries() for parent in each.parents if not parent.run)
    assert {name: count for name, (count, _) in expected.items()} == {names[id_]: n for id_, n in children.items()}
    with suppress(ImportError):  # which is no dependency of ours
        import duckdb

        found = {name: (count, mean) for name, count, mean in duckdb.sql(query).fetchall()}
        assert found.keys() == expected.keys()
        assert all(found[name] == (count, pytest.approx(mean, abs=0.011)) for name, (count, mean) in expected.items())
