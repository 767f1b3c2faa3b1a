"""A seed with a die and a lock: the die rolls another one, and an open lock rolls after each use."""

from __future__ import annotations

import secrets

import streamlit as st

ROLLED = 10**6  # random seeds are below, short enough to be typed again


def field(key: str, least: int, most: int, first: int | None, *, help: str | None = None, width: int = 130) -> int:
    """Show the field and return its seed. first: the first one, locked; None for a random one. After a use call `used`.

    The values stay when a person goes to another page.
    """
    state = st.session_state
    locked, last = f"{key}.locked", f"{key}.last"
    state.setdefault(locked, first is not None)
    state.setdefault(key, state.get(last, _rolled(most) if first is None else first))
    if (rolled := state.pop(f"{key}.next", None)) is not None:
        state[key] = rolled
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", width="content"):
        seed = int(st.number_input("Seed", least, most, key=key, width=width, help=help))
        st.button(
            "Another random seed",
            key=f"icon.{key}.die",
            icon=":material/casino:",
            help="Another random seed",
            on_click=lambda: state.update({key: _rolled(most)}),
        )
        st.button(
            "Unlock the seed" if state[locked] else "Lock the seed",
            key=f"icon.{key}.lock",
            icon=":material/lock:" if state[locked] else ":material/lock_open:",
            help="Locked: this seed stays. Click to use another one each time."
            if state[locked]
            else "Open: another seed after each use. Click to keep this one.",
            on_click=lambda: state.update({locked: not state[locked]}),
        )
    state[last] = seed
    return seed


def used(key: str, most: int) -> None:
    """Roll a seed for the next time, unless the lock is closed."""
    if not st.session_state.get(f"{key}.locked", True):
        # For the next run of the page: the field is shown already.
        st.session_state[f"{key}.next"] = _rolled(most)


def _rolled(most: int) -> int:
    return secrets.randbelow(min(most + 1, ROLLED))
