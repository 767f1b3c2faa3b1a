"""Notes on concepts and changes of boards, with undo: the last one beside its button, and recent notes in a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import streamlit as st

from core.errors import ConceptreeError
from core.wording import counted
from evolve import Run
from evolve.store.parts import Damage
from evolve.store.run import Change, Entry
from ui.view import notices
from ui.view.text import plain, shortened

WAIT = 5.0  # seconds to wait for another process that writes
LONGEST = 48  # characters of the last change
LISTED = 12  # changes in the list
_SAID, _PROBLEM = "undo.said", "undo.problem"  # keys in the session

Value = bool | int | str | Sequence[str] | None  # of a note
_MARKS = {
    "favourite": ("favourite", "not favourite"),
    "hidden": ("hidden", "shown again"),
    "locked": ("locked", "unlocked"),
}


@dataclass(frozen=True)
class Said:
    """The last change of this session. number: of its batch in the run. back: whether it was undone.

    values: as `Run.note` takes them; empty for a change that was undone from the list. then: the change to redo next.
    """

    run: str
    concepts: tuple[str, ...]
    what: str
    number: int
    values: Mapping[str, Value] = field(default_factory=dict)
    back: bool = False
    then: Said | Turned | None = None


class Turn(Protocol):
    """A step, such as an undo; it returns the step that takes it back."""

    def __call__(self) -> Turn: ...


@dataclass(frozen=True)
class Turned:
    """The last change of something beside the runs, as `Said`. turn: takes it back, or makes it again."""

    what: str
    turn: Turn
    back: bool = False
    then: Said | Turned | None = None


def did(what: str, step: Turn, back: bool = False, then: Said | Turned | None = None) -> bool:
    """Make a change of something beside the runs, such as a board; whether that worked. what: as for `note`.

    back, then: as in `Turned`.
    """
    st.session_state.pop(_PROBLEM, None)
    try:
        turn = step()
    except ConceptreeError as error:
        st.session_state[_PROBLEM] = str(error)
        return False
    st.session_state[_SAID] = Turned(what, turn, back, then)
    return True


def note(run: Run, ids: str | Sequence[str], what: str, **values: Value) -> bool:
    """Write a note on one concept or several (by id), see `Run.note`; return whether that worked.

    what: the text beside the Undo button, such as "renamed moku". `bar` shows the error of a failure.
    """
    ids = [ids] if isinstance(ids, str) else list(ids)

    def write() -> None:
        run.note_all(ids, **values)

    return _done(run, ids, what, write, values)


def mark(run: Run, entries: Sequence[Entry], field: str, value: Value) -> bool:
    """Set a field of the notes on these concepts, see `note`."""
    what = f"{named(entries)}: {_marked(field, value)}"
    return note(run, [each.id for each in entries], what, **{field: value})


def tag(run: Run, entries: Sequence[Entry], add: Sequence[str] = (), remove: Sequence[str] = ()) -> bool:
    """Add tags to these concepts and remove others, see `note`."""
    what = f"{named(entries)}: {_tagged(add, remove)}"
    return note(run, [each.id for each in entries], what, tag=tuple(add), untag=tuple(remove))


def named(entries: Sequence[Entry]) -> str:
    """The concept's name, or the number of several."""
    return entries[0].name if len(entries) == 1 else counted(len(entries), "concept")


def _tagged(added: Sequence[str], removed: Sequence[str]) -> str:
    said = [f"tagged {', '.join(added)}"] if added else []
    return ", ".join(said + ([f"no longer tagged {', '.join(removed)}"] if removed else []))


def _marked(field: str, value: Value) -> str:
    if field == "rating":
        return f"rated {value} of 5" if value else "rating removed"
    yes, no = _MARKS[field]
    return yes if value else no


def problem() -> str:
    """The error of the last change, "" if there was none."""
    return st.session_state.get(_PROBLEM, "")


def take_problem() -> str:
    """The same, for a page that shows it itself: `bar` no longer does."""
    return st.session_state.pop(_PROBLEM, "")


def bar(run: Run) -> None:
    """The last change with its buttons, and the list of changes."""
    name = run.folder.name
    said: Said | Turned | None = st.session_state.get(_SAID)
    with st.container(
        horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small", key="undo.bar"
    ):
        if wrong := problem():
            notices.error(wrong)
        elif said and (isinstance(said, Turned) or said.run == name):
            told = shortened(said.what, LONGEST)
            st.caption(plain(f"{'Undone: ' if said.back else ''}{told}"), width="content")
            if again := said if said.back else said.then:
                _redo_button(run, again)
            # On the right, where it does not move when Redo appears: a second click undoes the change before.
            st.button(
                "Undo",
                key="undo.last",
                icon=":material/undo:",
                on_click=_undo,
                args=(run, said),
                disabled=said.back and not holding(run.changes()),
            )
        with st.popover("Changes", icon=":material/history:", key="undo.changes", type="tertiary"):
            _list(run)


