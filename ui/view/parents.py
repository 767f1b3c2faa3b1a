"""The chosen parents of each run: concepts and photographs with their weights.

Kept in the session, so that every page can add to them.
"""

from __future__ import annotations

import re
import tempfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st

from core.files import StorageError
from evolve.store.photos import PhotoError, Photograph, read_photo
from ui.view.store import Opened

LONGEST = 60  # characters of a photograph's name
MOST_PHOTOS = 4  # that are parents at once
MOST_KNOWN = 16  # photographs that the server remembers for a reload
_known: OrderedDict[str, Photograph] = OrderedDict()  # the last added photographs of all sessions, by id
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # in file names


def parents_of(run: str) -> dict[str, float]:
    """Weights of the chosen concepts by id; callers may change them."""
    return st.session_state.setdefault("parents", {}).setdefault(run, {})


def photos_of(run: str) -> dict[str, Photograph]:
    """The photographs that are parents, by id."""
    return st.session_state.setdefault("breed.photos", {}).setdefault(run, {})


def add_photo(run: str, kept: Photograph) -> None:
    """Make a photograph a parent.

    Raises:
        PhotoError: there are MOST_PHOTOS already.
    """
    photos = photos_of(run)
    if kept.id not in photos and len(photos) >= MOST_PHOTOS:
        raise PhotoError(f"{kept.label!r} is one too many: at most {MOST_PHOTOS} photographs can be parents")
    photos[kept.id] = _known[kept.id] = kept
    _known.move_to_end(kept.id)
    while len(_known) > MOST_KNOWN:
        _known.popitem(last=False)


def known_photo(id_: str) -> Photograph | None:
    """A photograph that was added lately, in any session; None if it is no longer known."""
    return _known.get(id_)


def photo_weights_of(run: str) -> dict[str, float]:
    """Weights of the photographs by id; callers may change them."""
    return st.session_state.setdefault("breed.weights", {}).setdefault(run, {})


def away_of(run: str) -> dict[str, float]:
    """Parents that a child moves away from, by id, with the size of their weight below 0; callers may change them."""
    return st.session_state.setdefault("breed.away", {}).setdefault(run, {})


def takes_of(run: str, found: Opened) -> dict[str, str]:
    """Aspects that children take, with the concepts that give them, by id. Forgets those that are gone."""
    takes: dict[str, str] = st.session_state.setdefault("breed.takes", {}).setdefault(run, {})
    by_id = found.by_id
    for aspect in [aspect for aspect, id_ in takes.items() if id_ not in by_id]:
        del takes[aspect]
    return takes


def take(run: str, aspect: str, id_: str) -> None:
    """Take an aspect of a concept, instead of the one that gave it before."""
    st.session_state.setdefault("breed.takes", {}).setdefault(run, {})[aspect] = id_


def choose(run: str, id_: str) -> None:
    """Add a concept to the parents, with their mean weight."""
    parents = parents_of(run)
    parents[id_] = (sum(parents.values()) / len(parents) if parents else 0.0) or 1.0


def follow(run: str, selected: Sequence[str]) -> None:
    """Make two or more selected concepts the parents; parents that were added otherwise stay."""
    parents, came = parents_of(run), st.session_state.setdefault("breed.selected", {})
    before, now = came.get(run, ()), tuple(selected) if len(selected) > 1 else ()
    if now == before:
        return
    for id_ in before:
        if id_ not in now:
            parents.pop(id_, None)
            away_of(run).pop(id_, None)
    for id_ in now:
        if id_ not in parents:
            choose(run, id_)
    came[run] = now


def weights_of(run: str, found: Opened) -> dict[str, float]:
    """Weights of all parents, concepts first, above 0 also of those in `away_of`. Forgets those that are gone."""
    parents, by_id = parents_of(run), found.by_id
    for id_ in [each for each in parents if each not in by_id]:
        del parents[id_]
    away = away_of(run)
    for id_ in [each for each in away if each not in parents and each not in photos_of(run)]:
        del away[id_]
    weights = photo_weights_of(run)
    fair = (sum(parents.values()) / len(parents) if parents else 0.0) or 1.0
    return {**parents, **{id_: weights.setdefault(id_, fair) for id_ in photos_of(run)}}


def keep(run: str, weights: Mapping[str, float]) -> None:
    """Set the weights of parents that are still there: shares in percent, and weights below 0.

    Shares divide the weight that these parents had together, so their ratio to all other parents stays.
    """
    parents, photos, away = parents_of(run), photo_weights_of(run), away_of(run)
    of = {id_: parents if id_ in parents else photos for id_ in weights if id_ in parents or id_ in photos_of(run)}
    shares = {id_: weights[id_] for id_ in of if weights[id_] >= 0}
    had = sum(of[id_].get(id_, 1.0) for id_ in shares) or 1.0
    for id_, share in shares.items():
        of[id_][id_] = had * share / (sum(shares.values()) or 1)
        away.pop(id_, None)
    away.update({id_: -weights[id_] for id_ in of if weights[id_] < 0})


def drop(run: str, id_: str) -> None:
    """Remove a concept or photograph from the parents. The caller deselects it: selected concepts are parents."""
    parents_of(run).pop(id_, None)
    photos_of(run).pop(id_, None)
    away_of(run).pop(id_, None)
    # The last of several selected concepts is selected alone then, and stays a parent: `follow` has nothing to do.
    followed = st.session_state.setdefault("breed.selected", {})
    left = tuple(each for each in followed.get(run, ()) if each != id_)
    followed[run] = left if len(left) > 1 else ()


def whole(weights: Mapping[str, float], total: int = 100) -> dict[str, int]:
    """Weights as whole numbers that sum to `total`, by largest remainders; as `whole` in ui/view/pad/shares.js."""
    if not weights:
        return {}
    heavy = sum(weights.values())
    exact = {key: total * (weight / heavy if heavy > 0 else 1 / len(weights)) for key, weight in weights.items()}
    shares = {key: int(share) for key, share in exact.items()}
    lost = sorted(exact, key=lambda key: shares[key] - exact[key])
    for key in lost[: total - sum(shares.values())]:
        shares[key] += 1
    return shares


def uploaded(name: str, content: bytes, cutout: bool = False) -> Photograph:
    """Read an uploaded photograph. cutout: without its background, see `evolve.store.photos.cut_out`.

    Raises:
        PhotoError: the file is not a picture, or shows nothing.
    """
    called = _UNSAFE.sub("_", Path(name).name)[-LONGEST:].lstrip(".") or "photo"
    with tempfile.TemporaryDirectory() as folder:
        file = written(Path(folder) / called, content)
        try:
            return read_photo(file, cutout)
        except PhotoError as error:  # without the temporary path
            raise PhotoError(str(error).replace(str(file), called)) from None


def written(file: Path, content: bytes) -> Path:
    """Write the file and return its path.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    except OSError as error:
        raise StorageError(f"the photograph {file.name!r} cannot be saved: {error.strerror or error}") from None
    return file
