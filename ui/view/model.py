"""Stacks for the pages: loaded once, shared by all sessions, never changed."""

from __future__ import annotations

import gc
from contextlib import nullcontext
from pathlib import Path
from threading import RLock

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.stack.backbone import Backbone
from evolve import Run
from evolve.developing import check_made_on
from ui.stack import ELSEWHERE, open_stack

MOST = 2  # stacks in memory

# While transformers loads a model it patches modules globally: a second load at the same time would get no weights.
loading = RLock()

_Key = tuple[str, tuple[tuple[str, int], ...]]
_loaded: dict[_Key, Backbone] = {}


def stack(where: str) -> Backbone:
    """A stack by its name or folder, loaded again only if the folder has changed.

    Raises:
        StackError: the stack cannot be loaded.
    """
    folder = Path(where).expanduser()
    files = () if where == "emoji" else tuple((file.name, _changed(file)) for file in sorted(folder.glob("*/*.json")))
    key = (where, files)
    found = _loaded.get(key)
    if found is None:
        with st.spinner("Loading the model …") if get_script_run_ctx(suppress_warning=True) else nullcontext():
            found = _load(key)
    return found


def backbone(run: Run) -> Backbone:
    """The stack of a run.

    Raises:
        StackError: the stack is missing, or has another fingerprint.
    """
    found = stack(run.about["stack"]["where"])
    check_made_on(run, found, ELSEWHERE)
    return found


def _load(key: _Key) -> Backbone:
    with loading:
        if key not in _loaded:
            found = open_stack(key[0])
            while len(_loaded) >= MOST:
                del _loaded[next(iter(_loaded))]
            _loaded[key] = found
            # Collections skip frozen objects, so that no page waits while Python walks over a stack and its libraries.
            gc.unfreeze()
            gc.collect()
            gc.freeze()
        return _loaded[key]


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
