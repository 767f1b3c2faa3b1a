"""Decisions about a running job: answers to its questions, and changes to a concept's negatives.

The page only queues them (`evolve.jobs.steering`); the job applies them at the end of a segment.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.concept import Negative, Request
from core.errors import ConceptreeError
from core.review import Decision, Proposal, checked
from evolve import Run
from evolve.jobs.choices import checked_words
from evolve.jobs.job import Job
from evolve.jobs.plans import Breed, Seed
from evolve.jobs.steering import Question
from evolve.store.looks import Look
from ui.view import learning, links, model, notices
from ui.view.text import plain, shortened


def ask(run: Run, job: Job, question: Question) -> None:
    """The question that the job waits for: accept the negatives, change them, or go back."""
    key = f"{job.name}.{question.number}.{question.step}"
    with st.container(border=True, key="progress.question"):
        st.subheader(plain(f"{learning.one(job, question.number)} waits for you at step {question.step}"), anchor=False)
        picture, words = st.columns([1, 4])
        with picture:
            if question.image and question.image.is_file():
                address = links.look(run.folder.name, job.name, question.image.stem, 256)
                st.image(address, width=160, alt=f"{learning.one(job, question.number)} at step {question.step}")
        if st.session_state.get("progress.answered") == (key, question.problem):
            words.caption("Answer sent. Learning continues in a moment.")
            return
        with words, st.form(f"progress.answer.{key}", border=False):
            if question.problem:
                notices.error(question.problem)
            proposed = ", ".join(question.words) or "nothing"
            note = f" ({plain(shortened(question.note, 200))})" if question.note else ""
            st.markdown(f"Proposed negatives: **{plain(proposed)}**{note}")
            chosen = st.multiselect(
                "Negatives to add",
                list(question.words),
                default=list(question.words),
                key=f"progress.words.{key}",
                accept_new_options=True,
                placeholder="None",
            )
            there = [word for word, _ in question.negatives]
            dropped = st.multiselect("Negatives to drop", there, key=f"progress.refuse.{key}") if there else []
            back = _step_back(question.earlier, f"progress.return.{key}")
            if st.form_submit_button("Continue", type="primary", icon=":material/play_arrow:"):
                new = [word for word in chosen if back is None or word not in question.words]
                try:
                    job.steer(question.number, Decision(tuple(new), tuple(dropped), back))
                except ConceptreeError as error:
                    notices.error(error)
                    return
                # A second answer would also answer the next question, which is not shown yet.
                st.session_state["progress.answered"] = key, question.problem
                st.rerun()


def steer(run: Run, job: Job, number: int, looks: Sequence[Look]) -> None:
    """Queue negatives to add or drop, or a step to go back to, for the end of the current segment."""
    key = f"{job.name}.{number}"
    steps = [look.step for look in looks[:-1] if not look.draft]
    with st.form(f"progress.steer.{key}", border=False):
        dropped = st.multiselect("Negatives to drop", looks[-1].all_negatives, key=f"progress.drop.{key}")
        named = {word for look in job.looks() for word in look.all_negatives}  # of the other concepts too
        added = st.multiselect(
            "Negatives to add",
            sorted(named - set(looks[-1].all_negatives)),
            key=f"progress.add.{key}",
            accept_new_options=True,
            placeholder="Type words",
        )
        back = _step_back(steps, f"progress.back.{key}")
        if st.form_submit_button("Apply after this segment", type="primary"):
            decision = Decision(tuple(added), tuple(dropped), back)
            try:
                job.steer(number, _checked(run, job, decision, looks))
            except ConceptreeError as error:
                notices.error(error)
            else:
                st.success(plain(f"After this segment: {said(decision)}."))


def _step_back(steps: Sequence[int], key: str) -> int | None:
    """A step to go back to, if there is one."""
    if not steps:
        return None
    return st.selectbox(
        "Go back to step",
        [None, *reversed(steps)],
        format_func=lambda step: "stay" if step is None else str(step),
        key=key,
        help="Discards steps and negatives after that step.",
    )


def _checked(run: Run, job: Job, decision: Decision, looks: Sequence[Look]) -> Decision:
    """The decision with its words cleaned.

    Raises:
        ConceptreeError: the job could not apply it.
    """
    if decision == Decision():
        raise ConceptreeError("nothing is decided: choose words, or a step to go back to")
    backbone = model.backbone(run)
    category = plan.category if isinstance(plan := learning.plan_of(job), Seed | Breed) else run.about["category"]
    checked_words(backbone, decision.words, "negative")
    earlier = {look.step: _as_negatives(look) for look in looks[:-1] if not look.draft}
    request = Request(category, kind=run.about["kind"])
    now = _as_negatives(looks[-1])
    proposal = Proposal("", looks[-1].step, request, (), now, (), (), "")
    return checked(decision, proposal, earlier, backbone)


def _as_negatives(look: Look) -> tuple[Negative, ...]:
    return tuple(Negative(word, look.step, "request") for word in look.all_negatives)


def said(decision: Decision) -> str:
    """`back to step 70, add horse, drop cat`."""
    told = [f"back to step {decision.back_to}"] if decision.back_to is not None else []
    told += [f"add {word}" for word in decision.words] + [f"drop {word}" for word in decision.drop]
    return ", ".join(told) or "no change"
