"""Gallery of a run or of all runs: sort, filter, and rate, hide, compare or export the selection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import streamlit as st

from core.errors import ConceptreeError
from core.wording import counted
from evolve import Run
from evolve.fitness import OBJECTIVES, of_run
from evolve.store.run import Drawing, Entry
from evolve.taste import LEAST, expected_ratings
from ui.labels import BIRTHS, OBJECTIVE_NAMES, SCORE_NAMES
from ui.view import clicks, links, notices, store, undo
from ui.view.cards import Card, cards, choose
from ui.view.downloads import FORMS, forms_for, zipped
from ui.view.grid import HINT, card_of
from ui.view.parents import parents_of
from ui.view.store import Opened
from ui.view.text import plain

HEIGHT = 520  # pixels, where a browser does not follow `theme.STYLE`
SIDE = 132
TOLD = 290  # pixels of the line before the actions, fixed so that no button moves under the mouse
MOST = 1000  # cards; more would be slow
SORTS = ("newest", "oldest", "name", "generation", "rating")
TASTE = "taste"  # sort by the ratings that a person's taste expects
SHOWN = {"concepts": "Concepts", "drawings": "Drawings"}
FLAGS = {"favourites": "Favourites", "rated": "Rated", "hidden": "Include hidden"}


@dataclass(frozen=True)
class Asked:
    """What to show and in which order. shown: of `SHOWN`; flags: of `FLAGS`; empty generations and births mean all."""

    shown: str
    text: str
    sort: str
    flags: Sequence[str]
    generations: Sequence[int]
    births: Sequence[str]
    prompt: str


@dataclass(frozen=True)
class Item:
    """A card: concept, run, and drawing if it has one. scores: by which it can be sorted. because: the words of the
    concept that a search has found.
    """

    found: Opened
    entry: Entry
    drawing: Drawing | None
    scores: dict[str, float]
    because: str = ""

    @property
    def run(self) -> str:
        return self.found.run.folder.name

    @property
    def card_id(self) -> str:
        return f"{self.run}/{self.entry.id}" + (f"/{self.drawing.file.stem}" if self.drawing else "")


ByRun = Mapping[str, Mapping[str, Item]]  # items by run and concept id
Words = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]  # positives and negatives by concept id


def show() -> None:
    st.fragment(_gallery)(store.current())


def _gallery(found: Opened) -> None:
    # A fragment keeps its first arguments: read the run again to see later notes.
    found = store.opened(found.run.folder.name)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Gallery", anchor=False, width="content")
        undo.bar(found.run)
    runs = _runs(found)
    for each in runs:
        notices.warn_of(each.damage)
    asked = _filters(runs)
    items = _sorted(_searched(_matching(_items(runs, asked), asked), asked.text), asked.sort)
    if asked.sort == TASTE and not any(TASTE in item.scores for item in items):
        st.caption(f"Rate, compare or favourite at least {LEAST} concepts of a run: then its concepts have an order.")
    key = f"gallery.cards.{found.run.folder.name}"
    many = len(items)
    items = items[:MOST]
    place = st.container()
    with st.container(key="gallery.grid"):
        chosen = cards(
            [_card(item, len(runs) > 1, asked.shown == "drawings") for item in items],
            key=key,
            label=SHOWN[asked.shown],
            height=HEIGHT,
            side=SIDE,
        )
    if many > MOST:
        st.caption(f"Showing the first {MOST:,} of {many:,}. Filter or sort to see others.")
    by_id = {item.card_id: item for item in items}
    if chosen.opened:
        item = by_id[chosen.opened]
        links.go("concept", run=item.run, concept=item.entry.id)
    with place:
        _selected([by_id[id_] for id_ in chosen.selected], items, key, found)


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


def _filters(runs: Sequence[Opened]) -> Asked:
    """The row of filters."""
    entries = [each for found in runs for each in found.entries]
    generations = sorted({each.generation for each in entries})
    births = [birth for birth in BIRTHS if any(each.birth == birth for each in entries)]
    same = {name for name, called in SCORE_NAMES.items() if called in OBJECTIVE_NAMES.values()}
    scores = sorted({name for each in entries for name in each.scores} - set(OBJECTIVES) - same)
    names = {TASTE: "your taste", **SCORE_NAMES, **OBJECTIVE_NAMES}
    prompts = list(dict.fromkeys(d.prompt for found in runs for drawn in found.drawings.values() for d in drawn))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        shown = st.segmented_control(
            "Show", list(SHOWN), format_func=SHOWN.__getitem__, default="concepts", required=True, key="gallery.shown"
        )
        text = st.text_input(
            "Search", key="gallery.text", placeholder="name, word or prompt", icon=":material/search:", width=210
        )
        sort = st.selectbox(
            "Sort by",
            [*SORTS, TASTE, *OBJECTIVES, *scores],
            format_func=lambda name: names.get(name, name),
            key="gallery.sort",
            width=140,
        )
        flags = st.pills(
            "Filter",
            list(FLAGS),
            format_func=FLAGS.__getitem__,
            selection_mode="multi",
            key="gallery.flags",
            width="content",
        )
        with st.popover("More", icon=":material/filter_list:", key="gallery.more"):
            wanted = st.pills("Generations", generations, selection_mode="multi", key="gallery.generations")
            born = st.pills(
                "Birth", births, format_func=BIRTHS.__getitem__, selection_mode="multi", key="gallery.births"
            )
            prompt = st.selectbox(
                "Prompt",
                ["", *prompts],
                format_func=lambda each: each.replace("{}", "…") or "any",
                key="gallery.prompt",
            )
            st.toggle("All runs", key="gallery.all")
    return Asked(shown, text.strip().lower(), sort, flags, wanted, born, prompt)


def _items(runs: Sequence[Opened], asked: Asked) -> list[Item]:
    found = []
    for each in runs:
        values = _values(each.run, asked.sort)
        for entry in each.entries:
            known = {name: value for name, value in values.get(entry.id, {}).items() if value is not None}
            drawn = [d for d in each.drawings.get(entry.id, []) if asked.prompt in ("", d.prompt)]
            if asked.shown == "concepts" and (drawn or not asked.prompt):
                found.append(Item(each, entry, drawn[0] if drawn else None, {**entry.scores, **known}))
            elif asked.shown == "drawings":
                found += [Item(each, entry, drawing, {**entry.scores, **known}) for drawing in _once(drawn)]
    return found


def _values(run: Run, sort: str) -> Mapping[str, Mapping[str, float | None]]:
    """Values by concept id that only sorting needs, since they take time: objectives, or expected ratings."""
    state = store.state_of(run.folder)
    if sort in OBJECTIVES:
        return _fitness(str(run.folder), state, run)
    if sort != TASTE:
        return {}
    answers = tuple(file.name for file in sorted((run.folder / "ratings").glob("*.parquet")))
    return {id_: {TASTE: rating} for id_, rating in _expected(str(run.folder), (*state, answers), run).items()}


@st.cache_data(max_entries=8, show_spinner="Learning your taste …")
def _expected(folder: str, state: tuple[object, ...], _run: Run) -> dict[str, float]:
    return expected_ratings(_run)


@st.cache_data(max_entries=8, show_spinner="Comparing all concepts …")
def _fitness(folder: str, state: tuple[tuple[str, int, int], ...], _run: Run) -> dict[str, dict[str, float | None]]:
    """Cached, since novelty compares all concepts: seconds in a run of many thousands."""
    return of_run(_run)


def _once(drawings: Sequence[Drawing]) -> list[Drawing]:
    """Without repeated pictures."""
    return list({each.file.stem: each for each in drawings}.values())


def _matching(items: Sequence[Item], asked: Asked) -> list[Item]:
    flags = asked.flags

    def wanted(item: Item) -> bool:
        entry, note = item.entry, item.entry.note
        return (
            ("hidden" in flags or not note.hidden)
            and ("favourites" not in flags or note.favourite)
            and ("rated" not in flags or note.rating is not None)
            and (not asked.generations or entry.generation in asked.generations)
            and (not asked.births or entry.birth in asked.births)
        )

    return [item for item in items if wanted(item)]


def _searched(items: Sequence[Item], text: str) -> list[Item]:
    """Those with the text in their names, prompt or comment, or in one of their words, which the card then shows."""
    found = []
    words: dict[str, Words] = {}  # by run
    for item in items:
        entry, prompt = item.entry, item.drawing.prompt if item.drawing else ""
        if text in f"{entry.name} {entry.born} {entry.category} {entry.note.comment} {prompt}".lower():
            found.append(item)
            continue
        if item.run not in words:
            run = item.found.run
            words[item.run] = _words(str(run.folder), store.state_of(run.folder), run)
        if because := _because(words[item.run].get(entry.id, ((), ())), text):
            found.append(replace(item, because=because))
    return found


def _because(words: tuple[tuple[str, ...], tuple[str, ...]], text: str) -> str:
    """`like cat` or `not cat` for those positives and negatives that have the text; "" if none has."""
    each = [(how, word) for how, own in zip(("like", "not"), words, strict=True) for word in own]
    return ", ".join(f"{how} {word}" for how, word in each if text in word.lower())


@st.cache_data(max_entries=8, show_spinner=False)
def _words(folder: str, state: tuple[object, ...], _run: Run) -> Words:
    return _run.words()


def _sorted(items: list[Item], by: str) -> list[Item]:
    """Best first; those without such a score come last."""
    orders: dict[str, Callable[[Item], float | str]] = {
        "newest": lambda item: -item.entry.created_at.timestamp(),
        "oldest": lambda item: item.entry.created_at.timestamp(),
        "name": lambda item: item.entry.name.lower(),
        "generation": lambda item: item.entry.generation,
        "rating": lambda item: -(item.entry.note.rating or 0),
    }

    def by_score(item: Item) -> tuple[bool, float]:
        return by not in item.scores, -item.scores.get(by, 0.0)

    return sorted(items, key=orders[by]) if by in orders else sorted(items, key=by_score)


def _card(item: Item, several_runs: bool, is_drawing: bool) -> Card:
    entry, drawing = item.entry, item.drawing
    line = drawing.prompt.replace("{}", "…") if is_drawing and drawing else entry.category
    sort = st.session_state.get("gallery.sort")
    if sort in item.scores:
        line = f"{sort} {item.scores[sort]:.2f}"
    line = item.because or line
    line = f"{line} · {item.run}" if several_runs else line
    return card_of(item.run, entry, drawing, line, item.card_id, is_drawing)


def _selected(chosen: Sequence[Item], items: Sequence[Item], key: str, found: Opened) -> None:
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
