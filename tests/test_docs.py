"""The examples of the documentation run as they stand there, on the tests' tiny stack."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import nbformat
import psutil
import pytest

from core import Settings
from evolve import Run, populate
from evolve.fitness import OBJECTIVES
from evolve.maps.chart import MEASURES
from evolve.maps.emitters import EMITTERS
from evolve.selection import METHODS
from tools.notebook import NOTEBOOK, executed

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^## (.+?)$|^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUICK = Settings(steps=2, segment=1, learning_rate=1e-2, max_cosine=0.5, min_cosine=0.2)
MOST_LINES = 30
FIDELITY = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (DOCS / "fidelity.md").read_text().splitlines()
    if line.startswith("| ") and line.count("|") == 6
][1:]


def examples():
    """(heading, code) of each block of docs/extending.md; the first one, without a heading, sets up the others."""
    heading = ""
    for found in BLOCK.finditer((DOCS / "extending.md").read_text()):
        if found[1]:
            heading = found[1]
        else:
            yield heading, found[2]


EXAMPLES = dict(examples())


@pytest.fixture
def registries():
    """Undo registrations of an example after its test."""
    before = [(registry, dict(registry)) for registry in (OBJECTIVES, METHODS, EMITTERS, MEASURES)]
    yield
    for registry, known in before:
        registry.clear()
        registry.update(known)


@pytest.fixture(scope="module")
def pets(backbone):
    return populate("pet", 4, backbone, request={"settings": QUICK, "negatives": ("cat",)})


def test_every_way_to_extend_has_an_example_of_at_most_thirty_lines():
    headings = ["Constraint", "Namer", "Prior", "Fitness objective", "Selection", "Mutation", "DEAP's algorithms"]
    headings += ["Acquisition of a taste", "Emitter of a map", "Axis of a map"]
    assert list(EXAMPLES) == ["", *headings]
    assert all(len(code.splitlines()) <= MOST_LINES for code in EXAMPLES.values())


@pytest.mark.parametrize("heading", list(EXAMPLES)[1:])
def test_an_example_runs(heading, backbone, pets, registries, tmp_path, capsys):
    run = Run.create(tmp_path / "extended", "pet", backbone)
    run.add(pets)
    given = {"stack": backbone, "quick": QUICK, "run": run, "pets": pets}
    assert {name for name in given if f"{name} = " in EXAMPLES[""]} == given.keys(), "as the first block does"
    exec(compile(EXAMPLES[heading], f"docs/extending.md, {heading}", "exec"), {"__name__": "example", **given})
    printed = capsys.readouterr().out
    expected = {
        "Constraint": "one of:parrot",
        "Namer": "'by_colour'",
        "Prior": "True",
        "Selection": "belongs",
        "Mutation": "[",
        "DEAP's algorithms": "nevals",
        "Emitter of a map": "coverage",
    }
    assert expected.get(heading, "[") in printed


def test_the_notebook_is_executed_and_small():
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert sum("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs) == 3
    assert NOTEBOOK.stat().st_size < 300_000


@pytest.mark.slow
def test_the_notebook_runs_with_short_settings():
    notebook = executed(nbformat.read(NOTEBOOK, as_version=4), {"PETS": 2, "STEPS": 3})
    text = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "started at" in text and "weight 0.8" in text and "->" in text and "child.safetensors" in text
    running = [each.cmdline() for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE]
    assert not [command for command in running if "ipykernel_launcher" in command]


def rows_of_fidelity():
    return [row for row in FIDELITY if any(row[1:])]  # without the headings within the table


def test_the_table_of_fidelity_has_five_columns_and_no_empty_cell():
    assert len(rows_of_fidelity()) > 40
    assert all(len(row) == 5 and all(row) for row in rows_of_fidelity())


@pytest.mark.parametrize("row", rows_of_fidelity(), ids=lambda row: row[0][:40])
def test_a_row_of_fidelity_names_objects_and_tests_that_exist_or_a_reason(row):
    *_, where, tested = row
    if where == "–":
        assert re.match("–: .", tested), "a row without an object says why"
        return
    for name in re.findall(r"`([^`]+)`", where):
        module, parts = name.split("."), []
        while not (DOCS.parent / Path(*module)).with_suffix(".py").is_file() and len(module) > 1:
            parts.insert(0, module.pop())
        found = import_module(".".join(module))
        for part in parts:
            found = getattr(found, part)
    tests = re.findall(r"`([\w/]+\.py)::(test_\w+)`", tested)
    assert tests, "a row names a test"
    for file, test in tests:
        assert f"def {test}(" in (DOCS.parent / "tests" / file).read_text(), f"{file} has no {test}"
