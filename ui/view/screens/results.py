"""Results of a study: means and shares of wins with their intervals, and all answers as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd
import streamlit as st

from core.wording import counted
from evolve.store.ratings import SCALE, Answer, Mean, Session, Share, as_csv, means, overall, shares
from ui.view.curves import GREY
from ui.view.store import Opened

AXIS, ROW = 60, 24  # pixels of the axis with its title, and of each concept


def show(found: Opened, known: Sequence[Session], given: Sequence[Answer]) -> None:
    st.subheader("Results", anchor=False)
    if not given:
        st.caption("No answers yet.")
        return
    raters = list(dict.fromkeys(each.rater for each in known))
    told = f"{counted(len(given), 'answer')} in {counted(len(known), 'session')} by {counted(len(raters), 'rater')}."
    st.caption(told)
    if len(raters) > 1:
        only = st.multiselect("Raters", raters, key="rate.only", placeholder="all")
        given = [each for each in given if not only or each.rater in only]
    names = {each.id: each.name for each in found.entries}
    if rated := means(given):
        st.markdown("**1 to 5**: mean with 95 % interval (Student’s t)")
        _summary(rated, names, "mean", SCALE)
        every = overall(given)
        if every and every.n > 1:
            told = f"{every.mean:.2f} ± {every.deviation:.2f} in {counted(every.n, 'answer')}"
            st.caption(f"All concepts: mean ± standard deviation, as in Table 1 of the paper: {told}.")
    if preferred := shares(given):
        st.markdown("**A or B**: share of wins with 95 % interval (Wilson)")
        _summary(preferred, names, "share", (0, 1))
    st.download_button(
        "All answers as CSV",
        lambda: as_csv(found.run),
        file_name=f"{found.run.folder.name}-ratings.csv",
        mime="text/csv",
        key="rate.csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _summary(found: Sequence[Mean | Share], names: Mapping[str, str], what: str, domain: tuple[int, int]) -> None:
    """A chart and a table. what: the column to draw; domain: its limits."""
    rows = [vars(each) | {"concept": names.get(each.concept, each.concept[:8])} for each in found]
    drawn = pd.DataFrame(rows).rename(columns={"n": "answers"})
    table = drawn.dropna(axis="columns", how="all")  # single answers have no interval
    base = alt.Chart(drawn).encode(y=alt.Y("concept:N", sort=None, title=None, axis=alt.Axis(labelOverlap=False)))
    low, high = SCALE
    whole = alt.Axis(values=list(range(low, high + 1)), format="d")
    ticks = whole if what == "mean" else alt.Axis(format="%", tickCount=5)
    x = alt.X(f"{what}:Q", scale=alt.Scale(domain=list(domain), zero=False, nice=False), title=what, axis=ticks)
    tips = [alt.Tooltip("concept:N"), *(alt.Tooltip(f"{name}:Q", format=".2f") for name in (what, "low", "high"))]
    bars = base.mark_rule(color=GREY, strokeWidth=3).encode(x="low:Q", x2="high:Q", tooltip=tips)
    points = base.mark_point(filled=True, size=80, opacity=1).encode(x=x, tooltip=tips)
    height = AXIS + ROW * len(rows)
    told = "; ".join(f"{row['concept']} {row[what]:.2f}" for row in rows[:20])
    st.altair_chart(
        (bars + points).properties(height=height), width="stretch", key=f"rate.chart.{what}", alt=f"{what}: {told}"
    )
    numbers = {name: st.column_config.NumberColumn(format="%.2f") for name in (what, "deviation", "low", "high")}
    st.dataframe(table, hide_index=True, column_config=numbers, height="content" if len(rows) < 12 else 360)
