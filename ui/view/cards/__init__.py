"""Pictures in a grid, of which some can be chosen: with the mouse, or with the keyboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent
_grid = st.components.v2.component(
    "conceptree.cards",
    html='<div class="frame"><div class="grid" role="listbox" aria-multiselectable="true"></div></div>\n',
    css=(_HERE / "cards.css").read_text(encoding="utf-8"),
    js=(_HERE / "cards.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Card:
    """A picture with what is said of it. Everything but `image`, an address ("" for none), is text.

    line: under the title. alt: what the picture shows, for those who cannot see it.
    """

    id: str
    title: str
    image: str
    alt: str
    line: str = ""
    generation: int | None = None
    rating: int | None = None
    favourite: bool = False
    hidden: bool = False


@dataclass(frozen=True)
class Chosen:
    """What a person did in a grid. selected: ids, in the order of the cards. opened: one that shall be opened now."""

    selected: tuple[str, ...]
    opened: str | None = None


def cards(
    items: Sequence[Card],
    selected: Sequence[str] = (),
    *,
    key: str,
    label: str,
    height: int | None = None,
    side: int = 128,
    several: bool = True,
    opens: bool = True,
) -> Chosen:
    """Show cards; what a person chose of them.

    selected: at first, and again whenever `choose` was called. label: what the whole grid is, for screen readers.
    height: in pixels, beyond which it scrolls by itself. side: of the pictures, in pixels, at least. several: more than
    one can be chosen. opens: a double click, Enter, or the arrow on a card opens it.
    """
    asked = st.session_state.get(f"{key}.asked")
    data = {
        "items": [_filled(each) for each in items],
        "selected": list(asked["selected"] if asked else selected),
        "asked": asked["number"] if asked else 0,
        "label": label,
        "height": height,
        "side": side,
        "several": several,
        "opens": opens,
    }
    start = {"selected": list(data["selected"])}
    found = _grid(key=key, data=data, default=start, on_selected_change=_noted, on_opened_change=_noted)
    told = found.get("selected")
    if asked and st.session_state.get(f"{key}.seen") != asked["number"]:  # the browser does not know it yet
        told = asked["selected"]
        st.session_state[f"{key}.seen"] = asked["number"]
    wanted = set(told if told is not None else data["selected"])
    there = {each.id for each in items}
    opened = found.get("opened")
    return Chosen(tuple(each.id for each in items if each.id in wanted), opened if opened in there else None)


def choose(key: str, selected: Sequence[str]) -> None:
    """Select these in a grid the next time that it is shown, as if a person had done it."""
    before = st.session_state.get(f"{key}.asked", {"number": 0})
    st.session_state[f"{key}.asked"] = {"selected": list(selected), "number": before["number"] + 1}


def _filled(each: Card) -> dict[str, Any]:
    """A card without what it does not say."""
    said = asdict(each).items()
    return {name: value for name, value in said if name == "id" or (value not in (None, "") and value is not False)}


def _noted() -> None:
    """Streamlit hands on only what somebody listens to."""
