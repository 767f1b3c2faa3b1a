"""The elites of a map: pyribs' archive (MIT, https://pyribs.org), filled from what a run has stored.

It is not stored: the same run and chart give the same archive. Its solutions are recipes (`evolve.maps.recipes`); its
field `concept` is the row of a concept in `Placed`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ribs.archives import CVTArchive, GridArchive

from evolve.maps.chart import Array, Chart, Placed
from evolve.maps.recipes import NUMBERS

Archive = GridArchive | CVTArchive


@dataclass(frozen=True)
class Elite:
    """The best concept of a cell. cell: (column, row), from the left and the bottom. place: on both axes."""

    id: str
    cell: tuple[int, int]
    place: tuple[float, float]
    quality: float


def grid(chart: Chart) -> GridArchive:
    """An empty archive with the cells of a chart."""
    return GridArchive(
        solution_dim=NUMBERS, dims=chart.cells, ranges=[(0, 1), (0, 1)], extra_fields={"concept": ((), np.int32)}
    )


def fill(archive: Archive, found: Placed) -> None:
    """Replace an archive's content by placed concepts."""
    archive.clear()
    if len(found):
        recipes = np.full((len(found), NUMBERS), -1.0)
        rows = np.arange(len(found), dtype=np.int32)
        archive.add(solution=recipes, objective=found.quality, measures=found.places, concept=rows)


def archive_of(chart: Chart, found: Placed) -> GridArchive:
    """The archive of placed concepts. Of concepts with equal quality in a cell, the first stays."""
    archive = grid(chart)
    fill(archive, found)
    return archive


def elites(archive: GridArchive, found: Placed) -> dict[tuple[int, int], Elite]:
    """The elite of each cell that has one, by (column, row)."""
    told = archive.data()
    cells = archive.int_to_grid_index(told["index"]).tolist() if len(archive) else []
    every = {}
    for (column, row), concept in zip(cells, told["concept"].tolist(), strict=True):
        across, up = found.places[concept].tolist()
        quality = float(found.quality[concept])
        every[column, row] = Elite(found.ids[concept], (column, row), (across, up), quality)
    return dict(sorted(every.items()))


def centres(archive: Archive) -> Array:
    """The centre of each cell, `[cells, 2]`, by its index."""
    if isinstance(archive, CVTArchive):
        return np.asarray(archive.centroids, dtype=np.float64)
    middles = [(edges[:-1] + edges[1:]) / 2 for edges in archive.boundaries]
    return np.stack(np.meshgrid(*middles, indexing="ij"), axis=-1).reshape(-1, len(middles))
