"""New run: a category and the number of founders, checked before anything is learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import streamlit as st

from core.concept import Request
from core.errors import ConceptreeError
from core.prompts import question
from core.stack.backbone import Backbone
from core.wording import counted
from evolve import Run
from evolve.jobs.batches import namer_in
from evolve.jobs.choices import UnknownWordError
from evolve.jobs.job import Job
from evolve.jobs.options import FOUNDERS, OF, SEED, SEGMENT, STEPS, WAVE, SeedOptions
from evolve.jobs.planning import plan_founders
from evolve.jobs.plans import Seed
from evolve.jobs.stored import new_job
from ui.runs import checked_name, known_name, new_run
from ui.stack import can_draw
from ui.view import clicks, forms, links, model, notices, pace, processes, seeds, store
from ui.view.described import category_of
from ui.view.screens import unknown
from ui.view.text import plain
from ui.workers import conduct_asked

KINDS = {"object": "Objects", "style": "A style"}
STYLES = ("painting", "art")  # categories of styles; their members are the stack's styles
NEGATIVES = {
    "adaptive": "Adaptive",
    "list": "My own words",
    "gradual": "Gradual",
    "none": "None",
}
EXPLAINED = {
    "adaptive": "After each segment the founder is drawn, and the thing that it resembles becomes a negative.",
    "list": "Your words are negatives from the start.",
    "gradual": "Known members of the category become negatives, one after each segment, in an order of their own.",
    "none": "Nothing pushes founders away from the known members.",
}
PRESETS = {
    "default": "Conceptree: keep the best step, rank the answers",
    "paper": "Paper, to the letter",
    "published": "Code published by the authors",
}
TIME = 56  # pixels of the line on the time
AGAIN = "seed:again"  # key in the session: an `Again`


@dataclass(frozen=True)
class Again:
    """A concept to repeat: its name, its request, the question to its question answerer, and its stack."""

    of: str
    request: Request
    asked: Mapping[str, str]
    model: str


@dataclass(frozen=True)
class Form:
    """The values of the form. name: of the run, None for the category's."""

    options: SeedOptions
    model: str
    name: str | None = None


def show() -> None:
    st.title("New run", anchor=False)
    again = st.session_state.pop(AGAIN, None)
    if again:
        forms.set_aside("seed", forms.NEW_RUN, again.of)
        _take(again)
    forms.back_button("seed")
    asking, telling = st.columns([3, 2], gap="large")
    with asking:
        form = _form()
    with telling, st.container(border=True, key="seed.plan"):
        _plan(form)


def _take(again: Again) -> None:
    """Fill in the page with the settings of a concept."""
    request, settings = again.request, again.request.chosen
    filled: dict[str, object] = {
        "kind": request.kind,
        f"category.{request.kind}": request.category,
        "negatives": request.schedule,
        "seed": request.seed,
        "preset": settings.preset,
        "steps": settings.steps,
        "segment": settings.segment,
        "lam": settings.lam,
        "vlm": again.asked.get("vlm", ""),
        "question": again.asked.get("question", ""),
        "model": "" if again.model == "emoji" else again.model,
    }
    if request.schedule == "list":
        filled["words"] = list(request.negatives)
    end = f" {request.category}"
    own = [each.word.removesuffix(end) for each in request.positives if each.word.endswith(end)]
    filled["traits"] = ", ".join(own) if request.kind == "object" else ""
    st.session_state.update({f"seed.{name}": value for name, value in filled.items()})


def _form() -> Form:
    """Show the form; return its values."""
    where = st.session_state.get("seed.model") or "emoji"
    try:
        backbone: Backbone | None = model.stack(where)
    except ConceptreeError:  # shown beside the button
        backbone = None
    # Defaults, unless the page is filled in.
    for name, value in {"kind": "object", "negatives": "adaptive", "count": FOUNDERS.default}.items():
        st.session_state.setdefault(f"seed.{name}", value)
    kind = (
        st.segmented_control(
            "Invent",
            list(KINDS),
            format_func=KINDS.__getitem__,
            required=True,
            key="seed.kind",
        )
        or "object"
    )
    categories = _categories(backbone, kind)
    if "pet" in categories:
        st.session_state.setdefault(f"seed.category.{kind}", "pet")
    category = st.selectbox(
        "Category",
        categories,
        key=f"seed.category.{kind}",
        accept_new_options=True,
        placeholder="Choose or type one",
        help="The category of all founders. The model knows the listed words; you can type another word or two.",
    )
    count = st.number_input(
        "Founders",
        *FOUNDERS.bounds,
        key="seed.count",
        help="Number of founders that you get. More are tried, and the best of them stay.",
        width=180,
    )
    negatives = _negatives(backbone, category or "", kind)
    return _more(Form(SeedOptions(kind=kind, category=category or "", count=count, negatives=negatives), where))


