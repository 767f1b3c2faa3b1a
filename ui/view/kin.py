"""Who is how much of whom, for pages: a concept's founders, what two concepts have in common, generations, lines."""

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

MOST = 8  # founders, ancestors or lines that are named


def show_founders(found: Opened, concept: str) -> None:
    """A concept's founders with their shares, the largest first; nothing of a founder, which is its own."""
    shares = founder_shares(found.graph, concept)
    if list(shares) == [concept]:
        return
    st.markdown("**Founders**")
    rows = [{"founder": _name(found, id_), "share": share} for id_, share in list(shares.items())[:MOST]]
    share = st.column_config.ProgressColumn("share", format="percent", min_value=0, max_value=1)
    st.dataframe(rows, hide_index=True, column_config={"share": share}, width="stretch")
    rest = list(shares.values())[MOST:]
    if rest:
        st.caption(f"and {counted(len(rest), 'founder')} more with {percent(sum(rest))}")


def show_common(found: Opened, one: str, other: str) -> None:
    """How much two concepts have in common by descent, and the nearest ancestors that they share."""
    names = f"{_bold(found, one)} and {_bold(found, other)}"
    share = relatedness(found.graph, one, other)
    if not share:
        st.markdown(f"{names} have no ancestor in common.")
        return
    nearest = nearest_common_ancestors(found.graph, one, other)
    st.markdown(f"{names} have {percent(share)} in common by descent, nearest by {_listed(found, nearest)}.")


def show_generations(found: Opened) -> None:
    """A family's generations in figures, its most fertile founder, and the lines that ended."""
    if not found.entries:
        return
    rows = []
    for each in generations(found.graph, found.entries, found.run.image_embeds()):
        row: dict[str, float | None] = {"generation": each.number, "concepts": each.concepts, "alike": each.likeness}
        for key in IN_TABLE:
            row |= {key: each.mean.get(key), f"best {key}": each.best.get(key)}
        rows.append(row | {"founders": each.founders, "in effect": each.effective_founders})
    numbers = {name: st.column_config.NumberColumn(format="%.2f") for row in rows[:1] for name in list(row)[2:-2]}
    numbers["in effect"] = st.column_config.NumberColumn(format="%.1f")
    st.dataframe(rows, hide_index=True, column_config=numbers, width="stretch")
    st.caption(
        "Alike: mean pairwise similarity of what is imagined. Founders: how many have a share in the generation, and"
        " as how many in equal shares."
    )
    (best, most), *_ = fertility(found.graph).items()
    if most:
        st.markdown(f"Most fertile founder: {_bold(found, best)}, with {counted(most, 'concept')} descended from it.")
    ended = extinct_lines(found.graph, {each.id for each in found.entries if each.note.hidden})
    if ended:
        st.markdown(f"Lines without anybody in the latest generation: {_listed(found, ended)}.")


def _name(found: Opened, id_: str) -> str:
    return str(found.graph.nodes[id_]["name"])


def _bold(found: Opened, id_: str) -> str:
    return f"**{plain(_name(found, id_))}**"


def _listed(found: Opened, ids: list[str]) -> str:
    named = ", ".join(_bold(found, id_) for id_ in ids[:MOST])
    return f"{named} and {len(ids) - MOST} more" if len(ids) > MOST else named
