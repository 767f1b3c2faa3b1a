"""The committed raw figures of benchmarks give the figures that the pages name."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import fmean, median

import pytest

from benchmarks import full, raw, step

ROOT = Path(__file__).parents[1]
TABLES = ROOT / "docs" / "benchmarks"
SIZES = {"2.1": "kandinsky-2.1", "2.2": "kandinsky-2.2"}
README, PERFORMANCE, FORMATS = (
    (ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "docs/performance.md", "docs/formats.md")
)


def cells(page, row):
    """The numbers of each line of a page's tables that begins with `row`."""
    lines = [line for line in page.splitlines() if line.startswith(f"| {row} |")]
    return [[float(number) for number in re.findall(r"\d+\.\d+", line)] for line in lines]


def full_size():
    return [row for stack in SIZES for row in raw.read(TABLES / f"full-{stack}.csv")]


def test_a_table_has_all_columns_and_the_machine(tmp_path):
    raw.write(tmp_path / "new" / "a.csv", [{"batch": 1, "seconds": 0.123456789}, {"batch": 8, "word, or two": 'a "b"'}])
    one, other = raw.read(tmp_path / "new" / "a.csv")
    assert one["seconds"] == "0.123457" and one["word, or two"] == other["seconds"] == ""
    assert other["word, or two"] == 'a "b"' and int(other["threads"]) > 0 and other["torch"].count(".") == 2


@pytest.mark.parametrize("bad", [".", "benchmarks/raw.py/a.csv"])
def test_a_file_that_cannot_be_written_is_told_before_measuring(bad, capsys):
    with pytest.raises(SystemExit) as stopped:
        step.main(["--to", bad])
    assert stopped.value.code == 2 and f"{bad} cannot be written" in capsys.readouterr().err


def test_what_measures_no_times_writes_no_table(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        full.main(["--count", "--to", str(tmp_path / "a.csv")])
    assert stopped.value.code == 2 and "--count and --profile measure no times" in capsys.readouterr().err


def test_steps_are_written_one_by_one(tmp_path, capsys):
    step.main(["--stack", "emoji", "--batches", "1,2", "--repeats", "2", "--to", str(tmp_path / "a.csv")])
    rows = raw.read(tmp_path / "a.csv")
    assert [(row["step"], row["batch"]) for row in rows] == [("as published", "1")] * 2 + [("ours", "1")] * 2 + [
        ("ours", "2")
    ] * 2
    assert all(float(row["seconds"]) > 0 for row in rows) and "times less" in capsys.readouterr().out


def test_without_a_file_or_rows_nothing_is_written(tmp_path):
    raw.write(None, [{"batch": 1}])
    raw.write(tmp_path / "a.csv", [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "way", "batch"),
    [
        ("the embedded stack, as published", "as published", 1),
        ("ours, one concept", "ours", 1),
        ("ours, eight at once", "ours", 8),
        ("ours, sixteen at once", "ours", 16),
    ],
)
def test_the_readme_has_the_medians_and_ratios_of_steps(name, way, batch):
    rows = raw.read(TABLES / "step.csv")

    def seconds(way, batch):
        return median(float(row["seconds"]) for row in rows if (row["step"], row["batch"]) == (way, str(batch)))

    ((shown, *ratio),) = cells(README, name)
    assert shown == pytest.approx(seconds(way, batch), abs=0.00051)
    assert not ratio or ratio == pytest.approx([seconds("as published", 1) / seconds(way, batch)], abs=0.051)
    assert {row["threads"] for row in rows} == {"1"}


def rows_of_the_page():
    """(stack, step, population, numbers) of each row of the page's table of measured time."""
    table = PERFORMANCE.split("## Measured time and memory")[1].split("\n\n")
    stack = ""
    for line in next(each for each in table if each.startswith("| | wall s")).splitlines()[2:]:
        name, *shown = (cell.strip() for cell in line.strip("|").split("|"))
        stack = SIZES.get(name.split(",")[0], stack)
        published = name.endswith("as published")
        population = 1 if published else int(name.split()[-1])
        yield stack, "as published" if published else "ours", population, [cell.split()[0] for cell in shown if cell]


@pytest.mark.parametrize("clock", ["wall", "processor"])
def test_the_page_has_the_times_of_full_size_and_their_ratios(clock):
    measured = {(row["stack"], row["step"], int(row["population"])): row for row in full_size()}
    shown = list(rows_of_the_page())
    assert [row[:3] for row in shown] == list(measured)
    for stack, way, population, numbers in shown:
        seconds = float(measured[stack, way, population][clock])
        if way == "ours":
            wall, less, processor, less_processor, *_ = map(float, numbers)
            told, ratio = (wall, less) if clock == "wall" else (processor, less_processor)
            published = float(measured[stack, "as published", 1][clock])
            assert ratio == pytest.approx(published / seconds, abs=0.051)
        else:
            told = float(numbers[clock == "processor"])
        assert told == pytest.approx(seconds, rel=0.006)


def test_the_page_has_the_memory_of_full_size():
    rows = full_size()
    for row, (*_, numbers) in zip(rows, rows_of_the_page(), strict=True):
        memory, *further = numbers[2:] if row["step"] == "as published" else numbers[4:]
        assert float(memory) == pytest.approx(float(row["memory"]) / 1e9, abs=0.051)
        first = next(each for each in rows if each["stack"] == row["stack"] and each["step"] == "ours")
        if further:
            more = float(row["memory"]) - float(first["memory"])
            assert float(further[0]) == pytest.approx(more / (int(row["population"]) - 1) / 1e6, abs=0.51)


def test_the_readme_has_the_ratios_of_full_size():
    measured = {
        (row["step"], row["population"]): float(row["wall"]) for row in full_size() if row["stack"] == "kandinsky-2.1"
    }
    ratios = [measured["as published", "1"] / measured["ours", population] for population in ("8", "32")]
    shown = re.search(r"a step costs (\S+) times less per concept at a population of 8, and\s+(\S+) times", README)
    assert shown and [float(each) for each in shown.groups()] == pytest.approx(ratios, abs=0.051)


@pytest.mark.parametrize(
    ("name", "learned", "others"),
    [
        ("children from the category's word", "category's word", ["resembles", "a member?", "like the first"]),
        ("from their parents' mean", "parents' mean", ["resembles", "a member?", "like the first"]),
        ("from there, until done", "parents' mean, until nothing is gained", ["resembles", "a member?"]),
        ("founders to the last step", "to the end", ["a member?"]),
        ("until all their constraints are inside their clamps", "until inside the clamps", ["a member?"]),
    ],
)
def test_the_page_has_the_means_of_starts_and_stops(name, learned, others):
    rows = [row for row in raw.read(TABLES / "mating.csv") if row["learned"] == learned]
    (shown,) = cells(PERFORMANCE, name)
    means = [fmean(float(row[column]) for row in rows) for column in others]
    assert shown[: len(means)] == pytest.approx(means, abs=0.0051)
    assert f"| {fmean(float(row['steps']) for row in rows):.0f} |" in PERFORMANCE


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        ("open it, and read the columns for lists", "open"),
        ("build the graph of the family", "family"),
        ("all ancestors of the last concept, of that graph", "ancestors"),
        ("the picture of one concept, its parents and grandparents, from the start", "tree"),
    ],
)
def test_the_page_has_the_times_of_the_store(name, measured):
    rows = [float(row["clock"]) for row in raw.read(TABLES / "store.csv") if row["measured"] == measured]
    assert cells(FORMATS, name) == [pytest.approx(rows, rel=0.1, abs=0.0051 if max(rows) > 0.1 else 0.0006)]
