"""Actions on the concepts that are selected in the gallery: rate, tag, collect, hide, breed, compare, export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from core.errors import ConceptreeError
from core.wording import counted
from ui.view import boards, clicks, labelling, links, notices, store, undo
from ui.view.cards import choose
from ui.view.downloads import FORMS, forms_for, pictures_button, torn, zipped
from ui.view.items import ByRun, Item
from ui.view.parents import parents_of
from ui.view.screens import more_like
from ui.view.store import Opened

HINT = "Click selects, Ctrl or Shift adds."
TOLD = 205  # pixels of the line before the actions, fixed so that no button moves under the mouse


def show(chosen: Sequence[Item], items: Sequence[Item], key: str, found: Opened) -> None:
    """The actions on the selected concepts."""
    by_run: dict[str, dict[str, Item]] = {}
    for item in chosen:
        by_run.setdefault(item.run, {})[item.entry.id] = item
    number = sum(map(len, by_run.values()))
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="gallery.actions"):
        if number:
            st.markdown(f"**{counted(number, 'concept')} selected**", width=TOLD)
        else:
            st.caption(HINT if items else "", width=TOLD)
        every = [item.card_id for item in items]
        st.button("All", key="gallery.every", on_click=choose, args=(key, every), disabled=not every)
        st.button("None", key="gallery.none", on_click=choose, args=(key, []), disabled=not number)
        own = list(by_run.get(found.run.folder.name, {}))
        _marks(by_run, chosen, found.run.folder.name, own)
        _labels(by_run)
        more_like.button(found, found.by_id.get(own[0]) if len(own) == number == 1 else None)
        _uses(found.run.folder.name, own)
        with st.popover("Export", icon=":material/download:", key="gallery.export", disabled=not number):
            _export(found, by_run, number)


def _marks(by_run: ByRun, chosen: Sequence[Item], run: str, own: Sequence[str]) -> None:
    """Rating, favourite, hidden. own: the selected concepts of this run (ids), which can be rated blind."""
    with st.popover("Rate", icon=":material/star:", key="gallery.rate", disabled=not chosen):
        with st.container(horizontal=True):
            for stars in (*range(1, 6), None):
                st.button(
                    str(stars or "none"),
                    key=f"gallery.rate.{stars or 0}",
                    icon=":material/star:" if stars else None,
                    on_click=_mark,
                    args=(by_run, "rating", stars),
                )
        if clicks.button(
            "Without names, in random order",
            key="gallery.study",
            of=" ".join(own),
            icon=":material/rate_review:",
            disabled=not own,
            help="A blind study, as in the paper: people rate drawings without knowing which concepts they show.",
        ):
            st.session_state["rate.concepts"] = own
            links.go("rate", run=run, kind="study")
    are = bool(chosen) and all(item.entry.note.favourite for item in chosen)
    # In a narrow window these two are icons alone, see `theme.STYLE`: then all actions have one line.
    st.button(
        said := "Unfavourite" if are else "Favourite",
        key="gallery.favourite",
        icon=":material/favorite:",
        help=said,
        disabled=not chosen,
        on_click=_mark,
        args=(by_run, "favourite", not are),
    )
    hidden = bool(chosen) and all(item.entry.note.hidden for item in chosen)
    st.button(
        said := "Show again" if hidden else "Hide",
        key="gallery.hide",
        icon=":material/visibility:" if hidden else ":material/visibility_off:",
        help=said,
        disabled=not chosen,
        on_click=_mark,
        args=(by_run, "hidden", not hidden),
    )


def _labels(by_run: ByRun) -> None:
    """Tags and boards of the selected concepts."""
    chosen = [item for each in by_run.values() for item in each.values()]
    counts = Counter(tag for item in chosen for tag in item.entry.note.tags)

    def tag(add: Sequence[str], remove: Sequence[str]) -> None:
        for each in by_run.values():
            undo.tag(next(iter(each.values())).found.run, [item.entry for item in each.values()], add, remove)

    with st.popover("Tags", icon=":material/sell:", key="gallery.tagging", disabled=not chosen):
        known = {tag for item in chosen for tag in item.found.tags}
        labelling.chooser("Add a tag", counts, len(chosen), known, tag, key="gallery.tag")
    with st.popover("Boards", icon=":material/dashboard:", key="gallery.boarding", disabled=not chosen):
        boards.chooser([(item.found, item.entry) for item in chosen], "gallery.pin")


def _uses(run: str, own: Sequence[str]) -> None:
    """Breed or compare the selected concepts of this run (ids)."""
    if clicks.button(
        "Use as parents", key="gallery.parents", of=" ".join(own), icon=":material/family_restroom:", disabled=not own
    ):
        parents_of(run).update(dict.fromkeys(own, 1.0))
        links.go("tree", run=run)
    few = 2 <= len(own) <= 6
    help_ = None if few else "Select two to six concepts of this run"
    if clicks.button(
        "Compare", key="gallery.compare", of=" ".join(own), icon=":material/compare:", disabled=not few, help=help_
    ):
        links.go("compare", run=run, concepts=",".join(own))


def _export(found: Opened, by_run: ByRun, number: int) -> None:
    form = st.selectbox("Format", forms_for(_width(by_run)), format_func=FORMS.__getitem__, key="gallery.form")
    runs = [(store.opened(run), list(each)) for run, each in by_run.items()]
    for each, ids in runs:
        notices.left_out(torn(each, ids))
    wanted = [(each.run, ids) for each, ids in runs]
    st.download_button(
        f"{counted(number, 'concept')} as a zip",
        lambda: zipped(wanted, form),
        file_name=f"{found.run.folder.name}.zip",
        mime="application/zip",
        key="gallery.download",
        icon=":material/download:",
        on_click="ignore",
    )
    st.caption("The embedding of each concept, its origin, and its drawings as PNG.")
    pictures_button(wanted, found.run.folder.name, "gallery.pictures")


def _width(by_run: ByRun) -> int:
    """Width of the first selected concept's vectors; 0 if none is selected or it is damaged."""
    for each in by_run.values():
        for item in each.values():
            with suppress(ConceptreeError):
                return item.found.run.find(item.entry.id).concept.vectors.shape[1]
    return 0


def _mark(by_run: ByRun, field: str, value: undo.Value) -> None:
    for each in by_run.values():
        run = next(iter(each.values())).found.run
        undo.mark(run, [item.entry for item in each.values()], field, value)
