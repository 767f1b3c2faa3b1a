"""Objectives of an evolution by generation: mean of the survivors as a line, best as a dashed line."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from evolve.fitness import OBJECTIVES, RATINGS
from evolve.jobs.generations import Generation
from ui.labels import OBJECTIVE_NAMES

COLUMNS = ["generation", "objective", "which", "value"]
WIDTH, HEIGHT = 150, 130  # pixels of one objective's plot
LABELS = 40  # pixels for the numbers of an axis, so that all plots align
IN_A_ROW = 3


def table(done: Sequence[Generation]) -> pd.DataFrame:
    """A row for each generation, objective and statistic (mean, best). Likeness, to be small, has the mean alone."""
    rows = []
    for each in done:
        for name in (*OBJECTIVES, RATINGS):
            for which, value in each.record.get(name, {}).items():
                rows.append([each.number, OBJECTIVE_NAMES.get(name, name), which, value])
        if each.record.get("likeness") is not None:
            rows.append([each.number, "likeness", "mean", each.record["likeness"]])
    return pd.DataFrame(rows, columns=COLUMNS)


def chart(found: pd.DataFrame) -> alt.FacetChart:
    """One plot for each objective, each with its own scale."""
    dash = alt.StrokeDash(
        "which:N", title=None, scale=alt.Scale(domain=["mean", "best"], range=[[1, 0], [5, 3]])
    ).legend(orient="bottom", symbolType="stroke")
    tips = [alt.Tooltip("objective:N"), alt.Tooltip("which:N"), alt.Tooltip("generation:Q")]
    tips.append(alt.Tooltip("value:Q", format=".3f"))
    x = alt.X("generation:Q", title=None, axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(nice=False))
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(format=".3f", minExtent=LABELS))
    lines = alt.Chart(found).mark_line(point=True).encode(x, y, dash, tooltip=tips)
    order = list(dict.fromkeys(found["objective"]))
    return (
        lines.properties(width=WIDTH, height=HEIGHT)
        .facet(alt.Facet("objective:N", title=None, sort=order), columns=IN_A_ROW)
        .resolve_scale(y="independent")
        .resolve_axis(x="independent")  # else a short last row shows the axis of the plots above
    )
