"""All names on pages and in commands have labels."""

from __future__ import annotations

from evolve.fitness import OBJECTIVES, RATINGS
from evolve.jobs.plans import TASTE, USER
from evolve.selection import METHODS
from ui import labels


def test_every_method_and_every_objective_has_a_label():
    assert set(labels.METHODS) == {*METHODS, USER, TASTE} and set(labels.OBJECTIVES) == set((*OBJECTIVES, RATINGS))


def test_every_birth_has_a_label_and_a_colour_of_its_own():
    assert labels.BIRTHS.keys() == labels.BIRTH_COLOURS.keys()
    for table in (labels.BIRTHS, labels.BIRTH_COLOURS):
        assert len(set(table.values())) == len(table)
