"""Rate: tap what you like, or the paper's user study, in which people rate drawings without knowing the concepts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from core.errors import ConceptreeError
from core.wording import counted
from evolve.store.parts import Damage
from evolve.store.ratings import (
    SCALE,
    Answer,
    Question,
    Session,
    answer,
    answers,
    new_session,
    open_questions,
    sessions,
)
from ui.pictures import PROMPTS, SEED, is_whole, usual_in
from ui.view import clicks, errands, lightbox, links, notices, store
from ui.view.screens import results, taste
from ui.view.store import Opened
from ui.view.text import plain, shortened

TASTE, STUDY = "taste", "study"
KINDS = {TASTE: "What do you like?", STUDY: "Blind study"}
MODES = {"scale": "1 to 5", "pairs": "A or B"}
ENDS = ("not at all", "very much")
SIDE = 220  # pixels


def show() -> None:
    found = store.current()
    lost: list[Damage] = []
    known, given = sessions(found.run, lost), answers(found.run, lost)
    notices.warn_of([*lost, *found.damage])
    if asked := st.query_params.get("session"):
        session = next((each for each in known if each.id == asked), None)
        if session is None:
            notices.error("There is no such session in this run.")
            links.to("rate", "Back to the study", run=found.run.folder.name, kind=STUDY)
            return
        _pass(found, session, given)
        return
    st.title("Rate", anchor=False)
    # A run of `experiment table1` has sessions but no concepts.
    usual = STUDY if known and not found.entries else TASTE
    linked = st.query_params.get("kind")
    kind = st.segmented_control(
        "Kind",
        list(KINDS),
        format_func=KINDS.__getitem__,
        default=linked if linked in KINDS else usual,
        required=True,
        key="rate.kind",
        label_visibility="collapsed",
        on_change=_keep_kind,
    )
    if kind == TASTE:
        taste.show(found)
        return
    making, made = st.columns([2, 3], gap="large")
    with making:
        if found.entries or not known:
            _new(found)
        _unfinished(found, known, given)
    with made:
        results.show(found, known, given)


def _keep_kind() -> None:
    """Keep the choice in the address, for a reload."""
    st.query_params["kind"] = st.session_state["rate.kind"]


def _new(found: Opened) -> None:
    st.subheader("New session", anchor=False)
    st.caption("One person rates sets of drawings, without names and in random order, as in the paper's user study.")
    name = found.run.folder.name
    by_id = found.by_id
    drawn = [each.id for each in found.entries if found.drawings.get(each.id)]
    visible = [id_ for id_ in drawn if not by_id[id_].note.hidden]
    if not visible:
        st.info("This run has no drawings yet.", icon=":material/brush:")
        return
    key = f"rate.concepts.{name}"
    if handed := st.session_state.pop("rate.concepts", None):
        st.session_state[key] = [id_ for id_ in handed if id_ in drawn]
    elif key not in st.session_state:
        st.session_state[key] = visible[:12]
    rater = st.text_input("Rater", key="rate.rater", max_chars=80, placeholder="a name or any label")
    mode = st.segmented_control(
        "Method", list(MODES), format_func=MODES.__getitem__, default="scale", required=True, key="rate.mode"
    )
    chosen = st.multiselect("Concepts", drawn, key=key, format_func=lambda id_: by_id[id_].name)
    category = found.run.about["category"]
    standard = (
        f"How well do these show a {category} that is unlike the known ones?"
        if mode == "scale"
        else f"Which one shows a {category} that is unlike the known ones better?"
    )
    question = st.text_input("Question", standard, key=f"rate.question.{name}.{mode}", max_chars=500)
    shared, partly = _prompts(found, chosen)
    prompts = st.multiselect(
        "Prompts and seeds",
        [*shared, *partly],
        default=shared[:3] or partly[:3],
        key=f"rate.prompts.{name}.{'.'.join(chosen)[:400]}",
        format_func=lambda pair: f"{pair[0].replace('{}', '…')}, seed {pair[1]}",
    )
    lacking = [(id_, *pair) for pair in prompts for id_ in chosen if not _file(found, id_, pair)]
    if lacking:
        st.caption(f"{counted(len(lacking), 'of these drawings is', 'of these drawings are')} missing.")
        if clicks.button(f"Draw {counted(len(lacking), 'picture')}", key="rate.draw", of=name, icon=":material/brush:"):
            _draw(found, lacking)
    seed = st.number_input("Seed of the question order", 0, 10**9, _fresh_seed(), key="rate.seed", width=180)
    number = len(chosen) if mode == "scale" else math.comb(len(chosen), 2)
    ready = bool(rater and chosen and prompts and not lacking and number)
    label = f"Start with {counted(number, 'question')}"
    if clicks.button(
        label, key="rate.begin", of=name, once=True, type="primary", icon=":material/play_arrow:", disabled=not ready
    ):
        sets = {id_: [_file(found, id_, pair) or "" for pair in prompts] for id_ in chosen}
        try:
            session = new_session(found.run, rater, mode, sets, question, int(seed))
        except ConceptreeError as error:
            notices.error(error)
        else:
            links.go("rate", run=name, session=session.id)
    if not rater:
        st.caption("Enter a rater to start.")


def _draw(found: Opened, lacking: Sequence[tuple[str, str, int]]) -> None:
    is_there = errands.draw(found.run, lacking)
    if is_there:
        st.rerun()
    if is_there is False:
        st.info("Drawing in the background. Come back in a while.", icon=":material/hourglass_top:")


def _fresh_seed() -> int:
    """A random seed, kept for the session of the browser."""
    if "rate.seed.fresh" not in st.session_state:
        st.session_state["rate.seed.fresh"] = int(np.random.default_rng().integers(10**6))
    return st.session_state["rate.seed.fresh"]


def _prompts(found: Opened, chosen: Sequence[str]) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """(prompt, seed) pairs in which all of the concepts are drawn, and those in which some are or could be."""
    counts: dict[tuple[str, int], set[str]] = {}
    for id_ in chosen:
        for pair in _files(found, id_):
            counts.setdefault(pair, set()).add(id_)
    shared = [pair for pair, who in counts.items() if len(who) == len(chosen)]
    usual = [(prompt, SEED) for prompt in PROMPTS[found.run.about["kind"]]]
    return shared, [pair for pair in dict.fromkeys([*usual, *counts]) if pair not in shared]


def _file(found: Opened, id_: str, pair: tuple[str, int]) -> str | None:
    return _files(found, id_).get(pair)


def _files(found: Opened, id_: str) -> dict[tuple[str, int], str]:
    """A concept's pictures by prompt and seed. Its portrait has its own seed, and counts as the usual drawing."""
    drawings = found.drawings.get(id_, ())
    usual = {(each.prompt, SEED): each.file.name for each in usual_in(drawings, found.run.about["kind"])}
    return {(each.prompt, each.seed): each.file.name for each in drawings if is_whole(each.file)} | usual


