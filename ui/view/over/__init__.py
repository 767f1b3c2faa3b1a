"""Two pictures over each other, with a slider between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent
_over = st.components.v2.component(
    "conceptree.over",
    html=(_HERE / "over.html").read_text(encoding="utf-8"),
    css=(_HERE / "over.css").read_text(encoding="utf-8"),
    js=(_HERE / "over.js").read_text(encoding="utf-8"),
)


def over(images: Sequence[str], names: Sequence[str], alts: Sequence[str], *, key: str, side: int) -> None:
    """Show two pictures (addresses) in one place; left of the slider the first, right of it the second.

    alts: alternative texts. side: largest width in pixels. The browser moves the slider without Python.
    """
    _over(key=key, data={"images": list(images), "names": list(names), "alts": list(alts), "side": side})
