"""Seed: a category and how many founders; what is wrong with it is said at once, before anything is learned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from core.errors import ConceptreeError
from core.prompts import question
from core.stack.backbone import Backbone
from core.stack.wordbank import members
from core.wording import counted
from evolve import Run
from evolve.jobs.job import new_job
from ui.runs import checked_name, new_run, run_names
from ui.seed import PAGE, Plan, plan_founders
from ui.stack import can_draw, chosen_settings
from ui.view import links, model, processes, store
from ui.view.pace import pace
from ui.view.text import left, plain

KINDS = {"object": "Objects", "style": "A style"}
STYLES = ("painting", "art")  # what styles are called: their members are the stack's styles
NEGATIVES = {
    "adaptive": "Found on the way",
    "list": "My own words",
    "gradual": "One after the other",
    "none": "None",
}
EXPLAINED = {
    "adaptive": "Each founder is drawn after every segment, and what it looks like becomes what it shall not be.",
    "list": "It shall be none of these, from the beginning.",
    "gradual": "The known members of the category, in another order for each founder, one more after each segment.",
    "none": "Nothing pushes it away from what exists.",
}
PRESETS = {
    "default": "Conceptree's: the best moment is kept, answers are ranked",
    "paper": "As the paper says, to the letter",
    "published": "As the authors' code does",
}
MOST = 1000


AGAIN = "seed:again"  # in the session: what a concept was learned with, to be repeated


def show() -> None:
    st.title("New run", anchor=False)
    again = st.session_state.pop(AGAIN, None)
    if again:
        st.session_state["seed.like"] = _take(again)
    if like := st.session_state.get("seed.like"):
        st.caption(plain(f"With the settings of {like}; change what you like."))
    asking, telling = st.columns([3, 2], gap="large")
    with asking:
        given = _asked()
    with telling, st.container(border=True, key="seed.plan"):
        _plan(given)


def _take(again: dict[str, Any]) -> str:
    """Fill the page in with what a concept was learned with; its name."""
    settings, kind, schedule = again["settings"], again["kind"], again["schedule"]
    filled = {
        "kind": kind,
        f"category.{kind}": again["category"],
        "negatives": schedule,
        "seed": again["seed"],
        "preset": settings["preset"],
        "steps": settings["steps"],
        "segment": settings["segment"],
        "lam": settings["lam"],
        "vlm": again["asked"].get("vlm", ""),
        "question": again["asked"].get("question", ""),
        "model": "" if again["model"] == "emoji" else again["model"],
    }
    if schedule == "list":
        filled["words"] = list(again["negatives"])
    st.session_state.update({f"seed.{name}": value for name, value in filled.items()})
    return again["of"]


def _asked() -> dict[str, Any]:
    """What a person chose, by the names of `seed`'s options; words that the model knows are offered."""
    where = st.session_state.get("seed.model") or "emoji"
    try:
        backbone: Backbone | None = model.stack(where)
    except ConceptreeError:  # said beside the button
        backbone = None
    # Defaults are put where a page that is filled in finds them taken.
    for name, value in {"kind": "object", "negatives": "adaptive", "seed": 0}.items():
        st.session_state.setdefault(f"seed.{name}", value)
    kind = st.segmented_control(
        "Invent",
        list(KINDS),
        format_func=KINDS.get,
        required=True,
        key="seed.kind",
    )
    categories = _categories(backbone, kind)
    if "pet" in categories:
        st.session_state.setdefault(f"seed.category.{kind}", "pet")
    category = st.selectbox(
        "Category",
        categories,
        key=f"seed.category.{kind}",
        accept_new_options=True,
        placeholder="Choose one, or type another",
        help="What they shall all be. The model knows these; type any other word or two that it may know.",
    )
    count = st.number_input(
        "Founders", 1, MOST, 6, key="seed.count", help="How many. Later ones keep away from earlier ones.", width=180
    )
    negatives = _negatives(backbone, category or "", kind)
    given = {"kind": kind, "category": category or "", "count": count, "negatives": negatives, "model": where}
    return {**given, **_more(given)}


def _categories(backbone: Backbone | None, kind: str) -> list[str]:
    known = backbone.vocabulary.categories if backbone else {}
    if kind == "style":
        return [word for word in STYLES if backbone is None or backbone.knows(word)] or list(STYLES)
    return sorted(word for word in known if word != "style")


def _negatives(backbone: Backbone | None, category: str, kind: str) -> str:
    """`--negatives` as it would be typed."""
    schedule = st.segmented_control(
        "What they shall not be",
        list(NEGATIVES),
        format_func=NEGATIVES.get,
        required=True,
        key="seed.negatives",
    )
    st.caption(EXPLAINED[schedule])
    if schedule != "list":
        return schedule
    words = st.multiselect(
        "Words",
        list(members(backbone, category, kind)) if backbone and category else [],
        key="seed.words",
        accept_new_options=True,
        placeholder="Choose some, or type others",
    )
    return ", ".join(words) or ","  # of which the check says what it expects


