"""The family as web pages, to download: one folder in a zip."""

from __future__ import annotations

import streamlit as st

from core.errors import ConceptreeError
from core.wording import counted
from ui.publish import left_out, zipped
from ui.publishing.family import chosen
from ui.view import notices
from ui.view.downloads import torn
from ui.view.selection import State
from ui.view.store import Opened
from ui.view.text import plain


def show(found: Opened, state: State) -> None:
    """What to publish, what is left out, and the button. state: of the tree, for the selected concepts."""
    with st.expander("Publish as web pages", icon=":material/public:", key="tree.publish", on_change="rerun") as opened:
        if opened.open:
            _form(found, state)


def _form(found: Opened, state: State) -> None:
    selected = [each for each in state.selected if each in found.by_id]
    st.caption(
        "A folder with the family tree, a gallery and a page for each concept. It works without a server, and loads"
        " nothing from anywhere else. Names, comments, ratings and drawings are in it; hidden parents by name only."
    )
    with st.container(horizontal=True):
        only = bool(selected) and st.toggle(
            f"Only the {counted(len(selected), 'selected concept')}, with ancestors", key="tree.publish.only"
        )
        hidden = st.toggle("Hidden concepts too", key="tree.publish.hidden")
        photos = st.toggle("Photographs too", key="tree.publish.photos")
    try:
        family = chosen(found.run, selected if only else (), hidden, photos)
    except ConceptreeError as error:
        notices.error(error)
        return
    told = [counted(len(family.entries), "concept"), *(line.split(":")[0] for line in left_out(family))]
    st.caption(plain(f"{'. '.join(told)}."))
    notices.left_out(torn(found, family.by_id, family.photos.values()))
    st.download_button(
        "Web pages (.zip)",
        lambda: zipped(family),
        file_name=f"{found.run.folder.name}-site.zip",
        mime="application/zip",
        key="tree.publish.download",
        icon=":material/download:",
        on_click="ignore",
    )
