"""Gallery of a run, of all runs or of a board: sort, filter, and rate, hide, compare or export the selection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from core.errors import ConceptreeError
from evolve.taste import LEAST
from ui.descent import Words, captioned, crossed, extra_words
from ui.labels import BIRTHS, tally
from ui.view import births, boards, choice, links, notices, steady, store, undo
from ui.view.cards import Card, cards
from ui.view.described import category_of
from ui.view.grid import card_of
from ui.view.items import SHOWN, TASTE, Item, concepts_of, entries_of, every_card, items
from ui.view.screens import board_bar, filters, gallery_actions, more_like, unfound
from ui.view.store import Opened
from ui.view.text import plain, shortened

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
    filters.take_tag()
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
    many, common = len(found_items), _category(found_items)
    shown = found_items[:MOST]
    with line:
        st.caption(plain(f"{common}{tally(entries_of(runs, only), concepts_of(found_items))}"), width="content")
        steady.offer(len(matching) - many, asked.shown.removesuffix("s"))
    place = st.container()
    words = {each.run.folder.name: store.words_of(each.run) for each in runs}
    undrawn = {item.run: item.found for item in shown if item.drawing is None}
    drafts = {id_: look for each in undrawn.values() for id_, look in births.drafts(each.run).items()}
    with st.container(key="gallery.grid"):
        chosen = cards(
            [
                replace(
                    _card(item, words[item.run], not common, len(runs) > 1 or bool(board)),
                    draft=drafts.get(item.entry.id, ""),
                )
                for item in shown
            ],
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


def _category(items: Sequence[Item]) -> str:
    """`pet · ` if all cards have this category, else ""; cards of several name their own."""
    found = {category_of(item.entry.category, item.entry.kind) for item in items}
    return f"{shortened(found.pop(), 40)} · " if len(found) == 1 else ""


def _card(item: Item, words: Words, names_category: bool, several_runs: bool) -> Card:
    """words: of the run. names_category, several_runs: whether the card says its category, and its run."""
    entry, drawing = item.entry, item.drawing
    line = drawing.prompt.replace("{}", "…") if item.is_drawing and drawing else _own(item, words)
    if names_category and not item.is_drawing:
        line = " · ".join(filter(None, [entry.category, line]))
    sort = st.session_state.get("gallery.sort")
    if sort in item.scores:
        line = f"{sort} {item.scores[sort]:.2f}"
    line = item.because or line
    line = f"{line} · {item.run}" if several_runs else line
    return card_of(item.run, entry, drawing, line, item.card_id, item.is_drawing)


def _own(item: Item, words: Words) -> str:
    """What sets a concept apart, in a line: its parents, or else its trait and negatives; and its tags."""
    entry = item.entry
    _, negatives = words.get(entry.id, ((), ()))
    but = extra_words(entry.id, entry.category, entry.parents, words)
    if entry.parents:
        line = captioned([p.kind for p in entry.parents], crossed(item.found.named(entry.parents), but))
    else:
        unlike = [f"not {', '.join(negatives)}"] if negatives else []
        line = ", ".join([*but, *unlike]) or BIRTHS[entry.birth]
    return " · ".join([line, *filter(None, [", ".join(entry.note.tags)])])
