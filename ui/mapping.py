"""`map`: a category filled with concepts, cell by cell, and the map as one picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw
from rich.console import Console

from core.files import write_atomically
from core.png import png_bytes
from core.stack.backbone import Backbone
from core.wording import counted
from evolve import Run
from evolve.jobs.choices import checked_words
from evolve.jobs.drawings import PROMPTS, portrait_in, undrawn, usual_drawings
from evolve.jobs.mapping import check_installed
from evolve.jobs.options import SeedOptions
from evolve.jobs.planning import plan_map
from evolve.jobs.plans import Map
from evolve.jobs.stored import jobs, new_job
from evolve.maps.chart import SIDE, Chart, MapError, parsed_cells, placed
from evolve.maps.phrases import chart_of
from evolve.store.captions import run_told
from ui.console import say, to_type
from ui.learning import carry_out
from ui.pictures import candidates_on
from ui.runs import forgotten_if_empty, known_name, new_run, open_run
from ui.sheet import (
    CARD,
    FRAME,
    GREY,
    INK,
    LINE,
    MARGIN,
    PAPER,
    SMALL,
    TITLE,
    cut,
    fitted,
    font_of,
    opened,
    text_length,
)
from ui.stack import can_draw, open_stack, open_stack_of, options_for
from ui.workers import conduct_asked

if TYPE_CHECKING:
    from evolve.maps.archive import Elite

TILE, BETWEEN = 104, 8
BAR = 4  # height of the bar of quality
Cells = Mapping[tuple[int, int], "Elite"]


def map_(
    name: str,
    *,
    axes: tuple[str, str] | None,
    cells: str | None,
    run_name: str | None,
    to: Path | None,
    runs: Path,
    model: str | None,
    out: Console,
    **given: Any,
) -> None:
    """Fill a map of a run or of a category, and draw it; with `to` only draw it. given: see `_learn`."""
    check_installed()
    sides = parsed_cells(cells) if cells else None
    if to is not None and to.suffix.lower() != ".png":
        raise MapError(f"{str(to)!r}: a map is drawn as .png")
    if to is not None or (run_name is None and known_name(runs, name)):
        run = open_run(runs, name)
        stack = cache(partial(open_stack_of, run, model, out))
        chart = chart_for(run, axes, sides, stack)
        if to is None:
            _learn(run, chart, stack(), out, **given)
            _portray(run, chart, stack(), out)
        return _show(run, chart, to or run.folder / "map.png", out)
    if axes is None:
        raise MapError(f"{name!r} is a new map: give its two axes, as in --axes bird:mammal black:white")
    new = open_stack(model or "emoji", out)
    (category,) = checked_words(new, [name], "category")
    chart = chart_of(new, category, axes, sides or (SIDE, SIDE))
    run = new_run(runs, run_name, category, lambda folder: Run.create(folder, category, new))
    with forgotten_if_empty(run):
        _learn(run, chart, new, out, **given)
    _show(run, chart, run.folder / "map.png", out)
    call = to_type("map", run.folder.name, *options_for(run, new), runs=runs)
    say(out, f"To go on: {call}")


def _learn(
    run: Run,
    chart: Chart,
    stack: Backbone,
    out: Console,
    *,
    founders: int,
    negatives: str,
    seed: int | None,
    children: int,
    generations: int,
    steps: int | None,
) -> None:
    """Learn the generations of a map, as a new job of the run."""
    options = SeedOptions(
        category=run.about["category"], count=founders, negatives=negatives, kind=run.about["kind"], seed=seed or 0
    )
    plan = planned(stack, chart, options, run, seed, children=children, generations=generations, steps=steps)
    carry_out(new_job(run, plan, conduct_asked()), run, stack, out)


def planned(
    stack: Backbone, chart: Chart, options: SeedOptions, run: Run, seed: int | None = None, **given: Any
) -> Map:
    """A plan with the usual emitters. seed: by default another one for each job. given: of `plan_map`."""
    from evolve.maps.emitters import USUAL

    plan = plan_map(stack, chart, options, run, **{"emitters": USUAL, **given})
    return plan if seed is None else replace(plan, seed=seed)


def last_chart(run: Run) -> Chart | None:
    """The chart of the run's last map; None if it has none."""
    plans = [job.plan for job in jobs(run, []) if job.command == Map.command]
    return next((plan.chart for plan in reversed(plans) if isinstance(plan, Map)), None)


def chart_for(
    run: Run, axes: tuple[str, str] | None, cells: tuple[int, int] | None, stack: Callable[[], Backbone]
) -> Chart:
    """A chart with these axes and cells, by default those of the run's last map. stack: called for new axes only."""
    last = last_chart(run)
    if axes is None and last is None:
        raise MapError(
            f"the run {run.folder.name!r} has no map yet: give two axes, as in --axes bird:mammal black:white"
        )
    if last is not None and (axes is None or tuple(axis.name for axis in last.axes) == axes):
        return replace(last, cells=cells) if cells else last
    assert axes is not None
    usual = last.cells if last else (SIDE, SIDE)
    return chart_of(stack(), run.about["category"], axes, cells or usual, run.about["kind"])


