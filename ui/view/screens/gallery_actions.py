"""Actions on the concepts that are selected in the gallery: rate, tag, hide, breed, compare, export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from core.errors import ConceptreeError
from core.texts import folded
from core.wording import counted
from ui.view import clicks, links, store, undo
from ui.view.cards import choose
from ui.view.downloads import FORMS, forms_for, zipped
from ui.view.grid import HINT
from ui.view.items import ByRun, Item
from ui.view.parents import parents_of
from ui.view.store import Opened
from ui.view.text import plain

TOLD = 290  # pixels of the line before the actions, fixed so that no button moves under the mouse


def show(chosen: Sequence[Item], items: Sequence[Item], key: str, found: Opened) -> None:
    """The actions on the selected concepts."""
    by_run: dict[str, dict[str, Item]] = {}
    for item in chosen:
        by_run.setdefault(item.run, {})[item.entry.id] = item
    number = sum(map(len, by_run.values()))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="gallery.actions"):
        if number:
            st.markdown(f"**{counted(number, 'concept')} selected**", width=TOLD)
        else:
            st.caption(f"{counted(len(items), 'card')}. {HINT}", width=TOLD)
        st.button("All", key="gallery.every", on_click=choose, args=(key, [item.card_id for item in items]))
        st.button("None", key="gallery.none", on_click=choose, args=(key, []), disabled=not number)
        _marks(by_run, chosen)
        _tags(by_run)
        _uses(found.run.folder.name, list(by_run.get(found.run.folder.name, {})))
        with st.popover("Export", icon=":material/download:", key="gallery.export", disabled=not number):
            _export(found, by_run, number)


def _marks(by_run: ByRun, chosen: Sequence[Item]) -> None:
    """Rating, favourite, hidden."""
    with (
        st.popover("Rate", icon=":material/star:", key="gallery.rate", disabled=not chosen),
        st.container(horizontal=True),
    ):
        for stars in (*range(1, 6), None):
            st.button(
                str(stars or "none"),
                key=f"gallery.rate.{stars or 0}",
                icon=":material/star:" if stars else None,
                on_click=_mark,
                args=(by_run, "rating", stars),
            )
    are = bool(chosen) and all(item.entry.note.favourite for item in chosen)
    st.button(
        "Remove favourite" if are else "Favourite",
        key="gallery.favourite",
        icon=":material/favorite:",
        disabled=not chosen,
        on_click=_mark,
        args=(by_run, "favourite", not are),
    )
    hidden = bool(chosen) and all(item.entry.note.hidden for item in chosen)
    st.button(
        "Show again" if hidden else "Hide",
        key="gallery.hide",
        icon=":material/visibility:" if hidden else ":material/visibility_off:",
        disabled=not chosen,
        on_click=_mark,
        args=(by_run, "hidden", not hidden),
    )


def _tags(by_run: ByRun) -> None:
    """Tags of the selected concepts, each with a button, and one more to add."""
    chosen = [item for each in by_run.values() for item in each.values()]
    counts = Counter(tag for item in chosen for tag in item.entry.note.tags)
    known = {tag for item in chosen for tag in item.found.tags}
    with st.popover("Tags", icon=":material/sell:", key="gallery.tagging", disabled=not chosen):
        # A new field for each tag: the browser would give the text of an old one to the next selection.
        key = f"gallery.tag.{st.session_state.get('gallery.tags.added', 0)}"
        st.selectbox(
            "Add a tag",
            sorted((tag for tag in known if counts[tag] < len(chosen)), key=folded),
            index=None,
            key=key,
            accept_new_options=True,
            placeholder="Choose a tag, or type a new one",
            on_change=_add_tag,
            args=(by_run, key),
            width=260,
        )
        for number, tag in enumerate(sorted(counts, key=folded)):
            of_all = counts[tag] == len(chosen)
            st.button(
                plain(tag if of_all else f"{tag}, {counts[tag]} of {len(chosen)}"),
                key=f"gallery.tagged.{number}",
                icon=":material/close:" if of_all else ":material/add:",
                type="tertiary",
                help="Remove this tag" if of_all else "Add it to the others too",
                on_click=_tag,
                args=(by_run, () if of_all else (tag,), (tag,) if of_all else ()),
            )


def _add_tag(by_run: ByRun, key: str) -> None:
    tag = st.session_state[key]
    st.session_state["gallery.tags.added"] = st.session_state.get("gallery.tags.added", 0) + 1
    if tag:
        _tag(by_run, (tag,), ())


def _tag(by_run: ByRun, add: Sequence[str], remove: Sequence[str]) -> None:
    for each in by_run.values():
        undo.tag(next(iter(each.values())).found.run, [item.entry for item in each.values()], add, remove)


def _uses(run: str, own: Sequence[str]) -> None:
    """Breed, compare or rate the selected concepts of this run (ids)."""
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
    if clicks.button(
        "User study", key="gallery.study", of=" ".join(own), icon=":material/rate_review:", disabled=not own
    ):
        st.session_state["rate.concepts"] = own
        links.go("rate", run=run)


def _export(found: Opened, by_run: ByRun, number: int) -> None:
    form = st.selectbox("Format", forms_for(_width(by_run)), format_func=FORMS.__getitem__, key="gallery.form")
    wanted = [(store.opened(run).run, list(each)) for run, each in by_run.items()]
    st.download_button(
        f"{counted(number, 'concept')} as a zip",
        lambda: zipped(wanted, form),
        file_name=f"{found.run.folder.name}.zip",
        mime="application/zip",
        key="gallery.download",
        icon=":material/download:",
        on_click="ignore",
        help="Embedding, sidecar and drawings of each concept.",
    )


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
