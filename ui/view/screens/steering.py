"""Decisions about a running job: answers to its questions, and changes to a concept's negatives.

The page only queues them (`evolve.jobs.steering`); the job applies them at its next checkpoint. Buttons act in
callbacks, which run before anything else, so a click counts even if the page updates at the same moment.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence

import streamlit as st

from core.concept import Negative, Request
from core.errors import ConceptreeError
from core.review import Decision, Proposal, checked
from evolve import Run
from evolve.jobs.choices import checked_words
from evolve.jobs.job import Job
from evolve.jobs.plans import Breed, Evolve, Map, Seed, Vary
from evolve.jobs.steering import TOO_LATE, LateAnswer, Question
from evolve.store.looks import Look
from ui.view import learning, links, model, notices
from ui.view.text import plain, shortened

AT_END = "is in its last segment: words alone would come too late. Go back to an earlier step; words apply there."
# The panel is above the cards, and the button that opens it may be far below.
_REVEAL = """
<script>
(() => {
  const opened = %s, until = Date.now() + 3000;
  if (window.conceptreeSteers === opened) return;
  const look = () => {
    const panel = document.querySelector(".st-key-progress-panel");
    const field = panel?.querySelector("[class*=st-key-progress-add] input");
    if (!field) return Date.now() < until && setTimeout(look, 50);
    window.conceptreeSteers = opened;
    panel.scrollIntoView({ block: "center" });
    field.focus({ preventScroll: true });
  };
  look();
})();
</script>
"""


def ask(run: Run, job: Job, question: Question) -> None:
    """The question that the job waits for: accept the negatives, change them, or go back."""
    key = key_of(job, question)
    one = learning.one(job, question.number)
    with st.container(border=True, key="progress.question"):
        st.subheader(plain(f"{one} waits for you at step {question.step}"), anchor=False)
        picture, words = st.columns([1, 4])
        with picture:
            if question.image and question.image.is_file():
                address = links.look(run.folder.name, job.name, question.image.stem, 256)
                st.image(address, width=160, alt=f"{one} at step {question.step}")
        if st.session_state.get("progress.answered") == key:
            words.caption("Answer sent. Learning continues in a moment.")
            return
        with words:
            _answer_form(job, question, key)
            if question.earlier:
                _back_form(job, question, key)


def _answer_form(job: Job, question: Question, key: str) -> None:
    with st.form(f"progress.answer.{key}", border=False):
        if problem := st.session_state.pop(f"progress.problem.{_of(job)}", "") or question.problem:
            notices.error(problem)
        proposed = ", ".join(question.words) or "nothing"
        note = f" ({plain(shortened(question.note, 200))})" if question.note else ""
        st.markdown(f"Proposed negatives: **{plain(proposed)}**{note}")
        st.multiselect(
            "Negatives to add",
            list(question.words),
            default=list(question.words),
            key=f"progress.words.{key}",
            accept_new_options=True,
            placeholder="None",
        )
        if there := [word for word, _ in question.negatives]:
            st.multiselect("Negatives to drop", there, key=f"progress.refuse.{key}")
        st.form_submit_button(
            "Continue",
            type="primary",
            icon=":material/play_arrow:",
            key=f"progress.continue.{key}",
            on_click=_answer,
            args=(job, question, key),
        )


def _back_form(job: Job, question: Question, key: str) -> None:
    """Going back takes no words: the earlier step asks its own question again."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Earlier step",
            question.earlier[::-1],
            key=f"progress.return.{key}",
            width=140,
            help="Restores the concept as it was at that step and asks its question again. Later steps are discarded.",
        )
        st.button(
            "Go back",
            key=f"progress.goback.{key}",
            icon=":material/undo:",
            on_click=_go_back,
            args=(job, question, key),
        )


def _answer(job: Job, question: Question, key: str) -> None:
    words = st.session_state.get(f"progress.words.{key}", question.words)
    dropped = st.session_state.get(f"progress.refuse.{key}", ())
    send(job, question, Decision(tuple(words), tuple(dropped)))


def _go_back(job: Job, question: Question, key: str) -> None:
    send(job, question, Decision(back_to=st.session_state[f"progress.return.{key}"]))


def send(job: Job, question: Question, decision: Decision) -> bool:
    """Send an answer to this question; False if the job no longer asks it: then the job's panel keeps it for later."""
    key = key_of(job, question)
    try:
        job.steer(question.number, decision, question.id)
    except LateAnswer:
        st.session_state.setdefault(f"progress.late.{_of(job)}", []).append((question.number, decision))
        st.session_state["progress.rerun"] = True
        return False
    except ConceptreeError as error:
        st.session_state[f"progress.problem.{_of(job)}"] = str(error)
        return True
    st.session_state["progress.answered"] = key
    return True


