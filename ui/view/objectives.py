"""An evolution's objectives over its generations: the mean of those that stay as a line, the best as a dashed one."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from evolve.fitness import OBJECTIVES, RATINGS
from evolve.jobs.evolution import Generation

COLUMNS = ["generation", "objective", "which", "value"]
WIDTH, HEIGHT = 150, 130  # of one objective's plot, in pixels
LABELS = 40  # room for a plot's numbers, in pixels: all plots stand in columns
IN_A_ROW = 3


def table(done: Sequence[Generation]) -> pd.DataFrame:
    """A row for each generation, objective and which: mean or best; of likeness, to be small, the mean alone."""
    rows = []
    for each in done:
        for name in (*OBJECTIVES, RATINGS):
            for which, value in each.record.get(name, {}).items():
                rows.append([each.number, name, which, value])
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
        .resolve_axis(x="independent")  # else a short last row has the numbers of its neighbours under it
    )
