"""Jobs in the browser's tab: progress in its title, and a bell that allows notifications."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ui.view import links, whole

_HERE = Path(__file__).parent
_bell = st.components.v2.component(
    "conceptree.bell",
    html='<button type="button" hidden></button>\n<span class="heard" role="status"></span>',
    css=(_HERE / "bell.css").read_text(encoding="utf-8"),
    js=(_HERE / "bell.js").read_text(encoding="utf-8"),
)


def show() -> None:
    """Show the bell. The browser asks for the jobs by itself; a click on a notification leads to its job."""
    found = _bell(key="bell", data={"address": links.working()}, width="content", on_go_change=whole.to_the_end)
    if told := found.get("go"):
        links.go("jobs", run=str(told["run"]), job=str(told["job"]))
