"""Evolve: the form, the objectives by generation, and the survivors."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TypedDict

import streamlit as st

from core.errors import ConceptreeError
from core.wording import counted
from evolve import selection
from evolve.jobs.choices import chosen_settings
from evolve.jobs.generations import Generation, awaits_choice, choose, generations
from evolve.jobs.job import Job, Status
from evolve.jobs.options import BROOD, GENERATIONS, MUTATION, PARENTS, POPULATION, SEED, SPREAD, STEPS, STRENGTH
from evolve.jobs.planning import plan_evolution
from evolve.jobs.plans import TASTE, USER, Evolve
from evolve.jobs.stored import job_named, new_job
from evolve.store.rows import Entry
from ui.labels import METHODS, OBJECTIVE_NAMES, method_of
from ui.stack import can_draw
from ui.view import clicks, learning, links, model, notices, objectives, pace, processes, store, undo
from ui.view.cards import Card, Chosen, cards
from ui.view.grid import HINT, card_of
from ui.view.processes import AT_WORK
from ui.view.store import Opened
from ui.view.text import plain
from ui.workers import conduct_asked

EVERY = 2.0  # seconds between two updates of a running evolution
SIDE, HEIGHT = 104, 300  # pixels of a card, and of a grid
SMALL = 8  # population of the form: a page is watched
MOST = 200  # cards to choose parents from: the newest


class More(TypedDict):
    """Values of the folded part of the form."""

    parents: int
    weights: str | None
    mutation: float
    strength: float
    spread: float
    inherit: bool
    words: list[str]
    steps: int | None
    seed: int | None


class Values(More):
    """Values of the form, as arguments of `plan_evolution`."""

    generations: int
    children: int
    population: int
    select: str


def show() -> None:
    found = store.current()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Evolve", anchor=False, width="content")
        undo.bar(found.run)
    notices.warn_of(found.damage)
    asking, telling = st.columns([5, 6], gap="large")
    evolutions = [(job, status) for job, status in store.jobs_of(found.run) if job.command == Evolve.command]
    with asking:
        _ask(found, [job for job, status in evolutions if status.state in AT_WORK])
    with telling:
        if not evolutions:
            st.caption("This run has no evolutions yet. Results appear here and in the family tree.")
            return
        job, status = _chosen(evolutions)
        live = status.state in AT_WORK
        st.fragment(_course, run_every=EVERY if live else None)(found.run.folder.name, job.name, live)


def _chosen(evolutions: Sequence[tuple[Job, Status]]) -> tuple[Job, Status]:
    """The evolution of the address, else the newest."""
    by_name = {job.name: (job, status) for job, status in evolutions}
    named = st.query_params.get("job")
    if len(by_name) < 2:
        return evolutions[0]
    names = list(by_name)
    name = st.selectbox(
        "Evolution",
        names,
        index=names.index(named) if named in by_name else 0,
        format_func=lambda name: _called(by_name[name][0]),
        key="evolve.job",
    )
    return by_name[name]


def _called(job: Job) -> str:
    """What was asked, without the state: an open select box does not update its options."""
    try:
        asked = _asked(job)
    except ConceptreeError:
        return job.name
    return f"{job.name}: {method_of(asked.select).name}, {counted(asked.generations, 'generation')}"


def _asked(job: Job) -> Evolve:
    plan = job.plan
    assert isinstance(plan, Evolve), "only evolutions are shown here"
    return plan


def _ask(found: Opened, busy: Sequence[Job]) -> None:
    """The form of a new evolution. busy: the evolutions that are being learned."""
    select = st.segmented_control(
        "Selection",
        list(dict.fromkeys([*METHODS, *selection.METHODS])),
        format_func=lambda method: method_of(method).name,
        default="tournament",
        required=True,
        key="evolve.select",
    )
    explained = method_of(select)
    st.caption(explained.told, help=explained.term or None)
    first, middle, right = st.columns(3)
    generations = first.number_input("Generations", *GENERATIONS.bounds, GENERATIONS.default, key="evolve.generations")
    population = middle.number_input(
        "Population",
        *POPULATION.bounds,
        SMALL,
        key="evolve.population",
        disabled=select == USER,
        help=POPULATION.help,
    )
    children = right.number_input("Children", *BROOD.bounds, SMALL, key="evolve.children", help="In each generation.")
    given: Values = {
        **_more(),
        "generations": generations,
        "children": children,
        "population": population,
        "select": select,
    }
    chosen: list[str] = []
    if select == USER:
        st.caption("Parents of the first generation. If you choose none: your favourites and concepts rated 4 or 5.")
        newest = [each for each in reversed(found.entries) if not each.note.hidden][:MOST]
        chosen = list(_grid(found, newest, "evolve.first", "Parents of the first generation").selected)
    _begin(found, given, chosen, busy)


def _more() -> More:
    with st.expander("More", key="evolve.more"):
        first, right = st.columns(2)
        return {
            "parents": first.number_input(
                PARENTS.help.rstrip("."), *PARENTS.bounds, PARENTS.default, key="evolve.parents"
            ),
            "weights": right.text_input(
                "Weights", key="evolve.weights", placeholder="random", help="For example 0.7,0.3. By default random."
            )
            or None,
            "mutation": first.slider(
                "Mutation",
                *MUTATION.bounds,
                MUTATION.default,
                0.05,
                key="evolve.mutation",
                help=MUTATION.help,
            ),
            "strength": right.slider(
                "Strength",
                *STRENGTH.bounds,
                STRENGTH.default,
                0.05,
                key="evolve.strength",
                help=STRENGTH.help,
            ),
            "spread": st.slider(
                "Variety",
                *SPREAD.bounds,
                SPREAD.default,
                0.05,
                key="evolve.spread",
                help="How far the shares of further children of one couple may differ from the first one's. Children"
                " that are closer to each other than the closest founders do not survive together.",
            ),
            "inherit": st.toggle(
                "Stay in the category",
                True,
                key="evolve.inherit",
                help="Children keep the category and the negatives of their parents.",
            ),
            "words": st.multiselect(
                "Extra words",
                [],
                key="evolve.words",
                accept_new_options=True,
                placeholder="Type words",
                help="Extra positive word for some variations.",
            ),
            "steps": first.number_input(
                "Steps", *STEPS.bounds, None, key="evolve.steps", placeholder="default of the model"
            ),
            "seed": right.number_input("Seed", *SEED.bounds, None, key="evolve.seed", placeholder="random"),
        }


def _begin(found: Opened, given: Values, chosen: Sequence[str], busy: Sequence[Job]) -> None:
    reason = _blocked(given["select"], busy)
    if reason:
        st.info(reason, icon=":material/hourglass_top:")
    pressed = clicks.button(
        "Evolve",
        key="evolve.start",
        of=found.run.folder.name,
        once=True,
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=bool(reason),
        help=reason or None,
    )
    if reason:
        return
    if any(_is_by_taste(job) for job in busy):
        st.caption("Children of what you liked on the page Rate are being learned too, so both take longer.")
    if not pressed:
        _estimate(found, given)
        return
    try:
        backbone = model.backbone(found.run)
        plan = plan_evolution(found.run, backbone, chosen=chosen, drafts=can_draw(backbone), **given)
        job = new_job(found.run, plan, conduct_asked())
        if plan.select != TASTE:  # it waits for a first round
            processes.start(found.run, job)
    except ConceptreeError as error:
        notices.error(error)
        return
    if plan.select == TASTE:
        links.go("rate", run=found.run.folder.name, kind=TASTE)
    links.go("evolve", run=found.run.folder.name, job=job.name)


def _blocked(select: str, busy: Sequence[Job]) -> str:
    """Why no evolution can begin now; "" if one can. Beside one by taste, which a first answer starts, another can."""
    by_taste = [job for job in busy if _is_by_taste(job)]
    if select == TASTE and by_taste:
        return "Children of what you like are being learned already. Tell it more on the page Rate."
    if len(by_taste) < len(busy):
        return "An evolution of this run is being learned. Stop it, or wait for its end, to begin another one."
    return ""


def _is_by_taste(job: Job) -> bool:
    plan = learning.plan_of(job)
    return isinstance(plan, Evolve) and plan.select == TASTE


def _estimate(found: Opened, given: Values) -> None:
    """How long the evolution takes on this machine, if its stack is small enough to measure."""
    with suppress(ConceptreeError):
        backbone = model.backbone(found.run)
        settings = chosen_settings(
            backbone,
            kind=found.run.about["kind"],
            mixing=True,
            category=found.run.about["category"],
            steps=given["steps"],
        )
        plan = Evolve(
            generations=given["generations"],
            children=given["children"],
            settings=settings,
            drafts=can_draw(backbone),
        )
        pace.show(plan, backbone, None)


def _course(run: str, name: str, live: bool) -> None:
    """An evolution, or the reason why it cannot be read; the form beside it stays usable."""
    try:
        _shown(run, name, live)
    except ConceptreeError as error:
        notices.error(error)


def _shown(run: str, name: str, live: bool) -> None:
    found = store.opened(run)
    job = job_named(found.run, name)
    status = processes.status(job)
    if live != (status.state in AT_WORK):  # started or ended since: update again, or no more
        st.rerun()
    asked = _asked(job)
    done = generations(job)
    waits = 0 if status.state in AT_WORK else awaits_choice(job, asked)
    state = "waits for your choice" if waits else learning.state(job, status)
    if waits and asked.select == TASTE:
        links.to("rate", "What do you like?", icon=":material/favorite:", run=run, kind=TASTE)
        waits, state = 0, "waits for what you like"
    st.markdown(f"**{plain(_where(asked, len(done), status.state in AT_WORK))}**: {plain(state)}")
    if status.state == "failed" and not waits:
        notices.error(status.problem)
    if status.steps and status.state != "finished":
        st.progress(learning.percent(status))
    links.to("jobs", "Drawings, stop and resume", icon=":material/hourglass_top:", run=run, job=name)
    if status.state in AT_WORK:
        learning.so_far(found.run, job, 72, 8)
    if done:
        st.altair_chart(objectives.chart(objectives.table(done)), key=f"evolve.chart.{name}")
        with st.popover("As a table", icon=":material/table_rows:", key="evolve.table"):
            st.dataframe(_rows(done), hide_index=True)
        _population(found, job, done[-1], waits)


def _where(asked: Evolve, done: int, live: bool) -> str:
    """The generation that is being learned, else the last one. By taste there is no last one to wait for."""
    number = min(done + 1, asked.generations) if live else done
    if asked.select == TASTE:
        return f"Children of what you like, generation {number}" if number else "Children of what you like"
    if not number:
        return f"No generation of {asked.generations} is done"
    return f"Generation {number} of {asked.generations}"


def _rows(done: Sequence[Generation]) -> list[dict[str, float | None]]:
    """A row for each generation: children, how many of them survived, similarity, mean and best of each objective."""
    rows = []
    for each in done:
        record = dict(each.record)
        row: dict[str, float | None] = {"generation": each.number}
        row |= {"children": record.pop("born"), "surviving children": record.pop("stay")}
        row["similarity"] = record.pop("likeness")
        for name, values in record.items():
            row |= {f"{OBJECTIVE_NAMES.get(name, name)}, {which}": values[which] for which in ("mean", "best")}
        rows.append(row)
    return rows


def _population(found: Opened, job: Job, last: Generation, waits: int) -> None:
    """The survivors: to mark, to retire, or, if the evolution waits for it, to choose as parents."""
    by_id = found.by_id
    ids = dict.fromkeys([*last.children, *last.survivors] if waits else last.survivors)
    there = [by_id[id_] for id_ in ids if id_ in by_id]
    said = f"Choose the parents of generation {waits}" if waits else f"Survivors: {counted(len(there), 'concept')}"
    st.subheader(said, anchor=False)
    place = st.container(horizontal=True, gap="small")
    key = f"evolve.population.{job.name}.{last.number}"
    chosen = _grid(found, there, key, said)
    if chosen.opened:
        links.go("concept", run=found.run.folder.name, concept=chosen.opened)
    with place:
        _actions(found, job, [by_id[id_] for id_ in chosen.selected], waits, key)


def _actions(found: Opened, job: Job, chosen: Sequence[Entry], waits: int, key: str) -> None:
    if waits:
        st.button(
            "Breed these parents",
            key="evolve.choose",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not chosen,
            on_click=_choose,
            args=(found, job, waits, key),
        )
    for field, off, on, icon in (
        ("favourite", "Favourite", "Remove favourite", "favorite"),
        ("locked", "Lock", "Unlock", "lock"),
        ("hidden", "Retire", "Restore", "visibility_off"),
    ):
        are = bool(chosen) and all(getattr(each.note, field) for each in chosen)
        st.button(
            on if are else off,
            key=f"evolve.{field}",
            icon=f":material/{icon}:",
            disabled=not chosen,
            on_click=_mark,
            args=(found, key, field, not are),
            help="Survives every generation, with any fitness." if field == "locked" else None,
        )
    if not chosen:
        st.caption(HINT)


def _selected(found: Opened, key: str) -> list[Entry]:
    """The concepts selected now: a click may come before the page has seen the previous one."""
    told = st.session_state.get(key) or {}
    return [found.by_id[id_] for id_ in told.get("selected") or () if id_ in found.by_id]


def _mark(found: Opened, key: str, field: str, value: bool) -> None:
    undo.mark(found.run, _selected(found, key), field, value)


def _choose(found: Opened, job: Job, number: int, key: str) -> None:
    try:
        choose(job, number, [each.id for each in _selected(found, key)])
        processes.start(found.run, job)
    except ConceptreeError as error:
        st.toast(plain(str(error)), icon=":material/error:")


def _grid(found: Opened, entries: Sequence[Entry], key: str, label: str) -> Chosen:
    return cards([_card(found, each) for each in entries], key=key, label=label, side=SIDE, height=HEIGHT)


def _card(found: Opened, entry: Entry) -> Card:
    drawing = next((each for each in found.drawings.get(entry.id, ()) if each.file.is_file()), None)
    return card_of(found.run.folder.name, entry, drawing, "locked" if entry.note.locked else "")
