"""What a person decides about what is being learned: at once where the job asks, else at a concept's next look.

The page only queues it (`evolve.jobs.steering`); the job follows.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.concept import Negative, Request
from core.errors import ConceptreeError
from core.review import Decision, Proposal, checked
from evolve import Run
from evolve.jobs.job import Job
from evolve.jobs.steering import Question
from evolve.store.looks import Look
from ui.stack import check_words
from ui.view import learning, links, model
from ui.view.text import plain, shortened


def ask(run: Run, job: Job, question: Question) -> None:
    """What the job waits for: agree, say other words, drop some, go back."""
    key = f"{job.name}.{question.number}.{question.step}"
    with st.container(border=True, key="progress.question"):
        st.subheader(plain(f"{learning.one(job, question.number)} waits for you at step {question.step}"), anchor=False)
        picture, words = st.columns([1, 4])
        with picture:
            if question.image and question.image.is_file():
                address = links.look(run.folder.name, job.name, question.image.stem, 256)
                st.image(address, width=160, alt=f"{learning.one(job, question.number)} at step {question.step}")
        if st.session_state.get("progress.answered") == (key, question.problem):
            words.caption("Told. It goes on in a moment.")
            return
        with words, st.form(f"progress.answer.{key}", border=False):
            if question.problem:
                st.error(plain(question.problem), icon=":material/error:")
            proposed = ", ".join(question.words) or "nothing"
            note = f" ({plain(shortened(question.note, 200))})" if question.note else ""
            st.markdown(f"Proposed as what it shall not be: **{plain(proposed)}**{note}")
            chosen = st.multiselect(
                "Shall not be, from now on",
                list(question.words),
                default=list(question.words),
                key=f"progress.words.{key}",
                accept_new_options=True,
                placeholder="Nothing more",
            )
            there = [word for word, _ in question.negatives]
            dropped = st.multiselect("May be after all", there, key=f"progress.refuse.{key}") if there else []
            back = _step_back(question.earlier, f"progress.return.{key}")
            if st.form_submit_button("Go on", type="primary", icon=":material/play_arrow:"):
                new = [word for word in chosen if back is None or word not in question.words]
                try:
                    job.steer(question.number, Decision(tuple(new), tuple(dropped), back))
                except ConceptreeError as error:
                    st.error(plain(str(error)))
                    return
                # Told twice, it would also be followed at the next question, which nobody has seen.
                st.session_state["progress.answered"] = key, question.problem
                st.rerun()


def steer(run: Run, job: Job, number: int, looks: Sequence[Look]) -> None:
    """Negatives to add and to drop, and a step to go back to: queued, and followed at the concept's next look."""
    key = f"{job.name}.{number}"
    steps = [look.step for look in looks[:-1] if not look.draft]
    with st.form(f"progress.steer.{key}", border=False):
        dropped = st.multiselect("May be after all", looks[-1].all_negatives, key=f"progress.drop.{key}")
        named = {word for look in job.looks() for word in look.all_negatives}  # of others, which may fit it too
        added = st.multiselect(
            "Shall not be either",
            sorted(named - set(looks[-1].all_negatives)),
            key=f"progress.add.{key}",
            accept_new_options=True,
            placeholder="Type words",
        )
        back = _step_back(steps, f"progress.back.{key}")
        if st.form_submit_button("Do so at its next look", type="primary"):
            decision = Decision(tuple(added), tuple(dropped), back)
            try:
                job.steer(number, _checked(run, job, decision, looks))
            except ConceptreeError as error:
                st.error(plain(str(error)))
            else:
                st.success(plain(f"At its next look: {said(decision)}."))


def _step_back(steps: Sequence[int], key: str) -> int | None:
    """A step to go back to, where there is one."""
    if not steps:
        return None
    return st.selectbox(
        "Go back to step",
        [None, *reversed(steps)],
        format_func=lambda step: "do not go back" if step is None else str(step),
        key=key,
        help="What was learned and named after that step is forgotten.",
    )


def _checked(run: Run, job: Job, decision: Decision, looks: Sequence[Look]) -> Decision:
    """The decision as it can be followed by what is known here; what is proposed meanwhile is known there.

    Raises:
        ConceptreeError: it cannot.
    """
    if decision == Decision():
        raise ConceptreeError("nothing is decided: choose words, or a step to go back to")
    backbone = model.backbone(run)
    category = str(job.plan.get("category") or run.about["category"])
    check_words(backbone, decision.words, "negative")
    earlier = {look.step: _as_negatives(look) for look in looks[:-1] if not look.draft}
    request = Request(category, kind=run.about["kind"])
    now = _as_negatives(looks[-1])
    proposal = Proposal(looks[-1].number, looks[-1].step, request, (), now, (), (), "")
    return checked(decision, proposal, earlier, backbone)


def _as_negatives(look: Look) -> tuple[Negative, ...]:
    return tuple(Negative(word, look.step, "request") for word in look.all_negatives)


def said(decision: Decision) -> str:
    """`not horse, cat no more, back to step 70`"""
    told = [f"back to step {decision.back_to}"] if decision.back_to is not None else []
    told += [f"not {word}" for word in decision.words] + [f"{word} may be" for word in decision.drop]
    return ", ".join(told) or "nothing is added"
