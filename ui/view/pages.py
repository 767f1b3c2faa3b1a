"""Which pages there are: the bar at the top lists those that need no more than a run."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import streamlit as st
from streamlit.navigation.page import Page

OF_A_RUN = ("tree", "evolve", "concept", "gallery", "compare", "rate", "jobs")


def pages() -> dict[str, Page]:
    """By the names that they have in addresses, in the order of the bar.

    Streamlit marks the one that it shows, so each session has its own.
    """
    return {
        "start": st.Page(_start, title="Start", url_path="start", default=True, visibility="hidden"),
        "runs": _page("home", "Runs", "runs", "folder_open"),
        "seed": _page("seed", "New run", "seed", "add"),
        "tree": _page("tree", "Family tree", "tree", "account_tree"),
        "evolve": _page("evolve", "Evolve", "evolve", "trending_up"),
        "gallery": _page("gallery", "Gallery", "gallery", "grid_view"),
        "compare": _page("compare", "Compare", "compare", "compare"),
        "rate": _page("rate", "Rate", "rate", "star"),
        "jobs": _page("progress", "Jobs", "jobs", "hourglass_top"),
        "concept": _page("concept", "Concept", "concept", "pets", hidden=True),
    }


def _page(screen: str, title: str, address: str, icon: str, hidden: bool = False) -> Page:
    visibility = "hidden" if hidden else "visible"
    return st.Page(_showing(screen), title=title, url_path=address, icon=f":material/{icon}:", visibility=visibility)


def _showing(screen: str) -> Callable[[], None]:
    """Shows a screen, which is imported when somebody first comes to it: the first need not wait for the others."""

    def show() -> None:
        import_module(f"ui.view.screens.{screen}").show()

    return show


def _start() -> None:
    """The family that was worked on last; in a folder without any, the list of runs says how to make one."""
    from ui.view import links, store

    run = store.latest()
    links.go("tree", run=run) if run else links.go("runs")