def key_of(job: Job, question: Question) -> str:
    """A name of a question in keys."""
    return f"{_of(job)}.{question.id}.{question.token}"


def open_panel(job: Job, number: int) -> None:
    """Open the panel for a concept, at the next run of the whole page, which then scrolls there."""
    st.session_state[f"progress.panel.{_of(job)}"] = number
    st.session_state[f"progress.target.{_of(job)}"] = number
    st.session_state[f"progress.opened.{_of(job)}"] = secrets.token_hex(4)
    st.session_state["progress.rerun"] = True


def panel(run: Run, job: Job) -> None:
    """The panel that steers a concept. It stays, with its entries, while concepts go on and end, until it is closed."""
    of = _of(job)
    looks = learning.by_number(job)
    _late(job)
    if f"progress.panel.{of}" not in st.session_state:
        return
    with st.container(border=True, key="progress.panel"):
        number = _target(job, looks)
        told = looks.get(number, ())
        there = told[-1].all_negatives if told else ()
        drop, add = f"progress.drop.{of}", f"progress.add.{of}"
        # Entries stay even if a checkpoint has made them impossible; then the job's reason is shown.
        chosen = [word for word in st.session_state.get(drop, ()) if word not in there]
        st.multiselect("Negatives to drop", [*there, *chosen], key=drop, placeholder="None")
        named = {word for each in looks.values() for look in each for word in look.all_negatives}
        typed = set(st.session_state.get(add, ()))
        st.multiselect(
            "Negatives to add",
            sorted((named - set(there)) | typed),
            key=add,
            accept_new_options=True,
            placeholder="Type words",
        )
        steps, back = _earlier(told), f"progress.back.{of}"
        if steps or st.session_state.get(back) is not None:
            now = st.session_state.get(back)
            st.selectbox(
                "Go back to step",
                [*reversed(steps), *([now] if now is not None and now not in steps else [])],
                index=None,
                placeholder="stay",
                key=back,
                help="Restores the concept as it was at that step. Its question comes again, with your words.",
            )
        _panel_buttons(run, job, number)
        kind, text = st.session_state.pop(f"progress.said.{of}", ("", ""))
        if kind == "sent":
            st.success(plain(text))
        elif text:
            notices.error(text)
        if opened := st.session_state.get(f"progress.opened.{of}"):
            st.html(_REVEAL % json.dumps(opened), unsafe_allow_javascript=True)


def _target(job: Job, looks: learning.Looks) -> int:
    """The concept that the panel is for; those that can be steered, and the chosen one even if it is finished."""
    of = _of(job)
    now = int(st.session_state.setdefault(f"progress.target.{of}", st.session_state[f"progress.panel.{of}"]))
    numbers = sorted({*_to_steer(job, looks), now})
    number = st.selectbox(
        "Steer",
        numbers,
        format_func=lambda each: learning.one(job, each),
        key=f"progress.target.{of}",
    )
    if (why := _too_late(job, looks, number)) is not None:
        others = " Choose another one to apply your entries there." if len(numbers) > 1 else ""
        st.warning(plain(f"{why}{others}"), icon=":material/hourglass_disabled:")
    elif _ends(job, looks, number):
        st.caption(plain(f"{learning.one(job, number)} {AT_END}"))
    return int(number)


def _panel_buttons(run: Run, job: Job, number: int) -> None:
    with st.container(horizontal=True):
        st.button(
            "Apply at next checkpoint",
            type="primary",
            key=f"progress.apply.{_of(job)}",
            on_click=_apply,
            args=(run, job, number),
        )
        st.button("Close", type="tertiary", key=f"progress.close.{_of(job)}", on_click=_close, args=(job,))


def _apply(run: Run, job: Job, number: int) -> None:
    """Queue the panel's entries for a concept; they stay if that is impossible."""
    of = _of(job)
    drop, add, back = (f"progress.{name}.{of}" for name in ("drop", "add", "back"))
    state = st.session_state
    decision = Decision(tuple(state.get(add, ())), tuple(state.get(drop, ())), state.get(back))
    looks = learning.by_number(job)
    try:
        if (why := _too_late(job, looks, number)) is not None:
            raise ConceptreeError(f"{why} Your entries are kept: choose another one to apply them there.")
        if decision.back_to is None and _ends(job, looks, number):
            raise ConceptreeError(f"{learning.one(job, number)} {AT_END}")
        mark = job.steer(number, _checked(run, job, decision, looks.get(number, ())))
    except ConceptreeError as error:
        state[f"progress.said.{of}"] = "problem", str(error)
        return
    state[f"progress.said.{of}"] = "sent", f"At the next checkpoint of {learning.one(job, number)}: {said(decision)}."
    state.setdefault(f"progress.sent.{of}", {})[mark] = number, decision
    state[drop], state[add], state[back] = [], [], None