def _redo_button(run: Run, again: Said | Turned) -> None:
    st.button("Redo", key="icon.undo.again", icon=":material/redo:", help="Redo", on_click=_redo, args=(run, again))


def _undo(run: Run, said: Said | Turned) -> None:
    """Undo the last change; if it is undone, the newest one that holds."""
    if said.back:
        _earlier(run, said)
    elif isinstance(said, Turned):
        did(said.what, said.turn, True, said.then)
    else:
        _back(run, said)


def _redo(run: Run, said: Said | Turned) -> None:
    if isinstance(said, Turned):
        did(said.what, said.turn, False, said.then)
    else:
        _again(run, said)


def holding(changes: Sequence[Change]) -> list[Change]:
    """The changes that are not undone, oldest first."""
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
    """`rating 3 → 5`."""
    return ", ".join(_told(name, before, after) for name, (before, after) in change.changed.items())


def _told(name: str, before: Value, after: Value) -> str:
    if name in _MARKS:
        return _marked(name, after)
    if name == "comment":
        return f"comment “{shortened(str(after), 30)}”" if after else "comment removed"
    if isinstance(before, tuple) and isinstance(after, tuple):  # tags
        return _tagged([each for each in after if each not in before], [each for each in before if each not in after])
    if name == "name":
        return f"renamed to {shortened(str(after), 40)}" if after else "original name restored"
    return f"{name} {before if before is not None else 'none'} → {after if after is not None else 'none'}"


def _list(run: Run) -> None:
    damage: list[Damage] = []
    changes = holding(run.changes(damage))
    names = {each.id: each.name for each in run.entries()}
    if damage:
        notices.warn_of(damage)
    if not changes:
        st.caption("No changes yet: no names, ratings or comments.")
        return
    newest: set[str] = set()
    for number, change in enumerate(reversed(changes[-LISTED:])):
        name = names.get(change.concept, change.concept[:8])
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(plain(f"{shortened(name, 24)}: {told(change)}"), width="stretch")
            if change.at:
                st.caption(plain(_ago(change.at)), width="content")
            st.button(
                "Undo",
                key=f"undo.change.{number}",
                type="tertiary",
                help="Undo this change",
                on_click=_set_back,
                args=(run, change, name, change.concept not in newest),
            )
        newest.add(change.concept)
    if len(changes) > LISTED:
        st.caption(f"The last {LISTED} of {counted(len(changes), 'change')}.")


def _set_back(run: Run, change: Change, name: str, is_newest: bool) -> None:
    """Undo a change. An older one is undone by a new note that restores the fields it changed."""
    before = {field: pair[0] for field, pair in change.changed.items()}

    def write() -> None:
        if is_newest:
            run.undo(change.concept)
        else:
            run.note(change.concept, **before)

    _done(run, [change.concept], f"{name}: {told(change)}", write, {}, back=is_newest)


def _earlier(run: Run, said: Said | Turned) -> None:
    changes = holding(run.changes())
    if not changes:
        return
    last = [change for change in changes if change.batch == changes[-1].batch]
    names = {each.id: each.name for each in run.entries()}
    who = names.get(last[0].concept, last[0].concept[:8]) if len(last) == 1 else counted(len(last), "concept")
    ids = [change.concept for change in last]
    _done(run, ids, f"{who}: {told(last[0])}", run.undo_last, {}, back=True, then=said)


def _back(run: Run, said: Said) -> None:
    def write() -> None:
        changes = holding(run.changes())
        if changes and changes[-1].batch == said.number:  # no change since
            run.undo_last()
            return
        for concept in said.concepts:
            if any(change.concept == concept and change.batch == said.number for change in changes):
                run.undo(concept)

    _done(run, said.concepts, said.what, write, said.values, back=True, then=said.then)


def _again(run: Run, said: Said) -> None:
    def write() -> None:
        if said.values:  # all at once
            run.note_all(said.concepts, **said.values)
            return
        for concept in said.concepts:
            run.redo(concept)

    _done(run, said.concepts, said.what, write, said.values, then=said.then)


def _done(
    run: Run,
    ids: Sequence[str],
    what: str,
    write: Callable[[], object],
    values: Mapping[str, Value],
    back: bool = False,
    then: Said | Turned | None = None,
) -> bool:
    st.session_state.pop(_PROBLEM, None)
    try:
        with run.writing(wait=WAIT):
            before = _last(run)
            write()
            number = _last(run)
    except ConceptreeError as error:
        st.session_state[_PROBLEM] = str(error)
        return False
    if number != before:
        # A change that is made again keeps the number of its first time.
        held = [change.batch for change in holding(run.changes()) if change.concept in ids and not back]
        st.session_state[_SAID] = Said(run.folder.name, tuple(ids), what, max(held, default=number), values, back, then)
    return True


def _last(run: Run) -> int:
    return max((change.batch for change in run.changes()[-1:]), default=0)


def _ago(at: datetime) -> str:
    seconds = (datetime.now(UTC) - at).total_seconds()
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"
