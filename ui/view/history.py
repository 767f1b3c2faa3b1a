"""One click is one step back: keeps Streamlit from adding two entries to the browser's history."""

from __future__ import annotations

import streamlit as st

# Streamlit changes the query of the old page first and then the page, and adds an entry for each. Here only the first
# change after a click or a key adds an entry; what follows by itself replaces it.
_SCRIPT = """
<script>
if (!window.conceptreeHistory) {
  window.conceptreeHistory = true;
  const push = history.pushState.bind(history);
  let acted = false;
  // The second click of a double click is no act of its own: Streamlit may be between its two changes then.
  for (const kind of ["mousedown", "touchstart", "keydown"]) {
    window.addEventListener(kind, (event) => (acted ||= event.detail < 2), { capture: true, passive: true });
  }
  window.addEventListener("popstate", () => (acted = false));
  history.pushState = (...entry) => {
    if (acted) push(...entry);
    else history.replaceState(...entry);
    acted = false;
  };
}
</script>
"""


def keep_short() -> None:
    """Call once on each page."""
    st.html(_SCRIPT, width="content", unsafe_allow_javascript=True)
