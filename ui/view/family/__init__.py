"""The family tree as a component: drawings as nodes, with a selection."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent
OWN = ("family.js", "ghosts.js", "drop.js", "keys.js", "fold.js")


def _script() -> str:
    """The library and our own code as one module, with the library's names in a scope of their own."""
    library = (HERE / "cytoscape.js").read_text(encoding="utf-8")
    export = re.fullmatch(r"(.*)export\{(\w+) as default\};\s*", library, re.DOTALL)
    assert export, "cytoscape.js ends with its default export"
    body, name = export.groups()
    own = "\n".join((HERE / name).read_text(encoding="utf-8") for name in OWN)
    return f"const cytoscape = (() => {{\n{body}\nreturn {name};\n}})();\n{own}"


_mount = st.components.v2.component(
    "conceptree_family", js=_script(), css=(HERE / "family.css").read_text(encoding="utf-8")
)


def family(data: Mapping[str, object], key: str, height: int, on: Callable[[str], None]) -> None:
    """Show a family; `screens.tree.data_of` makes `data`.

    The selection is `st.session_state[key]["selected"]`: `{"ids": […], "at": …}` with a new `at` each time. on: called
    before the rerun with the event "unfold", "find", "open", "steer" or "drop"; its value has that name in
    `st.session_state[key]`.
    """
    _mount(
        key=key,
        data=data,
        height=height,
        on_selected_change=lambda: None,
        on_unfold_change=lambda: on("unfold"),
        on_find_change=lambda: on("find"),
        on_open_change=lambda: on("open"),
        on_steer_change=lambda: on("steer"),
        on_drop_change=lambda: on("drop"),
    )
