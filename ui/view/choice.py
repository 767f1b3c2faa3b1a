"""The selection and the chosen parents of a run in the address, so that a reload brings them back.

Streamlit adds an entry to the browser's history for each change of the address that Python makes, and Back would have
to go through all of them. So a script replaces the address.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import streamlit as st

from core.aspects import AspectError, checked_aspect
from ui.view import steady
from ui.view.cards import choose
from ui.view.parents import away_of, known_photo, parents_of, photo_weights_of, photos_of, take
from ui.view.selection import state_of

SELECTED, CARDS, PARENTS, TAKES, WORD = "selected", "cards", "parents", "takes", "word"  # in the address
MOST = 24  # selected concepts; with more, an address would be too long to send
_RESTORED = "choice.restored"  # key in the session: runs whose choice was read from the address
# No gap on the page.
STYLE = "<style>[data-testid='stLayoutWrapper']:has(> [class*='st-key-choice-']) { position: absolute; }</style>"
SCRIPT = """<script>
/* %s */
(() => {
  const there = new URL(location.href);
  for (const [name, value] of Object.entries(%s)) {
    if (value) there.searchParams.set(name, value);
    else there.searchParams.delete(name);
  }
  if (there.href !== location.href) history.replaceState(history.state, "", there);
})();
</script>"""


def restore(run: str) -> None:
    """Take over the choice in the address: once for each run, and only if the session has none of its own."""
    done: set[str] = st.session_state.setdefault(_RESTORED, set())
    if run in done:
        return
    done.add(run)
    if run in st.session_state.get("tree.states", {}) or parents_of(run) or photos_of(run):
        return
    told = {name: st.query_params.get(name, "") for name in (SELECTED, CARDS, PARENTS, TAKES, WORD)}
    for id_, weight in _weights(told[PARENTS]):
        if photo := known_photo(id_):
            photos_of(run)[id_] = photo
            photo_weights_of(run)[id_] = abs(weight)
        else:
            parents_of(run)[id_] = abs(weight)
        if weight < 0:
            away_of(run)[id_] = -weight
    for each in filter(None, told[TAKES].split(";")):
        aspect, _, id_ = each.rpartition(".")
        try:
            take(run, checked_aspect(aspect), id_)
        except AspectError:
            continue  # the address was changed by hand
    if told[WORD]:
        st.session_state[f"breed.word.{run}"] = told[WORD]
    if selected := _ids(told[SELECTED]):
        state_of(run).select(selected, centre=False)
        st.session_state.setdefault("breed.selected", {})[run] = tuple(selected) if len(selected) > 1 else ()
    if cards := _ids(told[CARDS]):
        choose(f"gallery.cards.{run}", [f"{run}/{each}" for each in cards])


def keep(run: str, place: str) -> None:
    """Put the choice into the address. place: where the page calls it; a fragment calls it for itself."""
    replace(_told(run), place)


def replace(wanted: Mapping[str, str], place: str) -> None:
    """Put these values into the address, and take out those that are empty. place: as for `keep`."""
    # With another address, the script has to run again.
    state = json.dumps([place, st.query_params.to_dict()])
    with st.container(key=f"choice.{place}", width="content"):
        st.html(STYLE + SCRIPT % tuple(map(_safe, (state, json.dumps(wanted)))), unsafe_allow_javascript=True)


def _told(run: str) -> Mapping[str, str]:
    """The choice as the address has it; "" for what is not chosen."""
    away, photos = away_of(run), photos_of(run)
    weights = {**parents_of(run), **{id_: photo_weights_of(run).get(id_, 1.0) for id_ in photos}}
    parents = [f"{id_}.{-away[id_] if id_ in away else weight:.4g}" for id_, weight in weights.items()]
    takes = st.session_state.get("breed.takes", {}).get(run, {})
    return {
        SELECTED: _short(state_of(run).selected),
        CARDS: _short(steady.selected_of(run)),
        PARENTS: _short(parents),
        TAKES: ";".join(f"{aspect}.{id_}" for aspect, id_ in takes.items()),  # an aspect may have commas
        WORD: st.session_state.get(f"breed.word.{run}") or "",
    }


def _short(names: list[str]) -> str:
    return ",".join(names) if len(names) <= MOST else ""


def _ids(told: str) -> list[str]:
    return list(dict.fromkeys(filter(None, told.split(","))))[:MOST]


def _weights(told: str) -> list[tuple[str, float]]:
    """`(id, weight)` for each parent in the address; those that cannot be read are left out."""
    found = []
    for each in told.split(",")[:MOST]:
        id_, _, number = each.partition(".")
        try:
            weight = float(number)
        except ValueError:
            continue
        if id_ and math.isfinite(weight):
            found.append((id_, weight))
    return found


def _safe(text: str) -> str:
    """JSON that ends neither a script nor a comment."""
    return text.replace("<", "\\u003c").replace("*/", "*\\/")
