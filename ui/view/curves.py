"""Fig. 14's curves: similarity of a concept to each of its constraints, by step."""

from __future__ import annotations

import math
from collections.abc import Mapping

import altair as alt
import pandas as pd

from core.concept import Concept

COLUMNS = ["constraint", "role", "step", "similarity", "added"]
PLOT, AXIS, ROW = 240, 100, 24  # heights in pixels: the plot, its axis and margins, a row of the legend
NAMES = 5  # in a row of the legend
GREY = "#8a8a8a"  # readable on both themes


def table(concept: Concept, names: Mapping[str, str]) -> pd.DataFrame:
    """A row for each measurement: constraint, role (positive, negative), step, similarity, added at that step or not.

    names: names of the constraints that are no words.
    """
    since = {negative.word: negative.step for negative in concept.negatives}
    measured = [each.step for each in concept.history]
    rows = []
    for each in concept.history:
        negative = each.constraint in since or each.constraint.startswith("avoid:")
        # A negative is first measured at the boundary that added it, or at the next one.
        added = each.constraint in since and each.step == min(
            (step for step in measured if step >= since[each.constraint]), default=None
        )
        rows.append(
            {
                "constraint": names.get(each.constraint, each.constraint),
                "role": "negative" if negative else "positive",
                "step": each.step,
                "similarity": each.similarity,
                "added": added,
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def chart(found: pd.DataFrame, kept: int | None = None) -> alt.LayerChart | alt.FacetChart:
    """The curves of a `table`: negatives dashed, a diamond where each was added, a line at the kept step."""
    picked = alt.selection_point(fields=["constraint"], bind="legend", toggle="true")
    x = alt.X("step:Q", title="step", axis=alt.Axis(tickMinStep=1), scale=alt.Scale(nice=False))
    y = alt.Y("similarity:Q", title="similarity", scale=alt.Scale(zero=False))
    colour = alt.Color(
        "constraint:N",
        title=None,
        sort=list(dict.fromkeys(found["constraint"])),
        legend=alt.Legend(orient="bottom", columns=NAMES, symbolLimit=40, labelLimit=120),
    )
    shade = alt.condition(picked, alt.value(1.0), alt.value(0.12))
    tips = [alt.Tooltip(f"{name}:N") for name in ("constraint", "role")]
    tips += [alt.Tooltip("step:Q"), alt.Tooltip("similarity:Q", format=".3f")]
    dash = alt.StrokeDash(
        "role:N", title=None, scale=alt.Scale(domain=["positive", "negative"], range=[[1, 0], [5, 3]])
    )
    base = alt.Chart(found)
    lines = base.mark_line(strokeWidth=2).encode(
        x, y, colour, dash.legend(None), opacity=shade, tooltip=tips, detail="constraint:N"
    )
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
