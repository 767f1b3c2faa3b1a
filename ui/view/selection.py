"""What a person does with the tree of a run: who is selected, what is unfolded, who is looked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from core.wording import did_you_mean
from ui.view.scene import Filter
from ui.view.store import Opened
from ui.view.text import shortened


@dataclass
class State:
    """What a person does with a run's tree. turn: grows when the page itself selects; heard, ticked: what the tree and
    the table last said; listed: the concepts by their rows in the table; known: those there were in the beginning;
    only: the filter.
    """

    selected: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    turn: int = 0
    centre: str = ""
    message: str = ""
    heard: Any = None
    ticked: list[int] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    known: frozenset[str] | None = None
    only: Filter | None = None

    def select(self, concepts: Sequence[str], centre: bool = True) -> None:
        """Select these everywhere, whoever asked for it."""
        self.selected, self.turn, self.message = list(concepts), self.turn + 1, ""
        self.centre = concepts[-1] if concepts and centre else ""


def state_of(run: str) -> State:
    """Of a run, as long as the session lasts."""
    return st.session_state.setdefault("tree.states", {}).setdefault(run, State())


def find(state: State, found: Opened, text: str) -> None:
    """Select the concept of that name, or that begins or goes on so; else say which names are near."""
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
