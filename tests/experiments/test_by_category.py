"""Means of categories and their intervals, as docs/experiments.md tells them."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.stats import t

from experiments import by_category
from experiments.by_category import told
from experiments.statistics import over_categories, student

ROWS = [
    {"category": category, "seed": seed, "lam": lam, "margin": lam * (1 + place) + seed}
    for place, category in enumerate(("pet", "fruit", "plant"))
    for seed in (0, 1)
    for lam in (0.0, 1.0)
]


def run(monkeypatch, capsys, *words: str) -> str:
    monkeypatch.setattr(sys, "argv", ["by_category", *words])
    by_category.main()
    return capsys.readouterr().out


def test_the_interval_is_students():
    values = np.array([0.1, 0.4, np.nan, 0.2])
    mean, low, high = student(values, 0.9)
    known = values[~np.isnan(values)]
    reach = t.ppf(0.95, 2) * known.std(ddof=1) / 3**0.5
    assert (mean, low, high) == pytest.approx((known.mean(), known.mean() - reach, known.mean() + reach))
    assert np.isnan(student(np.array([0.5]))[1:]).all() and student(np.array([0.5]))[0] == 0.5


def test_a_difference_of_categories_says_in_how_many_it_is():
    values = np.array([0.1, -0.1, np.nan, 0.3])
    _, low, high = student(values)
    assert over_categories(values) == f"+0.100 ({low:+.3f} … {high:+.3f}), 2 of 3"
    assert over_categories(np.array([0.5, np.nan])) == "+0.500" and over_categories(np.array([np.nan])) == "–"
    assert over_categories(np.zeros(3)) == "+0.000 (+0.000 … +0.000), 3 of 3"


def test_differences_are_paired_by_category():
    header, _, *lines = told(ROWS, "margin", ["lam"], ("lam", "0"))
    assert header == "| lam | mean | 95 % interval | fruit | pet | plant |"
    assert lines == ["| 1 | 2.000 | -0.484 … 4.484 | 2.000 | 1.000 | 3.000 |"]


def test_a_claim_of_the_page_is_what_the_command_prints(monkeypatch, capsys):
    words = (
        "figure13",
        "margin",
        "--by",
        "lam",
        "--against",
        "lam=1",
        "--where",
        "eyes=judge",
        "--where",
        "clamp=false",
    )
    page = (by_category.RESULTS_OF.parent / "experiments.md").read_text(encoding="utf-8")
    out = run(monkeypatch, capsys, *words)
    assert "| 3 | -0.049 | -0.192 … 0.093 |" in out and "3: 0.049, −0.093 to 0.192" in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["figure99", "margin"], "name an experiment that was conducted"),
        (["figure13", "size"], "no column 'size': choose from category"),
        (["figure13", "margin", "--where", "eyes"], "expected COLUMN=VALUE"),
        (["figure13", "margin", "--where", "eyes=nobody"], "no rows are left"),
        (["figure13", "margin", "--against", "lam=1"], "must be one of --by"),
    ],
)
def test_bad_input_is_one_line(monkeypatch, capsys, words, message):
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, capsys, *words)
    assert stopped.value.code == 2 and message in capsys.readouterr().err
