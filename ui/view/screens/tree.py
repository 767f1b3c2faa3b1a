"""The family tree, its table, and the panel for the selected concepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from evolve.family.focus import MOST
from evolve.family.lasting import Memory, Spot, forget, remember, remembered
from ui.descent import crossed, extra_words
from ui.labels import BIRTH_COLOURS, BIRTHS, tally
from ui.view import births, dropped, ghosts, kin, links, notices, store, theme, undo
from ui.view.family import family
from ui.view.ghosts import GHOST, Ghost
from ui.view.parents import follow, parents_of, photos_of, takes_of
from ui.view.scene import Filter, Scene, scene
from ui.view.screens import breed, may_like, publishing, selected, steering, taking
from ui.view.selection import State, find, state_of
from ui.view.store import Opened
from ui.view.text import shortened

HEIGHT = 600  # pixels of the tree and of the panel where a browser does not follow STYLE
GROUND = f"light-dark({theme.LIGHT['backgroundColor']}, {theme.DARK['backgroundColor']})"
# The labels of icon buttons are for screen readers only.
STYLE = """<style>
/* Tree and panel are as high as the window allows; the panel scrolls by itself, and its main button stays in sight. */
.st-key-tree-canvas > div, .st-key-tree-canvas [data-testid="stBidiComponentIsolated"] {
  flex: 0 0 auto !important; height: max(380px, calc(100vh - 190px)) !important;
}
.st-key-tree-panel, [data-testid="stLayoutWrapper"]:has(> .st-key-tree-panel) {
  flex: 0 0 auto !important; height: max(432px, calc(100vh - 138px)) !important;
}
/* Content scrolls away under the button. `scroll-padding` keeps the focused field above it. */
.st-key-tree-panel { scroll-padding-bottom: 64px; }
.st-key-breed-start, .st-key-breed-vary {
  position: sticky; bottom: 0; z-index: 5; background: GROUND;
  box-shadow: 0 13px 0 2px GROUND, 0 -5px 8px GROUND;
}
[class*="st-key-breed-taken-"] {
  border: 1px solid rgb(128 128 128 / 0.35); border-radius: 6px; padding: 2px 2px 2px 4px; max-width: 100%;
}
[class*="st-key-tree-icon-"] [data-testid="stMarkdownContainer"] {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
</style>""".replace("GROUND", GROUND)


def show() -> None:
    found = store.current()
    run = found.run.folder.name
    notices.warn_of(found.damage)
    coming = ghosts.ghosts_of(found)
    if not found.entries and not coming:
        _no_concepts(found)
        return
    st.html(STYLE)
    state = state_of(run)
    if gone := st.session_state.pop("tree.go", None):
        if gone.startswith(f"{GHOST}:"):
            links.go("jobs", run=run, job=ghosts.job_of(gone))
        links.go("concept", run=run, concept=gone)
    if other := dropped.other_run():
        links.go("tree", run=other)
    _take_selection(state, run)
    state.known = state.known or frozenset(each.id for each in found.entries)
    state.selected = [each for each in state.selected if each in found.graph]
    tree, panel = st.columns([2.7, 1], gap="small")
    with tree:
        only, line = _filter(found)
        if state.only != only:
            state.only, state.message = only, state.message if state.only is None else ""
        drawn = _scene(found, only, state, coming)
        line.caption(_amount(drawn, found, only), width="content")
        with st.container(key="tree.canvas"):
            family(data_of(drawn, found, state), f"tree.family.{run}", HEIGHT, on=lambda event: _asked(event, run))
        _table(found, drawn.view.shown, state)
        with st.expander(
            "Generations and extinct lines", icon=":material/timeline:", key="tree.lines", on_change="rerun"
        ) as lines:
            if lines.open:
                kin.show_generations(found)
        publishing.show(found, state)
    with panel, st.container(height=HEIGHT + 48, key="tree.panel"):
        _panel(found, state)


def _no_concepts(found: Opened) -> None:
    """A run without concepts: its jobs, and links to go on if none is running."""
    coming = births.are_coming(found.run)
    told = "The first concepts are being learned. They appear in the tree."
    st.info(told if coming else "This run has no concepts yet.", icon=":material/account_tree:")
    births.work(found)
    if coming:
        return
    links.to("jobs", "Jobs of this run", icon=":material/hourglass_top:", run=found.run.folder.name)
    links.to("seed", "Seed a new run", icon=":material/add:")


def _take_selection(state: State, run: str) -> None:
    """Apply the selection in the tree or in the table."""
    told = (st.session_state.get(f"tree.family.{run}") or {}).get("selected")
    if told is not None and told != state.heard:
        state.heard = told
        state.selected, state.message = list(told["ids"]), ""
    table = st.session_state.get(f"tree.table.{run}")
    rows = sorted(table["selection"]["rows"]) if table else state.ticked
    if rows != state.ticked:
        others = [each for each in state.selected if each not in state.listed]
        chosen = [state.listed[row] for row in rows if row < len(state.listed)]
        state.select([*others, *(each for each in state.selected if each in chosen), *_without(chosen, state.selected)])
        state.ticked = rows


def _without(concepts: Sequence[str], others: Sequence[str]) -> list[str]:
    return [each for each in concepts if each not in others]


def _asked(event: str, run: str) -> None:
    """Handle an event of the tree (unfold, open, find, steer, drop), before the page runs."""
    state, value = state_of(run), st.session_state[f"tree.family.{run}"].get(event)
    if value is None:
        return
    if event == "unfold":
        state.opened.append(value)
    elif event == "open":
        st.session_state["tree.go"] = value
    elif event == "find":
        find(state, store.opened(run), value)
    elif event == "steer":
        for told in value:
            if (sent := (told["id"], told["token"])) not in state.answered:
                state.answered.add(sent)
                steer(run, told)
    elif event == "drop":
        dropped.take(run, value)


def steer(run: str, told: Mapping[str, str]) -> None:
    """Answer the question of a ghost, unless the job no longer asks it."""
    found = ghosts.asked(store.opened(run).run, told["id"], told["token"])
    if found is None:
        st.toast("Too late: the job had gone on.", icon=":material/hourglass_disabled:")
        return
    job, question = found
    if not steering.send(job, question, ghosts.decision_on(question, told["answer"])):
        st.toast("Too late: the job had gone on. Its page keeps your answer.", icon=":material/hourglass_disabled:")


# The last scene is kept for the session: most actions change only the selection.
def _scene(found: Opened, only: Filter, state: State, coming: Sequence[Ghost]) -> Scene:
    many, folder = len(found.graph) > MOST, found.run.folder
    wanted = (only, coming, *((tuple(state.selected), tuple(state.opened)) if many else ()))
    kept = st.session_state.get("tree.scene")
    if kept and kept[0] is found and kept[1] == wanted:
        return kept[2]
    # Ghosts keep their places for the session, and hand them on to the concepts that they become.
    theirs: dict[str, Spot] = st.session_state.setdefault("tree.ghosts", {}).get(str(folder), {})
    handed = {id_: theirs[ghost] for ghost, id_ in ghosts.born_of(found.run, theirs).items() if ghost in theirs}
    if many:  # those that stay in focus keep their places
        before = kept[2].memory if kept and kept[0].run.folder == folder else Memory()
    else:  # all are shown, so that their places can be kept for good
        before = remembered(folder)
        if kept and kept[0].run.folder == folder and kept[2].memory.spots and not before.spots:
            theirs, handed = {}, {}  # the places were forgotten: ghosts, too, are laid out anew
    spots = {**{id_: spot for id_, spot in handed.items() if id_ in found.graph}, **theirs, **before.spots}
    drawn = scene(found, only, state.selected, state.opened, Memory(spots, before.lanes), coming)
    places = {each.id: drawn.memory.spots[each.id] for each in coming}
    st.session_state["tree.ghosts"][str(folder)] = places
    memory = drawn.memory.only(set(drawn.memory.spots) - {*theirs, *places})
    if many:
        memory = memory.only(node["id"] for node in drawn.nodes)
    elif memory != before:
        remember(folder, memory)
    drawn = replace(drawn, memory=memory)
    st.session_state["tree.scene"] = (found, wanted, drawn)
    return drawn


def data_of(drawn: Scene, found: Opened, state: State) -> dict[str, object]:
    """The data of the tree component, see family.js."""
    nodes, undrawn = drawn.nodes, [each["id"] for each in drawn.nodes if each.get("picture") == ""]
    if undrawn and (drafts := births.drafts(found.run)):
        nodes = [{**each, "picture": drafts.get(each["id"], "")} if each["id"] in undrawn else each for each in nodes]
    there = {birth for _, birth in found.graph.nodes(data="birth")}
    return {
        "nodes": nodes,
        "edges": drawn.edges,
        "rows": drawn.rows,
        "places": {each["id"]: (each["x"], each["y"]) for each in drawn.nodes},
        "births": [
            {"birth": b, "colour": colour, "label": BIRTHS[b]} for b, colour in BIRTH_COLOURS.items() if b in there
        ],
        "born": [each.id for each in found.entries if each.id not in (state.known or ())],
        "selected": state.selected,
        "turn": state.turn,
        "centre": state.centre,
        "message": state.message or _left_out(drawn, found, state),
        "ghosts": links.ghosts(found.run.folder.name) if any(n["birth"] == GHOST for n in drawn.nodes) else "",
    }


def _left_out(drawn: Scene, found: Opened, state: State) -> str:
    """Message if the filter hides everything, or something selected."""
    if not drawn.passing and found.entries:
        return "No concept passes the filter."
    chosen = [found.by_id[each] for each in state.selected if each in found.by_id]
    left = [each for each in chosen if state.only and not state.only.passes(each)]
    names = shortened(", ".join(each.name for each in left), 60)
    if left and all(each.note.hidden for each in left):
        return f"Hidden: {names}. “Show hidden concepts” in the filter shows them."
    return f"Hidden by the filter: {names}." if left else ""


def _amount(drawn: Scene, found: Opened, only: Filter) -> str:
    """`120 of 300 concepts, 2 hidden; 100 shown`: how many pass the filter, and how many are not folded."""
    told = tally(found.entries, [each for each in found.entries if only.passes(each)])
    by_id = found.by_id
    shown = sum(each in by_id for each in drawn.view.shown)
    return told if shown == drawn.passing else f"{told}; {shown:,} shown"


def _filter(found: Opened) -> tuple[Filter, DeltaGenerator]:
    """The row above the tree: the filter, and a container for the number of concepts."""
    run = found.run.folder.name
    latest = max((each.generation for each in found.entries), default=0)
    with st.container(horizontal=True, vertical_alignment="center", key="tree.above"):
        active = st.session_state.get(f"tree.filtered.{run}", 0)
        with st.popover(f"Filter ({active})" if active else "Filter", icon=":material/filter_list:", key="tree.filter"):
            span = (0, latest)
            generations = (
                st.slider("Generations", 0, latest, span, key=f"tree.generations.{run}.{latest}") if latest else span
            )
            rating = st.select_slider(
                "Minimum rating", range(6), format_func=lambda n: "★" * n or "any", key=f"tree.rating.{run}"
            )
            favourites = st.toggle("Favourites only", key=f"tree.favourites.{run}")
            hidden = st.toggle("Show hidden concepts", key=f"tree.hidden.{run}")
            st.button(
                "Arrange again",
                key="tree.arrange",
                icon=":material/account_tree:",
                on_click=_arrange,
                args=(found,),
                help="Concepts keep their places when new ones come. This lays out the whole family anew.",
            )
        only = Filter(None if generations == span else generations, rating, favourites, hidden)
        st.session_state[f"tree.filtered.{run}"] = sum([only.generations is not None, rating > 0, favourites, hidden])
        line = st.container(width="content")
        undo.bar(found.run)
    return only, line


def _arrange(found: Opened) -> None:
    forget(found.run.folder)
    st.session_state.pop("tree.scene", None)
    st.session_state.get("tree.ghosts", {}).pop(str(found.run.folder), None)


def _table(found: Opened, shown: Sequence[str], state: State) -> None:
    """The same concepts with the same selection, for keyboard and screen reader."""
    with st.expander("Show as a table", icon=":material/table_rows:", key="tree.as_table", on_change="rerun") as opened:
        if opened.open:
            _rows_of_table(found, shown, state)


def _rows_of_table(found: Opened, shown: Sequence[str], state: State) -> None:
    run, by_id = found.run.folder.name, found.by_id
    listed = [each for each in shown if each in by_id][::-1]
    words = store.words_of(found.run)
    own = {each.id: extra_words(each.id, each.category, each.parents, words) for each in map(by_id.__getitem__, listed)}
    state.listed, key = listed, f"tree.table.{run}"
    state.ticked = [row for row, each in enumerate(listed) if each in set(state.selected)]
    st.session_state[key] = {"selection": {"rows": state.ticked, "columns": [], "cells": []}}
    rows = [
        {
            "Name": each.name,
            "Generation": each.generation,
            "Birth": BIRTHS[each.birth] if each.parents else ", ".join([BIRTHS[each.birth], *own[each.id]]),
            "Parents": crossed(found.named(each.parents), own[each.id]) if each.parents else "",
            "Rating": each.note.rating,
            "Favourite": each.note.favourite,
            "Hidden": each.note.hidden,
        }
        for each in map(by_id.__getitem__, listed)
    ]
    st.dataframe(
        pd.DataFrame(rows),
        key=key,
        on_select="rerun",
        selection_mode="multi-row",
        hide_index=True,
        placeholder="",
        height=320,
    )


def _panel(found: Opened, state: State) -> None:
    """The selected concept, breeding from the chosen parents, and running jobs."""
    run, chosen = found.run.folder.name, state.selected
    if len(chosen) == 1:
        entry = found.by_id.get(chosen[0])
        selected.concept(found, entry) if entry else selected.stranger(found, chosen[0])
    elif len(chosen) == 2:
        kin.show_common(found, *chosen)
    follow(run, [each for each in chosen if each in found.by_id])
    if parents_of(run) or photos_of(run):
        breed.mixture(found)
    else:
        _without_parents(found, chosen)
    # Below the rest, which does not move when a job starts or ends; the tree shows the drawings.
    births.work(found, drawings=False)


def _without_parents(found: Opened, chosen: Sequence[str]) -> None:
    """Aspects that wait for parents, variations of the selected concept, or what to click."""
    if takes_of(found.run.folder.name, found):
        taking.chips(found)
        st.caption("Now add the parents of the children that take this.")
    if len(chosen) == 1 and chosen[0] in found.by_id:
        with st.expander("Variations", icon=":material/shuffle:", key="tree.variations", on_change="rerun") as opened:
            if opened.open:
                breed.variations(found, chosen[0])
    elif not found.entries:
        st.caption("The first concepts are being learned. They appear in the tree.")
    elif not chosen:
        st.caption("Click a concept to see its parents and negatives. Shift-click several to breed them.")
        may_like.show(found)
