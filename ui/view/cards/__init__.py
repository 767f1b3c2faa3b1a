"""A grid of cards with pictures, selected by mouse or keyboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

from ui.view import whole

_HERE = Path(__file__).parent
_grid = st.components.v2.component(
    "conceptree.cards",
    html="""<div class="frame">
<div class="sizes" role="group" aria-label="Size of the pictures" hidden></div>
<div class="grid" role="listbox" aria-multiselectable="true"></div>
</div>""",
    css=(_HERE / "cards.css").read_text(encoding="utf-8"),
    js=(_HERE / "cards.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Card:
    """A picture with its text. image: an address, "" for none. alt: alternative text. line: under the title.
    draft: the address of what is shown until there is an image.
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
    draft: str = ""


@dataclass(frozen=True)
class Chosen:
    """State of a grid. selected: ids in the order of the cards. opened: id of a card to open now."""

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
    sizes: bool = False,
    taps: bool = False,
    empty: str = "Nothing to show.",
    fills: bool = False,
    enlarges: bool = True,
) -> Chosen:
    """Show cards and return the selection.

    selected: ids at first; `choose` selects others later. label: of the grid, for screen readers. height: in pixels,
    beyond which the grid scrolls. side: least width of a picture, in pixels. several: allow more than one selected
    card. opens: a double click, Enter, or the arrow on a card opens it. sizes: offer smaller and larger pictures; the
    browser remembers the choice. taps: a click adds a card to the selection, or takes it out. empty: text where no card
    is. fills: the grid ends with the window, see `theme.STYLE`. enlarges: each picture has a magnifier.
    """
    asked = st.session_state.get(f"{key}.asked")
    start = list(asked["selected"] if asked else selected)
    data = {
        "items": [_filled(each) for each in items],
        "selected": start,
        "asked": asked["number"] if asked else 0,
        "label": label,
        "height": height,
        "side": side,
        "several": several,
        "opens": opens,
        "sizes": sizes,
        "taps": taps,
        "empty": empty,
        "fills": fills,
        "enlarges": enlarges,
    }
    found = _grid(
        key=key, data=data, default={"selected": start}, on_selected_change=_noted, on_opened_change=whole.to_the_end
    )
    told = found.get("selected")
    if asked and st.session_state.get(f"{key}.seen") != asked["number"]:  # the browser has not seen it yet
        told = asked["selected"]
        st.session_state[f"{key}.seen"] = asked["number"]
    wanted = set(told if told is not None else start)
    there = {each.id for each in items}
    opened = found.get("opened")
    return Chosen(tuple(each.id for each in items if each.id in wanted), opened if opened in there else None)


def selected_in(key: str) -> list[str] | None:
    """The selected cards before the grid is shown: those that `choose` selects, or the browser's; None if it is new."""
    asked, found = st.session_state.get(f"{key}.asked"), st.session_state.get(key)
    if asked and st.session_state.get(f"{key}.seen") != asked["number"]:
        return list(asked["selected"])
    return list(found.get("selected") or ()) if found else None


def choose(key: str, selected: Sequence[str]) -> None:
    """Select these cards when the grid is shown next."""
    before = st.session_state.get(f"{key}.asked", {"number": 0})
    st.session_state[f"{key}.asked"] = {"selected": list(selected), "number": before["number"] + 1}


def _filled(each: Card) -> dict[str, object]:
    """A card without empty fields."""
    return {
        name: value
        for name, value in asdict(each).items()
        if name == "id" or (value not in (None, "") and value is not False)
    }


def _noted() -> None:
    """Do nothing: Streamlit passes on only events with a callback."""
