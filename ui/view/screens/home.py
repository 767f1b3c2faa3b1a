"""List of runs: a card each, with its newest drawings, its jobs and its damage."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from core.errors import ConceptreeError
from core.wording import counted
from evolve.store.parts import Damage
from ui.drawn import DRAWING, origin_in
from ui.labels import tally
from ui.share import open_family
from ui.view import clicks, learning, links, notices, processes, store
from ui.view.described import category_of, described
from ui.view.screens import drawings
from ui.view.store import Opened
from ui.view.text import plain, shortened

EVERY = 2.0  # seconds between two updates of a card with a running job
DRAWINGS, SIDE = 6, 56  # on a card; pixels
COLUMNS = 3
AT_FIRST = 12  # cards; a button shows the others


def show() -> None:
    names = store.newest_first()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Runs", anchor=False)
        st.space("stretch")
        with st.popover("Open a file", icon=":material/upload_file:", key="home.family"):
            _file()
        if clicks.button("New run", key="home.new", icon=":material/add:", type="primary"):
            links.go("seed")
    if not names:
        _nothing_yet()
        return
    if names == ["example"]:
        _first_time()
    every = len(names) <= AT_FIRST or st.session_state.get("home.all", False)
    shown = names if every else names[:AT_FIRST]
    busy = {run for run, _, _ in store.at_work()}
    for first in range(0, len(shown), COLUMNS):
        for column, name in zip(st.columns(COLUMNS), shown[first : first + COLUMNS], strict=False):
            with column, st.container(border=True, key=f"home.card.{name}"):
                st.fragment(_card, run_every=EVERY if name in busy else None)(name)
    if not every:
        st.button(f"Show all {counted(len(names), 'run')}", key="home.more", on_click=_all)


def _file() -> None:
    """Open a shared family file as a new run, after checking it; or the concept that a drawing shows."""
    given = st.file_uploader(
        "A shared family (.family.zip), or a drawing made by Conceptree (.png)", type=["zip", "png"], key="home.file"
    )
    if given is None or not clicks.button(
        "Open file", key="home.adopt", once=True, type="primary", icon=":material/family_history:"
    ):
        return
    try:
        if given.name.lower().endswith(DRAWING):
            found = origin_in(given.getvalue(), given.name, store.runs_folder())
            drawings.offer(found.entry, found.prompt, found.seed)
            run, page, concept = found.run, "concept", found.entry.id
        else:
            with st.spinner("Checking the file …"):
                run, page, concept = open_family(given.getvalue(), store.runs_folder(), given.name), "tree", ""
    except ConceptreeError as error:
        notices.error(error)
        return
    links.go(page, run=run.folder.name, concept=concept)


def _nothing_yet() -> None:
    st.info(
        "There are no runs yet. A run is a population: name a category, such as *pet*, and Conceptree invents members"
        " of it that do not exist. Click **New run** to start.",
        icon=":material/family_history:",
    )
    st.caption(plain(f"Folder of runs: {store.runs_folder()}"))


def _first_time() -> None:
    st.info(
        "**example** is a family of pets that do not exist. Open it, choose two pets in the family tree and breed a"
        " child, or start your own population with **New run**. Six founders take a few minutes on two cores.",
        icon=":material/lightbulb:",
    )


def _all() -> None:
    st.session_state["home.all"] = True


def _card(name: str) -> None:
    """One run, or the reason why it cannot be opened."""
    try:
        found = store.opened(name)
    except ConceptreeError as error:
        st.subheader(plain(name), anchor=False)
        notices.error(error)
        return
    about = found.run.about
    links.to("tree", f"**{plain(name)}**", help="Open the family tree", run=name)
    _strip(found)
    generations = 1 + max((each.generation for each in found.entries), default=-1)
    favourites = sum(each.note.favourite for each in found.entries)
    told = [
        category_of(shortened(about["category"], 40), about["kind"]),
        tally(found.entries),
        *([counted(generations, "generation")] if generations else []),
        *([counted(favourites, "favourite")] if favourites else []),
        *([ago(found.changed)] if found.changed else []),
    ]
    st.caption(plain(" · ".join(told)))
    notices.warn_of(found.damage)
    _jobs(name, found)


def _strip(found: Opened) -> None:
    """Some drawings: favourites first, then the newest."""
    newest = [each for each in reversed(found.entries) if not each.note.hidden]
    chosen = sorted(newest, key=lambda each: not each.note.favourite)
    drawn = [each for each in chosen if found.drawings.get(each.id)][:DRAWINGS]
    if not drawn:
        st.caption("No drawings yet." if found.entries else "No concepts yet.")
        return
    name = found.run.folder.name
    addresses = [links.picture(name, found.drawings[each.id][0], 128) for each in drawn]
    st.image(addresses, width=SIDE, alt=[described(each) for each in drawn])


def _jobs(name: str, found: Opened) -> None:
    """Unfinished jobs: running ones with their progress, others with a button to resume."""
    damage: list[Damage] = []
    for job, status in store.jobs_of(found.run, damage):
        if status.state == "finished":
            continue
        words = learning.told(job, status)
        if status.state in processes.AT_WORK:
            links.to("jobs", plain(words), icon=":material/hourglass_top:", run=name, job=job.name)
            st.progress(learning.percent(status))
            learning.so_far(found.run, job, SIDE, DRAWINGS, captions=False)
            continue
        with st.container(horizontal=True, vertical_alignment="center"):
            links.to("jobs", plain(words), icon=":material/pause_circle:", run=name, job=job.name)
            resume = clicks.button("Resume", key=f"home.on.{name}.{job.name}")
        if resume:
            try:
                processes.start(found.run, job)
            except ConceptreeError as error:
                notices.error(error)
            else:
                st.rerun()
    notices.warn_of(damage)


def ago(at: datetime) -> str:
    """`changed 5 minutes ago`; after a month, the date."""
    seconds = (datetime.now(UTC) - at).total_seconds()
    for length, unit, most in ((60, "minute", 60), (3600, "hour", 24), (86400, "day", 31)):
        number = int(seconds // length)
        if number < 1:
            return "changed just now" if unit == "minute" else f"changed {counted(1, unit)} ago"
        if number < most:
            return f"changed {counted(number, unit)} ago"
    return f"changed on {at:%d %B %Y}".replace(" 0", " ")
