"""The list of deliberate faults matches the code, so that `make mutants` runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mutants import ROOT, Mutant, listed, verdict

MUTANTS = listed()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_its_text_stands_there_once_and_its_tests_exist(mutant):
    faulty = mutant.applied(ROOT)
    assert faulty != (ROOT / mutant.file).read_text(encoding="utf-8")
    compile(faulty, mutant.file, "exec")  # a fault of meaning, not of grammar
    for test in mutant.tests:
        file, _, name = test.partition("[")[0].partition("::")
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), test


def test_names_are_told_apart():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 12


def test_a_text_that_no_longer_matches_is_told(tmp_path: Path):
    (tmp_path / "room.py").write_text("a = 1\nb = 1\n")
    for old, found in (("= 2", 0), ("= 1", 2)):
        with pytest.raises(ValueError, match=f"occurs {found} times"):
            Mutant("name", "room.py", old, "= 3", ()).applied(tmp_path)


def test_only_a_failing_test_counts_as_killed():
    assert [verdict(code) for code in (1, 0)] == ["killed", "SURVIVED"]
    assert verdict(2).startswith("NOT TESTED")
