"""Taking one aspect of another concept: the choice in the Breed panel, and a chip for each aspect that is taken."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

import streamlit as st

from core.aspects import ASPECTS, AspectError, checked_aspect, words_of
from core.stack.backbone import Backbone
from evolve.jobs.planning import ParentError, check_takes
from evolve.jobs.plans import TakeTold
from ui.view import clicks, links
from ui.view.described import described
from ui.view.parents import take, takes_of
from ui.view.selection import state_of
from ui.view.store import Opened
from ui.view.text import plain, shortened

PICTURE = 34  # pixels of a chip's picture
LONGEST = 40  # characters of a chip


def menu(run: str, id_: str, name: str) -> None:
    """A menu on a concept: the children take one of its aspects. Their parents may be chosen later."""
    st.menu_button(
        "Take its colour …",
        list(ASPECTS),
        key="tree.take",
        icon=":material/colorize:",
        width="stretch",
        on_click=_take_of,
        args=(run, id_),
        help=f"Children that you breed take one aspect of {plain(name)}, such as its colour, and nothing else of it.",
    )


def chips(found: Opened) -> None:
    """The chosen aspects with their concepts; a button on each removes it."""
    run = found.run.folder.name
    with st.container(horizontal=True, gap="small", key="breed.takes"):
        for number, (aspect, id_) in enumerate(takes_of(run, found).items()):
            told = f"{aspect} of {found.by_id[id_].name}"
            with st.container(
                horizontal=True, vertical_alignment="center", gap="xsmall", width="content", key=f"breed.taken.{number}"
            ):
                _thumbnail(found, id_)
                st.markdown(plain(shortened(told, LONGEST)), width="content")
                _icon_button(
                    f"Do not take the {plain(told)}",
                    "close",
                    f"tree.icon.untake.{number}",
                    partial(takes_of(run, found).pop, aspect, None),
                    of=f"{aspect}={id_}",
                )


def choice(found: Opened, backbone: Backbone, resembled: Collection[str]) -> dict[str, str]:
    """Show the chips, and two fields to choose one more. Returns ids of concepts by the aspects that can be taken.

    resembled: ids of the parents with weights above 0. Aspects that cannot be taken are shown with the reason.
    """
    run, by_id = found.run.folder.name, found.by_id
    chips(found)
    selected = [id_ for id_ in state_of(run).selected if id_ in by_id]
    newest = [each.id for each in found.entries[::-1] if not each.note.hidden]
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom", key="breed.take"):
        st.selectbox(
            "Take",
            list(dict.fromkeys([*_aspects(backbone.fingerprint, backbone), st.session_state[f"breed.aspect.{run}"]])),
            key=f"breed.aspect.{run}",
            accept_new_options=True,
            width=130,
            on_change=_chosen,
            args=(run, backbone),
            help="One aspect of another concept, and nothing else of it. Your own words work too, such as striped.",
        )
        st.selectbox(
            "of",
            list(dict.fromkeys([*selected, *newest])),
            index=None,
            key=f"breed.giver.{run}",
            format_func=lambda id_: by_id[id_].name,
            placeholder="a concept",
            width="stretch",
            on_change=_chosen,
            args=(run, backbone),
        )
    problems = {aspect: _problem(found, backbone, aspect, resembled) for aspect in takes_of(run, found)}
    aspect, giver = (st.session_state[f"breed.{name}.{run}"] for name in ("aspect", "giver"))
    unknown = _unknown(aspect, backbone) if giver or aspect not in ASPECTS else ""
    for problem in dict.fromkeys(filter(None, [*problems.values(), unknown])):
        st.caption(f":red[{plain(problem)}]")
    return {aspect: id_ for aspect, id_ in takes_of(run, found).items() if not problems[aspect]}


def asked(found: Opened) -> list[tuple[str, str]]:
    """Aspects with the concepts, by id, that give them: the chips, and what the fields have that cannot be taken."""
    run = found.run.folder.name
    giver = st.session_state.get(f"breed.giver.{run}")
    return [*takes_of(run, found).items(), *([(st.session_state[f"breed.aspect.{run}"], giver)] if giver else [])]


def _thumbnail(found: Opened, id_: str) -> None:
    if drawn := found.drawings.get(id_):
        address = links.picture(found.run.folder.name, drawn[0], 96)
        st.image(address, width=PICTURE, alt=described(found.by_id[id_]))


def _icon_button(label: str, icon: str, key: str, act: Callable[[], object], of: str = "") -> None:
    """A button with an icon alone that does something, and shows the page anew. key: begins with tree.icon, see
    `tree.STYLE`. of: what it acts on, see `clicks.button`.
    """
    if clicks.button(label, icon=f":material/{icon}:", type="tertiary", key=key, help=label, of=of):
        act()
        st.rerun()


def _problem(found: Opened, backbone: Backbone, aspect: str, resembled: Collection[str]) -> str:
    """Why an aspect cannot be taken of the concept that is chosen for it, or ""."""
    giver = found.by_id[takes_of(found.run.folder.name, found)[aspect]]
    try:
        check_takes([TakeTold(aspect=aspect, id=giver.id, name=giver.name, run="")], resembled)
    except ParentError as error:
        return str(error)
    return _unknown(aspect, backbone)


def _unknown(aspect: str, backbone: Backbone) -> str:
    """Why the stack cannot tell an aspect apart, or ""."""
    try:
        words_of(checked_aspect(aspect), backbone)
    except AspectError as error:
        return str(error)
    return ""


@st.cache_data(show_spinner=False)
def _aspects(stack: str, _backbone: Backbone) -> list[str]:
    """Aspects that the stack has words for."""
    return [aspect for aspect in ASPECTS if not _unknown(aspect, _backbone)]


def _chosen(run: str, backbone: Backbone) -> None:
    """Take the aspect in the fields, once both are there and the stack knows the aspect."""
    aspect, giver = st.session_state[f"breed.aspect.{run}"], st.session_state[f"breed.giver.{run}"]
    if giver is not None and not _unknown(aspect, backbone):
        take(run, checked_aspect(aspect), giver)
        st.session_state[f"breed.giver.{run}"] = None


def _take_of(run: str, id_: str) -> None:
    take(run, st.session_state["tree.take"], id_)
