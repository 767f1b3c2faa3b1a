"""Recipes: the children that emitters ask for, as rows of numbers, the form that pyribs' archives hold."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from evolve.maps.chart import Array

FOUND, MATE, MOVE, AIM = OPERATORS = ("found", "mate", "move", "aim")
NUMBERS = 5  # in a row


@dataclass(frozen=True)
class Recipe:
    """A child that is not made yet. operator: of `OPERATORS`. one, other: rows of its parents in `Placed`, −1 for none.
    share: the weight of `one`. cell: the index of the cell that it is for, −1 for none.

    An aimed child learns a picture only (Eq. 5). Others have their parents' category and negatives too (Eq. 3), which
    pull them away from the place that they are for.
    """

    operator: str
    one: int = -1
    other: int = -1
    share: float = 1.0
    cell: int = -1

    @property
    def row(self) -> Array:
        """`[NUMBERS]`"""
        _, *numbers = astuple(self)
        return np.array([OPERATORS.index(self.operator), *numbers], dtype=np.float64)

    @classmethod
    def of(cls, row: Array) -> Recipe:
        operator, one, other, share, cell = row.tolist()
        return cls(OPERATORS[int(operator)], int(one), int(other), share, int(cell))


def rows_of(recipes: list[Recipe]) -> Array:
    """`[n, NUMBERS]`"""
    return np.stack([each.row for each in recipes]) if recipes else np.zeros((0, NUMBERS))
