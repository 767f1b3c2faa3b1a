"""Parents that a person may like children of, by their taste, with one click to take them."""

from __future__ import annotations

import streamlit as st

from evolve.asking import Suggestion, may_like
from ui.view import clicks, links, store
from ui.view.parents import choose, parents_of
from ui.view.store import Opened
from ui.view.text import plain

SIDE = 56  # pixels of a picture


def show(found: Opened) -> None:
    """The proposed pairs; nothing before the taste is known."""
    proposed = _proposed(found)
    if not proposed:
        return
    st.markdown("**You may like** children of")
    for number, each in enumerate(proposed):
        _pair(found, number, each)


def _proposed(found: Opened) -> list[Suggestion]:
    """Kept until the run or the answers change."""
    answers = store.answers_of(found.run.folder)
    kept = st.session_state.get("taste.may_like")
    if kept is None or kept[0] is not found or kept[1] != answers:
        kept = st.session_state["taste.may_like"] = (found, answers, may_like(found.run))
    return kept[2]


def _pair(found: Opened, number: int, each: Suggestion) -> None:
    run = found.run.folder.name
    entries = [found.by_id[id_] for id_ in each.parents if id_ in found.by_id]
    names = " × ".join(entry.name for entry in entries)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"may-like-{number}"):
        for entry in entries:
            drawing = next((each for each in found.drawings.get(entry.id, ()) if each.file.is_file()), None)
            if drawing:
                st.image(links.picture(run, drawing, 128), width=SIDE, alt=entry.name)
        pressed = clicks.button(
            plain(names),
            key=f"taste.take.{number}",
            of=".".join(each.parents),
            icon=":material/family_restroom:",
            help=f"Take them as parents. Expected rating of a child: {each.expected:.1f} of 5.",
        )
    if pressed:
        parents_of(run).clear()
        for entry in entries:
            choose(run, entry.id)
        st.rerun()
