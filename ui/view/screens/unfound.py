"""Messages of a gallery without cards: how many the filters hide, or other searches."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from itertools import chain

import streamlit as st

from core.wording import counted
from ui.search import common, proposed, terms_of
from ui.view import births
from ui.view.items import Asked, Item, items, texts_of
from ui.view.store import Opened
from ui.view.text import plain, shortened

LONGEST = 40  # characters of the search, as it is repeated
REACHED = "A search reaches names, positives, negatives, tags, comments and prompts."


def show(runs: Sequence[Opened], asked: Asked, only: Container[tuple[str, str]] | None) -> None:
    """Say why there is no card, with buttons that find some. only: as in `items`."""
    all_ = replace(asked, flags=("hidden",), generations=(), births=(), tags=(), prompt="")
    behind = items(runs, all_, only)
    if behind:
        _behind_filters(behind)
    elif terms_of(asked.text):
        _unknown(asked, items(runs, replace(all_, text=""), only), all_)
    elif any(births.are_coming(each.run) for each in runs):
        st.caption("The first concepts are being learned. They appear here.")
    else:
        st.caption("Nothing is here yet.")


def _behind_filters(behind: Sequence[Item]) -> None:
    """Say how many cards match without the filters, or with hidden concepts."""
    visible = [each for each in behind if not each.entry.note.hidden]
    if visible:
        many, label, flags = counted(len(visible), "card matches", "cards match"), "Remove the filters", []
        st.info(f"{many} without the filters.", icon=":material/filter_list:")
    else:
        many, label, flags = counted(len(behind), "card", "cards"), "Include hidden", ["hidden"]
        st.info(f"Only hidden concepts match: {many}.", icon=":material/visibility_off:")
    st.button(label, key="gallery.unfilter", on_click=_unfilter, args=(flags,))


def _unfilter(flags: Sequence[str]) -> None:
    st.session_state.update({f"gallery.{name}": [] for name in ("generations", "births", "tags")})
    st.session_state.update({"gallery.flags": list(flags), "gallery.prompt": ""})


def _unknown(asked: Asked, all_items: Sequence[Item], all_: Asked) -> None:
    """Say that a search finds nothing, and propose others."""
    there = texts_of(all_items, all_)
    instead = proposed(terms_of(asked.text), there)
    st.info(plain(f"Nothing matches {shortened(asked.text, LONGEST)}. {REACHED}"), icon=":material/search_off:")
    searches = instead or common(chain.from_iterable(there))
    if not searches:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Did you mean" if instead else "Common here", width="content")
        for number, each in enumerate(searches):
            st.button(plain(shortened(each, LONGEST)), key=f"gallery.instead.{number}", on_click=_search, args=(each,))


def _search(text: str) -> None:
    st.session_state["gallery.text"] = text
