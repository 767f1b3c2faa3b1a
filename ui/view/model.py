"""The stacks that pages check words, draw previews and estimate times with: loaded once, shared, never changed."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.backbone import Backbone
from evolve import Run
from ui.stack import check_made_on, open_stack


def stack(where: str) -> Backbone:
    """A stack by its name or folder, loaded anew only if its folder has changed.

    Raises:
        StackError: it cannot be loaded.
    """
    folder = Path(where).expanduser()
    files = () if where == "emoji" else tuple((file.name, _changed(file)) for file in sorted(folder.glob("*/*.json")))
    return _loaded(where, files)


def backbone(run: Run) -> Backbone:
    """The stack that a run was made on.

    Raises:
        StackError: it is not where it was, or another.
    """
    found = stack(run.about["stack"]["where"])
    check_made_on(run, found)
    return found


@st.cache_resource(max_entries=2, show_spinner="Loading the model …")
def _loaded(where: str, files: tuple[tuple[str, int], ...]) -> Backbone:
    return open_stack(where)


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
