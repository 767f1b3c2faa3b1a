"""The committed marks of viewers give the figures of docs/design.md: "Starts", "Choice", "Portraits", "Between two
things".
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest, spearmanr

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


def test_the_table_of_makers_has_the_means_of_both_viewers():
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    table = text[text.index("| test | drawings | number |") :].split("\n\n")[0].splitlines()[2:]
    told = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    made, test = rows_of("makers.csv"), ""
    for name, drawings, *figures in told:
        test = name or test
        rows = [row for row in made if row["test"] == test and row["drawings"] == drawings]
        liked = np.mean(
            [
                (column(rows, f"belongs_{viewer}") == 1)
                & (column(rows, f"whole_{viewer}") == 2)
                & (column(rows, f"new_{viewer}") >= 1)
                & (column(rows, f"keep_{viewer}") == 1)
                for viewer in "ab"
            ]
        )
        belongs, whole, new, keep = (mark(rows, each).mean() for each in ("belongs", "whole", "new", "keep"))
        expected = [str(len(rows)), f"{belongs:.0%}", f"{whole:.2f}", f"{new:.2f}", f"{keep:.0%}", f"{liked:.0%}"]
        assert figures == [each.replace("%", " %") for each in expected], (test, drawings)
    assert len(told) == len({(row["test"], row["drawings"]) for row in made})


def test_founders_near_their_start_are_told_as_marked():
    near = [row for row in rows_of("makers.csv") if row["test"] == "near"]
    for name, place in (("usual founders", 0), ("near their start", 1)):
        rows = [row for row in near if row["drawings"] == name]
        told = re.search(
            r"Of their category: (\d+) % of the usual ones and (\d+) % of these; whole ([\d.]+) and ([\d.]+), new "
            r"([\d.]+) and ([\d.]+) \(0 to 2\); to be kept (\d+) % and (\d+) %",
            DESIGN,
        )
        belongs, whole, new, keep = (told[1 + 2 * each + place] for each in range(4))
        assert f"{belongs}%" == f"{mark(rows, 'belongs').mean():.0%}"
        assert [float(whole), float(new)] == pytest.approx(
            [mark(rows, "whole").mean(), mark(rows, "new").mean()], abs=0.0051
        )
        assert f"{keep}%" == f"{mark(rows, 'keep').mean():.0%}"


def test_founders_by_the_mean_of_weights_are_compared_one_by_one():
    rows, found = [row for row in rows_of("makers.csv") if row["test"] == "mean"], {}
    for marked in ("whole", "keep"):
        of = defaultdict(dict)
        for row, value in zip(rows, mark(rows, marked), strict=True):
            of[row["sheet"], row["founder"]][row["drawings"]] = value
        changes = [each["the same, by the mean"] - each["founders before"] for each in of.values()]
        found[marked] = sum(each > 0 for each in changes), sum(each < 0 for each in changes)
        assert len(changes) == 60
    assert found == {"whole": (22, 10), "keep": (22, 8)}
    assert (
        "22 of these 60 are more whole and 10 less (sign test: p = 0.05); 22 are rather kept and 8 are not (p = 0.02)"
        in DESIGN
    )
    assert [round(binomtest(more, more + less).pvalue, 2) for more, less in found.values()] == [0.05, 0.02]


@pytest.mark.parametrize(
    ("test", "told"),
    [
        ("one seed", r"traits in (?P<now>\d+) of (?P<of>\d+) .* keep (?P<k>\d+) of (?P<n>\d+) .* (?P<u>\d+)\. In"),
        (
            "three seeds",
            r"usual sheet in (?P<before>\d+) of (?P<of>\d+) cases, found it more whole in (?P<w>\d+) and less in "
            r"(?P<l>\d+), and would keep (?P<u>\d+) of (?P<n>\d+) founders against (?P<k>\d+) with",
        ),
    ],
)
def test_sheets_with_traits_are_told_as_compared(test, told):
    rows = [row for row in rows_of("sheets.csv") if row["test"] == test]
    rather, whole = (Counter(row[question] for row in rows) for question in ("rather", "whole"))
    kept = {when: int(column(rows, f"keep_{when}").sum()) for when in ("before", "now")}
    expected = {"now": rather["now"], "before": rather["before"], "of": len(rows), "n": 6 * len(rows)}
    expected |= {"w": whole["before"], "l": whole["now"], "u": kept["before"], "k": kept["now"]}
    found = re.search(told, DESIGN).groupdict()
    assert {name: int(value) for name, value in found.items()} == {name: expected[name] for name in found}


def test_what_viewers_would_keep_of_whole_pools_is_told_as_marked():
    rows = rows_of("pools.csv")
    kept = np.stack([column(rows, f"keep_{viewer}") for viewer in "abc"])
    pools = defaultdict(list)
    for row, each in zip(rows, kept.mean(0), strict=True):
        pools[row["pool"], row["founders"]].append((each, row["chosen"] == "1"))
    assert f"{len(rows)} portraits of {len(pools)} pools" in DESIGN

    def mean(of: list[list[float]]) -> str:
        return f"{np.mean([np.mean(each) for each in of]):.2f}"

    every = {pool: [each for each, _ in found] for pool, found in pools.items()}
    chosen = mean([[each for each, stays in found if stays] for found in pools.values()])
    best = mean([sorted(each)[-6:] for each in every.values()])
    told = (
        f"have a mean of {chosen}, all of a pool {mean(list(every.values()))}, and the best six by these marks {best}"
    )
    assert told in DESIGN
    usual, traits = ([found for (_, of), found in every.items() if of == kind] for kind in ("usual", "traits"))
    assert f"the mean of all is {mean(usual)}, in those with traits {mean(traits)}" in DESIGN
    agree = [spearmanr(kept[one], kept[other])[0] for one, other in ((0, 1), (0, 2), (1, 2))]
    assert f"rank correlations {min(agree):.2f} to {max(agree):.2f}" in DESIGN
