"""The first page: one field and one button, and below them the family of the latest run."""

from __future__ import annotations

import secrets

import streamlit as st

from core.errors import ConceptreeError
from evolve.jobs.choices import UnknownWordError
from evolve.jobs.options import FOUNDERS, SeedOptions
from ui.view import clicks, header, imagined, links, model, notices, seeds
from ui.view.cards import Card, cards, selected_in
from ui.view.screens import seed, tree
from ui.view.screens import unknown as unknown_category

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


TILES = "start.tiles"  # key of the pictures
SIDE = 100  # pixels of a picture, at least


def show() -> None:
    st.html(STYLE)
    first = "run" not in st.query_params
    _take_tile()
    with st.container(key="start.top"):
        st.title("Name a thing, get ones that do not exist, breed the ones you love.", anchor=False)
        unknown = _ask()
        st.html(FOCUS, width="content", unsafe_allow_javascript=True)
    if unknown:
        _known_categories()
    header.show(of_a_run=not first)
    if first:
        _first_time(listed=unknown)
    else:
        with st.container(key="start.family"):
            tree.show()


def _first_time(listed: bool) -> None:
    """Pictures of categories to choose from, and what to expect. listed: whether all categories are on the page."""
    st.markdown("**Choose a category**, or type another one above")
    cards(
        [
            Card(id=each, title=each, image=links.imagined(each), alt=f"a drawing of the category {each}")
            for each in imagined.CATEGORIES
        ],
        key=TILES,
        label="Categories",
        side=SIDE,
        several=False,
        opens=False,
        enlarges=False,
    )
    st.caption(
        "The pictures show what the model knows. It invents six members of the category that are unlike all of these."
        " This takes a few minutes on two cores, and you see them while they are learned."
    )
    with st.container(horizontal=True):
        links.to("runs", "Open a shared family", icon=":material/upload_file:")
    if not listed:
        with st.expander("All categories", icon=":material/category:", key="start.all", on_change="rerun") as opened:
            if opened.open:
                _known_categories()


def _take_tile() -> None:
    """Fill in the field with the picture that was clicked, before the page makes the field."""
    clicked = selected_in(TILES) or []
    if clicked and st.session_state.get("start.clicked") != clicked:
        st.session_state["start.category"] = clicked[0]
    st.session_state["start.clicked"] = clicked


def _known_categories() -> None:
    """All categories of the embedded stack; a click fills in the field."""
    known = sorted(set(model.stack("emoji").vocabulary.categories) - {"style"})
    unknown_category.categories(known, "start.known", "start.category")


def _ask() -> bool:
    """The field and its button, and a way to all options. Returns whether the model does not know what was typed."""
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
        st.session_state["start.unknown"] = ""
        try:
            _begin(category)
        except UnknownWordError:
            st.session_state["start.unknown"] = category
        except ConceptreeError as error:
            notices.error(error)
    unknown: str = st.session_state.get("start.unknown", "")
    if unknown and category == unknown:
        unknown_category.warn(unknown, model.stack("emoji"))
    return bool(unknown) and category == unknown


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
