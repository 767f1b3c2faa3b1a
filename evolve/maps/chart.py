"""Charts: two axes, their cells, and the place and quality of a run's concepts on them.

A concept's place on an axis is a number from 0 to 1. With x its mean imagined embedding, and a an axis's direction:

    value      ⟨x, a⟩ / |x|, or a measured number (`MEASURES`)
    place      the share of what the stack can reach in the category that has a lower value (`Axis.knots`)
    quality    min(S / cap, 1) · (d + cap − floor) / (2 cap − floor), within 0 and 1

S is `belongs` and d is `differs` of `evolve.fitness`; cap and floor are the stack's clamps for the category. Known
members have about 0. A concept would have 1 if it were of the category and unlike all known members.

A chart is a value of numbers: placing concepts needs no stack. `evolve.maps.phrases` makes axes of phrases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import ConceptreeError
from evolve.fitness import measured, of_one_width
from evolve.store.rows import Entry
from evolve.store.run import Run

Array = npt.NDArray[np.float64]
LEAST_SIDE, MOST_SIDE = 2, 32  # cells in a row or column
SIDE = 8
_CELLS = re.compile(r"([0-9]{1,3})x([0-9]{1,3})")


class MapError(ConceptreeError):
    """A map that cannot be made as asked."""


@dataclass(frozen=True)
class Measure:
    """A measured number as an axis. of: its value for a concept, from `least` to `most`. low, high: its ends."""

    of: Callable[[Entry], float]
    least: float
    most: float
    low: str
    high: str


MEASURES = {
    "consistent": Measure(lambda entry: entry.scores.get("consistency", 0.0), 0.5, 1.0, "varied", "consistent"),
}


def register(name: str, measure: Measure) -> None:
    """Add a measured number as an axis, before a map is made or read:

        register("generation", Measure(lambda entry: entry.generation, 0, 8, "early", "late"))

    Raises:
        MapError: the name is in use, has a colon, or the range is empty.
    """
    if name in MEASURES or ":" in name:
        raise MapError(f"the axis {name!r}: choose another name, without a colon")
    if not measure.least < measure.most:
        raise MapError(f"the axis {name!r} is from {measure.least} to {measure.most}: give a range")
    MEASURES[name] = measure


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis from `low` to `high`.

    knots: values at equal steps of the place from 0 to 1, rising. direction: `[width]`, of two phrases. measure: a name
    of `MEASURES` instead.
    """

    low: str
    high: str
    knots: tuple[float, ...]
    direction: tuple[float, ...] = ()
    measure: str = ""

    def __post_init__(self) -> None:
        if self.measure and self.measure not in MEASURES:
            raise MapError(f"unknown axis {self.measure!r}: choose {', '.join(MEASURES)}, or two phrases as LOW:HIGH")
        if not self.measure and not self.direction:
            raise MapError(f"the axis {self.name} has neither a direction nor a measure")
        if len(self.knots) < 2 or not np.all(np.diff(self.knots) > 0):
            raise MapError(f"the axis {self.name} has knots that do not rise")

    @property
    def name(self) -> str:
        """`LOW:HIGH`, or the name of a measure, as in `--axes`."""
        return self.measure or f"{self.low}:{self.high}"

    def values(self, entries: Sequence[Entry], unit: Array) -> Array:
        """The value `[n]` of each concept. unit: their unit embeddings `[n, width]`."""
        if self.measure:
            of = MEASURES[self.measure].of
            return np.array([float(of(entry)) for entry in entries], dtype=np.float64)
        return np.asarray(unit @ np.array(self.direction), dtype=np.float64)

    def places(self, values: Array) -> Array:
        """Places from 0 to 1 of values, of any shape."""
        return np.asarray(np.interp(values, self.knots, np.linspace(0, 1, len(self.knots))))

    def value_at(self, place: float) -> float:
        """The value at a place from 0 to 1; the inverse of `places`."""
        return float(np.interp(place, np.linspace(0, 1, len(self.knots)), self.knots))

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "knots": list(self.knots), "direction": list(self.direction)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Axis:
        texts = {name: str(told[name]) for name in ("low", "high", "measure")}
        return cls(**texts, knots=_numbers(told["knots"]), direction=_numbers(told["direction"]))


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Two axes (across, from left to right; up, from bottom to top), the cells of each, and the scale of quality."""

    axes: tuple[Axis, Axis]
    cells: tuple[int, int] = (SIDE, SIDE)
    cap: float
    floor: float

    def __post_init__(self) -> None:
        for side in self.cells:
            if type(side) is not int or not LEAST_SIDE <= side <= MOST_SIDE:
                raise MapError(f"{side!r} cells in a row: give {LEAST_SIDE} to {MOST_SIDE}")
        if len({len(axis.direction) for axis in self.axes if axis.direction}) > 1:
            raise MapError("the directions of both axes have different widths: make the chart again")
        if not 0 < self.cap < 2 or not self.floor < self.cap:
            raise MapError(f"cap = {self.cap!r}, floor = {self.floor!r}: expected a floor below the cap")

    @property
    def width(self) -> int:
        """Width of the embeddings that it places; 0 if it places all widths."""
        return max(len(axis.direction) for axis in self.axes)

    def quality(self, entry: Entry) -> float:
        """From 0 to 1, see above; 0 for a concept without measures."""
        found = measured(entry)
        belongs = found["belongs"] or 0.0
        differs = found["differs"] if found["differs"] is not None else belongs
        margin = np.clip((differs + self.cap - self.floor) / (2 * self.cap - self.floor), 0, 1)
        return float(np.clip(belongs / self.cap, 0, 1) * margin)

    def to_json(self) -> dict[str, Any]:
        axes = [axis.to_json() for axis in self.axes]
        return {"axes": axes, "cells": list(self.cells), "cap": self.cap, "floor": self.floor}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Chart:
        across, up = map(Axis.from_json, told["axes"])
        columns, rows = told["cells"]
        return cls(axes=(across, up), cells=(columns, rows), cap=float(told["cap"]), floor=float(told["floor"]))


@dataclass(frozen=True)
class Placed:
    """Concepts on a chart, in the order of the run.

    unit: `[n, width]`, unit embeddings. values: `[n, 2]`, on each axis. places: `[n, 2]`, from 0 to 1. quality: `[n]`.
    """

    ids: tuple[str, ...]
    unit: Array
    values: Array
    places: Array
    quality: Array

    def __len__(self) -> int:
        return len(self.ids)


def placed(run: Run, chart: Chart, among: Collection[str] | None = None, *, hidden: bool = False) -> Placed:
    """A run's concepts on a chart, without those of other stacks.

    among: ids; by default all. hidden: hidden ones too.
    """
    embeds = of_one_width(run.image_embeds())
    there = [
        entry
        for entry in run.entries()
        if (hidden or not entry.note.hidden)
        and entry.id in embeds
        and chart.width in (0, len(embeds[entry.id]))
        and (among is None or entry.id in among)
    ]
    if not there:
        return Placed((), np.zeros((0, chart.width)), np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    unit = np.stack([embeds[entry.id] for entry in there]).astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    values = np.stack([axis.values(there, unit) for axis in chart.axes], axis=1)
    places = np.stack([axis.places(values[:, number]) for number, axis in enumerate(chart.axes)], axis=1)
    quality = np.array([chart.quality(entry) for entry in there])
    return Placed(tuple(entry.id for entry in there), unit, values, places, quality)


def parsed_cells(text: str) -> tuple[int, int]:
    """`8x6` → (8, 6): columns and rows."""
    given = _CELLS.fullmatch(text)
    if not given:
        raise MapError(f"--cells {text[:20]!r}: write two numbers, as in {SIDE}x{SIDE}")
    columns, rows = int(given[1]), int(given[2])
    if not all(LEAST_SIDE <= side <= MOST_SIDE for side in (columns, rows)):
        raise MapError(f"--cells {text}: give {LEAST_SIDE} to {MOST_SIDE} cells in each row and column")
    return columns, rows


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(map(float, values))
