"""Fig. 14's curves: similarity of a concept to each of its constraints, by step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from core.concept import Concept
from evolve.store.looks import Look
from evolve.store.rows import brief
from ui.view.theme import COLOURS

COLUMNS = ["constraint", "role", "step", "similarity", "added"]
PLOT, AXIS, ROW = 240, 100, 24  # heights in pixels: the plot, its axis and margins, a row of the legend
NAMES = 5  # in a row of the legend
GREY = "#8a8a8a"  # readable on both themes
# Dashes of positives and negatives; lines that share a colour have different ones.
DASHES = {
    "positive": ([1, 0], [14, 3], [14, 3, 3, 3]),
    "negative": ([5, 3], [2, 2], [8, 2, 2, 2], [2, 6]),
}


def table(concept: Concept, names: Mapping[str, str]) -> pd.DataFrame:
    """A row for each measurement: constraint, role (positive, negative), step, similarity, added at that step or not.

    names: of concepts and photographs, by id.
    """
    since = {negative.word: negative.step for negative in concept.negatives}
    return _table([(each.step, each.constraint, each.similarity) for each in concept.history], since, names)


def so_far(looks: Sequence[Look], names: Mapping[str, str]) -> pd.DataFrame:
    """The same for an unfinished concept."""
    since = dict.fromkeys(looks[-1].all_negatives, 0) if looks else {}
    since |= {word: look.step for look in looks for word, _ in look.negatives}
    return _table([(look.step, *each) for look in looks for each in look.similarities.items()], since, names)


def _table(
    measured: Sequence[tuple[int, str, float]], since: Mapping[str, int], names: Mapping[str, str]
) -> pd.DataFrame:
    """since: the step that added each negative."""
    steps = sorted({step for step, _, _ in measured})
    # A negative is first measured at the boundary that added it, or at the next one.
    first = {word: next((step for step in steps if step >= added), None) for word, added in since.items()}
    rows = [
        {
            "constraint": constraint(name, names),
            "role": "negative" if name in since or name.startswith("avoid:") else "positive",
            "step": step,
            "similarity": similarity,
            "added": first.get(name) == step,
        }
        for step, name, similarity in measured
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def constraint(name: str, names: Mapping[str, str]) -> str:
    """A constraint in words: `cat`, `like moku` for a parent, `not like moku` for a concept to avoid."""
    kind, colon, id_ = name.partition(":")
    return f"{'not like' if kind == 'avoid' else 'like'} {names.get(id_, brief(id_))}" if colon else name


def chart(found: pd.DataFrame, kept: int | None = None, end: int | None = None) -> alt.LayerChart | alt.FacetChart:
    """The curves of a table: negatives dashed, a diamond where each was added, a line at the kept step. Lines
    that share a colour have different dashes.

    end: last step of the axis; by default the last one measured.
    """
    # With its own name, the chart stays the same when the page runs again.
    picked = alt.selection_point("picked", fields=["constraint"], bind="legend", toggle="true")
    scale = alt.Scale(nice=False) if end is None else alt.Scale(domain=[0, end])
    x = alt.X("step:Q", title="step", axis=alt.Axis(tickMinStep=1, format="d"), scale=scale)
    y = alt.Y("similarity:Q", title="similarity", scale=alt.Scale(zero=False))
    named = list(dict.fromkeys(found["constraint"]))
    legend = alt.Legend(
        orient="bottom", columns=NAMES, symbolLimit=40, labelLimit=120, symbolType="stroke", symbolSize=400
    )
    colour = alt.Color("constraint:N", title=None, sort=named, legend=legend)
    shade = alt.condition(picked, alt.value(1.0), alt.value(0.12))
    tips = [alt.Tooltip(f"{name}:N") for name in ("constraint", "role")]
    tips += [alt.Tooltip("step:Q"), alt.Tooltip("similarity:Q", format=".3f")]
    dashes = alt.Scale(domain=named, range=_dashes(found))
    dash = alt.StrokeDash("constraint:N", title=None, sort=named, scale=dashes, legend=legend)
    base = alt.Chart(found)
    lines = base.mark_line(strokeWidth=2).encode(x, y, colour, dash, opacity=shade, tooltip=tips, detail="constraint:N")
    points = base.mark_point(size=28, filled=True).encode(x, y, colour, opacity=shade, tooltip=tips)
    added = (
        base.transform_filter(alt.datum.added)
        .mark_point(shape="diamond", size=150, filled=True, stroke="white", strokeWidth=1)
        .encode(x, y, colour, opacity=shade, tooltip=tips)
    )
    layers = [lines, points, added]
    if kept is not None:
        rule = alt.Chart(pd.DataFrame({"step": [kept], "kept": [f"kept step: {kept}"]}))
        layers.insert(0, rule.mark_rule(color=GREY, strokeWidth=2).encode(x="step:Q", tooltip="kept:N"))
    # The legend takes its room from the chart's height: each row of names adds to it.
    height = PLOT + AXIS + ROW * math.ceil(found["constraint"].nunique() / NAMES)
    return alt.layer(*layers).add_params(picked).properties(height=height)


def _dashes(found: pd.DataFrame) -> list[list[int]]:
    """The dash of each constraint, in their order: by its role, and another one each time that the colours repeat."""
    roles = found.drop_duplicates("constraint")["role"]
    turns = [place // len(COLOURS) for place in range(len(roles))]
    return [of[turn % len(of)] for turn, of in zip(turns, map(DASHES.__getitem__, roles), strict=True)]
