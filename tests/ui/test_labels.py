"""All names on pages and in commands have labels."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from evolve.fitness import OBJECTIVES, RATINGS
from evolve.jobs.plans import TASTE, USER
from evolve.selection import METHODS
from ui import labels
from ui.labels import tally


def test_every_method_and_every_objective_has_a_label():
    assert set(labels.METHODS) == {*METHODS, USER, TASTE} and set(labels.OBJECTIVES) == set((*OBJECTIVES, RATINGS))


def test_every_birth_has_a_label_and_a_colour_of_its_own():
    assert labels.BIRTHS.keys() == labels.BIRTH_COLOURS.keys()
    for table in (labels.BIRTHS, labels.BIRTH_COLOURS):
        assert len(set(table.values())) == len(table)


@pytest.mark.parametrize(
    ("visible", "hidden", "passed", "told"),
    [
        (1, 0, None, "1 concept"),
        (10, 2, None, "10 concepts, 2 hidden"),
        (10, 2, (10, 0), "10 concepts, 2 hidden"),
        (10, 2, (10, 2), "10 concepts, 2 hidden"),
        (10, 2, (3, 0), "3 of 10 concepts, 2 hidden"),
        (10, 2, (3, 1), "3 of 10 concepts, 1 of 2 hidden"),
        (1200, 0, (0, 0), "0 of 1,200 concepts"),
        (0, 3, None, "0 concepts, 3 hidden"),
    ],
)
def test_hidden_concepts_are_counted_apart(visible, hidden, passed, told):
    def some(seen: int, unseen: int) -> list[SimpleNamespace]:
        return [SimpleNamespace(note=SimpleNamespace(hidden=at >= seen)) for at in range(seen + unseen)]

    assert tally(some(visible, hidden), passed and some(*passed)) == told