def _more(given: dict[str, Any]) -> dict[str, Any]:
    """The rest of the options; given: those above."""
    with st.expander("More", key="seed.more"):
        left_half, right_half = st.columns(2)
        with left_half:
            name = st.text_input("Name of the run", key="seed.run", placeholder="by its category", max_chars=80)
            steps = st.number_input(
                "Steps for each", 1, 10**6, None, key="seed.steps", placeholder="what the model needs"
            )
            segment = st.number_input(
                "Steps between two looks", 1, 10**6, None, key="seed.segment", placeholder="what the model needs"
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
            wave = st.number_input(
                "Side by side",
                1,
                MOST,
                None,
                key="seed.wave",
                placeholder="all",
                help="How many learn at once. Later waves keep away from earlier ones, which is slower.",
            )
            seed = st.number_input("Seed", 0, 10**9, key="seed.seed", help="Another seed gives other founders.")
            preset = st.selectbox("Preset", list(PRESETS), format_func=PRESETS.get, key="seed.preset")
            st.text_input(
                "Model", key="seed.model", placeholder="emoji", help="emoji, or the folder of a stack on this machine."
            )
        vlm, asked = _asking(given, preset)
        ask = st.toggle(
            "Ask me about each new negative",
            key="seed.ask",
            help="Learning waits at each segment until you agree, or say other words.",
        )
    return {
        "name": name or None,
        "steps": steps,
        "segment": segment,
        "lam": lam,
        "wave": wave,
        "seed": seed,
        "preset": preset,
        "asked": {name: value for name, value in (("vlm", vlm), ("question", asked)) if value},
        "ask": ask,
    }


def _asking(given: dict[str, Any], preset: str) -> tuple[str, str]:
    """Who says what a drawing shows, and what it is asked, where that is a person's own; both serve no other way."""
    idle, category = given["negatives"] != "adaptive", given["category"]
    who, what = st.columns(2)
    vlm = who.text_input(
        "Question answerer",
        key="seed.vlm",
        placeholder="the model's own",
        disabled=idle,
        help="What looks at the drawings and names them: the folder of a model on this machine, ORG/NAME of one on a"
        " hub, or none, for the nearest words of the vocabulary.",
    )
    asked = what.text_input(
        "Question",
        key="seed.question",
        placeholder=question(given["kind"], category or "thing", preset),
        disabled=idle,
        help="What it is asked about each drawing. {} stands for the category.",
    )
    return ("", "") if idle else (vlm.strip(), asked.strip().replace("{}", category))


def _plan(given: dict[str, Any]) -> None:
    """What will be done, and how long it takes; or what is wrong with it."""
    st.subheader("What will be done", anchor=False)
    try:
        backbone = model.stack(given["model"])
        if not given["category"]:
            st.caption("Choose a category first.")
            return
        _check_name(given["name"])
        plan = _checked(backbone, given)
    except ConceptreeError as error:
        st.error(plain(str(error)), icon=":material/error:")
        st.button("Start", key="seed.start", type="primary", width="stretch", disabled=True)
        return
    for line in _told(plan, backbone):
        st.markdown(plain(line))
    if st.button("Start", key="seed.start", type="primary", width="stretch", icon=":material/play_arrow:"):
        _start(backbone, plan, given["name"])
    # Measured after the button is there, which need not wait for it.
    speed = pace(backbone, plan.namer)
    about = left(speed.of(plan)).removesuffix(" left").capitalize() if speed else ""
    st.caption(
        f"{about} on this machine, as long as nothing else keeps it busy."
        if about
        else "How long it takes is known once it has begun."
    )


def _check_name(name: str | None) -> None:
    """Refuse a name before anything is made; `new_run` looks again."""
    if name is not None and checked_name(name) in run_names(store.runs_folder()):
        raise ConceptreeError(f"there is a run {name!r} already: choose another name")


def _checked(backbone: Backbone, given: dict[str, Any]) -> Plan:
    """The plan of what a person chose.

    Raises:
        ConceptreeError: the core's own words for what cannot be learned.
    """
    category, kind = given["category"], given["kind"]
    numbers = {name: given[name] for name in ("steps", "segment", "lam")}
    chosen = chosen_settings(backbone, given["preset"], kind, category=category, **numbers)
    # Whoever answers questions is loaded, at first.
    with st.spinner("Loading the question answerer …"), model.loading:
        plan = plan_founders(
            backbone,
            category,
            given["count"],
            given["wave"],
            given["negatives"],
            kind,
            given["seed"],
            chosen,
            given["asked"],
        )
    return replace(plan, ask=PAGE if given["ask"] else False, drafts=can_draw(backbone))


def _told(plan: Plan, backbone: Backbone) -> list[str]:
    settings, schedule = plan.settings, plan.request["schedule"]
    several = "all" if plan.wave >= plan.count else plan.wave
    how = "one after the other" if plan.wave == 1 else f"{several} side by side"
    of = f"the style of {plan.category}" if plan.request["kind"] == "style" else plan.category
    lines = [f"{counted(plan.count, 'founder')} of “{of}”{f', {how}' if plan.count > 1 else ''}."]
    looks = f", looked at after each {settings.segment}" if settings.segment < settings.steps else ""
    lines.append(f"{counted(settings.steps, 'step')} for each{looks}.")
    if schedule == "adaptive":
        by = "the nearest word of the model's vocabulary"
        if plan.namer:
            own = "vlm" not in plan.asked
            by = "the model's own question answerer" if own else f"the question answerer {plan.namer.name}"
        lines.append(f"What each looks like is named by {by}{', and you decide' if plan.ask else ''}.")
        if plan.asked.get("question"):
            lines.append(f"It is asked: “{plan.asked['question']}”")
    elif schedule in ("list", "gradual"):
        words = plan.request["negatives"]
        shown = ", ".join(words[:8]) + (f" … and {len(words) - 8} more" if len(words) > 8 else "")
        lines.append(f"They shall be none of these: {shown}.")
    return lines


def _start(backbone: Backbone, plan: Plan, name: str | None) -> None:
    """Make the run, write down what is asked, and let a process of its own learn it."""
    kind = plan.request["kind"]
    run = new_run(store.runs_folder(), name, plan.category, lambda to: Run.create(to, plan.category, backbone, kind))
    job = new_job(run, "seed", plan.to_json())
    processes.start(run, job)
    links.go("jobs", run=run.folder.name, job=job.name)
