"""The row of filters above the gallery."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import streamlit as st

from core.texts import folded
from evolve.fitness import OBJECTIVES
from ui.labels import BIRTHS, OBJECTIVE_NAMES, SCORE_NAMES
from ui.view.items import FLAGS, SHOWN, SORTS, TASTE, Asked
from ui.view.store import Opened
from ui.view.text import plain

SEARCH = (
    "Finds concepts by name, positives, negatives, tags, comments and prompts; each card says what matched. Several"
    " words must all match. like:cat, not:cat, tag:cat, comment:cat, prompt:cat and name:cat search in one place."
)


def show(runs: Sequence[Opened]) -> Asked:
    """Show the filters for the concepts of these runs; return what they ask for."""
    entries = [each for found in runs for each in found.entries]
    generations = sorted({each.generation for each in entries})
    births = [birth for birth in BIRTHS if any(each.birth == birth for each in entries)]
    same = {name for name, called in SCORE_NAMES.items() if called in OBJECTIVE_NAMES.values()}
    scores = sorted({name for each in entries for name in each.scores} - set(OBJECTIVES) - same)
    names = {TASTE: "your taste", **SCORE_NAMES, **OBJECTIVE_NAMES}
    prompts = list(dict.fromkeys(d.prompt for found in runs for drawn in found.drawings.values() for d in drawn))
    tags = sorted({tag for found in runs for tag in found.tags}, key=folded)
    # Of another run, or since removed: Streamlit refuses a value that is no option.
    offered: dict[str, Collection[object]] = {"generations": generations, "births": births, "tags": tags}
    for name, options in offered.items():
        _keep_only(f"gallery.{name}", options)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        shown = st.segmented_control(
            "Show", list(SHOWN), format_func=SHOWN.__getitem__, default="concepts", required=True, key="gallery.shown"
        )
        text = st.text_input(
            "Search",
            key="gallery.text",
            placeholder="name, word, tag …",
            icon=":material/search:",
            width=210,
            help=SEARCH,
        )
        sort = st.selectbox(
            "Sort by",
            [*SORTS, TASTE, *OBJECTIVES, *scores],
            format_func=lambda name: names.get(name, name),
            key="gallery.sort",
            width=140,
        )
        flags = st.pills(
            "Filter",
            list(FLAGS),
            format_func=FLAGS.__getitem__,
            selection_mode="multi",
            key="gallery.flags",
            width="content",
        )
        with st.popover("More", icon=":material/filter_list:", key="gallery.more"):
            wanted = st.pills("Generations", generations, selection_mode="multi", key="gallery.generations")
            born = st.pills(
                "Birth", births, format_func=BIRTHS.__getitem__, selection_mode="multi", key="gallery.births"
            )
            tagged = st.pills("Tags", tags, format_func=plain, selection_mode="multi", key="gallery.tags")
            prompt = st.selectbox(
                "Prompt",
                ["", *prompts],
                format_func=lambda each: each.replace("{}", "…") or "any",
                key="gallery.prompt",
            )
            st.toggle("All runs", key="gallery.all")
    return Asked(shown, text, sort, flags, wanted, born, tagged, prompt)


def _keep_only(key: str, options: Collection[object]) -> None:
    """Remove values of a widget that are no options."""
    if not all(value in options for value in st.session_state.get(key, ())):
        st.session_state[key] = [value for value in st.session_state[key] if value in options]
