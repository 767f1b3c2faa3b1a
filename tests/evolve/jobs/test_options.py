"""The numbers that a person sets: one declaration for commands, pages, plans and Python."""

from __future__ import annotations

import click
import pytest

from core.errors import ConceptreeError
from evolve.jobs.options import CHILDREN, SPREAD, BreedOptions, Number, Range, SeedOptions
from evolve.jobs.plans import Evolve
from ui.commands.learning import breed


@pytest.mark.parametrize("wrong", [0, 101, 1.0, True, "1", None])
def test_a_whole_number_out_of_range_or_of_another_type_is_refused(wrong):
    with pytest.raises(ConceptreeError, match=r"children = .*: expected a whole number from 1 to 100$"):
        CHILDREN.check(wrong, "children", ConceptreeError)
    CHILDREN.check(100, "children", ConceptreeError)


@pytest.mark.parametrize("wrong", [-0.1, 0.96, float("nan"), False, "0.5"])
def test_a_number_out_of_range_is_refused(wrong):
    with pytest.raises(ConceptreeError, match=r"spread = .*: expected a number from 0 to 0\.95$"):
        SPREAD.check(wrong, "spread", ConceptreeError)
    for right in (0, 0.0, 0.95):
        SPREAD.check(right, "spread", ConceptreeError)


def test_defaults_are_in_range_and_the_same_everywhere():
    from evolve.jobs import options

    for name, each in vars(options).items():
        if isinstance(each, Number):
            each.check(each.default, name, ConceptreeError)
    given, plan = BreedOptions(), Evolve()
    assert (given.images, given.keep) == (plan.images, plan.keep)
    assert SeedOptions(category="pet").seed == plan.seed


def test_the_command_has_the_declared_limits():
    found = {each.name: each for each in breed.params}
    declared: dict[str, Range] = {"children": CHILDREN, "spread": SPREAD}
    for name, numbers in declared.items():
        kind = found[name].type
        assert isinstance(kind, click.IntRange | click.FloatRange) and (kind.min, kind.max) == numbers.bounds
