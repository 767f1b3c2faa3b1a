"""Cards of the gallery: concepts or drawings of one run or several, filtered, searched and sorted."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from evolve import Run
from evolve.fitness import OBJECTIVES, of_run
from evolve.store.run import Drawing, Entry
from evolve.taste import expected_ratings
from ui.search import Words, reasons, terms_of
from ui.view import store
from ui.view.store import Opened

SORTS = ("newest", "oldest", "name", "generation", "rating")
TASTE = "taste"  # sort by the ratings that a person's taste expects
SHOWN = {"concepts": "Concepts", "drawings": "Drawings"}
FLAGS = {"favourites": "Favourites", "rated": "Rated", "hidden": "Include hidden"}


@dataclass(frozen=True)
class Asked:
    """What to show and in which order. shown: of `SHOWN`; flags: of `FLAGS`; empty generations, births and tags mean
    all; of several tags a concept must have all.
    """

    shown: str
    text: str
    sort: str
    flags: Sequence[str]
    generations: Sequence[int]
    births: Sequence[str]
    tags: Sequence[str]
    prompt: str


@dataclass(frozen=True)
class Item:
    """A card: concept, run, and drawing if it has one. scores: by which it can be sorted. because: where a search has
    found it, if not in its name.
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


def items(runs: Sequence[Opened], asked: Asked, only: Container[tuple[str, str]] | None = None) -> list[Item]:
    """The cards of these runs, in order. only: concepts, by run and id; None for all."""
    wanted = [item for item in _all(runs, asked) if only is None or (item.run, item.entry.id) in only]
    return _sorted(_searched([item for item in wanted if _matches(item, asked)], asked), asked.sort)


def _all(runs: Sequence[Opened], asked: Asked) -> list[Item]:
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
    state_of_taste = (*state, store.answers_of(run.folder))
    return {id_: {TASTE: rating} for id_, rating in _expected(str(run.folder), state_of_taste, run).items()}


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


def _matches(item: Item, asked: Asked) -> bool:
    entry, note, flags = item.entry, item.entry.note, asked.flags
    return (
        ("hidden" in flags or not note.hidden)
        and ("favourites" not in flags or note.favourite)
        and ("rated" not in flags or note.rating is not None)
        and (not asked.generations or entry.generation in asked.generations)
        and (not asked.births or entry.birth in asked.births)
        and set(asked.tags) <= set(note.tags)
    )


def _searched(items: Sequence[Item], asked: Asked) -> list[Item]:
    """Those in which the search finds all its terms; see `ui.search`."""
    terms = terms_of(asked.text)
    if not terms:
        return list(items)
    found = []
    words: dict[str, Mapping[str, Words]] = {}  # by run
    for item in items:
        run = item.found.run
        if item.run not in words:
            words[item.run] = _words(str(run.folder), store.state_of(run.folder), run)
        drawn = item.found.drawings.get(item.entry.id, ()) if asked.shown == "concepts" else [item.drawing]
        prompts = [each.prompt for each in drawn if each]
        why = reasons(terms, item.entry, words[item.run].get(item.entry.id, ((), ())), prompts)
        if why is not None:
            found.append(replace(item, because=", ".join(why)))
    return found


@st.cache_data(max_entries=8, show_spinner=False)
def _words(folder: str, state: tuple[object, ...], _run: Run) -> Mapping[str, Words]:
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
