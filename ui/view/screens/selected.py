"""The panel beside the tree: the selected concept, its parents and its notes."""

from __future__ import annotations

import streamlit as st

from core.concept import aspect_of
from core.errors import ConceptreeError
from evolve.store.rows import portion, shares
from evolve.store.run import Entry
from ui.labels import BIRTHS
from ui.view import links, store, undo
from ui.view.described import described
from ui.view.parents import choose, parents_of
from ui.view.screens import taking
from ui.view.selection import state_of
from ui.view.store import Opened
from ui.view.text import plain, shortened


def concept(found: Opened, each: Entry) -> None:
    """One concept: drawing, marks, parents, negatives."""
    run, id_, name = found.run.folder.name, each.id, plain(each.name)
    pictures = found.drawings.get(id_)
    left, right = st.columns([1.1, 1], vertical_alignment="top")
    with left:
        if pictures:
            st.image(links.picture(run, pictures[0], 256), width="stretch", alt=described(each, pictures[0]))
        else:
            st.caption("Not drawn yet.")
    with right:
        st.markdown(f"**{name}**  \n{BIRTHS[each.birth].capitalize()}, generation\u00a0{each.generation}")
        links.to("concept", "Open", icon=":material/open_in_full:", run=run, concept=id_)
    with st.container(horizontal=True, vertical_alignment="center"):
        key = f"tree.stars.{run}.{id_}"
        st.session_state[key] = None if each.note.rating is None else each.note.rating - 1
        st.feedback("stars", key=key, on_change=_rated, args=(run, id_, key))
        is_favourite = each.note.favourite
        with st.container(key="tree.filled" if is_favourite else "tree.hollow", width="content"):
            st.button(
                said := f"Remove {name} from the favourites" if is_favourite else f"Add {name} to the favourites",
                icon=":material/favorite:",
                key="tree.icon.favourite",
                help=said,
                on_click=_mark,
                args=(run, id_, "favourite", not is_favourite),
            )
        st.button(
            said := f"Show {name} again" if each.note.hidden else f"Hide {name} (it stays in the run)",
            icon=":material/visibility:" if each.note.hidden else ":material/visibility_off:",
            key="tree.icon.hide",
            help=said,
            on_click=_mark,
            args=(run, id_, "hidden", not each.note.hidden),
        )
    if each.parents:
        _parents(found, each)
    try:
        negatives = store.individual(found, id_).concept.negatives
    except ConceptreeError as error:
        st.caption(plain(str(error)))
    else:
        if negatives:
            st.caption(f"Negatives: {plain(', '.join(negative.word for negative in negatives))}")
    if id_ not in parents_of(run):
        st.button(
            "Add to the parents",
            icon=":material/add_circle:",
            key="tree.parent",
            width="stretch",
            on_click=choose,
            args=(run, id_),
        )
    taking.menu(run, id_, each.name)


def _parents(found: Opened, each: Entry) -> None:
    """Parents with their shares; a click selects one."""
    run = found.run.folder.name
    told = sorted(zip(shares(each.parents), each.parents, strict=True), key=lambda pair: -pair[0])
    with st.container(horizontal=True, gap="small"):
        for number, (share, parent) in enumerate(told):
            ((name, _, kind),) = found.named([parent])
            aspect = aspect_of(kind)
            st.button(
                f"{plain(aspect)} of {plain(name)}" if aspect else f"{portion(share, percent=True)} {plain(name)}",
                key=f"tree.parent.{run}.{each.id}.{number}",
                on_click=_select,
                args=(run, parent.id),
                disabled=parent.id not in found.graph,
            )


def stranger(found: Opened, id_: str) -> None:
    """A parent outside the run: a photograph, or a concept of another run."""
    about, run = found.graph.nodes[id_], found.run.folder.name
    photo = found.run.photos().get(id_)
    if photo:
        st.image(links.photo(run, id_, 128), width=128, alt=f"photograph {photo.label}")
    st.markdown(f"**{plain(about['name'])}**  \n{BIRTHS[about['birth']].capitalize()}")
    if about.get("run"):
        links.to("tree", f"From the run {plain(about['run'])}", icon=":material/account_tree:", run=about["run"])
    children = [found.graph.nodes[child]["name"] for child in found.graph.succ[id_]]
    st.caption(f"Parent of {plain(shortened(', '.join(children), 120))}")


def _rated(run: str, id_: str, key: str) -> None:
    stars = st.session_state[key]
    _mark(run, id_, "rating", None if stars is None else stars + 1)


def _mark(run: str, id_: str, field: str, value: undo.Value) -> None:
    found = store.opened(run)
    undo.mark(found.run, [found.by_id[id_]], field, value)


def _select(run: str, id_: str) -> None:
    state_of(run).select([id_])
