"""The first page: one field and one button, and below them the family of the latest run."""

from __future__ import annotations

import secrets

import streamlit as st

from core.errors import ConceptreeError
from evolve.jobs.options import FOUNDERS, SeedOptions
from ui.view import clicks, header, links, model, notices, seeds
from ui.view.screens import seed, tree

MOST = 80  # characters of a category
# The tree has the rest of the window. Streamlit's "Press Enter to submit" would cover the placeholder.
STYLE = """<style>
.st-key-start-top { gap: 0; }
.st-key-start-top h1 { padding: 0.25rem 0 1.5rem; }
.st-key-start-top [data-testid="stForm"] { padding: 0; }
.st-key-start-top input::placeholder { color: inherit; opacity: 0.75; }
.st-key-start-top [data-testid="InputInstructions"] { display: none; }
.st-key-start-family .st-key-tree-canvas > div,
.st-key-start-family .st-key-tree-canvas [data-testid="stBidiComponentIsolated"] {
  height: max(380px, calc(100vh - 308px)) !important;
}
.st-key-start-family .st-key-tree-panel,
.st-key-start-family [data-testid="stLayoutWrapper"]:has(> .st-key-tree-panel) {
  height: max(432px, calc(100vh - 256px)) !important;
}
</style>"""
# The field is ready for typing as soon as the page is there, unless the person is already somewhere else.
FOCUS = """<script>
(() => {
  const until = performance.now() + 5000;
  const look = () => {
    const field = document.querySelector(".st-key-start-top input");
    if (field && document.activeElement === document.body) field.focus({ preventScroll: true });
    else if (!field && performance.now() < until) requestAnimationFrame(look);
  };
  look();
})();
</script>"""


def show() -> None:
    st.html(STYLE)
    with st.container(key="start.top"):
        st.title("Name a thing, get ones that do not exist, breed the ones you love.", anchor=False)
        _ask()
        st.html(FOCUS, width="content", unsafe_allow_javascript=True)
    header.show(of_a_run="run" in st.query_params)
    if "run" in st.query_params:
        with st.container(key="start.family"):
            tree.show()
    else:
        with st.container(horizontal=True):
            links.to("runs", "Open a file", icon=":material/upload_file:")
        st.caption("Six founders take a few minutes on two cores. They appear here as they are learned.")


def _ask() -> None:
    """The field and its button, and a way to all options."""
    with st.form("start.form", border=False), st.container(horizontal=True, vertical_alignment="center"):
        category = st.text_input(
            "Category",
            key="start.category",
            placeholder="pet, bird, fruit, vehicle …",
            label_visibility="collapsed",
            max_chars=MOST,
            width=260,
        ).strip()
        asked = clicks.button(
            f"Invent {FOUNDERS.default}",
            key="start.invent",
            make=st.form_submit_button,
            once=True,
            type="primary",
            icon=":material/auto_awesome:",
        )
        # A button of the form, too, since only they tell what was typed.
        more = clicks.button(
            "More options", key="start.more", make=st.form_submit_button, type="tertiary", icon=":material/tune:"
        )
    if more:
        _more(category)
    if asked:
        try:
            _begin(category)
        except ConceptreeError as error:
            notices.error(error)


def _more(category: str) -> None:
    """Go to the page with all options, filled in with the category."""
    if category:
        kind = _kind(category)
        st.session_state.update({"seed.kind": kind, f"seed.category.{kind}": category})
    links.go("seed")


def _begin(category: str) -> None:
    """Start founders of a category with the defaults of New run, and show their family.

    Raises:
        ConceptreeError: there is no category, or it cannot be learned.
    """
    if not category:
        raise ConceptreeError("name a category first, such as pet")
    backbone = model.stack("emoji")
    options = SeedOptions(category=category, kind=_kind(category), seed=secrets.randbelow(seeds.ROLLED))
    run, _ = seed.begin(backbone, seed.checked(backbone, options), None)
    links.go("tree", run=run.folder.name)


def _kind(category: str) -> str:
    return "style" if category.casefold() in seed.STYLES else "object"
