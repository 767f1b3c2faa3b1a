"""The committed marks of viewers give the figures of docs/design.md, "Choice" and "Portraits"."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from core.depict import DENOISING_WEIGHT, DETAIL_WEIGHT

ROOT = Path(__file__).parents[1]
DESIGN = " ".join((ROOT / "docs" / "design.md").read_text(encoding="utf-8").split())


def rows_of(name: str) -> list[dict[str, str]]:
    with open(ROOT / "docs" / "marks" / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


PORTRAITS, PAIRS = rows_of("portraits.csv"), rows_of("pairs.csv")


def column(rows: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows])


def mark(rows: list[dict[str, str]], name: str) -> np.ndarray:
    """The mean mark of both viewers."""
    return (column(rows, f"{name}_a") + column(rows, f"{name}_b")) / 2


def within_pools(measure: str, marked: str) -> float:
    """Mean rank correlation within a pool."""
    pools = defaultdict(list)
    for row in PORTRAITS:
        pools[row["pool"], row["starts"]].append(row)
    found = [(column(rows, measure), mark(rows, marked)) for rows in pools.values()]
    return float(np.mean([spearmanr(values, marks)[0] for values, marks in found if marks.std()]))


@pytest.mark.parametrize(
    "line, measure",
    [
        ("steadiness", "steadiness"),
        ("cosine to the imagined embedding", "cosine"),
        ("membership", "membership"),
        ("detail", "log_detail"),
        ("denoising error", "denoising_error"),
    ],
)
def test_correlations_within_a_pool(line, measure):
    told = re.search(rf"\| {line}[^|]* \| ([−\d.]+) \| ([−\d.]+) \|", DESIGN)
    expected = [float(number.replace("−", "-")) for number in told.groups()]
    assert [within_pools(measure, marked) for marked in ("whole", "new")] == pytest.approx(expected, abs=0.0051)


def test_viewers_agree_most_on_what_is_whole():
    assert len(PORTRAITS) == 380 and "380 portraits of 22 pools" in DESIGN
    agreement = [np.corrcoef(column(PORTRAITS, "keep_a"), column(PORTRAITS, "keep_b"))[0, 1]]
    agreement += [
        spearmanr(column(PORTRAITS, f"{name}_a"), column(PORTRAITS, f"{name}_b"))[0] for name in ("new", "whole")
    ]
    told = re.search(
        r"wholeness \(rank correlation ([\d.]+)\), less for novelty \(([\d.]+)\), .* keeping \(([\d.]+)\)", DESIGN
    )
    assert agreement == pytest.approx([float(number) for number in told.groups()][::-1], abs=0.0051)


def votes(comparison: str, question: str) -> Counter[str]:
    """Of how many pairs both viewers together prefer the new drawing, the old one, or neither."""
    value = {"new": 1, "same": 0, "old": -1}
    sums = [
        value[row[f"{question}_a"]] + value[row[f"{question}_b"]] for row in PAIRS if row["comparison"] == comparison
    ]
    return Counter("new" if each > 0 else "old" if each < 0 else "neither" for each in sums)


def test_preferences_between_drawings_of_one_founder():
    whole, keep = votes("held out", "whole"), votes("held out", "keep")
    assert whole.total() == 33
    told = f"more whole in {whole['new']} and the old one in {whole['old']} (sign test: p = 0.05)"
    assert told in DESIGN and f"keep the new one in {keep['new']} and the old one in {keep['old']}" in DESIGN
    whole, keep = votes("six", "whole"), votes("six", "keep")
    assert f"whole in {whole['new']} of {whole['new'] + whole['old']} pairs" in DESIGN
    assert f"kept it in {keep['new']} of {keep['new'] + keep['old']}" in DESIGN


def test_the_new_drawings_are_those_that_the_rule_prefers():
    for row in PAIRS:
        if row["comparison"] == "held out":
            old, new = (
                float(row[f"cosine_{which}"])
                - DENOISING_WEIGHT * float(row[f"log_error_{which}"])
                + DETAIL_WEIGHT * float(row[f"log_detail_{which}"])
                for which in ("old", "new")
            )
            assert new > old and float(row["cosine_new"]) < float(row["cosine_old"])