def _portray(run: Run, chart: Chart, stack: Backbone, out: Console) -> None:
    """Draw the elites that have no portrait, such as imported ones."""
    best, _ = elites_of(run, chart)
    there = [run.find(each.id) for each in best.values()]
    if can_draw(stack) and (missing := undrawn(run, there, portrait_only=True)):
        say(out, f"Drawing {counted(len(missing), 'portrait')} …")
        for each in missing:
            usual_drawings(run, stack, each, candidates_on(stack), portrait_only=True)


def _show(run: Run, chart: Chart, to: Path, out: Console) -> None:
    best, score = elites_of(run, chart)
    columns, rows = chart.cells
    title = f"{run.about['category']} · run {run.folder.name} · {run.about['stack']['version']}"
    filled = f"{len(best)} of {counted(columns * rows, 'cell')} · QD score {score:.1f}"
    page = painted(chart, best, portraits_of(run, best), {each.id: each.name for each in run.entries()}, title, filled)
    told: dict[str, object] = {"title": title, "axes": ", ".join(axis.name for axis in chart.axes), "cells": filled}
    write_atomically(to, png_bytes(page, told | run_told(run.folder.resolve().name, run.about), optimize=True))
    say(out, f"The map, {filled.replace(' · ', ', ')}: {to}")


def elites_of(run: Run, chart: Chart) -> tuple[Cells, float]:
    """The elites of a run's visible concepts by cell (column, row), and their QD score."""
    from evolve.maps.archive import archive_of, elites

    found = placed(run, chart)
    archive = archive_of(chart, found)
    return elites(archive, found), float(archive.stats.qd_score)


def portraits_of(run: Run, best: Cells) -> dict[str, Image.Image]:
    """The portraits of elites by id, as far as they are drawn."""
    prompt, *_ = PROMPTS[run.about["kind"]]
    drawings: dict[str, list[Any]] = {}
    for each in run.drawings([elite.id for elite in best.values()]):
        drawings.setdefault(each.concept, []).append(each)
    found = {id_: portrait_in(of, prompt) for id_, of in drawings.items()}
    return {id_: opened(each.file) for id_, each in found.items() if each is not None}


def painted(
    chart: Chart, best: Cells, pictures: Mapping[str, Image.Image], names: Mapping[str, str], title: str, told: str
) -> Image.Image:
    """The map: portraits in their cells, the names below them and bars of quality, and the axes with their ends.

    Empty cells are outlined. pictures, names: by id.
    """
    columns, rows = chart.cells
    step_x, step_y = TILE + BETWEEN, TILE + LINE + BETWEEN
    left, top = MARGIN + 2 * LINE, MARGIN + TITLE + LINE + 20
    wide, high = columns * step_x - BETWEEN, rows * step_y - BETWEEN
    width = max(left + wide + MARGIN, round(min(text_length(title, TITLE), 700)) + 2 * MARGIN)
    page = Image.new("RGB", (width, top + high + 2 * LINE + MARGIN), PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((MARGIN, MARGIN - 4), cut(title, width - 2 * MARGIN, TITLE), fill=INK, font=font_of(TITLE))
    pen.text((MARGIN, MARGIN + TITLE + 2), cut(told, width - 2 * MARGIN, SMALL), fill=GREY, font=font_of(SMALL))
    for column in range(columns):
        for row in range(rows):
            x, y = left + column * step_x, top + (rows - 1 - row) * step_y
            elite = best.get((column, row))
            if elite is None:
                pen.rounded_rectangle((x, y, x + TILE - 1, y + TILE - 1), 6, outline=FRAME)
                continue
            if picture := pictures.get(elite.id):
                page.paste(fitted(picture, TILE), (x, y))
            else:
                pen.rectangle((x, y, x + TILE - 1, y + TILE - 1), fill=CARD, outline=FRAME)
            pen.rectangle((x, y + TILE, x + TILE - 1, y + TILE + BAR - 1), fill=FRAME)
            pen.rectangle((x, y + TILE, x + round(elite.quality * (TILE - 1)), y + TILE + BAR - 1), fill=GREY)
            name = cut(names.get(elite.id, ""), TILE, SMALL)
            pen.text((x + TILE / 2, y + TILE + BAR + (LINE - BAR) / 2), name, GREY, font_of(SMALL), anchor="mm")
    across, up = chart.axes
    page.paste(_ends(across.low, across.high, wide), (left, top + high + LINE // 2))
    page.paste(_ends(up.low, up.high, high).transpose(Image.Transpose.ROTATE_90), (MARGIN, top))
    return page


def _ends(low: str, high: str, length: int) -> Image.Image:
    """The line of an axis from left to right, with both ends named."""
    strip = Image.new("RGB", (length, LINE), PAPER)
    pen = ImageDraw.Draw(strip)
    most, middle = length / 2 - 20, LINE // 2
    first, last = (cut(text, most, SMALL) for text in (low, high))
    pen.text((0, middle), first, INK, font_of(SMALL), anchor="lm")
    pen.text((length, middle), last, INK, font_of(SMALL), anchor="rm")
    start, end = text_length(first, SMALL) + 8, length - text_length(last, SMALL) - 8
    pen.line((start, middle, end, middle), fill=GREY)
    pen.line((end - 5, middle - 4, end, middle, end - 5, middle + 4), fill=GREY)
    return strip