def _unfinished(found: Opened, known: Sequence[Session], given: Sequence[Answer]) -> None:
    left = [(each, len(open_questions(each, given))) for each in known]
    left = [(each, number) for each, number in reversed(left) if number]
    if left:
        st.subheader("Unfinished sessions", anchor=False)
    for each, number in left[:8]:
        words = f"{shortened(each.rater, 30)}, {MODES[each.mode]}, {counted(number, 'question')} left"
        links.to(
            "rate",
            plain(f"{words}, started {each.at:%Y-%m-%d %H:%M}"),
            icon=":material/play_arrow:",
            run=found.run.folder.name,
            session=each.id,
        )


def _pass(found: Opened, session: Session, given: Sequence[Answer]) -> None:
    """One question at a time, without any names."""
    asked = session.questions()
    left = open_questions(session, given)
    back = st.session_state.get(f"rate.back.{session.id}")
    question = asked[back] if back is not None else left[0] if left else None
    done = len(asked) - len(left)
    if question is None:
        st.title("Thank you", anchor=False)
        st.success(f"All questions are answered: {counted(len(asked), 'answer')} saved.", icon=":material/check:")
        links.to("rate", "Results", icon=":material/bar_chart:", run=found.run.folder.name, kind=STUDY)
        _step_back(session, len(asked))
        return
    st.progress(done / len(asked), f"Question {question.number + 1} of {len(asked)}")
    st.subheader(plain(session.question), anchor=False)
    if session.mode == "scale":
        _set(found, question.drawings[0], "")
        _buttons(
            found, session, question, {value: ("★" * value, str(value)) for value in range(SCALE[0], SCALE[1] + 1)}
        )
        st.caption(f"One star: {ENDS[0]}; five stars: {ENDS[1]}. Keys: 1 to 5. Every answer is saved at once.")
    else:
        for column, side, files in zip(st.columns(2, gap="large"), "AB", question.drawings, strict=True):
            with column, st.container(border=True):
                st.markdown(f"**{side}**")
                _set(found, files, side)
        _buttons(found, session, question, {1: ("Choose A", "a"), 2: ("Choose B", "b")})
        st.caption("Keys: A and B. Every answer is saved at once.")
    _step_back(session, question.number)
    links.to("rate", "Pause", icon=":material/pause:", run=found.run.folder.name, kind=STUDY)


def _set(found: Opened, files: Sequence[str], side: str) -> None:
    """Drawings without their names and prompts."""
    name = found.run.folder.name
    of = f" of {side}" if side else ""
    lost = [file for file in files if not is_whole(found.run.folder / "drawings" / file)]
    there = [file for file in files if file not in lost]
    with st.container(horizontal=True, gap="small", key=f"{lightbox.BLIND}.{side}"):
        for number, file in enumerate(there, 1):
            address = links.picture_of(name, file.removesuffix(".png"), 256)
            st.image(address, width=160 if side else SIDE, alt=f"drawing {number}{of}")
    if lost:
        st.warning(f"{counted(len(lost), 'drawing is', 'drawings are')} missing here.", icon=":material/healing:")


def _buttons(found: Opened, session: Session, question: Question, labels: Mapping[int, tuple[str, str]]) -> None:
    """labels: by value, the text of its button and its key."""
    with st.container(horizontal=True, gap="medium"):
        for value, (label, shortcut) in labels.items():
            st.button(
                label,
                key=f"rate.answer.{value}",
                shortcut=shortcut,
                width=130,
                on_click=_answered,
                args=(found, session, question, value),
            )
    if wrong := st.session_state.pop("rate.wrong", ""):
        notices.error(wrong)


def _answered(found: Opened, session: Session, question: Question, value: int) -> None:
    try:
        answer(found.run, session, question, value)
        st.session_state.pop(f"rate.back.{session.id}", None)
    except ConceptreeError as error:
        st.session_state["rate.wrong"] = str(error)


def _step_back(session: Session, number: int) -> None:
    st.button(
        "Previous question",
        key="rate.before",
        icon=":material/arrow_back:",
        type="tertiary",
        disabled=number == 0,
        help="Answer it again; the last answer counts",
        on_click=_set_back,
        args=(session, number - 1),
    )


def _set_back(session: Session, number: int) -> None:
    st.session_state[f"rate.back.{session.id}"] = number
