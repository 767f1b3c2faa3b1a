"""What do you like? Six concepts at a time: tap some, go on; children of what you like are learned meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.errors import ConceptreeError
from core.wording import counted
from evolve.asking import SHOWN, next_round
from evolve.jobs.generations import answer_round, awaits_choice
from evolve.jobs.job import Job
from evolve.jobs.planning import plan_evolution
from evolve.jobs.plans import TASTE, Evolve
from evolve.jobs.stored import new_job
from evolve.store.likes import Round, add_round, rounds
from ui.stack import can_draw
from ui.taste import why
from ui.view import births, clicks, learning, links, model, notices, processes, store
from ui.view.cards import cards
from ui.view.grid import card_of
from ui.view.processes import AT_WORK
from ui.view.store import Opened
from ui.view.text import plain
from ui.workers import conduct_asked

SIDE = 150  # pixels of a picture, at least
FEW = 2  # concepts that are too few for a round of their own, if the round before can spare some
STYLE = "<style>.st-key-taste-go { position: sticky; bottom: 8px; z-index: 5; }</style>"
GENERATIONS, CHILDREN, POPULATION = 50, 6, 12  # of the evolution that a first answer begins


def show(found: Opened) -> None:
    run = found.run.folder.name
    job = _evolution(found)
    busy = job is not None and processes.status(job).state in AT_WORK
    if not busy:
        _continue(found, job)
        _stopped(found, job)
    again = st.session_state.get(f"taste.again.{run}")
    shown = _shown(found, again)
    if shown:
        _ask(found, job, shown, again)
    elif busy:
        st.info("Children of what you like are being learned. They appear here.", icon=":material/hourglass_top:")
    else:
        _nothing_left(found, job)
    _back(found, again)
    _why(found)
    births.work(found)


def _evolution(found: Opened) -> Job | None:
    """The newest evolution by taste that is not finished."""
    for job, status in store.jobs_of(found.run):
        plan = learning.plan_of(job) if status.state != "finished" else None
        if isinstance(plan, Evolve) and plan.select == TASTE:
            return job
    return None


def _continue(found: Opened, job: Job | None) -> None:
    """Begin the generation that waits, if a round was answered while the last one was learned."""
    key = f"taste.pending.{found.run.folder.name}"
    if job is not None and st.session_state.pop(key, False) and (number := _waiting(job)):
        try:
            answer_round(job, found.run, number, (), ())
            processes.start(found.run, job)
        except ConceptreeError as error:
            notices.error(error)


def _stopped(found: Opened, job: Job | None) -> None:
    """Say that a generation was stopped or failed halfway, with a button that goes on."""
    if job is None or _waiting(job):
        return
    status = processes.status(job)
    if status.state in AT_WORK:  # it has just begun
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(plain(f"No children are being learned: {learning.state(job, status)}."), width="content")
        if clicks.button("Resume", key="taste.resume", of=job.name, icon=":material/play_arrow:", once=True):
            try:
                processes.start(found.run, job)
            except ConceptreeError as error:
                notices.error(error)
                return
            st.rerun()


def _waiting(job: Job) -> int:
    plan = learning.plan_of(job)
    return awaits_choice(job, plan) if isinstance(plan, Evolve) else 0


def _shown(found: Opened, again: Round | None) -> list[str]:
    """Ids of the round: the one that is answered again, or the one that was begun, or a new one."""
    if again:
        return [id_ for id_ in again.shown if id_ in found.by_id]
    key = f"taste.shown.{found.run.folder.name}"
    kept = [id_ for id_ in st.session_state.get(key, ()) if id_ in found.by_id]
    if not kept:
        kept = st.session_state[key] = _next(found)
    return kept


def _next(found: Opened) -> list[str]:
    """Ids of a new round. Seven or eight concepts are two rounds of about four instead of six and a rest."""
    drawn = {id_ for id_, drawings in found.drawings.items() if drawings}
    now = next_round(found.run, among=drawn)
    rest = next_round(found.run, FEW + 1, drawn - {*now}) if len(now) == SHOWN else []
    return now[: (SHOWN + len(rest) + 1) // 2] if 0 < len(rest) <= FEW else now


def _ask(found: Opened, job: Job | None, shown: Sequence[str], again: Round | None) -> None:
    run = found.run.folder.name
    st.html(STYLE)
    st.caption(_told(len(shown), again is not None))
    items = [
        card_of(run, found.by_id[id_], next((d for d in found.drawings.get(id_, ()) if d.file.is_file()), None), "")
        for id_ in shown
    ]
    key = f"taste.round.{run}.{'.'.join(id_[:6] for id_ in shown)}"
    liked = cards(
        items,
        again.liked if again else (),
        key=key,
        label="Concepts: tap the ones that you like",
        side=SIDE,
        opens=False,
        taps=True,
    ).selected
    label = _answer_of(len(liked), len(shown))
    if clicks.button(
        label, key="taste.go", of=key, type="primary", icon=":material/arrow_forward:", shortcut="Enter", once=True
    ):
        try:
            _answer(found, job, shown, liked, again)
        except ConceptreeError as error:
            notices.error(error)
            return
        st.rerun()


def _told(count: int, is_again: bool) -> str:
    """What to do with so many concepts."""
    meanwhile = "Children of what you seem to like are learned meanwhile."
    if is_again or count > FEW:
        return f"Tap the concepts that you like, then go on. {meanwhile}"
    last = "This is the last one" if count == 1 else "These are the last two"
    return f"{last} that you have not judged: tap what you like, then go on. Children of what you like come next."


def _answer_of(liked: int, count: int) -> str:
    """Label of the button: what the person says."""
    if count == 1:
        return "I like it" if liked else "I do not like it"
    if count == FEW and liked != 1:
        return "I like both" if liked else "Neither of these"
    return f"I like {liked} of these" if liked else "None of these"


def _answer(found: Opened, job: Job | None, shown: Sequence[str], liked: Sequence[str], again: Round | None) -> None:
    """Store the answer, and learn children of what is liked, unless that is under way."""
    run, name = found.run, found.run.folder.name
    if again:
        add_round(run, shown, liked, again.id)
        st.session_state.pop(f"taste.again.{name}")
        return
    if job is None and len(found.entries) > 1:
        job = _begun(found)
    if job is not None and processes.status(job).state not in AT_WORK and (number := _waiting(job)):
        answer_round(job, run, number, shown, liked)
        processes.start(run, job)
    else:
        add_round(run, shown, liked)
        st.session_state[f"taste.pending.{name}"] = True
    st.session_state.pop(f"taste.shown.{name}", None)


def _begun(found: Opened) -> Job:
    """A new evolution by taste, which waits for a round."""
    backbone = model.backbone(found.run)
    plan = plan_evolution(
        found.run,
        backbone,
        select=TASTE,
        generations=GENERATIONS,
        children=CHILDREN,
        population=POPULATION,
        drafts=can_draw(backbone),
    )
    return new_job(found.run, plan, conduct_asked())


def _nothing_left(found: Opened, job: Job | None) -> None:
    """All that is drawn has been judged: go on to the next generation."""
    run = found.run.folder.name
    if not any(found.drawings.values()):
        st.info("This run has no drawings yet.", icon=":material/brush:")
        return
    st.info("You have judged everything that is here.", icon=":material/check:")
    if clicks.button("Learn children of what I like", key="taste.more", of=run, type="primary", once=True):
        try:
            job = job or _begun(found)
            if number := _waiting(job):
                answer_round(job, found.run, number, (), ())
            processes.start(found.run, job)
        except ConceptreeError as error:
            notices.error(error)
            return
        st.rerun()


def _back(found: Opened, again: Round | None) -> None:
    """The round before, to answer it again."""
    given = rounds(found.run)
    places = [place for place, each in enumerate(given) if again and each.id == again.id]
    before = given[: places[0]] if places else given
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Previous round",
            key="taste.back",
            icon=":material/arrow_back:",
            type="tertiary",
            disabled=not before,
            on_click=_set_again,
            args=(found.run.folder.name, before[-1] if before else None),
            help="Answer them again; the last answer counts",
        )
        if given:
            st.caption(f"{counted(len(given), 'round')} answered.", width="content")


def _set_again(run: str, to: Round | None) -> None:
    st.session_state[f"taste.again.{run}"] = to


def _why(found: Opened) -> None:
    """Words and ancestors that the taste goes by, in one line."""
    with st.expander("Why", icon=":material/psychology:", key="taste.why", on_change="rerun") as opened:
        if opened.open:
            try:
                line = why(found.run, model.backbone(found.run))
                st.write(plain(f"{line[0].upper()}{line[1:]}."))
            except ConceptreeError as error:
                st.caption(plain(str(error)))
    links.to("gallery", "Gallery, sorted by your taste", icon=":material/grid_view:", run=found.run.folder.name)
