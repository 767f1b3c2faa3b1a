"""State of the tree of a run: selected, unfolded, searched for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import streamlit as st

from core.wording import did_you_mean
from ui.view.scene import Filter
from ui.view.store import Opened
from ui.view.text import shortened


@dataclass
class State:
    """State of a run's tree in a session.

    turn: grows when the page itself selects. heard, ticked: the last selection that the tree and the table reported.
    listed: concepts by their rows in the table. known: the concepts at the start. only: the filter. answered: ghosts
    with the tokens of their questions.
    """

    selected: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    turn: int = 0
    centre: str = ""
    message: str = ""
    heard: Mapping[str, object] | None = None
    ticked: list[int] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    known: frozenset[str] | None = None
    only: Filter | None = None
    answered: set[tuple[str, str]] = field(default_factory=set)

    def select(self, concepts: Sequence[str], centre: bool = True) -> None:
        """Select these in the tree and in the table."""
        self.selected, self.turn, self.message = list(concepts), self.turn + 1, ""
        self.centre = concepts[-1] if concepts and centre else ""


def state_of(run: str) -> State:
    """The state of a run, kept for the session."""
    return st.session_state.setdefault("tree.states", {}).setdefault(run, State())


def find(state: State, found: Opened, text: str) -> None:
    """Select the concept with that name, else with that beginning, else with that part; or suggest similar names."""
    names = {each.id: each.name for each in found.entries}
    wanted = text.casefold().strip()
    tests: tuple[Callable[[str], bool], ...] = (wanted.__eq__, lambda n: n.startswith(wanted), lambda n: wanted in n)
    for test in tests:
        for id_, name in names.items():
            if test(name.casefold()):
                state.select([id_])
                return
    near = did_you_mean(text, names.values())
    state.message = f"There is no {shortened(text, 40)!r} here. {near[:1].upper()}{near[1:]}".rstrip()
