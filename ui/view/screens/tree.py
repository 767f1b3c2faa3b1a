"""The family tree: who descends from whom, what is selected, and what can be done with that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import pairwise
from math import isqrt
from typing import Any

import networkx as nx
import pandas as pd
import streamlit as st

from core.errors import ConceptreeError
from evolve.focus import MOST, Focus, focus, folded
from evolve.layout import layout
from evolve.lineage import ABSENT, members
from evolve.run import Entry
from ui.tree import BIRTHS, SAID
from ui.view import links, store, undo
from ui.view.family import family
from ui.view.parents import choose, follow, parents_of, photos_of
from ui.view.screens import births, breed
from ui.view.store import Opened
from ui.view.text import counted, plain, shortened

HEIGHT = 600  # pixels of the tree, and of the panel beside it: a laptop shows both whole
STEP, ROW, WITHIN = 138, 190, 150  # pixels from one drawing to the next, between generations and within one
SIDE = 128  # pixels of a drawing in the tree
# Buttons of an icon alone have their names for whoever listens.
STYLE = """<style>
[class*="st-key-tree-icon-"] [data-testid="stMarkdownContainer"] {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
</style>"""
NARROWEST = 10  # concepts in a row before it is broken


@dataclass
class State:
    """What a person does with a run's tree. turn: grows when the page itself selects; heard, ticked: what the tree and
    the table last said; listed: the concepts by their rows in the table; known: those there were in the beginning.
    """

    selected: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    turn: int = 0
    centre: str = ""
    message: str = ""
    heard: Any = None
    ticked: list[int] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    known: frozenset[str] | None = None

    def select(self, concepts: Sequence[str], centre: bool = True) -> None:
        """Select these everywhere, whoever asked for it."""
        self.selected, self.turn, self.message = list(concepts), self.turn + 1, ""
        self.centre = concepts[-1] if concepts and centre else ""


@dataclass(frozen=True)
class Filter:
    """Which concepts to show at all."""

    generations: tuple[int, int] | None = None
    rating: int = 0
    favourites: bool = False
    hidden: bool = False

    def passes(self, each: Entry) -> bool:
        note = each.note
        return (
            (self.hidden or not note.hidden)
            and (not self.favourites or note.favourite)
            and (note.rating or 0) >= self.rating
            and (self.generations is None or self.generations[0] <= each.generation <= self.generations[1])
        )


@dataclass(frozen=True)
class Scene:
    """A family as it is shown: what is in focus, who passes the filter, and the nodes, edges and rows for the tree."""

    view: Focus
    passing: int
    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]
    rows: list[dict[str, Any]]


def show() -> None:
    run = st.session_state["run"]
    found = store.opened(run)
    _say_damage(found)
    if not found.entries:
        st.info("There are no concepts in this run yet.", icon=":material/account_tree:")
        links.to("seed", "Seed founders", icon=":material/add:")
        return
    st.html(STYLE)
    state = state_of(run)
    if gone := st.session_state.pop("tree.go", None):
        links.go("concept", run=run, concept=gone)
    _hear(state, run)
    state.known = state.known or frozenset(each.id for each in found.entries)
    state.selected = [each for each in state.selected if each in found.graph]
    tree, panel = st.columns([2.7, 1], gap="small")
    with tree:
        drawn = _scene(found, _filter(found), state)
        family(told(drawn, found, state), f"tree.family.{run}", HEIGHT, on=lambda event: _asked(event, run))
        _table(found, drawn.view.shown, state)
    with panel, st.container(height=HEIGHT + 48, key="tree.panel"):
        _panel(found, state)


def state_of(run: str) -> State:
    return st.session_state.setdefault("tree.states", {}).setdefault(run, State())


def _hear(state: State, run: str) -> None:
    """What the tree or the table says that a person selected there."""
    said = (st.session_state.get(f"tree.family.{run}") or {}).get("selected")
    if said is not None and said != state.heard:
        state.heard = said
        state.selected, state.message = list(said["ids"]), ""
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
    """What a person wants of the tree that only the page can do; before the page is made."""
    state, value = state_of(run), st.session_state[f"tree.family.{run}"].get(event)
    if value is None:
        return
    if event == "unfold":
        state.opened.append(value)
    elif event == "open":
        st.session_state["tree.go"] = value
    elif event == "find":
        find(state, store.opened(run), value)


def find(state: State, found: Opened, text: str) -> None:
    """Select the concept of that name, or that begins or goes on so; else say which names are near."""
    names = {each.id: each.name for each in found.entries}
    wanted = text.casefold().strip()
    tests: tuple[Callable[[str], bool], ...] = (wanted.__eq__, lambda n: n.startswith(wanted), lambda n: wanted in n)
    for test in tests:
        for id_, name in names.items():
            if test(name.casefold()):
                state.select([id_])
                return
    near = get_close_matches(wanted, list(names.values()), n=3)
    state.message = f"There is no {shortened(text, 40)!r} here." + (f" Did you mean {', '.join(near)}?" if near else "")


# Its last picture is kept for the session: most of what a person does changes no more than what is selected.
def _scene(found: Opened, only: Filter, state: State) -> Scene:
    wanted = (only, *((tuple(state.selected), tuple(state.opened)) if len(found.graph) > MOST else ()))
    kept = st.session_state.get("tree.scene")
    if kept and kept[0] is found and kept[1] == wanted:
        return kept[2]
    drawn = scene(found, only, state.selected, state.opened)
    st.session_state["tree.scene"] = (found, wanted, drawn)
    return drawn


def scene(found: Opened, only: Filter, selected: Sequence[str], opened: Sequence[str]) -> Scene:
    """Where everyone stands who passes the filter and is in focus."""
    passing = {each.id for each in found.entries if only.passes(each)}
    graph = found.graph
    if len(passing) < len(found.entries):
        graph = graph.subgraph([each for each in graph if each in passing or _has_child(found, each, passing)]).copy()
    favourites = {each.id for each in found.entries if each.note.favourite}
    view = focus(graph, selected, opened, favourites=favourites)
    cut = folded(graph, view)
    places = layout(cut, columns=max(NARROWEST, isqrt(3 * len(cut))))
    tops = [0]
    for one, other in pairwise(places.generations):
        tops.append(tops[-1] + (WITHIN if one == other else ROW))
    at = {node: (round(x * STEP), tops[row]) for node, (x, row) in places.places.items()}
    lanes = {edge: [(round(x * STEP), tops[row]) for x, row in lane] for edge, lane in places.lanes.items()}
    photos = found.run.photos([]) if any(birth == "photo" for _, birth in cut.nodes(data="birth")) else {}
    by_id = found.by_id
    return Scene(
        view,
        len(passing),
        [_node(found, cut, node, at[node], by_id.get(node), photos) for node in cut],
        [
            {"id": f"{a} {b}", "source": a, "target": b, "weight": d["weight"], "kind": d["kind"], "via": lanes[a, b]}
            for a, b, d in cut.edges(data=True)
        ],
        _rows(cut, places.generations, tops),
    )


def _has_child(found: Opened, node: str, passing: set[str]) -> bool:
    """Whether this is a photograph or a guest of whom somebody is shown."""
    return found.graph.nodes[node]["birth"] in ABSENT and any(child in passing for child in found.graph.succ[node])


def _node(
    found: Opened, cut: nx.DiGraph, node: str, at: tuple[int, int], entry: Entry | None, photos: Any
) -> dict[str, Any]:
    data = cut.nodes[node]
    about: dict[str, Any] = {"id": node, "name": data["name"], "x": at[0], "y": at[1], "birth": data["birth"]}
    if data["birth"] == "branch":
        of = node.partition(":")[2]
        whose = f"who descend from {cut.nodes[of]['name']}" if of else "from before"
        return about | {
            "count": data["count"],
            "of": of,
            "says": f"{counted(data['count'], 'more concept')} {whose}: click to see them",
        }
    parents = sorted(found.graph.in_edges(node, data=True), key=lambda edge: -edge[2]["weight"])
    lines = [data["name"], SAID[data["birth"]]]
    shares = [f"{d['weight']:.0%} {found.graph.nodes[parent]['name']}" for parent, _, d in parents]
    if entry:
        lines[1] = f"generation {entry.generation}, {SAID[entry.birth]}"
        pictures = found.drawings.get(node)
        about["picture"] = links.picture(found.run.folder.name, pictures[0], SIDE) if pictures else ""
        about |= {"favourite": entry.note.favourite, "rating": entry.note.rating, "hidden": entry.note.hidden}
        lines += [" + ".join(shares)] if shares else []
        said = [
            "favourite" if entry.note.favourite else "",
            f"rated {entry.note.rating}" if entry.note.rating else "",
            "hidden" if entry.note.hidden else "",
        ]
        lines += [", ".join(filter(None, said))] if any(said) else []
    elif node in photos:
        about["picture"] = links.photo(found.run.folder.name, node, SIDE)
    elif data.get("run"):
        lines[1] = f"guest of the run {data['run']}"
    return about | {"says": "\n".join(lines)}


def _rows(cut: nx.DiGraph, generations: Sequence[int], tops: Sequence[int]) -> list[dict[str, Any]]:
    """A band for each generation, around the rows that it takes."""
    rows = []
    for generation in dict.fromkeys(generations):
        mine = [top for top, each in zip(tops, generations, strict=True) if each == generation]
        own = sum(
            cut.nodes[each]["generation"] == generation for each in members(cut) if not cut.nodes[each].get("count")
        )
        heading = f"generation {generation}\n{counted(own, 'concept')}" if own else "from outside"
        rows.append({"top": mine[0] - 66, "bottom": mine[-1] + 124, "heading": heading})
    return rows


def told(drawn: Scene, found: Opened, state: State) -> dict[str, Any]:
    """All that the tree in the browser is told."""
    nodes, undrawn = drawn.nodes, [each["id"] for each in drawn.nodes if each.get("picture") == ""]
    if undrawn and (drafts := births.drafts(found.run)):
        nodes = [each | {"picture": drafts.get(each["id"], "")} if each["id"] in undrawn else each for each in nodes]
    there = {birth for _, birth in found.graph.nodes(data="birth")}
    return {
        "nodes": nodes,
        "edges": drawn.edges,
        "rows": drawn.rows,
        "places": {each["id"]: (each["x"], each["y"]) for each in drawn.nodes},
        "births": [{"birth": b, "colour": colour, "label": SAID[b]} for b, colour in BIRTHS.items() if b in there],
        "born": [each.id for each in found.entries if each.id not in (state.known or ())],
        "selected": state.selected,
        "turn": state.turn,
        "centre": state.centre,
        "message": state.message,
    }


def _filter(found: Opened) -> Filter:
    """The row above the tree: what to show, and how much of it that is."""
    run = found.run.folder.name
    latest = max(each.generation for each in found.entries)
    with st.container(horizontal=True, vertical_alignment="center", key="tree.above"):
        active = st.session_state.get(f"tree.filtered.{run}", 0)
        with st.popover(f"Filter ({active})" if active else "Filter", icon=":material/filter_list:", key="tree.filter"):
            span = (0, latest)
            generations = (
                st.slider("Generations", 0, latest, span, key=f"tree.generations.{run}.{latest}") if latest else span
            )
            rating = st.select_slider(
                "Rated at least", range(6), format_func=lambda n: "★" * n or "any", key=f"tree.rating.{run}"
            )
            favourites = st.toggle("Favourites only", key=f"tree.favourites.{run}")
            hidden = st.toggle("Show hidden ones", key=f"tree.hidden.{run}")
        only = Filter(None if generations == span else generations, rating, favourites, hidden)
        st.session_state[f"tree.filtered.{run}"] = sum([only.generations is not None, rating > 0, favourites, hidden])
        passing, there = sum(map(only.passes, found.entries)), len(found.entries)
        told = counted(there, "concept") if passing == there else f"{passing:,} of {counted(there, 'concept')}"
        st.caption(told, width="content")
        undo.bar(found.run)
    return only


def _table(found: Opened, shown: Sequence[str], state: State) -> None:
    """The same concepts and the same selection, for the keyboard and for reading aloud."""
    with st.expander(
        "The same as a table", icon=":material/table_rows:", key="tree.as_table", on_change="rerun"
    ) as opened:
        if opened.open:
            _rows_of_table(found, shown, state)


def _rows_of_table(found: Opened, shown: Sequence[str], state: State) -> None:
    run, by_id = found.run.folder.name, found.by_id
    listed = [each for each in shown if each in by_id][::-1]
    names = dict(found.graph.nodes(data="name"))
    state.listed, key = listed, f"tree.table.{run}"
    state.ticked = [row for row, each in enumerate(listed) if each in set(state.selected)]
    st.session_state[key] = {"selection": {"rows": state.ticked, "columns": [], "cells": []}}
    rows = [
        {
            "Name": each.name,
            "Generation": each.generation,
            "Born": SAID[each.birth],
            "Parents": ", ".join(names.get(parent.id, parent.brief) for parent in each.parents),
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
    """What is being learned; the one concept that is selected; and breeding, of those who are chosen for it."""
    run, chosen = found.run.folder.name, state.selected
    births.work(found)
    if len(chosen) == 1:
        entry = found.by_id.get(chosen[0])
        _concept(found, entry) if entry else _stranger(found, chosen[0])
    follow(run, [each for each in chosen if each in found.by_id])
    if parents_of(run) or photos_of(run):
        breed.mixture(found)
    elif len(chosen) == 1 and chosen[0] in found.by_id:
        with st.expander("Variations", icon=":material/shuffle:", key="tree.variations", on_change="rerun") as opened:
            if opened.open:
                breed.variations(found, chosen[0])
    elif not chosen:
        st.caption("Click a drawing to see how it came to be. Select several, with shift, to breed them.")


def _concept(found: Opened, each: Entry) -> None:
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
        st.markdown(f"**{name}**  \n{SAID[each.birth].capitalize()}, generation {each.generation}")
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


def _stranger(found: Opened, id_: str) -> None:
    """A photograph, or a guest of another run."""
    about, run = found.graph.nodes[id_], found.run.folder.name
    photo = found.run.photos([]).get(id_)
    if photo:
        st.image(links.photo(run, id_, 128), width=128, alt=f"the photograph {photo.label}")
    st.markdown(f"**{plain(about['name'])}**  \n{SAID[about['birth']].capitalize()}")
    if about.get("run"):
        links.to("tree", f"It lives in the run {plain(about['run'])}", icon=":material/account_tree:", run=about["run"])
    children = [found.graph.nodes[child]["name"] for child in found.graph.succ[id_]]
    st.caption(f"Parent of {plain(shortened(', '.join(children), 120))}")


def _select(run: str, id_: str) -> None:
    state_of(run).select([id_])


def _rated(run: str, id_: str, key: str) -> None:
    stars, name = st.session_state[key], store.opened(run).by_id[id_].name
    _note(run, id_, f"rated {name}", rating=None if stars is None else stars + 1)


def _note(run: str, id_: str, what: str, **values: Any) -> None:
    undo.note(store.opened(run).run, id_, what, **values)


def _say_damage(found: Opened) -> None:
    if found.damage:
        reasons = "; ".join(plain(shortened(str(each), 200)) for each in found.damage[:3])
        st.warning(f"Some of this run cannot be read, and the rest is shown: {reasons}", icon=":material/broken_image:")
