"""What is selected in the tree, beside it: one concept, how it came to be, and what people say of it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.errors import ConceptreeError
from evolve.store.run import Entry
from ui.labels import BIRTHS
from ui.view import links, store, undo
from ui.view.parents import choose, parents_of
from ui.view.screens import breed
from ui.view.selection import state_of
from ui.view.store import Opened
from ui.view.text import plain, shortened


def concept(found: Opened, each: Entry) -> None:
    """One concept: what it is, what people say of it, and what one can do with it."""
    run, id_, name = found.run.folder.name, each.id, plain(each.name)
    pictures = found.drawings.get(id_)
    left, right = st.columns([1.1, 1], vertical_alignment="top")
    with left:
        if pictures:
            st.image(links.picture(run, pictures[0], 256), width="stretch", alt=f"{each.name}: {pictures[0].prompt}")
        else:
            st.caption("There is no drawing of it.")
    with right:
        st.markdown(f"**{name}**  \n{BIRTHS[each.birth].capitalize()}, generation {each.generation}")
        links.to("concept", "Open", icon=":material/open_in_full:", run=run, concept=id_)
    with st.container(horizontal=True, vertical_alignment="center"):
        key = f"tree.stars.{run}.{id_}"
        st.session_state[key] = None if each.note.rating is None else each.note.rating - 1
        st.feedback("stars", key=key, on_change=_rated, args=(run, id_, key))
        is_favourite = each.note.favourite
        st.button(
            said := f"{name} is a favourite: no longer" if is_favourite else f"Make {name} a favourite",
            icon=":material/favorite:" if is_favourite else ":material/favorite_border:",
            key="tree.icon.favourite",
            help=said,
            on_click=_note,
            args=(run, id_, f"{each.name} is no favourite" if is_favourite else f"{each.name} is a favourite"),
            kwargs={"favourite": not is_favourite},
        )
        st.button(
            said := f"Show {name} again" if each.note.hidden else f"Hide {name}: it stays in the run",
            icon=":material/visibility:" if each.note.hidden else ":material/visibility_off:",
            key="tree.icon.hide",
            help=said,
            on_click=_note,
            args=(run, id_, f"showed {each.name}" if each.note.hidden else f"hid {each.name}"),
            kwargs={"hidden": not each.note.hidden},
        )
    if each.parents:
        _parents(found, each)
    try:
        negatives = breed.individual(found, id_).concept.negatives
    except ConceptreeError as error:
        st.caption(plain(str(error)))
    else:
        if negatives:
            st.caption(f"not {plain(', '.join(negative.word for negative in negatives))}")
    if id_ not in parents_of(run):
        st.button(
            "Make this a parent",
            icon=":material/add_circle:",
            key="tree.parent",
            width="stretch",
            on_click=choose,
            args=(run, id_),
        )


def _parents(found: Opened, each: Entry) -> None:
    """The parents with their shares; a click selects one."""
    run = found.run.folder.name
    total = sum(parent.weight for parent in each.parents)
    with st.container(horizontal=True, gap="small"):
        for number, parent in enumerate(sorted(each.parents, key=lambda parent: -parent.weight)):
            name = found.graph.nodes[parent.id]["name"] if parent.id in found.graph else parent.brief
            st.button(
                f"{parent.weight / total:.0%} {plain(name)}",
                key=f"tree.parent.{run}.{each.id}.{number}",
                on_click=_select,
                args=(run, parent.id),
                disabled=parent.id not in found.graph,
            )


def stranger(found: Opened, id_: str) -> None:
    """A photograph, or a guest of another run."""
    about, run = found.graph.nodes[id_], found.run.folder.name
    photo = found.run.photos().get(id_)
    if photo:
        st.image(links.photo(run, id_, 128), width=128, alt=f"the photograph {photo.label}")
    st.markdown(f"**{plain(about['name'])}**  \n{BIRTHS[about['birth']].capitalize()}")
    if about.get("run"):
        links.to("tree", f"It lives in the run {plain(about['run'])}", icon=":material/account_tree:", run=about["run"])
    children = [found.graph.nodes[child]["name"] for child in found.graph.succ[id_]]
    st.caption(f"Parent of {plain(shortened(', '.join(children), 120))}")


def _rated(run: str, id_: str, key: str) -> None:
    stars, name = st.session_state[key], store.opened(run).by_id[id_].name
    _note(run, id_, f"rated {name}", rating=None if stars is None else stars + 1)


def _note(run: str, id_: str, what: str, **values: Any) -> None:
    undo.note(store.opened(run).run, id_, what, **values)


def _select(run: str, id_: str) -> None:
    state_of(run).select([id_])
