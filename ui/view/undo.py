"""Saying something of concepts in such a way that a click takes it back, and the list of what was said of late."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from core.errors import ConceptreeError
from core.wording import counted
from evolve import Run
from evolve.store.run import Change
from ui.view.text import plain, shortened

WAIT = 5.0  # seconds for whoever is writing, before a person is told
LONGEST = 48  # characters of what was said last
LISTED = 12  # changes that the list has room for
_SAID, _PROBLEM = "undo.said", "undo.problem"


@dataclass(frozen=True)
class Said:
    """What was said last in this session. number: of the batch that the run keeps it in. back: it was taken back.

    values: what was said, as `Run.note` takes it; of what somebody has set back from the list, nothing.
    """

    run: str
    concepts: tuple[str, ...]
    what: str
    number: int
    values: Mapping[str, Any] = field(default_factory=dict)
    back: bool = False


def note(run: Run, ids: str | Sequence[str], what: str, **values: Any) -> bool:
    """Say something of one concept or several (by id), see `Run.note`; whether that worked.

    what: how it is told beside the button that takes it back: "renamed moku". What went wrong is told by `bar`. For
    callbacks and for pages alike.
    """
    ids = [ids] if isinstance(ids, str) else list(ids)

    def say() -> None:
        run.note_all(ids, **values)

    return _done(run, ids, what, say, values)


def problem() -> str:
    """What went wrong with the last `note`, "" if nothing did."""
    return st.session_state.get(_PROBLEM, "")


def take_problem() -> str:
    """The same, for who tells it elsewhere: `bar` does not tell it any more."""
    return st.session_state.pop(_PROBLEM, "")


def bar(run: Run) -> None:
    """A line about what was said last, with Undo, and the list of changes."""
    name = run.folder.name
    said: Said | None = st.session_state.get(_SAID)
    with st.container(
        horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small", key="undo.bar"
    ):
        if wrong := problem():
            st.error(plain(wrong), icon=":material/error:")
        elif said and said.run == name:
            told = shortened(said.what, LONGEST)
            st.caption(plain(f"{'Taken back: ' if said.back else ''}{told}"), width="content")
            # One button for both: two would stand beside each other for a moment, and move under the mouse.
            st.button(
                "Redo" if said.back else "Undo",
                key="undo.last",
                icon=":material/redo:" if said.back else ":material/undo:",
                on_click=_again if said.back else _back,
                args=(run, said),
            )
        with st.popover("Changes", icon=":material/history:", key="undo.changes", type="tertiary"):
            _list(run)


def holding(changes: Sequence[Change]) -> list[Change]:
    """The changes that nobody has taken back, oldest first."""
    found: dict[str, list[Change]] = {}
    undone: dict[str, list[Change]] = {}
    for change in changes:
        done, taken = found.setdefault(change.concept, []), undone.setdefault(change.concept, [])
        if change.way == "undo" and done:
            taken.append(done.pop())
        elif change.way == "redo" and taken:
            done.append(taken.pop())
        elif not change.way:
            done.append(change)
            taken.clear()
    return sorted((change for done in found.values() for change in done), key=lambda change: change.batch)


def told(change: Change) -> str:
    """`rating 3 → 5`"""
    return ", ".join(_told(name, before, after) for name, (before, after) in change.changed.items())


def _told(name: str, before: Any, after: Any) -> str:
    if isinstance(after, bool):
        return name if after else f"not {name}"
    if name == "comment":
        return f"comment “{shortened(after, 30)}”" if after else "comment removed"
    if name == "name":
        return f"called {shortened(after, 40)}" if after else "called as at birth"
    return f"{name} {before if before is not None else 'none'} → {after if after is not None else 'none'}"


def _list(run: Run) -> None:
    damage: list = []
    changes = holding(run.changes(damage))
    names = {each.id: each.name for each in run.entries()}
    if damage:
        st.warning(plain(f"Some of what was said cannot be read: {damage[0]}"), icon=":material/healing:")
    if not changes:
        st.caption("Nothing was said of these concepts yet: no names, ratings, comments.")
        return
    newest: set[str] = set()
    for number, change in enumerate(reversed(changes[-LISTED:])):
        who = names.get(change.concept, change.concept[:8])
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(plain(f"{shortened(who, 24)}: {told(change)}"), width="stretch")
            if change.at:
                st.caption(plain(_ago(change.at)), width="content")
            st.button(
                "Undo",
                key=f"undo.change.{number}",
                type="tertiary",
                help="Set back what this changed",
                on_click=_set_back,
                args=(run, change, who, change.concept not in newest),
            )
        newest.add(change.concept)
    if len(changes) > LISTED:
        st.caption(f"The last {LISTED} of {counted(len(changes), 'change')}.")


def _set_back(run: Run, change: Change, who: str, is_newest: bool) -> None:
    """Take a change back. Where something else was said since, only what this one said is set to what it was."""
    before = {name: pair[0] for name, pair in change.changed.items()}

    def say() -> None:
        if is_newest:
            run.undo(change.concept)
        else:
            run.note(change.concept, **before)

    _done(run, [change.concept], f"{who}: {told(change)}", say, {}, back=is_newest)


def _back(run: Run, said: Said) -> None:
    def say() -> None:
        changes = holding(run.changes())
        if changes and changes[-1].batch == said.number:  # nobody has said anything since
            run.undo_last()
            return
        for concept in said.concepts:
            if any(change.concept == concept and change.batch == said.number for change in changes):
                run.undo(concept)

    _done(run, said.concepts, said.what, say, said.values, back=True)


def _again(run: Run, said: Said) -> None:
    def say() -> None:
        if said.values:  # all at once
            run.note_all(said.concepts, **said.values)
            return
        for concept in said.concepts:
            run.redo(concept)

    _done(run, said.concepts, said.what, say, said.values)


def _done(
    run: Run,
    ids: Sequence[str],
    what: str,
    say: Callable[[], object],
    values: Mapping[str, Any],
    back: bool = False,
) -> bool:
    st.session_state.pop(_PROBLEM, None)
    try:
        with run.writing(wait=WAIT):
            before = _last(run)
            say()
            number = _last(run)
    except ConceptreeError as error:
        st.session_state[_PROBLEM] = str(error)
        return False
    if number != before:
        st.session_state[_SAID] = Said(run.folder.name, tuple(ids), what, number, values, back)
    return True


def _last(run: Run) -> int:
    return max((change.batch for change in run.changes()[-1:]), default=0)


def _ago(at: datetime) -> str:
    seconds = (datetime.now(UTC) - at).total_seconds()
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"
