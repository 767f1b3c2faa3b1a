"""Cards of the gallery: concepts or drawings of one run or several, filtered, searched and sorted."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import streamlit as st

from evolve import Run
from evolve.fitness import OBJECTIVES, of_run
from evolve.store.run import Drawing, Entry
from evolve.taste import expected_ratings
from ui.search import Text, Words, reasons, terms_of, texts
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
    found it, if not in its name. is_drawing: one of the concept's drawings, which may have several cards.
    """

    found: Opened
    entry: Entry
    drawing: Drawing | None
    scores: dict[str, float]
    because: str = ""
    is_drawing: bool = False

    @property
    def run(self) -> str:
        return self.found.run.folder.name

    @property
    def card_id(self) -> str:
        own = f"/{self.drawing.file.stem}" if self.is_drawing and self.drawing else ""
        return f"{self.run}/{self.entry.id}{own}"


ByRun = Mapping[str, Mapping[str, Item]]  # items by run and concept id


def items(
    runs: Sequence[Opened],
    asked: Asked,
    only: Container[tuple[str, str]] | None = None,
    keep: Container[str] = (),
) -> list[Item]:
    """The cards of these runs, in order.

    only: concepts, by run and id; None for all. keep: cards (ids) that are there even if they do not match.
    """
    every = every_card(runs, asked)
    wanted = [item for item in every if only is None or (item.run, item.entry.id) in only]
    passed = _searched([item for item in wanted if _matches(item, asked)], asked)
    ids = {item.card_id for item in passed}
    kept = [item for item in every if item.card_id in keep and item.card_id not in ids]
    told = [item if item.entry.note.hidden else replace(item, because="no longer matches") for item in kept]
    return _sorted([*passed, *told], asked.sort)


def entries_of(runs: Sequence[Opened], only: Container[tuple[str, str]] | None = None) -> list[Entry]:
    """The concepts that `items` chooses from."""
    return [e for each in runs for e in each.entries if only is None or (each.run.folder.name, e.id) in only]


def concepts_of(items: Sequence[Item]) -> list[Entry]:
    """The concepts of cards, each once."""
    return list({(item.run, item.entry.id): item.entry for item in items}.values())


def every_card(runs: Sequence[Opened], asked: Asked) -> list[Item]:
    """The cards of these runs with the prompt that is asked for, without the other filters."""
    found = []
    for each in runs:
        values = _values(each.run, asked.sort)
        for entry in each.entries:
            known = {name: value for name, value in values.get(entry.id, {}).items() if value is not None}
            drawn = [d for d in each.drawings.get(entry.id, []) if asked.prompt in ("", d.prompt)]
            if asked.shown == "concepts" and (drawn or not asked.prompt):
                found.append(Item(each, entry, drawn[0] if drawn else None, {**entry.scores, **known}))
            elif asked.shown == "drawings":
                scores = {**entry.scores, **known}
                found += [Item(each, entry, drawing, scores, is_drawing=True) for drawing in _once(drawn)]
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
    for item, words, prompts in _searchable(items, asked):
        why = reasons(terms, item.entry, words, prompts)
        if why is not None:
            found.append(replace(item, because=", ".join(why)))
    return found


def _searchable(items: Sequence[Item], asked: Asked) -> Iterator[tuple[Item, Words, list[str]]]:
    """Each card with the words of its concept, and its prompts."""
    words: dict[str, Mapping[str, Words]] = {}  # by run
    for item in items:
        run = item.found.run
        if item.run not in words:
            words[item.run] = store.words_of(run)
        drawn = item.found.drawings.get(item.entry.id, ()) if asked.shown == "concepts" else [item.drawing]
        yield item, words[item.run].get(item.entry.id, ((), ())), [each.prompt for each in drawn if each]


def texts_of(items: Sequence[Item], asked: Asked) -> list[list[Text]]:
    """What a search in these cards reaches, card by card."""
    return [list(texts(item.entry, words, prompts)) for item, words, prompts in _searchable(items, asked)]


def _sorted(items: list[Item], by: str) -> list[Item]:
    """Cards in an order of `SORTS`, or best first by a score; those without the score come last."""
    if by == "newest":
        return sorted(items, key=lambda item: _stored(item.entry), reverse=True)
    orders: dict[str, Callable[[Item], float | str]] = {
        "oldest": lambda item: item.entry.created_at.timestamp(),
        "name": lambda item: item.entry.name.lower(),
        "generation": lambda item: item.entry.generation,
        "rating": lambda item: -(item.entry.note.rating or 0),
    }

    def by_score(item: Item) -> tuple[bool, float]:
        return by not in item.scores, -item.scores.get(by, 0.0)

    return sorted(items, key=orders[by]) if by in orders else sorted(items, key=by_score)


def _stored(entry: Entry) -> tuple[datetime, str, int]:
    """Key of the order in which concepts were stored; those of one batch have the same date."""
    return entry.created_at, entry.part.name, entry.row