def _close(job: Job) -> None:
    st.session_state.pop(f"progress.panel.{_of(job)}", None)


def _late(job: Job) -> None:
    """Answers and decisions that came too late: offer to apply them to the next look, one after the other."""
    of = _of(job)
    looks, waiting = learning.by_number(job), {each.mark for each in job.pending()}
    sent = st.session_state.setdefault(f"progress.sent.{of}", {})
    late = st.session_state.setdefault(f"progress.late.{of}", [])
    for mark, (number, decision) in list(sent.items()):
        if looks.get(number) and TOO_LATE in looks[number][-1].note:
            late.append((number, decision))
        elif mark in waiting:
            continue
        del sent[mark]  # else it was applied
    if not late:
        return
    number, decision = late[0]
    with st.container(border=True, key="progress.late"):
        one = learning.one(job, number)
        st.warning(
            plain(f"Too late for {one}: the job had gone on. Not applied: {said(decision)}."),
            icon=":material/hourglass_disabled:",
        )
        with st.container(horizontal=True):
            if _to_steer(job, looks):
                help_ = "Opens the panel with this decision, for the next look at a concept that is still learning."
                st.button(
                    "Apply to the next look", key=f"progress.use.{of}", on_click=_use_late, args=(job,), help=help_
                )
            st.button("Discard", key=f"progress.discard.{of}", type="tertiary", on_click=_discard_late, args=(job,))


def _use_late(job: Job) -> None:
    """Fill the panel with the late decision, for its concept or the next one that learns."""
    of, looks = _of(job), learning.by_number(job)
    number, decision = st.session_state[f"progress.late.{of}"].pop(0)
    targets = _to_steer(job, looks)
    target = number if number in targets else next(iter(targets), number)
    told = looks.get(target, ())
    there = told[-1].all_negatives if told else ()
    steps = _earlier(told)
    open_panel(job, target)
    st.session_state[f"progress.drop.{of}"] = list(decision.drop)
    st.session_state[f"progress.add.{of}"] = [word for word in decision.words if word not in there]
    st.session_state[f"progress.back.{of}"] = decision.back_to if decision.back_to in steps else None


def _discard_late(job: Job) -> None:
    st.session_state[f"progress.late.{_of(job)}"].pop(0)


def _to_steer(job: Job, looks: learning.Looks) -> list[int]:
    """Numbers of the concepts that have a checkpoint left, also of those that have not begun."""
    match learning.plan_of(job):
        case Seed(count=number) | Breed(children=number) | Vary(children=number):
            every: Iterable[int] = range(number)
        case _:
            every = sorted(looks)
    return [number for number in every if _too_late(job, looks, number) is None]


def _too_late(job: Job, looks: learning.Looks, number: int) -> str | None:
    """Why no decision about a concept has an effect any more; None if it has."""
    one = learning.one(job, number)
    if job.finished:
        return "The job is finished."
    told = looks.get(number)
    if not told:
        return None
    if told[-1].concept:
        return f"{one} is finished."
    if _ends(job, looks, number) and not _earlier(told):
        return f"{one} is in its last segment: nothing is added at the end."
    return None


def _ends(job: Job, looks: learning.Looks, number: int) -> bool:
    """Whether the next boundary of a concept is its last, at which a person can only send it back."""
    plan = learning.plan_of(job)
    settings = plan.settings if isinstance(plan, Seed | Breed | Evolve | Map) else None
    step = told[-1].step if (told := looks.get(number)) else 0
    return settings is not None and (step // settings.segment + 1) * settings.segment >= settings.steps


def _earlier(told: Sequence[Look]) -> list[int]:
    """The steps to which a concept can be sent back."""
    return [look.step for look in told[:-1] if not look.draft]


def _of(job: Job) -> str:
    """A name of the job in keys: jobs of two runs may have the same name."""
    return f"{job.folder.parent.parent.name}.{job.name}"


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
    now = _as_negatives(looks[-1]) if looks else ()
    proposal = Proposal("", looks[-1].step if looks else 0, request, (), now, (), (), "")
    return checked(decision, proposal, earlier, backbone)


def _as_negatives(look: Look) -> tuple[Negative, ...]:
    return tuple(Negative(word, look.step, "request") for word in look.all_negatives)


def said(decision: Decision) -> str:
    """`back to step 70, add horse, drop cat`."""
    told = [f"back to step {decision.back_to}"] if decision.back_to is not None else []
    told += [f"add {word}" for word in decision.words] + [f"drop {word}" for word in decision.drop]
    return ", ".join(told) or "no change"
