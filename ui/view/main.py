"""The script that Streamlit runs for each page: navigation, header, page."""

from __future__ import annotations

import streamlit as st

from core.errors import ConceptreeError
from ui.view import choice, clicks, header, lightbox, notices, store, theme, turns
from ui.view.forms import keep_forms
from ui.view.pages import FIRST, OF_A_RUN, no_run, pages

st.set_page_config(page_title="Conceptree", page_icon=theme.icon(), layout="wide")

with turns.turn():
    st.html(theme.STYLE)
    lightbox.mount()
    keep_forms()
    page = st.navigation([*pages().values()], position="top")
    try:
        run = store.remember() if page.url_path in (FIRST, *OF_A_RUN) else None
        if run is not None:
            choice.restore(run)
        if page.url_path != FIRST:  # there the header is above the family
            header.show(of_a_run=run is not None, stopped=page.url_path != "jobs")
        if run is None and page.url_path in OF_A_RUN:
            no_run(page.title)
        else:
            page.run()
        if run is not None:
            choice.keep(run, page.url_path or "start")
        clicks.refuse_left()
    except ConceptreeError as error:
        notices.error(error)
