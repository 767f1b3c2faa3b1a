"""Tables show measurements, and mark missing ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core import ConceptLab, Request, Settings
from core.concept import Negative
from evolve import Individual
from ui.console import new_console
from ui.tables import panel_rows, panel_table, pushed


@pytest.fixture(scope="module")
def pet(backbone):
    """A concept with a negative that was not measured when it was added."""
    settings = Settings(steps=2, segment=1, learning_rate=1e-2)
    (concept,) = ConceptLab(backbone).run([Request("pet", negatives=("cat",), settings=settings)])
    return replace(concept, negatives=(*concept.negatives, Negative("horse", 1, "user")))


def test_a_negative_without_a_measurement_is_shown_as_such(backbone, pet, capsys):
    rows = panel_rows(backbone, [Individual(pet, "moku", 0, datetime.now(UTC))])
    assert [(row.word, row.then is None) for row in rows] == [("pet", False), ("cat", False), ("horse", True)]
    new_console().print(panel_table(rows))
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "horse" in line]
    assert "–" in line and f"{rows[2].now:.2f}" in line
    assert "of 1 negative " in pushed(rows)
    assert pushed([replace(row, then=1.0, now=0.5) for row in rows]) == (
        "2 of 2 negatives are less similar at the end than when they were added."
    )
    one = [replace(rows[1], then=1.0, now=0.5), replace(rows[1], then=0.0, now=0.5)]
    assert pushed(one) == "1 of 2 negatives is less similar at the end than when it was added."
