"""Gallery of a run, of all runs or of a board: sort, filter, and rate, hide, compare or export the selection."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.errors import ConceptreeError
from evolve.taste import LEAST
from ui.labels import tally
from ui.view import boards, choice, links, notices, steady, store, undo
from ui.view.cards import Card, cards
from ui.view.grid import card_of
from ui.view.items import SHOWN, TASTE, Item, concepts_of, entries_of, every_card, items
from ui.view.screens import births, board_bar, filters, gallery_actions, more_like, unfound
from ui.view.store import Opened
from ui.view.text import plain

HEIGHT = 520  # pixels, where a browser does not follow `theme.STYLE`
SIDE = 132
MOST = 1000  # cards; more would be slow


def show() -> None:
    st.fragment(_gallery)(store.current())


def _gallery(found: Opened) -> None:
    # A fragment keeps its first arguments: read the run again to see later notes.
    found = store.opened(found.run.folder.name)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Gallery", anchor=False, width="content")
        line = st.container(horizontal=True, vertical_alignment="center", width="content")
        undo.bar(found.run)
    names = [each.name for each in boards.there()]
    board = board_bar.chosen(names)
    runs, only = board_bar.contents(board) if board else (_runs(found), None)
    for each in runs:
        notices.warn_of(each.damage)
    asked = filters.show(runs, names)
    key = f"gallery.cards.{found.run.folder.name}"
    view = (asked, board, [each.run.folder.name for each in runs])
    matching = items(runs, asked, only, steady.begin(view, key, lambda: every_card(runs, asked)))
    found_items = steady.settled(matching)
    if asked.sort == TASTE and not any(TASTE in item.scores for item in found_items):
        st.caption(f"Rate, compare or favourite at least {LEAST} concepts of a run: then its concepts have an order.")
    many = len(found_items)
    shown = found_items[:MOST]
    with line:
        st.caption(tally(entries_of(runs, only), concepts_of(found_items)), width="content")
        steady.offer(len(matching) - many, asked.shown.removesuffix("s"))
    place = st.container()
    undrawn = {item.run: item.found for item in shown if item.drawing is None}
    drafts = {id_: look for each in undrawn.values() for id_, look in births.drafts(each.run).items()}
    with st.container(key="gallery.grid"):
        chosen = cards(
            [replace(_card(item, len(runs) > 1 or bool(board)), draft=drafts.get(item.entry.id, "")) for item in shown],
            key=key,
            label=SHOWN[asked.shown],
            height=HEIGHT,
            side=SIDE,
            sizes=True,
            empty="",  # `unfound` says why
            fills=True,
        )
    if many > MOST:
        st.caption(f"Showing the first {MOST:,} of {many:,}. Filter or sort to see others.")
    by_id = {item.card_id: item for item in shown}
    if chosen.opened:
        item = by_id[chosen.opened]
        links.go("concept", run=item.run, concept=item.entry.id)
    steady.note(chosen.selected)
    with place:
        gallery_actions.show([by_id[id_] for id_ in chosen.selected], shown, key, found)
        if not shown:
            unfound.show(runs, asked, only)
    more_like.listen()
    choice.keep(found.run.folder.name, "cards")


def _runs(found: Opened) -> list[Opened]:
    """The run, or all runs that can be read; warns of the others."""
    if not st.session_state.get("gallery.all"):
        return [found]
    runs = [found]
    for name in store.newest_first():
        if name != found.run.folder.name:
            try:
                runs.append(store.opened(name))
            except ConceptreeError as error:
                st.warning(plain(str(error)), icon=":material/healing:")
    return runs


def _card(item: Item, several_runs: bool) -> Card:
    entry, drawing = item.entry, item.drawing
    about = ", ".join(entry.note.tags) or entry.category
    line = drawing.prompt.replace("{}", "…") if item.is_drawing and drawing else about
    sort = st.session_state.get("gallery.sort")
    if sort in item.scores:
        line = f"{sort} {item.scores[sort]:.2f}"
    line = item.because or line
    line = f"{line} · {item.run}" if several_runs else line
    return card_of(item.run, entry, drawing, line, item.card_id, item.is_drawing)