def _categories(backbone: Backbone | None, kind: str) -> list[str]:
    known = backbone.vocabulary.categories if backbone else {}
    if kind == "style":
        return [word for word in STYLES if backbone is None or backbone.knows(word)] or list(STYLES)
    return sorted(word for word in known if word != "style")


def _negatives(backbone: Backbone | None, category: str, kind: str) -> str:
    """The value of `--negatives`."""
    schedule = (
        st.segmented_control(
            "Negatives",
            list(NEGATIVES),
            format_func=NEGATIVES.__getitem__,
            required=True,
            key="seed.negatives",
        )
        or "adaptive"
    )
    st.caption(EXPLAINED[schedule])
    if schedule != "list":
        return schedule
    words = st.multiselect(
        "Words",
        list(backbone.vocabulary.members(category, kind)) if backbone and category else [],
        key="seed.words",
        accept_new_options=True,
        placeholder="Choose or type words",
    )
    return ", ".join(words) or ","  # the check explains what it expects


def _more(form: Form) -> Form:
    """The other options, added to the values above."""
    with st.expander("More", key="seed.more"):
        left_half, right_half = st.columns(2)
        with left_half:
            name = st.text_input("Name of the run", key="seed.run", placeholder="the category", max_chars=80)
            usual = "default of the model"
            steps = st.number_input("Steps", *STEPS.bounds, None, key="seed.steps", placeholder=usual)
            segment = st.number_input("Steps per segment", *SEGMENT.bounds, None, key="seed.segment", placeholder=usual)
            traits = st.text_input(
                "Traits",
                key="seed.traits",
                placeholder="none",
                max_chars=200,
                help="Words such as blue, striped: each founder gets one of them, in turn. It is pulled to the category"
                " with the word, too, such as a striped pet.",
            )
            lam = st.number_input(
                "λ",
                0.0,
                None,
                None,
                key="seed.lam",
                placeholder="1.0",
                help="Weight of belonging to the category against differing from the negatives (Eq. 3).",
            )
        with right_half:
            of = st.number_input(
                "Tries",
                *OF.bounds,
                None,
                key="seed.of",
                placeholder=usual,
                help="Number of founders that are learned. The best of them stay: more whole, and more different. The"
                " others are hidden.",
            )
            wave = st.number_input(
                "Founders per wave",
                *WAVE.bounds,
                None,
                key="seed.wave",
                placeholder="all",
                help="Number of founders that learn at once. Later waves avoid earlier ones, which takes longer.",
            )
            seed = seeds.field("seed.seed", *SEED.bounds, SEED.default, help="Another seed gives other founders.")
            preset = st.selectbox("Preset", list(PRESETS), format_func=PRESETS.__getitem__, key="seed.preset")
            st.text_input(
                "Model", key="seed.model", placeholder="emoji", help="emoji, or the folder of a stack on this machine."
            )
        vlm, asked = _asking(form.options, preset)
        ask = st.toggle(
            "Ask me about each new negative",
            key="seed.ask",
            help="Learning waits after each segment until you accept or change the words.",
        )
    options = replace(
        form.options,
        steps=steps,
        segment=segment,
        lam=lam,
        traits=traits,
        of=of,
        wave=wave,
        seed=seed,
        preset=preset,
        vlm=vlm or None,
        question=asked or None,
        ask="page" if ask else "",
    )
    return replace(form, options=options, name=name or None)


def _asking(options: SeedOptions, preset: str) -> tuple[str, str]:
    """The question answerer and the question, if not the defaults; only adaptive negatives use them."""
    idle = options.negatives != "adaptive"
    who, what = st.columns(2)
    vlm = who.text_input(
        "Question answerer",
        key="seed.vlm",
        placeholder="default of the model",
        disabled=idle,
        help="The VQA model that names the drawings: a folder, or ORG/NAME on a hub; none uses the nearest words of"
        " the vocabulary.",
    )
    asked = what.text_input(
        "Question",
        key="seed.question",
        placeholder=question(options.kind, options.category or "thing", preset),
        disabled=idle,
        help="The question about each drawing; {} stands for the category.",
    )
    return ("", "") if idle else (vlm.strip(), asked.strip())


