"""The family tree as a component of the page: drawings as nodes, in the browser, with what a person selects."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent


def _script() -> str:
    """The library and our own code as one module: the library's names stay its own."""
    library = (HERE / "cytoscape.js").read_text(encoding="utf-8")
    body, name = re.fullmatch(r"(.*)export\{(\w+) as default\};\s*", library, re.DOTALL).groups()  # type: ignore[union-attr]
    own = (HERE / "family.js").read_text(encoding="utf-8")
    return f"const cytoscape = (() => {{\n{body}\nreturn {name};\n}})();\n{own}"


_mount = st.components.v2.component(
    "conceptree_family", js=_script(), css=(HERE / "family.css").read_text(encoding="utf-8")
)


def family(data: dict[str, Any], key: str, height: int, on: Callable[[str], None]) -> None:
    """Show a family; see `screens.tree.told` for `data`.

    What is selected stands in `st.session_state[key]["selected"]` as `{"ids": […], "at": …}`, `at` another each time.
    on: called with "unfold", "find" or "open" before the script runs again, when a person asks for it; what for
    stands under that name in `st.session_state[key]`.
    """
    _mount(
        key=key,
        data=data,
        height=height,
        on_selected_change=lambda: None,
        on_unfold_change=lambda: on("unfold"),
        on_find_change=lambda: on("find"),
        on_open_change=lambda: on("open"),
    )
