"""Pedigree statistics on pages: founders of a concept, relatedness of two, generations, extinct lines."""

from __future__ import annotations

import streamlit as st

from core.wording import counted
from evolve.family.kinship import (
    extinct_lines,
    fertility,
    founder_shares,
    generations,
    nearest_common_ancestors,
    relatedness,
)
from ui.kin import IN_TABLE, percent
from ui.view.store import Opened
from ui.view.text import plain

MOST = 8  # founders, ancestors or lines listed by name


def show_founders(found: Opened, concept: str) -> None:
    """Founders of a concept with their shares, the largest first. Shows nothing for a founder."""
    shares = founder_shares(found.graph, concept)
    if list(shares) == [concept]:
        return
    st.markdown("**Founders**")
    rows = [{"founder": _name(found, id_), "share": share} for id_, share in list(shares.items())[:MOST]]
    share = st.column_config.ProgressColumn("share", format="percent", min_value=0, max_value=1)
    st.dataframe(rows, hide_index=True, column_config={"share": share}, width="stretch")
    rest = list(shares.values())[MOST:]
    if rest:
        st.caption(f"and {counted(len(rest), 'more founder')} with {percent(sum(rest))}")


def show_common(found: Opened, one: str, other: str) -> None:
    """Relatedness of two concepts and their nearest common ancestors; nothing for founders, which have none."""
    if not any(found.graph.pred[each] for each in (one, other)):
        return
    names = f"{_bold(found, one)} and {_bold(found, other)}"
    share = relatedness(found.graph, one, other)
    if not share:
        st.markdown(f"{names} have no common ancestor.")
        return
    nearest = nearest_common_ancestors(found.graph, one, other)
    ancestors = "ancestor" if len(nearest) == 1 else "ancestors"
    st.markdown(f"Relatedness of {names}: {percent(share)}. Nearest common {ancestors}: {_listed(found, nearest)}.")


def show_generations(found: Opened) -> None:
    """Statistics of each generation, the founder with most descendants, and the extinct lines."""
    if not found.entries:
        return
    rows = []
    for each in generations(found.graph, found.entries, found.run.image_embeds()):
        row: dict[str, float | None] = {
            "generation": each.number,
            "concepts": each.concepts,
            "similarity": each.likeness,
        }
        for key in IN_TABLE:
            row |= {key: each.mean.get(key), f"best {key}": each.best.get(key)}
        rows.append(
            row
            | {
                "founders": each.founders,
                "effective founders": each.effective_founders,
                "distance by descent": each.distance,
                "phylogenetic diversity": each.diversity,
                "novelty archive": each.archive,
            }
        )
    numbers = {name: st.column_config.NumberColumn(format="%.2f") for row in rows[:1] for name in list(row)[2:-5]}
    numbers["distance by descent"] = st.column_config.NumberColumn(format="%.2f")
    numbers["effective founders"] = st.column_config.NumberColumn(format="%.1f")
    st.dataframe(rows, hide_index=True, column_config=numbers, width="stretch")
    st.caption(
        "**similarity**: mean pairwise similarity of the imagined concepts. **founders**: how many have a share in the"
        " generation. **effective founders**: how many equal shares would be as diverse. **distance by descent**: 1"
        " minus the mean relatedness. **phylogenetic diversity**: the concepts with all their ancestors. **novelty"
        " archive**: concepts so far that were unlike all before them."
    )
    (best, most), *_ = fertility(found.graph).items()
    if most:
        st.markdown(f"Founder with most descendants: {_bold(found, best)} ({counted(most, 'concept')}).")
    ended = extinct_lines(found.graph, {each.id for each in found.entries if each.note.hidden})
    if ended:
        st.markdown(f"Extinct lines (no descendant in the latest generation): {_listed(found, ended)}.")


def _name(found: Opened, id_: str) -> str:
    return str(found.graph.nodes[id_]["name"])


def _bold(found: Opened, id_: str) -> str:
    return f"**{plain(_name(found, id_))}**"


def _listed(found: Opened, ids: list[str]) -> str:
    named = ", ".join(_bold(found, id_) for id_ in ids[:MOST])
    return f"{named} and {len(ids) - MOST} more" if len(ids) > MOST else named
