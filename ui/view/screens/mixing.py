"""The chosen parents in the Breed panel: the mixing pad, a slider for each, and those to move away from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from core.aspects import subspace, with_aspect
from core.concept import Array
from core.errors import ConceptreeError
from core.prompts import portrait
from core.stack.backbone import Backbone
from evolve.jobs.choices import checked_words, chosen_settings
from evolve.jobs.drawings import is_quick
from evolve.jobs.planning import WORD_LAMBDA
from evolve.mixtures import Vectors, direction_of
from evolve.store.photos import Photograph, photo_parent
from ui.view import clicks, links, notices, preview, store
from ui.view.described import described
from ui.view.pad import pad
from ui.view.parents import away_of, drop, keep, moved, photos_of, whole
from ui.view.selection import state_of
from ui.view.store import Opened
from ui.view.text import plain

STALE = 3.0  # seconds in which a browser may still send the earlier value of a slider
# Keys in the session: values of sliders that the page replaced, (key, value, time); shares that a slider set, by run.
_BEFORE, _MOVED = "breed.before", "breed.moved"
AWAY = 0.5  # the size of a weight below 0 at first
MOST_AWAY = 2.0
WORD_SEEDS = tuple(range(1, 9))  # of the imagined pictures whose mean is a word's direction


def sliders(found: Opened, run: str, weights: Mapping[str, float]) -> dict[str, int]:
    """A slider for each parent; moving one moves the others, so that they sum to 100 %."""
    shares = whole(weights)
    for id_, share in shares.items():
        name = name_of(found, run, id_)
        picture, middle, less, end = st.columns([1, 3, 0.6, 0.6], vertical_alignment="center", gap="xsmall")
        with picture:
            thumbnail(found, run, id_)
        with middle:
            if len(shares) == 1:
                st.markdown(plain(name))
            else:
                key = _slider_of(run, id_)
                _set(key, share)
                st.slider(plain(name), 0, 100, key=key, format="%d %%", on_change=_moved, args=(run, id_, dict(shares)))
        if len(shares) > 1:
            with less:
                icon_button(f"Less like {plain(name)}", "thumb_down", f"tree.icon.less.{id_}", partial(_less, run, id_))
        with end:
            _remove(run, id_, name)
    return shares


def away(found: Opened, run: str) -> dict[str, float]:
    """A slider for each parent to move away from; returns the sizes of their weights."""
    sizes = away_of(run)
    for id_, size in list(sizes.items()):
        name = name_of(found, run, id_)
        picture, middle, more, end = st.columns([1, 3, 0.6, 0.6], vertical_alignment="center", gap="xsmall")
        with picture:
            thumbnail(found, run, id_)
        with middle:
            key = f"breed.less.{run}.{id_}"
            st.session_state[key] = size
            st.slider(
                f"Less like {plain(name)}",
                0.1,
                MOST_AWAY,
                step=0.1,
                key=key,
                on_change=_sized,
                args=(run, id_),
                help="The child moves away from this parent where the two would be alike. This parent has no share in"
                " the child.",
            )
        with more:
            icon_button(f"Like {plain(name)} again", "thumb_up", f"tree.icon.more.{id_}", partial(_more, run, id_))
        with end:
            _remove(run, id_, name)
    return dict(sizes)


@dataclass(frozen=True)
class Wanted:
    """What a child is to be, by ids of concepts and photographs.

    shares: of its parents. away: the sizes of the weights of parents to move away from. takes: the concept that gives
    each aspect. word: an extra word, or "".
    """

    shares: Mapping[str, int]
    away: Mapping[str, float]
    takes: Mapping[str, str]
    word: str


def show_pad(found: Opened, backbone: Backbone, wanted: Wanted) -> None:
    """The mixing pad of the parents, see ui/view/pad."""
    run, shares = found.run.folder.name, wanted.shares
    key = f"breed.pad.{run}"
    try:
        mix, besides = _mix(found, backbone, wanted)
        address = links.mixtures(preview.remember(mix))
    except ConceptreeError as error:
        notices.error(error)
        return
    pad(
        list(shares),
        [name_of(found, run, id_) for id_ in shares],
        list(shares.values()),
        address=address,
        quick=is_quick(backbone),
        key=key,
        on_chosen=partial(chosen, run, key, list(shares)),
    )
    st.caption(plain(f"Preview: the mean of the parents' images{besides}. Nothing is learned yet."))


def name_of(found: Opened, run: str, id_: str) -> str:
    photos = photos_of(run)
    return photos[id_].label if id_ in photos else found.by_id[id_].name


def _mix(found: Opened, backbone: Backbone, wanted: Wanted) -> tuple[preview.Mix, str]:
    """The mix, and what it has besides the parents' mean, in words.

    Raises:
        ConceptreeError: a parent cannot be read, or the stack does not know an aspect.
    """
    run, shares, word = found.run.folder.name, wanted.shares, wanted.word
    entries = sorted((found.by_id[id_] for id_ in shares if id_ in found.by_id), key=lambda each: -shares[each.id])
    told = found.run.about
    kind, category = (entries[0].kind, entries[0].category) if entries else (told["kind"], told["category"])
    settings = chosen_settings(backbone, "default", kind, mixing=True, category="" if word else category)
    push, besides = None, []
    if word and _is_known(backbone, word):
        push = WORD_LAMBDA * _word_direction(backbone.fingerprint, word, category, kind, backbone)
        besides.append(f"towards “{word}”")
    if wanted.away:
        besides.append(f"away from {', '.join(name_of(found, run, id_) for id_ in wanted.away)}")
    resembled, taken = [_embeds(found, run, id_, backbone) for id_ in shares], []
    for aspect, id_ in wanted.takes.items():  # as `evolve.operators.mate` does
        of, directions = np.atleast_2d(_embeds(found, run, id_, backbone)), subspace(backbone, aspect)
        resembled = [with_aspect(np.atleast_2d(each), of, directions) for each in resembled]
        taken.append(f"{aspect} of {name_of(found, run, id_)}")
    mix = preview.Mix(
        backbone,
        tuple(resembled),
        tuple((_embeds(found, run, id_, backbone), size) for id_, size in wanted.away.items()),
        settings.avoid_floor,
        push,
    )
    said = f", with {' and '.join(taken)}" if taken else ""
    return mix, f"{said}, moved {' and '.join(besides)}" if besides else said


def _is_known(backbone: Backbone, word: str) -> bool:
    try:
        checked_words(backbone, [word], "word")
    except ConceptreeError:  # the form says so
        return False
    return True


@st.cache_resource(max_entries=256, show_spinner=False)
def _word_direction(stack: str, word: str, category: str, kind: str, _backbone: Backbone) -> Vectors:
    """The way from what the stack imagines for the category to what it imagines with the word before it."""
    prompts = [portrait(kind).replace("{}", text) for text in (f"{word} {category}", category)]
    seeds = [*WORD_SEEDS, *WORD_SEEDS]
    imagined = _backbone.imagine([prompts[0]] * len(WORD_SEEDS) + [prompts[1]] * len(WORD_SEEDS), seeds=seeds)
    rows = imagined.detach().float().cpu().numpy()
    return direction_of(rows[: len(WORD_SEEDS)], rows[len(WORD_SEEDS) :])


def _embeds(found: Opened, run: str, id_: str, backbone: Backbone) -> Array:
    photo = photos_of(run).get(id_)
    if photo is None:
        return store.individual(found, id_).concept.image_embed
    return _encoded(photo.id, backbone.drawing_fingerprint, photo, backbone)


@st.cache_resource(max_entries=64, show_spinner=False)
def _encoded(id_: str, stack: str, _photo: Photograph, _backbone: Backbone) -> Array:
    return photo_parent(_photo, 1.0, _backbone).image_embeds


def chosen(run: str, key: str, ids: list[str]) -> None:
    """Take over the weights that were chosen on the pad, unless the parents have changed since."""
    told = st.session_state[key].get("chosen") or {}
    weights = told.get("weights") or ()
    if told.get("ids") == ids and len(weights) == len(ids) and sum(weights) == preview.WHOLE:
        st.session_state.get(_MOVED, {}).pop(run, None)
        keep(run, dict(zip(ids, weights, strict=True)))


def thumbnail(found: Opened, run: str, id_: str, side: int = 46) -> None:
    """A small picture of a concept or photograph, so many pixels wide."""
    photos = photos_of(run)
    if id_ in photos:
        st.image(photos[id_].picture, width=side, alt=f"photograph {photos[id_].label}")
    elif found.drawings.get(id_):
        st.image(links.picture(run, found.drawings[id_][0], 96), width=side, alt=described(found.by_id[id_]))


def icon_button(label: str, icon: str, key: str, act: Callable[[], object], of: str = "") -> None:
    """A button with an icon alone that does something, and shows the page anew. key: begins with tree.icon, see
    `tree.STYLE`. of: what it acts on, see `clicks.button`.
    """
    if clicks.button(label, icon=f":material/{icon}:", type="tertiary", key=key, help=label, of=of):
        act()
        st.rerun()


def _remove(run: str, id_: str, name: str) -> None:
    icon_button(
        f"Remove {plain(name)} from the parents", "close", f"tree.icon.without.{id_}", partial(_without, run, id_)
    )


def _slider_of(run: str, id_: str) -> str:
    return f"breed.share.{run}.{id_}"


def _set(key: str, share: int) -> None:
    """Set a slider, and remember the value that this replaces for a while."""
    before, now = st.session_state.get(key), time.monotonic()
    recent = [each for each in st.session_state.get(_BEFORE, ()) if now - each[2] < STALE]
    st.session_state[_BEFORE] = recent if before in (None, share) else [*recent, (key, before, now)]
    st.session_state[key] = share


def _moved(run: str, one: str, shares: dict[str, int]) -> None:
    """Take over a slider's value, unless it is one that the page has just replaced.

    A browser that has not yet seen the new values of the sliders sends the old ones with what a person does next, and
    they look like moves. After a click, on the pad or in the tree, every such value is ignored. After a move of a
    slider, a value that comes alone is a move: this slider goes back.
    """
    value, now = st.session_state[_slider_of(run, one)], time.monotonic()
    came_alone = all(st.session_state.get(_slider_of(run, id_)) == shares[id_] for id_ in shares if id_ != one)
    goes_back = came_alone and st.session_state.get(_MOVED, {}).get(run) == shares
    replaced = [
        before
        for key, before, at in st.session_state.get(_BEFORE, ())
        if key == _slider_of(run, one) and now - at < STALE
    ]
    if goes_back or value not in replaced:
        after = moved(shares, one, value)
        st.session_state.setdefault(_MOVED, {})[run] = after
        keep(run, after)


def _less(run: str, id_: str) -> None:
    away_of(run)[id_] = AWAY


def _more(run: str, id_: str) -> None:
    away_of(run).pop(id_, None)


def _sized(run: str, id_: str) -> None:
    away_of(run)[id_] = st.session_state[f"breed.less.{run}.{id_}"]


def _without(run: str, id_: str) -> None:
    """Remove a parent, and deselect it: several selected concepts are parents."""
    if id_ in photos_of(run):
        st.session_state[f"breed.dropzone.{run}"] = st.session_state.get(f"breed.dropzone.{run}", 0) + 1
    drop(run, id_)
    state = state_of(run)
    if id_ in state.selected:
        state.select([each for each in state.selected if each != id_], centre=False)