def _plan(form: Form) -> None:
    """The plan and its duration, or the reason why it cannot start."""
    st.subheader("Plan", anchor=False)
    try:
        backbone = model.stack(form.model)
        if not form.options.category:
            st.caption("Choose a category first.")
            return
        _check_name(form.name)
        plan = checked(backbone, form.options)
    except ConceptreeError as error:
        kind, category = form.options.kind, form.options.category
        if isinstance(error, UnknownWordError) and not backbone.knows(category):
            unknown.warn(category, backbone)
            unknown.categories(_categories(backbone, kind), f"seed.known.{kind}", f"seed.category.{kind}")
        else:
            notices.error(error)
        st.button("Start", key="seed.start", type="primary", width="stretch", disabled=True)
        return
    for line in _told(plan, backbone):
        st.markdown(plain(line))
    if clicks.button(
        "Start", key="seed.start", once=True, type="primary", width="stretch", icon=":material/play_arrow:"
    ):
        run, job = begin(backbone, plan, form.name)
        links.go("jobs", run=run.folder.name, job=job.name)
    # The time takes the same room whether it is known or not.
    with st.container(height=TIME, border=False):
        pace.show(plan, backbone, namer_in(plan, backbone), "The job shows the remaining time once it runs.")


def _check_name(name: str | None) -> None:
    """Refuse a taken name before anything is made; `new_run` checks again."""
    if name is not None and known_name(store.runs_folder(), checked_name(name)):
        raise ConceptreeError(f"there is a run {name!r} already: choose another name")


def checked(backbone: Backbone, options: SeedOptions) -> Seed:
    """The plan of these options.

    Raises:
        ConceptreeError: it cannot be learned; the reason is the core's.
    """
    # The first call loads the question answerer.
    with st.spinner("Loading the question answerer …"), model.loading:
        return plan_founders(backbone, replace(options, drafts=can_draw(backbone)))


def _told(plan: Seed, backbone: Backbone) -> list[str]:
    settings, schedule = plan.settings, plan.schedule
    several = "all" if plan.wave >= plan.count else plan.wave
    how = "one after the other" if plan.wave == 1 else f"{several} side by side"
    of = category_of(plan.category, plan.kind)
    lines = [f"You get {counted(plan.keep or plan.count, 'founder')} of “{of}”."]
    if plan.keep:
        others = plan.count - plan.keep
        lines.append(f"They are the best of {plan.count} tries, {how}. The other {others} are kept, but hidden.")
    elif plan.count > 1:
        lines.append(f"They are learned {how}.")
    looks = f", in segments of {settings.segment}" if settings.segment < settings.steps else ""
    lines.append(f"{counted(settings.steps, 'step')} each{looks}.")
    if plan.traits:
        lines.append(f"Traits in turn: {', '.join(plan.traits)}.")
    if schedule == "adaptive":
        by = "the nearest word of the model's vocabulary"
        if namer := namer_in(plan, backbone):
            own = "vlm" not in plan.asked
            by = "the model's own question answerer" if own else f"the question answerer {namer.name}"
        lines.append(f"Negatives are proposed by {by}{', and you decide' if plan.ask else ''}.")
        if plan.asked.get("question"):
            lines.append(f"Question: “{plan.asked['question']}”")
    elif schedule in ("list", "gradual"):
        words = plan.negatives
        shown = ", ".join(words[:8]) + (f" … and {len(words) - 8} more" if len(words) > 8 else "")
        lines.append(f"Negatives: {shown}.")
    return lines


def begin(backbone: Backbone, plan: Seed, name: str | None) -> tuple[Run, Job]:
    """Make the run and its job, and start a process that learns it. name: of the run, None for the category's."""
    kind = plan.kind
    run = new_run(store.runs_folder(), name, plan.category, lambda to: Run.create(to, plan.category, backbone, kind))
    job = new_job(run, plan, conduct_asked())
    processes.start(run, job)
    seeds.used("seed.seed", SEED.most)
    return run, job
