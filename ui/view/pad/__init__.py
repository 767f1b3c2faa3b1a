"""The mixing pad as a component: two to four parents at its corners, their mixtures between them, and a row for each
parent with its share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import streamlit as st

from evolve.mixtures import Weights, weights_of_line, weights_of_square, weights_of_triangle
from ui.view.parents import whole

SIDE = 5  # cells at a side, as in shares.js
_HERE = Path(__file__).parent
OWN = ("shares.js", "weights.js", "rows.js", "pad.js")  # one module
_pad = st.components.v2.component(
    "conceptree.pad",
    css=(_HERE / "pad.css").read_text(encoding="utf-8"),
    js="\n".join((_HERE / name).read_text(encoding="utf-8") for name in OWN),
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


@dataclass(frozen=True)
class Row:
    """A parent. picture: an address, "" for none. weight: its share in percent, or below 0 as it is learned."""

    id: str
    name: str
    picture: str
    alt: str
    weight: float


def pad(
    parents: Sequence[Row],
    *,
    address: str,
    caption: str,
    quick: bool,
    key: str,
    on_chosen: Callable[[], None],
) -> None:
    """Show the parents, and the mixture of those with shares; for two to four of these, also the pad of their mixtures.

    The browser asks for pictures at `address` (ui/view/preview.py); "" for rows alone. caption: what the mixture is.
    quick: it draws the cells without being asked.

    While a person changes weights, the browser owns them. It tells all of them in `st.session_state[key]["chosen"]`:
    `{"ids": […], "weights": {id: …}, "at": …}` with the parents that it knows, the weights of the remaining parents,
    and a greater `at` each time. on_chosen: called before the rerun.
    """
    chosen = (st.session_state.get(key) or {}).get("chosen") or {}
    shares = [each for each in parents if each.weight >= 0]
    data = {
        "address": address,
        "caption": caption,
        "parents": [asdict(each) for each in parents],
        "points": [asdict(each) for each in points_of(len(shares))] if address else [],
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


def _cells_around(row: int, place: int, triangle: bool) -> list[tuple[int, int]]:
    """The cells around a point, which is counted in half cells: one to four, each with the same part in it."""
    if triangle and row % 2:
        return [(row - 1, place - place % 2), (row + 1, place + place % 2)]
    rows, places = ([n] if n % 2 == 0 else [n - 1, n + 1] for n in (row, place))
    return list(product(rows, places))
