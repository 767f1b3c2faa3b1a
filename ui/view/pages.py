"""The pages of the workbench; the navigation bar lists the pages that need only a run."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Literal

import streamlit as st
from streamlit.navigation.page import Page

FIRST = ""  # the address of the first page
OF_A_RUN = ("tree", "evolve", "map", "concept", "gallery", "compare", "rate", "jobs")


def pages() -> dict[str, Page]:
    """Pages by their name in addresses, in the order of the bar.

    Made for each session, since Streamlit marks the one that it shows.
    """
    return {
        "start": _page("start", "Start", "start", "home", default=True),
        "runs": _page("home", "Runs", "runs", "folder_open"),
        "seed": _page("seed", "New run", "seed", "add"),
        "tree": _page("tree", "Family tree", "tree", "account_tree"),
        "evolve": _page("evolve", "Evolve", "evolve", "trending_up"),
        "map": _page("map", "Map", "map", "grid_on"),
        "gallery": _page("gallery", "Gallery", "gallery", "grid_view"),
        "compare": _page("compare", "Compare", "compare", "compare"),
        "rate": _page("rate", "Rate", "rate", "star"),
        "jobs": _page("progress", "Jobs", "jobs", "hourglass_top"),
        "concept": _page("concept", "Concept", "concept", "interests", hidden=True),
    }


def _page(screen: str, title: str, address: str, icon: str, *, hidden: bool = False, default: bool = False) -> Page:
    visibility: Literal["hidden", "visible"] = "hidden" if hidden else "visible"
    return st.Page(
        _showing(screen),
        title=title,
        url_path=address,
        icon=f":material/{icon}:",
        visibility=visibility,
        default=default,
    )


def _showing(screen: str) -> Callable[[], None]:
    """Show a screen, imported at its first visit, so that the first page need not wait for the others."""

    def show() -> None:
        import_module(f"ui.view.screens.{screen}").show()

    return show


def no_run(title: str) -> None:
    """What a page of a run shows if there is no run: what it is for, and how to start."""
    from ui.view import links, store
    from ui.view.text import plain

    st.title(plain(title), anchor=False)
    st.info(
        "There are no runs yet, and this page shows one. A run is a population: name a category, such as *pet*, and"
        " Conceptree invents members of it that do not exist.",
        icon=":material/family_history:",
    )
    with st.container(horizontal=True):
        links.to("seed", "New run", icon=":material/add:")
        links.to("runs", "Open a file", icon=":material/upload_file:")
    st.caption(plain(f"Folder of runs: {store.runs_folder()}"))
