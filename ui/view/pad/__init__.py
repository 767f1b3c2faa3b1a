"""The mixing pad as a component: two to four parents at its corners, and their mixtures between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import streamlit as st

from evolve.mixtures import Weights, weights_of_line, weights_of_square, weights_of_triangle
from ui.view.parents import whole

SIDE = 5  # cells at a side
NEAR = 2  # percent: the weights of a place on the pad are rounded
_HERE = Path(__file__).parent
_pad = st.components.v2.component(
    "conceptree.pad",
    css=(_HERE / "pad.css").read_text(encoding="utf-8"),
    js=(_HERE / "pad.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Point:
    """A place on the pad: a cell, or halfway between cells. x, y: in cells. weights: in percent.

    of: places in the list of points of the cells whose pictures stand for this one until it is drawn; of a cell itself.
    """

    x: float
    y: float
    weights: tuple[int, ...]
    of: tuple[int, ...]


def pad(
    ids: Sequence[str],
    names: Sequence[str],
    shares: Sequence[int],
    *,
    address: str,
    quick: bool,
    key: str,
    on_chosen: Callable[[], None],
) -> None:
    """Show the mixture of parents with these shares in percent; for two to four, also the pad of their mixtures.

    The browser asks for pictures at `address` (ui/view/preview.py). quick: it draws the cells without being asked. A
    choice is in `st.session_state[key]["chosen"]`: `{"ids": […], "weights": […], "at": …}` with the parents that the
    browser showed, and a new `at` each time. on_chosen: called before the rerun.
    """
    chosen = (st.session_state.get(key) or {}).get("chosen") or {}
    x, y, exact = place_of(shares)
    data = {
        "address": address,
        "ids": list(ids),
        "names": list(names),
        "points": [asdict(each) for each in points_of(len(shares))],
        "weights": list(shares),
        "place": [x, y],
        "exact": exact,
        "heard": chosen.get("at", 0),
        "quick": quick,
    }
    _pad(key=key, data=data, on_chosen_change=on_chosen)


def points_of(parents: int) -> list[Point]:
    """The points of a pad, row by row; none for fewer than two or more than four parents."""
    most = 2 * SIDE - 2  # in half cells
    rows: list[list[Weights]]
    if parents == 2:
        rows = [weights_of_line(most + 1)]
    elif parents == 3:
        rows = weights_of_triangle(most + 1)
    elif parents == 4:
        rows = weights_of_square(most + 1)
    else:
        return []
    number = {place: at for at, place in enumerate((r, p) for r, row in enumerate(rows) for p in range(len(row)))}
    return [
        Point(
            x=p / 2 if parents != 3 else (most - r) / 4 + p / 2,
            y=r / 2,
            weights=tuple(whole({str(n): weight for n, weight in enumerate(rows[r][p])}).values()),
            of=tuple(number[each] for each in _cells_around(r, p, parents == 3)),
        )
        for r, p in number
    ]


def place_of(shares: Sequence[int]) -> tuple[float, float, bool]:
    """Where weights in percent are on the pad, in cells, and whether they are there exactly.

    Four parents have more mixtures than a square has places: others are at the place with the same sums of rows and
    columns.
    """
    most, each = SIDE - 1, [share / 100 for share in shares]
    if len(each) == 2:
        return each[1] * most, 0.0, True
    if len(each) == 3:
        return (1 + each[2] - each[1]) * most / 2, (1 - each[0]) * most, True
    if len(each) == 4:
        right, below = each[1] + each[3], each[2] + each[3]
        there = [(1 - below) * (1 - right), (1 - below) * right, below * (1 - right), below * right]
        return right * most, below * most, all(abs(a - b) * 100 < NEAR for a, b in zip(there, each, strict=True))
    return 0.0, 0.0, False


def _cells_around(row: int, place: int, triangle: bool) -> list[tuple[int, int]]:
    """The cells around a point, which is counted in half cells: one to four, each with the same part in it."""
    if triangle and row % 2:
        return [(row - 1, place - place % 2), (row + 1, place + place % 2)]
    rows, places = ([n] if n % 2 == 0 else [n - 1, n + 1] for n in (row, place))
    return list(product(rows, places))
