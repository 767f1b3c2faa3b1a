"""`mixtures`: the mixtures of two or three concepts as one picture, before anything is learned."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from rich.console import Console

from core.concept import Array
from core.depict import imagine_concept
from core.errors import ConceptreeError
from core.files import write_atomically
from core.png import png_bytes
from core.prompts import portrait
from core.stack.backbone import Backbone
from core.wording import counted
from evolve import Individual, Run
from evolve.jobs.batches import found_parent
from evolve.mixtures import Weights, mixture, weights_of_line, weights_of_triangle
from evolve.operators import check_parents
from evolve.store.captions import run_told
from ui.console import say, to_type
from ui.runs import open_run
from ui.sheet import GREY, INK, LINE, MARGIN, PAPER, SMALL, TITLE, cut, fitted, font_of, text_length
from ui.stack import can_draw, open_stack_of, options_for

MOST_CELLS = 11  # in a row or column
COLUMNS, ROWS, SIDE = 7, 3, 5  # by default: of a grid, and cells at a side of a triangle
TILE, BETWEEN = 112, 10
AT_ONCE = 8  # pictures drawn together
_CELLS = re.compile(r"([0-9]{1,3})(?:x([0-9]{1,3}))?")


class MapError(ConceptreeError):
    """A map that cannot be drawn as asked."""


@dataclass(frozen=True)
class Cell:
    """A mixture in the map: weights of the parents, and the seed of its noise."""

    weights: Weights
    seed: int


def draw_map(
    name: str,
    concepts: Sequence[str],
    *,
    cells: str | None,
    seed: int,
    to: Path | None,
    runs: Path,
    model: str | None,
    out: Console,
) -> None:
    """Draw the mixtures of two or three concepts into `to`, by default mixtures-NAME-NAME.png in the run's folder."""
    rows = cells_of(len(concepts), cells, seed)
    run = open_run(runs, name)
    found = [found_parent(run, called) for called in concepts]
    check_parents([each.concept for each, _ in found])
    if to is not None and to.suffix.lower() != ".png":
        raise MapError(f"{str(to)!r}: a map is drawn as .png")
    stack = open_stack_of(run, model)
    if not can_draw(stack):
        raise MapError(f"the stack {stack.version} has no decoder: it cannot draw a map")
    parents = [each for each, _ in found]
    say(out, f"Drawing {sum(map(len, rows))} mixtures of {', '.join(each.name for each in parents)} …")
    page = painted(rows, mixed_pictures(stack, parents, rows), _title(run, parents))
    to = to or run.folder / f"mixtures-{'-'.join(each.name for each in parents)}.png"
    names = [f"{home}/{each.name}" if home else each.name for each, home in found]
    told = {"title": _title(run, parents), "concepts": ", ".join(names), "seed": seed}
    write_atomically(to, png_bytes(page, told | run_told(run.folder.resolve().name, run.about), optimize=True))
    say(out, str(to))
    middle = rows[len(rows) // 2][len(rows[len(rows) // 2]) // 2].weights
    asked = [f"{called}:{weight:.2g}" for called, weight in zip(names, middle, strict=True) if weight]
    chosen = [word for each in asked for word in ("--parent", each)]
    call = to_type("breed", name, *chosen, *options_for(run, stack), runs=runs)
    say(out, f"To learn a child with the weights of a cell, here of the middle: {call}")


def cells_of(parents: int, cells: str | None, seed: int) -> list[list[Cell]]:
    """The cells of a map in rows. cells: "7x3", seven weights of two parents by three seeds, or "5", the side.

    Raises:
        MapError: there are not two or three parents, or the cells are no such numbers.
    """
    if parents not in (2, 3):
        named = counted(parents, "concept is named", "concepts are named")
        raise MapError(f"{named}: a map has two or three")
    given = _CELLS.fullmatch(cells or "")
    columns, rows = (int(given[1]), int(given[2] or 0)) if given else (0, 0)
    if cells is None:
        columns, rows = (COLUMNS, ROWS) if parents == 2 else (SIDE, 0)
    if not 2 <= columns <= MOST_CELLS or rows > MOST_CELLS or (given and given[2] and not rows):
        raise MapError(
            f"--cells {str(cells)[:20]!r}: write two numbers up to {MOST_CELLS}, such as 7x3, or one, such as 5"
        )
    if parents == 3:
        if rows:
            raise MapError(
                f"--cells {cells}: a map of three concepts is a triangle: write one number, such as {columns}"
            )
        return [[Cell(weights, seed) for weights in row] for row in weights_of_triangle(columns)]
    return [[Cell(weights, seed + row) for weights in weights_of_line(columns)] for row in range(rows or 1)]


def mixed_pictures(
    stack: Backbone, parents: Sequence[Individual], rows: Sequence[Sequence[Cell]], prompt: str | None = None
) -> list[list[Image.Image]]:
    """A picture for each cell: the mean of what the prior imagines for the parents with the cell's seed, drawn.

    prompt: with {} in the parents' place; by default that of each parent's portrait.
    """
    seeds = sorted({cell.seed for row in rows for cell in row})
    imagined: list[dict[int, Array]] = []
    for each in parents:
        asked = portrait(each.concept.request.kind) if prompt is None else prompt
        embeds = imagine_concept(stack, each.concept, [asked] * len(seeds), seeds)
        imagined.append(dict(zip(seeds, embeds.float().cpu().numpy(), strict=True)))
    cells = [cell for row in rows for cell in row]
    embeds = torch.stack(
        [torch.from_numpy(mixture([of[cell.seed] for of in imagined], cell.weights)) for cell in cells]
    )
    pictures: list[Image.Image] = []
    for first in range(0, len(cells), AT_ONCE):
        some = cells[first : first + AT_ONCE]
        pictures += stack.draw(embeds[first : first + len(some)], seeds=[cell.seed for cell in some])
    waiting = iter(pictures)
    return [[next(waiting) for _ in row] for row in rows]


def painted(rows: Sequence[Sequence[Cell]], pictures: Sequence[Sequence[Image.Image]], title: str) -> Image.Image:
    """The map: rows of pictures in the middle of the page, the weights under each."""
    step_x, step_y = TILE + BETWEEN, TILE + LINE + BETWEEN
    wide = max(len(row) for row in rows)
    width = round(max(wide * step_x, text_length(title, TITLE))) + 2 * MARGIN
    top = MARGIN + TITLE + 18
    page = Image.new("RGB", (width, top + len(rows) * step_y + MARGIN), PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((MARGIN, MARGIN - 4), cut(title, width - 2 * MARGIN, TITLE), fill=INK, font=font_of(TITLE))
    for number, (row, drawn) in enumerate(zip(rows, pictures, strict=True)):
        left = (width - len(row) * step_x + BETWEEN) / 2
        for place, (cell, picture) in enumerate(zip(row, drawn, strict=True)):
            x, y = round(left + place * step_x), top + number * step_y
            page.paste(fitted(picture, TILE), (x, y))
            label = " : ".join(f"{weight:.2f}".rstrip("0").rstrip(".") for weight in cell.weights)
            pen.text((x + TILE / 2, y + TILE + LINE / 2 + 2), label, GREY, font_of(SMALL), anchor="mm")
    return page


def _title(run: Run, parents: Sequence[Individual]) -> str:
    return f"{' : '.join(each.name for each in parents)} · run {run.folder.name} · {run.about['stack']['version']}"
