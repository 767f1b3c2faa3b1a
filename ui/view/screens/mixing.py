"""The chosen parents in the Breed panel: the mixing pad, and a row for each parent with its weight."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Mapping
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
from ui.view import links, notices, preview, store
from ui.view.described import described
from ui.view.pad import Row, pad
from ui.view.parents import drop, keep, photos_of, weights_of
from ui.view.selection import state_of
from ui.view.store import Opened

REMOVED = "breed.removed"  # key in the session: whether the rest of the page still shows a parent that was removed
THUMBNAIL = 96  # pixels of a parent's picture
WORD_SEEDS = tuple(range(1, 9))  # of the imagined pictures whose mean is a word's direction


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


def show(found: Opened, backbone: Backbone, wanted: Wanted, *, previewed: bool) -> None:
    """Show the parents and, if `previewed`, their mixture, see ui/view/pad."""
    run, address, suffix = found.run.folder.name, "", ""
    key = f"breed.pad.{run}"
    if previewed:
        try:
            mix, suffix = _mix(found, backbone, wanted)
            address = links.mixtures(preview.remember(mix))
        except ConceptreeError as error:
            notices.error(error)
    weights = {**wanted.shares, **{id_: -size for id_, size in wanted.away.items()}}
    pad(
        [_row(found, run, id_, weights[id_]) for id_ in weights_of(run, found)],
        address=address,
        caption=f"Preview: the mean of the parents' images{suffix}. Nothing is learned yet.",
        quick=bool(address) and is_quick(backbone),
        key=key,
        on_chosen=partial(chosen, run, key),
    )


def _row(found: Opened, run: str, id_: str, weight: float) -> Row:
    photos, name = photos_of(run), name_of(found, run, id_)
    if id_ in photos:
        return Row(id_, name, _small(id_, photos[id_]), f"photograph {name}", weight)
    drawn = found.drawings.get(id_)
    picture = links.picture(run, drawn[0], THUMBNAIL) if drawn else ""
    return Row(id_, name, picture, described(found.by_id[id_]), weight)


@st.cache_data(max_entries=16, show_spinner=False)
def _small(id_: str, _photo: Photograph) -> str:
    """A small copy of a photograph as the address of an image."""
    small, content = _photo.picture.convert("RGB"), io.BytesIO()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    small.save(content, "WEBP")
    return f"data:image/webp;base64,{b64encode(content.getvalue()).decode()}"


def name_of(found: Opened, run: str, id_: str) -> str:
    photos = photos_of(run)
    return photos[id_].label if id_ in photos else found.by_id[id_].name


def _mix(found: Opened, backbone: Backbone, wanted: Wanted) -> tuple[preview.Mix, str]:
    """The mix, and the end of its caption: what changes the parents' mean.

    Raises:
        ConceptreeError: a parent cannot be read, or the stack does not know an aspect.
    """
    run, shares, word = found.run.folder.name, wanted.shares, wanted.word
    entries = sorted((found.by_id[id_] for id_ in shares if id_ in found.by_id), key=lambda each: -shares[each.id])
    told = found.run.about
    kind, category = (entries[0].kind, entries[0].category) if entries else (told["kind"], told["category"])
    settings = chosen_settings(backbone, "default", kind, mixing=True, category="" if word else category)
    push, moves = None, []
    if word and _is_known(backbone, word):
        push = WORD_LAMBDA * _word_direction(backbone.fingerprint, word, category, kind, backbone)
        moves.append(f"towards “{word}”")
    if wanted.away:
        moves.append(f"away from {', '.join(name_of(found, run, id_) for id_ in wanted.away)}")
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
    return mix, f"{said}, moved {' and '.join(moves)}" if moves else said


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


def chosen(run: str, key: str) -> None:
    """Take over the weights that a person set in the browser, and remove the parents that the person removed."""
    told = st.session_state[key].get("chosen") or {}
    weights = told.get("weights") or {}
    keep(run, weights)
    for id_ in told.get("ids") or ():
        if id_ not in weights:
            _without(run, id_)
            st.session_state[REMOVED] = True


def _without(run: str, id_: str) -> None:
    """Remove a parent, and deselect it: several selected concepts are parents."""
    if id_ in photos_of(run):
        st.session_state[f"breed.dropzone.{run}"] = st.session_state.get(f"breed.dropzone.{run}", 0) + 1
    drop(run, id_)
    state = state_of(run)
    if id_ in state.selected:
        state.select([each for each in state.selected if each != id_], centre=False)
