"""More like this: variations of one concept, with one click or with the key M."""

from __future__ import annotations

import streamlit as st

from evolve.store.run import Entry
from ui.view import clicks
from ui.view.screens import breed
from ui.view.store import Opened

NUMBER = 4  # variations

# Not while a person types or looks at a large picture.
_SCRIPT = """
<script>
if (!window.conceptreeMoreLike) {
  window.conceptreeMoreLike = true;
  const elsewhere = "input, textarea, select, [contenteditable], dialog, [role=dialog], [role=combobox]";
  window.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "m" || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.composedPath().some((element) => element.matches && element.matches(elsewhere))) return;
    document.querySelector(".st-key-more-like button:not([disabled])")?.click();
  });
}
</script>
"""


def button(found: Opened, entry: Entry | None) -> None:
    """The button; without a concept it is disabled."""
    if clicks.button(
        "More like this",
        key="more.like",
        of=entry.id if entry else "",
        once=True,
        icon=":material/auto_awesome:",
        disabled=entry is None,
        help=f"Learn {NUMBER} variations (key M)" if entry else "Select one concept of this run",
    ) and (entry is not None):
        _start(found, entry)


def listen() -> None:
    """Let the key M press the button; at the end of a page, where it takes no room in a row."""
    st.html(_SCRIPT, width="content", unsafe_allow_javascript=True)


def _start(found: Opened, entry: Entry) -> None:
    backbone = breed.stack_of(found)
    if backbone is not None:
        said = f"{NUMBER} variations of {entry.name} are being learned."
        breed.vary(found, backbone, entry.id, NUMBER, said=said)
