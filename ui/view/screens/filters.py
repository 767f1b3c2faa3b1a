"""The row of filters above the gallery."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from core.errors import ConceptreeError
from core.texts import folded
from evolve.fitness import OBJECTIVES
from ui.labels import BIRTHS, OBJECTIVE_NAMES, SCORE_NAMES
from ui.view import notices, saved_filters, store, undo
from ui.view.boards import BOARD
from ui.view.items import FLAGS, SHOWN, SORTS, TASTE, Asked
from ui.view.screens import board_bar
from ui.view.store import Opened
from ui.view.text import plain

TAG = "tag"  # in the address
SEARCH = (
    "Finds concepts by name, positives, negatives, tags, comments and prompts; each card says what matched. Several"
    " words must all match. like:cat, not:cat, tag:cat, comment:cat, prompt:cat and name:cat search in one place."
)


def show(runs: Sequence[Opened], boards: Sequence[str]) -> Asked:
    """Show the filters for the concepts of these runs; return what they ask for. boards: to choose from."""
    entries = [each for found in runs for each in found.entries]
    generations = sorted({each.generation for each in entries})
    births = [birth for birth in BIRTHS if any(each.birth == birth for each in entries)]
    same = {name for name, called in SCORE_NAMES.items() if called in OBJECTIVE_NAMES.values()}
    scores = sorted({name for each in entries for name in each.scores} - set(OBJECTIVES) - same)
    names = {TASTE: "your taste", **SCORE_NAMES, **OBJECTIVE_NAMES}
    prompts = list(dict.fromkeys(d.prompt for found in runs for drawn in found.drawings.values() for d in drawn))
    tags = sorted({tag for found in runs for tag in found.tags}, key=folded)
    # Of another run, or since removed: Streamlit refuses a value that is no option.
    offered: dict[str, Collection[object]] = {"generations": generations, "births": births, "tags": tags}
    for name, options in offered.items():
        _keep_only(f"gallery.{name}", options)
    _keep_only("gallery.flags", FLAGS)
    sorts = [*SORTS, TASTE, *OBJECTIVES, *scores]
    for name, each in {"shown": list(SHOWN), "sort": sorts, "prompt": ["", *prompts]}.items():
        _keep_one(f"gallery.{name}", each)
    st.session_state.setdefault("gallery.shown", "concepts")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        shown = st.segmented_control(
            "Show", list(SHOWN), format_func=SHOWN.__getitem__, required=True, key="gallery.shown"
        )
        text = st.text_input(
            "Search",
            key="gallery.text",
            placeholder="name, word, tag …",
            icon=":material/search:",
            width=210,
            help=SEARCH,
        )
        sort = st.selectbox(
            "Sort by",
            sorts,
            format_func=lambda name: names.get(name, name),
            key="gallery.sort",
            width=140,
        )
        if boards:
            board_bar.choose(boards)
            board_bar.edit()
        flags = st.pills(
            "Filter",
            list(FLAGS),
            format_func=FLAGS.__getitem__,
            selection_mode="multi",
            key="gallery.flags",
            width="content",
        )
        with st.popover("More", icon=":material/filter_list:", key="gallery.more"):
            more = _more(generations, births, tags, prompts)
        with st.popover("Saved", icon=":material/bookmark:", key="gallery.saved"):
            _saved()
    return Asked(shown or "concepts", text, sort, flags, *more)


def take_tag() -> None:
    """Filter by the tag of the address alone, once, before the fields are made."""
    tag = st.query_params.get(TAG)
    if tag is None:
        return
    st.query_params.pop(TAG, None)
    for name in ("text", "flags", "generations", "births", "prompt"):
        st.session_state.pop(f"gallery.{name}", None)
    st.session_state["gallery.tags"] = [tag]


def _more(
    generations: Sequence[int], births: Sequence[str], tags: Sequence[str], prompts: Sequence[str]
) -> tuple[Sequence[int], Sequence[str], Sequence[str], str]:
    """Generations, births, tags and the prompt, chosen from these."""
    wanted = st.pills("Generations", generations, selection_mode="multi", key="gallery.generations")
    born = st.pills("Birth", births, format_func=BIRTHS.__getitem__, selection_mode="multi", key="gallery.births")
    tagged = st.pills("Tags", tags, format_func=plain, selection_mode="multi", key="gallery.tags")
    prompt = st.selectbox(
        "Prompt", ["", *prompts], format_func=lambda each: each.replace("{}", "…") or "any", key="gallery.prompt"
    )
    st.toggle("All runs", key="gallery.all")
    return wanted, born, tagged, prompt


def _saved() -> None:
    """The filters that were saved: choose one, remove one, or save the present ones."""
    folder = store.runs_folder()
    st.text_input(
        "Save these filters as",
        key="gallery.save",
        max_chars=saved_filters.LONGEST_NAME,
        placeholder="a name",
        on_change=_save,
        args=(folder,),
    )
    try:
        found = saved_filters.saved(folder)
    except ConceptreeError as error:
        notices.error(error)
        return
    for number, each in enumerate(found):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(plain(each.name), key=f"gallery.saved.{number}", on_click=_use, args=(each,), width="stretch")
            st.button(
                plain(f"Remove {each.name}"),
                key=f"icon.gallery.saved.{number}",
                icon=":material/close:",
                type="tertiary",
                help=plain(f"Remove {each.name}"),
                on_click=_remove,
                args=(folder, each.name),
            )


def _save(folder: Path) -> None:
    name = st.session_state["gallery.save"].strip()
    st.session_state["gallery.save"] = ""
    if name:
        values = {field: st.session_state.get(f"gallery.{field}") or "" for field in saved_filters.ONE}
        values |= {field: list(st.session_state.get(f"gallery.{field}") or ()) for field in saved_filters.SEVERAL}
        values |= {"all": bool(st.session_state.get("gallery.all")), "board": st.query_params.get(BOARD, "")}
        undo.did(f"{name}: filter saved", partial(saved_filters.save, folder, name, values))


def _remove(folder: Path, name: str) -> None:
    undo.did(f"{name}: filter removed", partial(saved_filters.remove, folder, name))


def _use(each: saved_filters.Saved) -> None:
    """Set all filters; values that this run does not have are left out by `show`."""
    for field, value in each.values.items():
        if field != BOARD:
            st.session_state[f"gallery.{field}"] = value
    if each.values[BOARD]:
        st.query_params[BOARD] = each.values[BOARD]
    else:
        st.query_params.pop(BOARD, None)


def _keep_one(key: str, options: Collection[object]) -> None:
    """Forget the value of a widget if it is no option."""
    if st.session_state.get(key) not in options:
        st.session_state.pop(key, None)


def _keep_only(key: str, options: Collection[object]) -> None:
    """Remove values of a widget that are no options."""
    if not all(value in options for value in st.session_state.get(key, ())):
        st.session_state[key] = [value for value in st.session_state[key] if value in options]
