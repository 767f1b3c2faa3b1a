"""Map: the elites of a run on two axes, other axes at once, and children for empty cells."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from math import ceil
from typing import TypeAlias

import streamlit as st

from core.errors import ConceptreeError
from core.stack.backbone import Backbone
from core.wording import counted
from evolve.jobs.drawings import is_quick
from evolve.jobs.generations import generations
from evolve.jobs.mapping import check_installed
from evolve.jobs.options import BATCH, GENERATIONS, SeedOptions
from evolve.jobs.pace import work_of
from evolve.jobs.plans import Map
from evolve.jobs.stored import new_job
from evolve.maps.chart import LEAST_SIDE, MEASURES, MOST_SIDE, SIDE, Chart
from evolve.maps.phrases import parsed_axis, usual_axes
from ui.mapping import chart_for, elites_of, last_chart, planned
from ui.view import choice, clicks, links, model, notices, pace, processes, store, undo
from ui.view.board import Cell, board
from ui.view.described import described
from ui.view.grid import SIDE as PIXELS
from ui.view.making import Making
from ui.view.processes import AT_WORK
from ui.view.store import Opened
from ui.view.text import plain
from ui.workers import conduct_asked

HERE = 4  # children that an empty cell gets
FEW, SMALL = 2, 16  # generations and children of the form: a page is watched
ASKED = ("across", "up", "columns", "rows")  # in the address
BREEDS = {"gain": 1.0}
LEAST_USUAL = 3  # cells in a row at first
EVERY = 1.0  # seconds between two looks whether a chart is made
PATIENCE = 0.7  # seconds that a page waits for one
KEPT = 32  # charts
Axes: TypeAlias = tuple[str, str]
Sides: TypeAlias = tuple[int, int]
_Key = tuple[str, str, Axes, Sides]  # with the folder of the run, and what it was made of
_charts: Making[Chart] = Making(KEPT)

QUALITY = (
    "The quality of a cell is the fitness of its concept: how well it fits the category, without being one of the known"
    " members. The sum is the QD score of quality-diversity search."
)


def show() -> None:
    found = store.current()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Map", anchor=False, width="content")
        undo.bar(found.run)
    notices.warn_of(found.damage)
    try:
        check_installed()
        asked = _asked(found)
        chart = _chart(found, *asked) if asked else None
    except ConceptreeError as error:
        notices.error(error)
        return
    if asked and chart is None:
        st.fragment(_await, run_every=EVERY)(_key(found, *asked))
        return
    if chart is None:
        st.info(
            "A map shows the best concept for every place between two pairs of phrases. Name two axes, such as"
            " bird:mammal and black:white, in words that the run's model knows.",
            icon=":material/grid_on:",
        )
        return
    jobs = [(job, status) for job, status in store.jobs_of(found.run) if job.command == Map.command]
    busy = any(status.state in AT_WORK for _, status in jobs)
    map_, form = st.columns([3, 1], gap="large")
    with form, st.container(border=True):
        _fill(found, chart, busy)
    with map_:
        _board(found, chart, busy)
    if rows := [{"generation": each.number, **each.record} for job, _ in jobs[:1] for each in generations(job)]:
        with st.popover("Generations of the last job", icon=":material/table_rows:", key="map.table"):
            st.dataframe(rows, hide_index=True)


def _asked(found: Opened) -> tuple[Axes, Sides] | None:
    """The axes and the cells that the form asks for; None while an axis is missing. Begins with usual ones."""
    run = found.run
    last = last_chart(run)
    name = run.folder.name
    usual = None if last or _kept(name) else _usual(found)
    kept = _kept(name) or dict(zip(ASKED, usual or (), strict=False))
    columns = st.columns([3, 3, 1, 1])
    axes, sides = [], []
    fields = zip(columns, ("Across", "Up"), ("bird:mammal", "black:white"), strict=False)
    for number, (column, title, example) in enumerate(fields):
        key = f"map.axis.{number}.{name}"
        st.session_state.setdefault(key, kept.get(ASKED[number]) or (last.axes[number].name if last else ""))
        help_ = "Two phrases, LOW:HIGH, or the name of a measured number, such as consistent."
        axes.append(column.text_input(title, key=key, placeholder=f"such as {example}", help=help_).strip())
    for number, (column, title) in enumerate(zip(columns[2:], ("Columns", "Rows"), strict=True)):
        key = f"map.side.{number}.{name}"
        st.session_state.setdefault(key, _side(kept.get(ASKED[2 + number])) or (last.cells[number] if last else SIDE))
        sides.append(int(column.number_input(title, LEAST_SIDE, MOST_SIDE, key=key)))
    _keep(name, dict(zip(ASKED, (*axes, *map(str, sides)), strict=True)))
    if not all(axes):
        for axis in filter(None, axes):  # one that is wrong is told before the other is written
            if axis not in MEASURES:
                parsed_axis(axis)
        return None
    return (axes[0], axes[1]), (sides[0], sides[1])


def _usual(found: Opened) -> tuple[str, str, str, str] | None:
    """Axes and sides to begin with; None if the stack knows no usual axes, or is slow to imagine the known members."""
    about = found.run.about
    try:
        stack = model.backbone(found.run)
    except ConceptreeError:  # is told where it is needed
        return None
    axes = usual_axes(stack, about["category"], about["kind"]) if is_quick(stack) else None
    seen = sum(not each.note.hidden for each in found.entries)
    side = str(max(LEAST_USUAL, min(SIDE, ceil((2 * seen) ** 0.5))))  # about half of the cells could be filled
    return (*axes, side, side) if axes else None


def _key(found: Opened, axes: Axes, sides: Sides) -> _Key:
    about = found.run.about
    return str(found.run.folder), f"{about['stack']['fingerprint']} {about['category']}", axes, sides


def _chart(found: Opened, axes: Axes, sides: Sides) -> Chart | None:
    """The chart; None as long as a thread makes it. At first a stack imagines the known members of the category.

    Raises:
        ConceptreeError: the stack does not know a phrase, or cannot tell both of an axis apart.
    """
    key, run = _key(found, axes, sides), found.run

    def make() -> Chart:
        chart = chart_for(run, axes, sides, partial(model.backbone, run))
        elites_of(run, chart)  # what it loads and compiles at first takes seconds
        return chart

    _charts.begin(key, make)
    _charts.wait(key, PATIENCE)
    done, chart = _charts.is_done(key), _charts.get(key)
    if done and chart is None:
        raise ConceptreeError("the map cannot be made: the server's log says why")
    return chart


def _await(key: _Key) -> None:
    if _charts.is_done(key):
        st.rerun(scope="app")
    st.caption(
        "Placing the family. At first the model imagines the known members of the category, which takes about 10 s, or"
        " longer if the machine is busy. Nothing is learned."
    )


def _kept(run: str) -> dict[str, str]:
    """Axes and sides as the address has them, or as they were when this page was left; "" for what is not there."""
    asked = {name: st.query_params.get(name, "") for name in ASKED}
    return asked if any(asked.values()) else st.session_state.get(f"map.kept.{run}", {})


def _keep(run: str, asked: dict[str, str]) -> None:
    """Keep axes and sides in the address, for a reload, and for the way back to this page."""
    st.session_state[f"map.kept.{run}"] = asked
    there = any(asked[axis] for axis in ASKED[:2])
    choice.replace({name: value if there else "" for name, value in asked.items()}, "axes")


def _side(text: str | None) -> int | None:
    """The number of cells that the text gives, None if it gives none that is possible."""
    side = int(text) if text and text.isascii() and text.isdecimal() and len(text) < 4 else 0
    return side if LEAST_SIDE <= side <= MOST_SIDE else None


def _fill(found: Opened, chart: Chart, busy: bool) -> None:
    """The form that breeds for all cells."""
    st.markdown("**Fill empty cells**")
    count = st.number_input("Generations", *GENERATIONS.bounds, FEW, key="map.generations")
    children = st.number_input("Children", *BATCH.bounds, SMALL, key="map.children", help=BATCH.help)
    label, icon, of = "Fill", ":material/play_arrow:", found.run.folder.name
    if clicks.button(
        label, key="map.fill", of=of, once=True, type="primary", icon=icon, disabled=busy, width="stretch"
    ):
        _begin(found, chart, generations=int(count), children=int(children))
    if busy:
        st.caption("A map of this run is being filled; it grows when a generation is done.")
        return
    with suppress(ConceptreeError):  # the button says what is wrong
        stack = model.backbone(found.run)
        plan = _planned(found, chart, stack, generations=int(count), children=int(children))
        told = pace.of_last_job(work_of(plan, pace.candidates(stack)), stack)
        st.caption(f"{counted(int(count * children), 'child', 'children')} in all. {told}")


def _planned(found: Opened, chart: Chart, stack: Backbone, **given: object) -> Map:
    run = found.run
    options = SeedOptions(category=run.about["category"], kind=run.about["kind"])
    return planned(stack, chart, options, run, None, **given)


def _begin(found: Opened, chart: Chart, **given: object) -> None:
    run = found.run
    try:
        job = new_job(run, _planned(found, chart, model.backbone(run), **given), conduct_asked())
        processes.start(run, job)
    except ConceptreeError as error:
        notices.error(error)
        return
    st.rerun()


def _board(found: Opened, chart: Chart, busy: bool) -> None:
    with st.spinner("Measuring the concepts …"):
        best, score = elites_of(found.run, chart)
    columns, rows = chart.cells
    by_id, cells = found.by_id, []
    for column in range(columns):
        for row in range(rows):
            if (elite := best.get((column, row))) is None or elite.id not in by_id:
                cells.append(Cell(column, row))
                continue
            entry, drawing = by_id[elite.id], found.drawing(elite.id)
            image = links.picture(found.run.folder.name, drawing, PIXELS) if drawing else ""
            cells.append(Cell(column, row, entry.id, entry.name, image, described(entry, drawing), elite.quality))
    empty = "" if busy or len(best) == columns * rows else f" Click an empty cell (+) to breed {HERE} children for it."
    told = f"{len(best)} of {counted(columns * rows, 'cell')} are filled; their qualities add up to {score:.1f}."
    st.caption(plain(f"{told}{empty}"), help=QUALITY)
    ends = [(axis.low, axis.high) for axis in chart.axes]
    label = f"Map: {ends[0][0]} to {ends[0][1]} across, {ends[1][0]} to {ends[1][1]} up"
    pressed = board(cells, chart.cells, ends, label=label, busy=busy, key=f"map.board.{found.run.folder.name}")
    if pressed.id:
        links.go("concept", run=found.run.folder.name, concept=pressed.id)
    if pressed.cell and not busy:
        _begin(found, chart, generations=1, children=HERE, aim=pressed.cell, emitters=BREEDS)
